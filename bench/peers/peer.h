/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PEERS_PEER_H
#define BENCH_PEERS_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One library that moves messages, as this benchmark sees it. Two processes, a and b, each on a CPU of its own with all
 * of its threads, have an end each; either end sends to the other. A call does a whole number of messages, so that the
 * loop is the peer's own code, inlined and in bulks where its documents say so.
 *
 * The message to be sent lies in memory of the sender's; it has arrived once each of its bytes was read by the
 * receiver, wherever it lies then. What is between is the peer's business: a copy into a loan, a ring of pointers, a
 * socket.
 *
 * A call that has nothing to do waits for ever: who started the processes kills them when they take too long. Functions
 * return 0 or a negative errno.
 */

/* What both ends know. */
struct peer_session {
	const char
		*name; /* of this session alone. All that gets a name in /dev/shm has this one in it, and is removed */
	const char *directory; /* /dev/shm/NAME, empty: for sockets and other files */
	void *memory;          /* shared by both, zero, aligned to pages: for rings that lie where one says */
	size_t memory_size;    /* at least PEER_MEMORY() */
	size_t size;           /* of each message in bytes: a multiple of 8 */
	int side;              /* 0: a, 1: b */
};

/* What arrived. */
struct peer_reader {
	uint64_t next;  /* the number of the last message */
	uint64_t sum;   /* of all words but the numbers */
	uint64_t wrong; /* not 0: one was lost, came twice or in the wrong place */
};

struct peer {
	const char *mode; /* how it is used here, in a few words: "polls, in place" */
	/* The name and version of the library: of the one that is loaded, where it tells, else of its headers. */
	void (*version)(char *text, size_t room);
	/* a has opened when b is opened. */
	int (*open)(const struct peer_session *session, void **ret_end);
	/* NULL, or called for both once both are open: to wait until they have found each other. */
	int (*join)(void *end);
	/* The message is the same memory each time: peer_next() before each. */
	int (*send)(void *end, void *message, size_t count);
	/* peer_take() for each. */
	int (*receive)(void *end, struct peer_reader *reader, size_t count);
	/* b closes before a. */
	void (*close)(void *end);
};

/* What a module has: peer_NAME.c is peer-NAME.so. */
extern const struct peer nonet_peer;

/* How many messages may be on their way: all get the same room, if they can be told. A power of two, at least 4. */
static inline size_t peer_slots(size_t size)
{
	size_t slots = 1024;

	while (slots > 4 && slots * size > (size_t)4 << 20)
		slots /= 2;
	return slots;
}

/* Room for two rings with twice the slots each. */
#define PEER_MEMORY(size) (4 * peer_slots(size) * ((size) + 64) + ((size_t)64 << 10))

static inline void peer_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb" ::: "memory");
#endif
}

/* Numbers the next message, from 1 on. */
static inline void peer_next(void *message)
{
	uint64_t number;

	memcpy(&number, message, sizeof(number));
	number++;
	memcpy(message, &number, sizeof(number));
}

/* The same for all: without a call where the size is small. */
static inline void peer_copy(void *to, const void *from, size_t size)
{
	if (size == 8)
		memcpy(to, from, 8);
	else if (size == 64)
		memcpy(to, from, 64);
	else
		memcpy(to, from, size);
}

static inline uint64_t peer_word(const void *data, size_t offset)
{
	uint64_t word;

	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

/* Reads every byte of a message, and checks its number. */
static inline void peer_take(struct peer_reader *reader, const void *data, size_t size)
{
	uint64_t sum[4] = {0, 0, 0, 0};
	size_t at = 8;

	reader->wrong |= peer_word(data, 0) ^ ++reader->next;
	for (; at + 32 <= size; at += 32) {
		sum[0] += peer_word(data, at);
		sum[1] += peer_word(data, at + 8);
		sum[2] += peer_word(data, at + 16);
		sum[3] += peer_word(data, at + 24);
	}
	for (; at < size; at += 8)
		sum[0] += peer_word(data, at);
	reader->sum += sum[0] + sum[1] + sum[2] + sum[3];
}

#ifdef __cplusplus
}
#endif

#endif
