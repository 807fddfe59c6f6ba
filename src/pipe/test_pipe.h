/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPE_TEST_PIPE_H
#define PIPE_TEST_PIPE_H

#include <stdlib.h>

#include <nonet/nonet.h>

#include "harness/test.h"

/* What the tests of pipes share. */

/* For a wait that only a broken library reaches the end of. */
static inline nonet_time soon(void)
{
	return test_deadline();
}

static inline void make_pipe(struct nonet_pipe **ret_reader, struct nonet_pipe **ret_writer)
{
	test_check_equal(nonet_pipe_new(NULL, ret_reader, ret_writer, NULL), 0);
}

static inline void close_pair(struct nonet_pipe *reader, struct nonet_pipe *writer)
{
	nonet_pipe_close(reader);
	nonet_pipe_close(writer);
}

/* Bytes that differ at every place a piece could be lost at, and from message to message. */
static inline void fill(uint8_t *bytes, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251 + seed * 7);
}

static inline bool is_filled(const uint8_t *bytes, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != (uint8_t)(i * 31 + i / 251 + seed * 7))
			return false;
	return true;
}

static inline uint8_t *new_filled(size_t size, unsigned seed)
{
	uint8_t *bytes = malloc(size + 1);

	test_check(bytes != NULL);
	fill(bytes, size, seed);
	return bytes;
}

/* The next message is the one of @size bytes made by fill(). */
#define expect_filled(pipe, size, seed) test_check_equal(receive_filled((pipe), (size), (seed)), 0)
static inline int receive_filled(struct nonet_pipe *pipe, size_t size, unsigned seed)
{
	uint8_t *buffer = malloc(size + 1);
	size_t got = 0;
	int error;

	test_check(buffer != NULL);
	error = nonet_pipe_receive(pipe, buffer, size + 1, soon(), &got);
	if (error == 0 && (got != size || !is_filled(buffer, size, seed)))
		error = -EILSEQ;
	free(buffer);
	return error;
}

static inline int send_filled(struct nonet_pipe *pipe, size_t size, unsigned seed, nonet_time deadline)
{
	uint8_t *bytes = new_filled(size, seed);
	int error = nonet_pipe_send(pipe, bytes, size, deadline);

	free(bytes);
	return error;
}

#endif
