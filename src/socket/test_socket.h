/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOCKET_TEST_SOCKET_H
#define SOCKET_TEST_SOCKET_H

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

/* What the tests of sockets share. */

/* For a wait that only a broken library reaches the end of. */
static inline nonet_time soon(void)
{
	return test_deadline();
}

/* Each host of this machine's loopback; without IPv6 only one, and a note. */
static const char *const loopbacks[] = {"127.0.0.1", "::1"};

static inline size_t loopback_count(void)
{
	struct nonet_socket *socket;

	if (nonet_socket_bind("::1", "0", NULL, NONET_NOW, &socket, NULL) == 0) {
		nonet_socket_close(socket);
		return 2;
	}
	test_note("IPv6 is left out: this machine has none on its loopback");
	return 1;
}

/* A host of this process's own, so that no other test has its ports: all of 127/8 is this machine's. */
static inline const char *own_host(void)
{
	static char host[32];
	const unsigned number = (unsigned)getpid();

	/* Children have their parent's. */
	if (host[0])
		return host;
	snprintf(host, sizeof(host), "127.%u.%u.%u", 65 + (number >> 16), number >> 8 & 255, number & 255);
	return host;
}

#define for_each_loopback(host)                                                                            \
	for (size_t host##_at = 0, host##_count = loopback_count(); host##_at < host##_count; host##_at++) \
		for (const char *host = loopbacks[host##_at]; host; host = NULL)

struct port {
	char text[8];
};

static inline struct port port_of(const struct nonet_socket_name *name)
{
	struct port port;

	snprintf(port.text, sizeof(port.text), "%u", name->port);
	return port;
}

static inline struct nonet_socket_listener *listen_at(const char *host, const struct nonet_socket_options *options,
						      struct port *ret_port)
{
	struct nonet_socket_listener *listener = NULL;
	struct nonet_socket_name name;

	test_check_equal(nonet_socket_listen(host, "0", options, NONET_NOW, &listener, NULL), 0);
	test_check_equal(nonet_socket_listener_get_name(listener, &name), 0);
	*ret_port = port_of(&name);
	return listener;
}

/* A TCP connection: @a has connected, @b was accepted. */
static inline void make_pair_with(const char *host, const struct nonet_socket_options *options, struct nonet_socket **a,
				  struct nonet_socket **b)
{
	struct port port;
	struct nonet_socket_listener *listener = listen_at(host, options, &port);

	test_check_equal(nonet_socket_connect(host, port.text, NONET_SOCKET_TCP, options, soon(), a, NULL), 0);
	test_check_equal(nonet_socket_accept(listener, soon(), b), 0);
	nonet_socket_listener_close(listener);
}

static inline void make_pair(struct nonet_socket **a, struct nonet_socket **b)
{
	make_pair_with("127.0.0.1", NULL, a, b);
}

/* A bound UDP socket and one that sends to it. */
static inline void make_datagram_pair(const char *host, const struct nonet_socket_options *options,
				      struct nonet_socket **ret_sender, struct nonet_socket **ret_receiver)
{
	struct nonet_socket_name name;

	test_check_equal(nonet_socket_bind(host, "0", options, NONET_NOW, ret_receiver, NULL), 0);
	test_check_equal(nonet_socket_get_name(*ret_receiver, &name), 0);
	test_check_equal(
		nonet_socket_connect(host, port_of(&name).text, NONET_SOCKET_UDP, options, NONET_NOW, ret_sender, NULL),
		0);
}

static inline void close_pair(struct nonet_socket *a, struct nonet_socket *b)
{
	nonet_socket_close(a);
	nonet_socket_close(b);
}

/* What malloc(3) has given out. The harness counts no heap, and the sanitizers, which do, are in another build. */
static inline size_t heap_in_use(void)
{
	const struct mallinfo2 heap = mallinfo2();

	return heap.uordblks + heap.hblkhd;
}

/* Bytes that differ at every place a piece could be lost at, and from message to message. */
static inline void fill(uint8_t *bytes, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251 + seed * 7);
}

static inline int send_filled(struct nonet_socket *socket, size_t size, unsigned seed, nonet_time deadline)
{
	uint8_t *bytes = malloc(size + 1);
	int error;

	test_check(bytes != NULL);
	fill(bytes, size, seed);
	error = nonet_socket_send(socket, bytes, size, deadline);
	free(bytes);
	return error;
}

/* The next message is the one of @size bytes made by fill(). */
#define expect_filled(socket, size, seed) test_check_equal(receive_filled((socket), (size), (seed)), 0)
static inline int receive_filled(struct nonet_socket *socket, size_t size, unsigned seed)
{
	uint8_t *buffer = malloc(size + 1);
	uint8_t *wanted = malloc(size + 1);
	size_t got = 0;
	int error;

	test_check(buffer && wanted);
	fill(wanted, size, seed);
	error = nonet_socket_receive(socket, buffer, size + 1, soon(), &got);
	if (error == 0 && (got != size || memcmp(buffer, wanted, size) != 0))
		error = -EILSEQ;
	free(wanted);
	free(buffer);
	return error;
}

#endif
