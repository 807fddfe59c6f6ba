/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_INPUT_H
#define NONET_TOOL_INPUT_H

#include <stddef.h>

/* Standard input as messages. */
struct input {
	char *buffer;
	size_t capacity;
	size_t limit;   /* largest message, in bytes */
	size_t start;   /* of what wasn't given out yet */
	size_t scanned; /* no delimiter before here */
	size_t end;
	int ended;
};

/* Return: 0 or -ENOMEM. */
int input_open(struct input *input, size_t limit);
void input_close(struct input *input);

/*
 * Each of these gives the next message, good until the next call.
 * Return: 1, or 0 at the end, or a negative errno of read(2), or -EMSGSIZE: it is larger than the limit, or -ENOMEM.
 */
/* What stands before the next @delimiter or the end; at the end nothing is no message. */
int input_record(struct input *input, char delimiter, const char **ret_message, size_t *ret_size);
/* All there is; nothing at all is an empty message. */
int input_whole(struct input *input, const char **ret_message, size_t *ret_size);
/* What one read(2) gives. */
int input_chunk(struct input *input, const char **ret_message, size_t *ret_size);

#endif
