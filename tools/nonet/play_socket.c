/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nonet/socket.h>

/* A connection between the tour and its partner, within this machine. */
struct sockets {
	struct nonet_socket *ours;
	struct nonet_socket *theirs;
	struct link link;
	struct partner partner;
};

static int socket_send(void *object, const void *message, size_t size, nonet_time deadline)
{
	return nonet_socket_send(object, message, size, deadline);
}

static int socket_receive(void *object, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	return nonet_socket_receive(object, buffer, capacity, deadline, ret_size);
}

static void use(struct sockets *sockets, struct nonet_socket *socket)
{
	sockets->link = (struct link){socket_send, socket_receive, socket, socket};
}

static void serve(void *data)
{
	struct sockets *sockets = data;

	sockets->ours = nonet_socket_close(sockets->ours);
	use(sockets, sockets->theirs);
	play_serve(&sockets->link, NULL, NULL);
}

/* Both ends of a TCP connection. */
static int connect_tcp(struct sockets *sockets)
{
	const nonet_time deadline = nonet_after(PLAY_PATIENCE);
	struct nonet_socket_listener *listener;
	struct nonet_socket_name name;
	char port[8];
	int r;

	r = nonet_socket_listen("127.0.0.1", "0", NULL, deadline, &listener, NULL);
	if (r < 0)
		return r;
	r = nonet_socket_listener_get_name(listener, &name);
	if (r == 0) {
		snprintf(port, sizeof(port), "%d", name.port);
		r = nonet_socket_connect(name.host, port, NONET_SOCKET_TCP, NULL, deadline, &sockets->theirs, NULL);
	}
	if (r == 0)
		r = nonet_socket_accept(listener, deadline, &sockets->ours);
	nonet_socket_listener_close(listener);
	return r;
}

static int start(struct sockets *sockets, struct score *score)
{
	int r;

	r = connect_tcp(sockets);
	if (r < 0)
		return play_failed(score, "connecting by TCP", r);
	r = partner_start(&sockets->partner, serve, sockets);
	if (r < 0)
		return play_failed(score, "starting a process", r);
	sockets->theirs = nonet_socket_close(sockets->theirs);
	use(sockets, sockets->ours);
	return 0;
}

static int play_tcp(struct score *score)
{
	struct sockets sockets = {0};
	int r;

	r = start(&sockets, score);
	if (r == 0)
		r = play_ping_pong(&sockets.link, score);
	if (r == 0)
		r = play_stream(&sockets.link, score);
	if (r == 0)
		r = play_deadline(&sockets.link, score);
	if (r == 0)
		r = play_kill(&sockets.link, &sockets.partner, -EPIPE, score);
	partner_end(&sockets.partner);
	nonet_socket_close(sockets.ours);
	nonet_socket_close(sockets.theirs);
	return r;
}

/* One datagram to a port that is ours, and, once it is nobody's, what is told of the next. */
static int play_udp(struct score *score)
{
	const nonet_time deadline = nonet_after(PLAY_PATIENCE);
	struct nonet_socket *receiver, *sender = NULL;
	char message[PLAY_MESSAGE] = {0}, port[8];
	struct nonet_socket_name name;
	size_t size;
	int r, told = 0;

	r = nonet_socket_bind("127.0.0.1", "0", NULL, deadline, &receiver, NULL);
	if (r < 0)
		return play_failed(score, "binding a UDP socket", r);
	r = nonet_socket_get_name(receiver, &name);
	if (r == 0) {
		snprintf(port, sizeof(port), "%d", name.port);
		r = nonet_socket_connect(name.host, port, NONET_SOCKET_UDP, NULL, deadline, &sender, NULL);
	}
	if (r == 0)
		r = nonet_socket_send(sender, message, sizeof(message), deadline);
	if (r == 0)
		r = nonet_socket_receive(receiver, message, sizeof(message), deadline, &size);
	nonet_socket_close(receiver);
	if (r == 0)
		r = nonet_socket_send(sender, message, sizeof(message), deadline);
	if (r == 0)
		told = nonet_socket_receive(sender, message, sizeof(message), deadline, &size);
	nonet_socket_close(sender);
	if (r < 0)
		return play_failed(score, "sending a UDP datagram", r);
	if (told != -ECONNREFUSED)
		return play_failed(score, "a UDP datagram to nobody", told);
	PLAY_EXCHANGED(score, "a UDP datagram; the next, to nobody: -ECONNREFUSED");
	return 0;
}

/* It takes a capability, so that it can't be asked for. */
static int play_icmp(struct score *score)
{
	char message[PLAY_MESSAGE] = "a ping of the tour's";
	char answer[PLAY_MESSAGE];
	struct nonet_socket *socket;
	nonet_time start;
	size_t size = 0;
	int r;

	r = nonet_socket_connect("127.0.0.1", NULL, NONET_SOCKET_ICMP, NULL, nonet_after(PLAY_PATIENCE), &socket, NULL);
	if (r < 0) {
		PLAY_EXCHANGED(score, "no ping: a raw socket takes CAP_NET_RAW");
		return 0;
	}
	start = nonet_clock();
	r = nonet_socket_send(socket, message, sizeof(message), nonet_after(PLAY_PATIENCE));
	if (r == 0)
		r = nonet_socket_receive(socket, answer, sizeof(answer), nonet_after(PLAY_PATIENCE), &size);
	if (r == 0 && (size != sizeof(message) || memcmp(answer, message, size) != 0))
		r = -EPROTO;
	nonet_socket_close(socket);
	if (r < 0)
		return play_failed(score, "a ping", r);
	PLAY_EXCHANGED(score, "a ping, and back in %s", PLAY_DURATION(nonet_clock() - start));
	return 0;
}

int play_sockets(struct score *score)
{
	int r;

	r = play_tcp(score);
	if (r == 0)
		r = play_udp(score);
	return r < 0 ? r : play_icmp(score);
}
