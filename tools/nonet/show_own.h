/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_SHOW_OWN_H
#define NONET_TOOL_SHOW_OWN_H

#include <jansson.h>

#include <nonet/address.h>
#include <nonet/inspect.h>

/* Of one of nonet's own objects who holds it, waits for it and has it open, and what was done last. Return: the exit
 * status. */
int show_own(const struct nonet_address *address, int json);

/* Of its parts: a process's name as it can be printed; who has to do with it, a line each; all of it as JSON. */
#define SHOW_NAME 24
const char *show_name(const char name[SHOW_NAME], char text[SHOW_NAME]);
void show_members(const struct nonet_inspect_state *state);
json_t *show_state_json(const struct nonet_inspect_state *state);

#endif
