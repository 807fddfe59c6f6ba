/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_SHOW_OWN_H
#define NONET_TOOL_SHOW_OWN_H

#include <nonet/address.h>

/* Of one of nonet's own objects who holds it, waits for it and has it open, and what was done last. Return: the exit
 * status. */
int show_own(const struct nonet_address *address, int json);

#endif
