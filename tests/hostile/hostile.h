/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOSTILE_HOSTILE_H
#define HOSTILE_HOSTILE_H

#include <stdatomic.h>
#include <stdint.h>

#include <nonet/time.h>

#include "harness/random.h"

/*
 * Objects of a domain in which one process of the same user is hostile: it writes over everything that is shared, or
 * cuts off and replaces the files, while victims go on using them. What is promised then, and looked at here:
 *
 *   - no victim is killed by a signal, or ends by itself;
 *   - each call is back by its deadline, or within HOSTILE_LATE after it, not counting the time in which the machine
 *     gave the thread no CPU;
 *   - no call returns what isn't among a kind's errors;
 *   - nothing is written outside of what is shared: bytes around the handles are as they were;
 *   - an object in another domain, which the same victims use in between, excludes as always, and counts exactly; so
 *     does one in the same domain, if only the object's own file is written over.
 */
#define HOSTILE_LATE NONET_MS(100)

/* A kind of object. Results are the library's: 0 or more, or -errno. */
struct hostile_kind {
	const char *name;                                    /* as in the table of proofs */
	int (*make)(const char *address, void **ret_object); /* or open it, if it is there */
	int (*open)(const char *address, void **ret_object);
	void (*close)(void *object);
	/* One call, at random; @deadline is for those that can wait. */
	int (*use)(void *object, struct test_random *random, nonet_time deadline);
	/* Add 1 to @number while no other of these does; not 0: it couldn't. Nobody writes over this one. */
	int (*count)(void *object, uint64_t *number);
	const int *errors; /* that its calls may return, ended by 0 */
	const char *scheme;
	size_t begin, size; /* the bytes of its payload that its users write to */
	/* And, if it has any, of its file behind; words that look right in them. */
	size_t data_begin, data_size;
	uint64_t (*word)(struct test_random *random);
};

/* The one that this test program is about: a file of its own has it, and nothing else. */
extern const struct hostile_kind hostile_kind;

/* What the hostile process does. */
enum hostile_way {
	HOSTILE_ALL,    /* writes over every shared byte of the domain */
	HOSTILE_OBJECT, /* writes over the one object's file alone */
	HOSTILE_FILES,  /* truncates, punches, removes, replaces */
};

/* What all processes of a run share. */
struct hostile_board {
	_Atomic int stop;
	_Atomic uint64_t written; /* by the hostile one */
	_Atomic uint64_t calls;   /* by victims */
	_Atomic uint64_t victims;
	_Atomic uint64_t failures;
	_Atomic int64_t latest; /* the latest return of a call, after its deadline */
	_Atomic uint64_t counted[2];
	uint64_t number[2];
	uint64_t results[4096]; /* how often each errno was returned: racy, for display */
};

/* The hostile process's loop: ends with board->stop. */
struct hostile_plan {
	struct hostile_board *board;
	const struct hostile_kind *kind;
	enum hostile_way way;
	const char *directory; /* of the domain */
	const char *canary;    /* a file that nobody may write to, which links lead to */
};
void hostile_scribble(const struct hostile_plan *plan);
void hostile_damage(const struct hostile_plan *plan);

/* One victim's life: some hundred calls. */
void hostile_victim(const struct hostile_plan *plan, const char *other, uint64_t seed);

#endif
