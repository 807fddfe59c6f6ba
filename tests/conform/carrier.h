/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORM_CARRIER_H
#define CONFORM_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nonet/endpoint.h>

/* What not every carrier can. */
enum ability {
	ABILITY_DUPLEX, /* both sides send and receive */
	ABILITY_END,    /* the receiver is told that the sender has gone */
	ABILITY_FINISH, /* a side can say that it sends no more, and still receive */
	ABILITY_GONE,   /* the sender is told that the receiver has gone */
	ABILITY_ROOM,   /* a sender waits for a receiver that takes nothing; else what comes too much is lost */
	ABILITY_EVENT,  /* ... and a descriptor tells of room */
	ABILITY_COUNT,
};

enum carrier_kind {
	CARRIER_PATH,      /* made in the test's directory */
	CARRIER_ABSTRACT,  /* a socket's name outside the file system */
	CARRIER_FD_PIPE,   /* both processes inherit an end */
	CARRIER_FD_STREAM, /* ... of a connected UNIX stream */
	CARRIER_IPV4,      /* a port of an address within this machine */
	CARRIER_IPV6,
	CARRIER_QUEUE, /* a name, or key, of the test's own */
};

struct carrier {
	const char *name; /* in the tests' names */
	const char *scheme;
	enum carrier_kind kind;
	bool framed;                        /* a byte stream: messages are framed, else the kernel keeps them apart */
	bool told_late;                     /* of a dead receiver only by the answer to what was sent to it */
	int buffer;                         /* to give each side's socket; 0: as the system has it */
	const char *why_not[ABILITY_COUNT]; /* why it can't; NULL: it can */
	const size_t *boundaries;           /* payloads at which something changes, ended by 0 */
	const int *dead_receiver;           /* what a sender may be told of a dead receiver, ended by 0 */
};

/* Why it can't be tried here at all (no IPv6), or NULL. */
const char *carrier_missing(const struct carrier *carrier);

/* All of them, ended by one without a name. */
extern const struct carrier carriers[];
const struct carrier *carrier_find(const char *name);

/*
 * The largest message that the suite sends: 1 MiB on streams, else what the system's default buffers let a packet be,
 * or a datagram's length says.
 */
size_t carrier_largest(const struct carrier *carrier);

/* @size, or the largest if that is less. */
size_t carrier_size(const struct carrier *carrier, size_t size);

/* A name or two descriptors by which two processes get at each other. Made before they are forked. */
enum pair_side {
	PAIR_RECEIVER,
	PAIR_SENDER,
};

struct pair {
	const struct carrier *carrier;
	const char *directory; /* NULL unless the carrier has a path */
	char address[192];     /* of the carriers that have a name */
	int fds[2];            /* of the others, by enum pair_side; else -1 */
	int reserved;          /* a socket that keeps the port ours; else -1 */
	int bound;             /* an eventfd, counted up once the receiver is there; -1: the sender sees that itself */
	int room; /* an eventfd that counts the messages which may be under way; -1: the carrier sees to it */
	uint64_t message_size; /* an option of both sides; may be set before they open */
	int buffer;            /* the carrier's, or another */
};

struct pair *pair_new(const struct carrier *carrier);
/* NULL is allowed. */
struct pair *pair_free(struct pair *pair);

/*
 * Open one side, in the process that is it, and drop what belongs to the other: start the other's process before. A
 * carrier that can is opened both ways. Fails the test with the library's sentence.
 */
struct nonet_endpoint *pair_open(struct pair *pair, enum pair_side side);

/*
 * Over a carrier that loses what the receiver has no room for: wait before each message until it has, and say when one
 * was taken. Over others nothing happens.
 */
void pair_room(struct pair *pair);
void pair_taken(struct pair *pair);

/* In a process that is neither side, once both are forked: inherited ends would hide a death. */
void pair_leave(struct pair *pair);

#endif
