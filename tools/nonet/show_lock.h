/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_SHOW_LOCK_H
#define NONET_TOOL_SHOW_LOCK_H

#include <nonet/address.h>

/* Prints who has a file lock, and who waits for it. Return: as struct verb's run(). */
int show_lock(const struct nonet_address *address, int json);

#endif
