/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_SIZE ((size_t)256 * 1024)

/* Of a chunk: what every packet carrier takes with the system's default buffers. */
#define CHUNK_SIZE ((size_t)64 * 1024)

int input_open(struct input *input, size_t limit)
{
	memset(input, 0, sizeof(*input));
	input->capacity = INPUT_SIZE;
	input->limit = limit;
	input->buffer = malloc(input->capacity);
	return input->buffer ? 0 : -ENOMEM;
}

void input_close(struct input *input)
{
	free(input->buffer);
	input->buffer = NULL;
}

/* Makes room at the end of the buffer: moves what is there to the front, and grows when that isn't enough. */
static int make_room(struct input *input)
{
	size_t left = input->end - input->start, capacity = input->capacity;
	char *buffer;

	if (input->end < input->capacity)
		return 0;
	if (left <= capacity / 2) {
		memmove(input->buffer, input->buffer + input->start, left);
		input->scanned -= input->start;
		input->start = 0;
		input->end = left;
		return 0;
	}
	buffer = realloc(input->buffer, 2 * capacity);
	if (!buffer)
		return -ENOMEM;
	input->buffer = buffer;
	input->capacity = 2 * capacity;
	return 0;
}

/* One read of at most @most bytes. Return: 0, also at the end; or a negative errno. */
static int fill(struct input *input, size_t most)
{
	struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
	size_t room;
	ssize_t n;
	int r;

	r = make_room(input);
	if (r < 0)
		return r;
	room = input->capacity - input->end;
	for (;;) {
		n = read(STDIN_FILENO, input->buffer + input->end, room < most ? room : most);
		if (n >= 0)
			break;
		if (errno == EAGAIN) /* non-blocking by another's doing */
			(void)poll(&ready, 1, -1);
		else if (errno != EINTR)
			return -errno;
	}
	input->end += (size_t)n;
	input->ended = n == 0;
	return 0;
}

static int give(struct input *input, size_t size, size_t skip, const char **ret_message, size_t *ret_size)
{
	if (size > input->limit)
		return -EMSGSIZE;
	*ret_message = input->buffer + input->start;
	*ret_size = size;
	input->start += size + skip;
	input->scanned = input->start;
	return 1;
}

int input_record(struct input *input, char delimiter, const char **ret_message, size_t *ret_size)
{
	const char *found;
	int r;

	for (;;) {
		found = memchr(input->buffer + input->scanned, delimiter, input->end - input->scanned);
		if (found)
			return give(input, (size_t)(found - (input->buffer + input->start)), 1, ret_message, ret_size);
		input->scanned = input->end;
		if (input->end - input->start > input->limit)
			return -EMSGSIZE;
		if (input->ended)
			break;
		r = fill(input, SIZE_MAX);
		if (r < 0)
			return r;
	}
	if (input->start == input->end)
		return 0;
	return give(input, input->end - input->start, 0, ret_message, ret_size);
}

int input_whole(struct input *input, const char **ret_message, size_t *ret_size)
{
	int r;

	if (input->ended)
		return 0;
	while (!input->ended) {
		r = fill(input, SIZE_MAX);
		if (r < 0)
			return r;
		if (input->end > input->limit)
			return -EMSGSIZE;
	}
	return give(input, input->end, 0, ret_message, ret_size);
}

int input_chunk(struct input *input, const char **ret_message, size_t *ret_size)
{
	int r;

	input->start = 0;
	input->scanned = 0;
	input->end = 0;
	if (input->ended)
		return 0;
	r = fill(input, input->limit < CHUNK_SIZE ? input->limit : CHUNK_SIZE);
	if (r < 0)
		return r;
	return input->ended ? 0 : give(input, input->end, 0, ret_message, ret_size);
}
