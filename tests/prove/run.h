/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_RUN_H
#define PROVE_RUN_H

#include <stdatomic.h>
#include <sys/types.h>

#include "prove/prove.h"

/* The processes of a run, and what they tell each other: in memory of the machine, none of it the library's. */

struct prove_side {
	_Atomic int64_t began_at;    /* 0: hasn't */
	_Atomic int64_t returned_at; /* 0: hasn't */
	_Atomic int64_t result;
	_Atomic int64_t killed_at; /* 0: wasn't */
};

struct prove_shared {
	struct prove_side sides[PROVE_ROLES];
	_Atomic int64_t words[PROVE_WORDS];
	_Atomic uint32_t news; /* raised by whatever prove_await() is for */
	_Atomic int alone;     /* prove_alone() */
	_Atomic int stay;      /* the first doesn't end when it is through */
	_Atomic int left;      /* a role can't be played: prove_leave() */
	_Atomic int failed;
	char sentence[512]; /* written once, by whoever set .failed */
};

struct prove_run {
	const struct prove_operation *operation;
	const char *state;
	char directory[64];
	struct prove_shared *shared;
	enum prove_role role;
	const struct prove_operation *plays[PROVE_ROLES]; /* NULL: nobody has had that role yet */
	nonet_time patience;                              /* how long a process may take before it hangs */
	int companion; /* of this process, by prove_accompany(); 0: it is the one of its role */
};

/* A process of a run that isn't traced. */
struct prove_actor {
	pid_t pid; /* 0: none */
	int pidfd;
};

/* Forget what the last run left in .shared, but for the words. */
void prove_run_reset(struct prove_run *run);

/*
 * Start @function in a process of its own, as @role; a @traced one has asked to be and begins stopped. It dies with
 * the machine. Return: its number; a failure ends the machine.
 */
pid_t prove_run_start(struct prove_run *run, enum prove_role role, prove_function *function, bool traced);

/* There is something new. */
void prove_tell(struct prove_run *run);

/* What the fork of a victim does: .forked, then it stays until it is killed. */
_Noreturn void prove_run_forked(void);

void prove_actor_start(struct prove_actor *actor, struct prove_run *run, enum prove_role role,
		       prove_function *function);
/* Return once it sleeps in a system call (true) or has ended (false). */
bool prove_actor_settles(const struct prove_actor *actor);
/* Wait for its end. Return: whether it ended by itself and in time; else it was killed, and the run has failed. */
bool prove_actor_join(struct prove_actor *actor, struct prove_run *run);
void prove_actor_kill(struct prove_actor *actor);

/* Whether @pid sleeps in a system call: at two looks it did, in the same. */
bool prove_sleeps(pid_t pid);

/* Record a failure that the machine saw; the first one is kept. */
void prove_failed(struct prove_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The machine itself can't go on: says why and exits with status 3. */
_Noreturn void prove_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Somebody else has killed @pid, a process of the run, by SIGKILL: says so and exits with this status. It proves
 * nothing of the library, so the worker's task is played again.
 */
#define PROVE_DISTURBED 4
_Noreturn void prove_disturbed(const struct prove_run *run, pid_t pid);

#endif
