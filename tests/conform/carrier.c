/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/carrier.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nonet/pipe.h>
#include <nonet/queue.h>

#include "harness/test.h"

/* A pipe's chunk is a page with its header; the last one has room for a verdict too. */
static const size_t pipe_boundaries[] = {NONET_PIPE_ATOMIC,
					 NONET_PIPE_ATOMIC + 1,
					 4096,
					 2 * 4080 - 1,
					 2 * 4080,
					 16 * 4080 - 1,
					 16 * 4080,
					 65536,
					 32 * 4080 - 1,
					 32 * 4080,
					 33 * 4080,
					 1048575,
					 0};
static const size_t stream_boundaries[] = {4096,   65535 - 16, 65535,          65536,  65536 + 16, 2 * 65536 - 1,
					   131072, 196608,     32 * 65536 / 4, 262144, 1048575,    0};
static const size_t packet_boundaries[] = {4096, 32768, 65536, 131072, 0};

/* What one packet of loopback holds, and Ethernet's. */
static const size_t datagram_boundaries[] = {1472, 4096, 32768, 65507 - 16, 0};

/* A message's first piece is a page less its header, msg_msg in the kernel. */
static const size_t queue_boundaries[] = {4048, 4096, 0};

static const int pipe_dead_receiver[] = {-EPIPE, 0};
static const int connection_dead_receiver[] = {-EPIPE, -ECONNRESET, 0};
static const int datagram_dead_receiver[] = {-ECONNREFUSED, 0};
static const int queue_dead_receiver[] = {0};

#define ONE_WAY   "a pipe goes one way"
#define PIPE_ENDS "a pipe's writer is finished only by closing it"
#define NO_ANSWER "who binds a datagram address only receives"
#define ANYBODY   "anybody may send to a datagram address, so it never ends"
#define NO_FINISH "datagrams have no connection to finish"
#define NO_ROOM   "UDP loses what the receiver has no room for, and lets no sender wait"
#define NO_SIDES  "a queue has no sides: it is there for all who send and receive"
#define NO_EVENT  "System V has no event for room"

/*
 * As a UNIX stream's. The kernel lets those of TCP grow to net.ipv4.tcp_wmem and tcp_rmem while they are filled, to 36
 * MiB on one machine: properties of what is full took twenty times as long to come to it, and showed nothing else
 * there.
 */
#define TCP_BUFFER 212992

const struct carrier carriers[] = {
	{
		.name = "fifo",
		.scheme = "fifo",
		.kind = CARRIER_PATH,
		.framed = true,
		.why_not = {[ABILITY_DUPLEX] = ONE_WAY, [ABILITY_FINISH] = PIPE_ENDS},
		.boundaries = pipe_boundaries,
		.dead_receiver = pipe_dead_receiver,
	},
	{
		.name = "unix",
		.scheme = "unix",
		.kind = CARRIER_PATH,
		.framed = true,
		.boundaries = stream_boundaries,
		.dead_receiver = connection_dead_receiver,
	},
	{
		.name = "unix-abstract",
		.scheme = "unix",
		.kind = CARRIER_ABSTRACT,
		.framed = true,
		.boundaries = stream_boundaries,
		.dead_receiver = connection_dead_receiver,
	},
	{
		.name = "unix-seqpacket",
		.scheme = "unix-seqpacket",
		.kind = CARRIER_PATH,
		.boundaries = packet_boundaries,
		.dead_receiver = connection_dead_receiver,
	},
	{
		.name = "unix-dgram",
		.scheme = "unix-dgram",
		.kind = CARRIER_PATH,
		.why_not = {[ABILITY_DUPLEX] = NO_ANSWER, [ABILITY_END] = ANYBODY, [ABILITY_FINISH] = NO_FINISH},
		.boundaries = packet_boundaries,
		.dead_receiver = datagram_dead_receiver,
	},
	{
		.name = "fd-pipe",
		.scheme = "fd",
		.kind = CARRIER_FD_PIPE,
		.framed = true,
		.why_not = {[ABILITY_DUPLEX] = ONE_WAY, [ABILITY_FINISH] = PIPE_ENDS},
		.boundaries = pipe_boundaries,
		.dead_receiver = pipe_dead_receiver,
	},
	{
		.name = "fd-stream",
		.scheme = "fd",
		.kind = CARRIER_FD_STREAM,
		.framed = true,
		.boundaries = stream_boundaries,
		.dead_receiver = connection_dead_receiver,
	},
	{
		.name = "tcp4",
		.scheme = "tcp",
		.kind = CARRIER_IPV4,
		.framed = true,
		.told_late = true,
		.buffer = TCP_BUFFER,
		.boundaries = stream_boundaries,
		.dead_receiver = connection_dead_receiver,
	},
	{
		.name = "tcp6",
		.scheme = "tcp",
		.kind = CARRIER_IPV6,
		.framed = true,
		.told_late = true,
		.buffer = TCP_BUFFER,
		.boundaries = stream_boundaries,
		.dead_receiver = connection_dead_receiver,
	},
	{
		.name = "udp",
		.scheme = "udp",
		.kind = CARRIER_IPV4,
		.told_late = true,
		.why_not = {[ABILITY_DUPLEX] = NO_ANSWER,
			    [ABILITY_END] = ANYBODY,
			    [ABILITY_FINISH] = NO_FINISH,
			    [ABILITY_GONE] = NO_ROOM,
			    [ABILITY_ROOM] = NO_ROOM,
			    [ABILITY_EVENT] = NO_ROOM},
		.boundaries = datagram_boundaries,
		.dead_receiver = datagram_dead_receiver,
	},
	{
		.name = "posixmq",
		.scheme = "posixmq",
		.kind = CARRIER_QUEUE,
		.why_not = {[ABILITY_DUPLEX] = NO_SIDES,
			    [ABILITY_END] = NO_SIDES,
			    [ABILITY_FINISH] = NO_SIDES,
			    [ABILITY_GONE] = NO_SIDES},
		.boundaries = queue_boundaries,
		.dead_receiver = queue_dead_receiver,
	},
	{
		.name = "sysvmsg",
		.scheme = "sysvmsg",
		.kind = CARRIER_QUEUE,
		.why_not = {[ABILITY_DUPLEX] = NO_SIDES,
			    [ABILITY_END] = NO_SIDES,
			    [ABILITY_FINISH] = NO_SIDES,
			    [ABILITY_GONE] = NO_SIDES,
			    [ABILITY_EVENT] = NO_EVENT},
		.boundaries = queue_boundaries,
		.dead_receiver = queue_dead_receiver,
	},
	{.name = NULL},
};

const struct carrier *carrier_find(const char *name)
{
	const struct carrier *carrier = carriers;

	while (carrier->name && strcmp(carrier->name, name) != 0)
		carrier++;
	return carrier->name ? carrier : NULL;
}

size_t carrier_largest(const struct carrier *carrier)
{
	FILE *file;
	long buffer;

	if (carrier->framed)
		return 1048576;
	if (carrier->kind == CARRIER_IPV4)
		return 65507;
	/* fs.mqueue.msgsize_default and kernel.msgmax, where nobody has set them. */
	if (carrier->kind == CARRIER_QUEUE)
		return 8192;
	/* unix_dgram_sendmsg() in the kernel: a packet takes its own bytes and 32 more of SO_SNDBUF. */
	file = fopen("/proc/sys/net/core/wmem_default", "re");
	if (!file || fscanf(file, "%ld", &buffer) != 1 || buffer <= 32)
		test_fail("can't read the size of a socket's default buffer");
	fclose(file);
	return (size_t)buffer - 32;
}

size_t carrier_size(const struct carrier *carrier, size_t size)
{
	const size_t largest = carrier_largest(carrier);

	return size < largest ? size : largest;
}

/* Every process has an IPv4 address of its own here; where it hasn't, or may not share a port, it is kept taken. */
static void pair_find_port(struct pair *pair)
{
	const bool ipv4 = pair->carrier->kind == CARRIER_IPV4;
	const bool datagrams = !pair->carrier->framed;
	const uint32_t number = (uint32_t)getpid();
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f400000u + (number & 0x3fffffu))}};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *address = ipv4 ? (struct sockaddr *)&sin : (struct sockaddr *)&sin6;
	socklen_t size = ipv4 ? sizeof(sin) : sizeof(sin6);
	const int on = 1;
	char text[64];

	pair->reserved =
		(int)test_must(socket(address->sa_family, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
	/* Two may have one port, if both say so and neither listens yet. */
	if (!datagrams)
		test_must(setsockopt(pair->reserved, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	test_must(bind(pair->reserved, address, size));
	test_must(getsockname(pair->reserved, address, &size));
	inet_ntop(address->sa_family, ipv4 ? (void *)&sin.sin_addr : (void *)&sin6.sin6_addr, text, sizeof(text));
	snprintf(pair->address, sizeof(pair->address), ipv4 ? "%s:%s:%d" : "%s:[%s]:%d", pair->carrier->scheme, text,
		 ntohs(ipv4 ? sin.sin_port : sin6.sin6_port));
	if (datagrams) {
		close(pair->reserved);
		pair->reserved = -1;
	}
}

const char *carrier_missing(const struct carrier *carrier)
{
	const struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd;
	int code;

	if (carrier->kind != CARRIER_IPV6)
		return NULL;
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	code = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&sin6, sizeof(sin6));
	if (fd >= 0)
		close(fd);
	return code < 0 ? "this machine has no IPv6 on its loopback" : NULL;
}

void pair_room(struct pair *pair)
{
	struct pollfd item = {.fd = pair->room, .events = POLLIN};
	uint64_t one;

	if (pair->room < 0)
		return;
	while (read(pair->room, &one, sizeof(one)) < 0) {
		test_check(errno == EAGAIN || errno == EINTR);
		test_poll(&item, 1, test_deadline());
	}
}

void pair_taken(struct pair *pair)
{
	const uint64_t one = 1;

	while (pair->room >= 0 && write(pair->room, &one, sizeof(one)) < 0)
		test_check(errno == EINTR);
}

struct pair *pair_new(const struct carrier *carrier)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	test_check(pair);
	*pair = (struct pair){.carrier = carrier,
			      .fds = {-1, -1},
			      .reserved = -1,
			      .bound = -1,
			      .room = -1,
			      .buffer = carrier->buffer};
	switch (carrier->kind) {
	case CARRIER_PATH:
		pair->directory = test_directory_new();
		snprintf(pair->address, sizeof(pair->address), "%s:%s/talk", carrier->scheme, pair->directory);
		break;
	case CARRIER_ABSTRACT:
		snprintf(pair->address, sizeof(pair->address), "%s:@%s", carrier->scheme, test_name("talk"));
		break;
	case CARRIER_FD_PIPE:
		test_must(pipe(pair->fds));
		break;
	case CARRIER_FD_STREAM:
		test_must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair->fds));
		break;
	case CARRIER_IPV4:
	case CARRIER_IPV6:
		pair_find_port(pair);
		break;
	case CARRIER_QUEUE:
		if (strcmp(carrier->scheme, "posixmq") == 0)
			snprintf(pair->address, sizeof(pair->address), "posixmq:/%s", test_name("talk"));
		else
			snprintf(pair->address, sizeof(pair->address), "sysvmsg:%u", (unsigned int)test_sysv_key());
		break;
	}
	if (carrier->why_not[ABILITY_ROOM]) {
		pair->bound = (int)test_must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		pair->room = (int)test_must(eventfd(2, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
	}
	return pair;
}

void pair_leave(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		if (pair->fds[i] >= 0)
			close(pair->fds[i]);
		pair->fds[i] = -1;
	}
}

struct pair *pair_free(struct pair *pair)
{
	if (!pair)
		return NULL;
	pair_leave(pair);
	if (pair->reserved >= 0)
		close(pair->reserved);
	if (pair->bound >= 0)
		close(pair->bound);
	if (pair->room >= 0)
		close(pair->room);
	/* A FIFO stays when it is closed. If nobody opened it, the directory says so below. */
	if (pair->directory && strcmp(pair->carrier->scheme, "fifo") == 0 &&
	    nonet_pipe_unlink(test_path(pair->directory, "talk"), NULL) < 0)
		test_fail("the FIFO is gone");
	if (pair->carrier->kind == CARRIER_QUEUE && nonet_queue_unlink(pair->address, NULL) < 0)
		test_fail("the queue is gone");
	test_directory_free(pair->directory);
	free(pair);
	return NULL;
}

struct nonet_endpoint *pair_open(struct pair *pair, enum pair_side side)
{
	struct nonet_endpoint_options options = {.size = sizeof(options), .message_size = pair->message_size};
	struct pollfd bound = {.fd = pair->bound, .events = POLLIN};
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error = {0};
	const uint64_t one = 1;

	/* A datagram's sender isn't told that nobody is there yet, until one is lost. */
	if (side == PAIR_SENDER && pair->bound >= 0)
		test_poll(&bound, 1, test_deadline());
	options.flags = side == PAIR_RECEIVER ? NONET_ENDPOINT_RECEIVE : NONET_ENDPOINT_SEND;
	if (!pair->carrier->why_not[ABILITY_DUPLEX])
		options.flags = NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_SEND;
	if (pair->fds[side] >= 0)
		snprintf(pair->address, sizeof(pair->address), "fd:%d", pair->fds[side]);
	else
		options.flags |= side == PAIR_RECEIVER ? NONET_ENDPOINT_LISTEN : NONET_ENDPOINT_WAIT;
	if (nonet_endpoint_open(pair->address, &options, test_deadline(), &endpoint, &error) < 0)
		test_fail("can't open %s: %s (%s)", pair->address, error.text, nonet_error_name(error.code));
	if (pair->buffer) {
		const int fd = nonet_endpoint_fd(endpoint);

		test_must(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &pair->buffer, sizeof(pair->buffer)));
		test_must(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &pair->buffer, sizeof(pair->buffer)));
	}
	if (side == PAIR_RECEIVER && pair->bound >= 0)
		test_must(write(pair->bound, &one, sizeof(one)));
	/* It has been duplicated. */
	pair_leave(pair);
	return endpoint;
}
