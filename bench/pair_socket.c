/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <nonet/socket.h>

#include "bare.h"

/* An end is a struct nonet_socket itself, over IPv4 within this machine. */

#define PAIR_HOST "127.0.0.1"

static int pair_port(struct nonet_socket_listener *listener, char ret_port[8])
{
	struct nonet_socket_name name;
	int error = nonet_socket_listener_get_name(listener, &name);

	if (error == 0)
		snprintf(ret_port, 8, "%d", name.port);
	return error;
}

static int pair_tcp_open(size_t size, void **ret_a, void **ret_b)
{
	struct nonet_socket_listener *listener;
	char port[8];
	int error = nonet_socket_listen(PAIR_HOST, "0", NULL, NONET_NOW, &listener, NULL);

	(void)size;
	if (error < 0)
		return error;
	error = pair_port(listener, port);
	if (error == 0)
		error = nonet_socket_connect(PAIR_HOST, port, NONET_SOCKET_TCP, NULL, NONET_FOREVER,
					     (struct nonet_socket **)ret_a, NULL);
	if (error == 0)
		error = nonet_socket_accept(listener, NONET_FOREVER, (struct nonet_socket **)ret_b);
	nonet_socket_listener_close(listener);
	return error;
}

/* Two sockets that are connected with each other, which only the plain calls can make. */
static int pair_udp_open(size_t size, void **ret_a, void **ret_b)
{
	int fds[2];
	int error = bare_inet_pair(SOCK_DGRAM, fds);

	(void)size;
	for (int i = 0; i < 2 && error == 0; i++)
		error = nonet_socket_take_fd(&fds[i], NULL, (struct nonet_socket **)(i ? ret_b : ret_a), NULL);
	return error;
}

static void pair_close(void *end)
{
	nonet_socket_close(end);
}

static int pair_write(void *end, const void *message, size_t size, nonet_time deadline)
{
	return nonet_socket_write(end, message, size, deadline, NULL);
}

static int pair_read(void *end, void *buffer, size_t size, nonet_time deadline)
{
	return nonet_socket_read_exactly(end, buffer, size, deadline, NULL);
}

static int pair_send(void *end, const void *message, size_t size, nonet_time deadline)
{
	return nonet_socket_send(end, message, size, deadline);
}

static int pair_receive(void *end, void *buffer, size_t size, nonet_time deadline)
{
	size_t got;
	int error = nonet_socket_receive(end, buffer, size, deadline, &got);

	return error ? error : got == size ? 0 : -EPROTO;
}

/* put connects to the other end's listener and hangs up; take accepts the connection and closes it. */
struct pair_listener {
	struct nonet_socket_listener *listener;
	char other[8];
};

static void pair_listener_close(void *end)
{
	struct pair_listener *own = end;

	if (!own)
		return;
	nonet_socket_listener_close(own->listener);
	free(own);
}

static int pair_listener_open(size_t size, void **ret_a, void **ret_b)
{
	struct pair_listener *ends[2];
	int error = 0;

	(void)size;
	for (int i = 0; i < 2 && error == 0; i++) {
		ends[i] = calloc(1, sizeof(*ends[i]));
		if (!ends[i])
			return -ENOMEM;
		*(i ? ret_b : ret_a) = ends[i];
		error = nonet_socket_listen(PAIR_HOST, "0", NULL, NONET_NOW, &ends[i]->listener, NULL);
	}
	for (int i = 0; i < 2 && error == 0; i++)
		error = pair_port(ends[i]->listener, ends[!i]->other);
	return error;
}

static int pair_listener_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct nonet_socket *socket;
	const struct linger now = {.l_onoff = 1};
	int error = nonet_socket_connect(PAIR_HOST, ((struct pair_listener *)end)->other, NONET_SOCKET_TCP, NULL,
					 deadline, &socket, NULL);

	(void)message;
	(void)size;
	if (error < 0)
		return error;
	/* As bare_inet_hang_up(). */
	error = setsockopt(nonet_socket_fd(socket), SOL_SOCKET, SO_LINGER, &now, sizeof(now)) < 0 ? -errno : 0;
	nonet_socket_close(socket);
	return error;
}

static int pair_listener_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct nonet_socket *socket;
	int error = nonet_socket_accept(((struct pair_listener *)end)->listener, deadline, &socket);

	(void)buffer;
	(void)size;
	if (!error)
		nonet_socket_close(socket);
	return error;
}

static const struct bench_way nonet_tcp_bytes = {pair_tcp_open, pair_write, pair_read, pair_close};
static const struct bench_way nonet_tcp_messages = {pair_tcp_open, pair_send, pair_receive, pair_close};
static const struct bench_way nonet_udp = {pair_udp_open, pair_send, pair_receive, pair_close};
static const struct bench_way nonet_tcp_connect = {pair_listener_open, pair_listener_put, pair_listener_take,
						   pair_listener_close};

const struct bench_case socket_cases[] = {
	{.what = "tcp bytes",
	 .sizes = {64, 1024, 65536},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_tcp_bytes, &bare_tcp_bytes, &naked_tcp}},
	{.what = "tcp messages",
	 .sizes = {64, 1024, 65536},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_tcp_messages, &bare_tcp_messages, &naked_tcp}},
	/* No throughput: what one sends as fast as it can is lost. */
	{.what = "udp datagram",
	 .sizes = {64, 1024, 65000},
	 .metrics = BIT(METRIC_CALL) | BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_LATENCY),
	 .ways = {&nonet_udp, &bare_udp, &naked_udp}},
	{.what = "tcp connect and accept",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL) | BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_LATENCY),
	 .ways = {&nonet_tcp_connect, &bare_tcp_connect, &naked_tcp_connect}},
	{.what = NULL},
};
