/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIX_TEST_UNIX_H
#define UNIX_TEST_UNIX_H

#include <stdio.h>
#include <stdlib.h>

#include <nonet/nonet.h>

#include "harness/test.h"

/* What the tests of UNIX sockets share. */

/* For a wait that only a broken library reaches the end of. */
static inline nonet_time soon(void)
{
	return test_deadline();
}

#define for_each_type(type) for (enum nonet_unix_type type = NONET_UNIX_STREAM; (type) <= NONET_UNIX_DATAGRAM; (type)++)

static inline void make_pair(enum nonet_unix_type type, struct nonet_unix **ret_a, struct nonet_unix **ret_b)
{
	test_check_equal(nonet_unix_pair(type, NULL, ret_a, ret_b, NULL), 0);
}

static inline void close_pair(struct nonet_unix *a, struct nonet_unix *b)
{
	nonet_unix_close(a);
	nonet_unix_close(b);
}

/* A path below the directory, for the test's life. */
static inline const char *path_in(const char *directory, const char *name)
{
	static char paths[32][108];
	static unsigned next;
	char *path = paths[next++ % 32];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
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

static inline int send_filled(struct nonet_unix *socket, size_t size, unsigned seed, nonet_time deadline)
{
	uint8_t *bytes = malloc(size + 1);
	int error;

	test_check(bytes != NULL);
	fill(bytes, size, seed);
	error = nonet_unix_send(socket, bytes, size, deadline);
	free(bytes);
	return error;
}

/* The next message is the one of @size bytes made by fill(). */
#define expect_filled(socket, size, seed) test_check_equal(receive_filled((socket), (size), (seed)), 0)
static inline int receive_filled(struct nonet_unix *socket, size_t size, unsigned seed)
{
	uint8_t *buffer = malloc(size + 1);
	size_t got = 0;
	int error;

	test_check(buffer != NULL);
	error = nonet_unix_receive(socket, buffer, size + 1, soon(), &got);
	if (error == 0 && (got != size || !is_filled(buffer, size, seed)))
		error = -EILSEQ;
	free(buffer);
	return error;
}

#endif
