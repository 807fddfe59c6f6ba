/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/carrier.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nonet/pipe.h>

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

static const int pipe_dead_receiver[] = {-EPIPE, 0};
static const int connection_dead_receiver[] = {-EPIPE, -ECONNRESET, 0};
static const int datagram_dead_receiver[] = {-ECONNREFUSED, 0};

#define ONE_WAY   "a pipe goes one way"
#define PIPE_ENDS "a pipe's writer is finished only by closing it"
#define NO_ANSWER "who binds a datagram address only receives"
#define ANYBODY   "anybody may send to a datagram address, so it never ends"
#define NO_FINISH "datagrams have no connection to finish"

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
	/* unix_dgram_sendmsg() in the kernel: a packet takes its own bytes and 32 more of SO_SNDBUF. */
	file = fopen("/proc/sys/net/core/wmem_default", "re");
	if (!file || fscanf(file, "%ld", &buffer) != 1 || buffer <= 32)
		test_fail("can't read the size of a socket's default buffer");
	fclose(file);
	return (size_t)buffer - 32;
}

struct pair *pair_new(const struct carrier *carrier)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	test_check(pair);
	*pair = (struct pair){.carrier = carrier, .fds = {-1, -1}};
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
	/* A FIFO stays when it is closed. If nobody opened it, the directory says so below. */
	if (pair->directory && strcmp(pair->carrier->scheme, "fifo") == 0 &&
	    nonet_pipe_unlink(test_path(pair->directory, "talk"), NULL) < 0)
		test_fail("the FIFO is gone");
	test_directory_free(pair->directory);
	free(pair);
	return NULL;
}

struct nonet_endpoint *pair_open(struct pair *pair, enum pair_side side)
{
	struct nonet_endpoint_options options = {.size = sizeof(options), .message_size = pair->message_size};
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error = {0};

	options.flags = side == PAIR_RECEIVER ? NONET_ENDPOINT_RECEIVE : NONET_ENDPOINT_SEND;
	if (!pair->carrier->why_not[ABILITY_DUPLEX])
		options.flags = NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_SEND;
	if (pair->fds[side] >= 0)
		snprintf(pair->address, sizeof(pair->address), "fd:%d", pair->fds[side]);
	else
		options.flags |= side == PAIR_RECEIVER ? NONET_ENDPOINT_LISTEN : NONET_ENDPOINT_WAIT;
	if (nonet_endpoint_open(pair->address, &options, test_deadline(), &endpoint, &error) < 0)
		test_fail("can't open %s: %s (%s)", pair->address, error.text, nonet_error_name(error.code));
	/* It has been duplicated. */
	pair_leave(pair);
	return endpoint;
}
