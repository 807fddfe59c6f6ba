/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_MESSAGE_JSON_H
#define NONET_TOOL_MESSAGE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "output.h"

/*
 * One message as a line of JSON: {"size": N, "text": "..."}, or if it isn't UTF-8 {"size": N, "data": "..."} in base64
 * (RFC 4648, section 4). @label: "type" or "priority", which is @value, or NULL. Return: as output_write(), or -ENOMEM.
 */
int message_json_write(struct output *output, const char *message, size_t size, const char *label, int64_t value);

/* The same without a label and the end of the line: part of another object. */
int message_json_object(struct output *output, const char *message, size_t size);

#endif
