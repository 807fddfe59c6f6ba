/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_TRACEE_H
#define PROVE_TRACEE_H

#include <stdint.h>
#include <sys/types.h>

#include "prove/run.h"

/*
 * A victim under ptrace(2), from the entry of the operation to its return. Only its main thread is traced, and stopped
 * by the processor's breakpoints: its other threads run the same code.
 */

enum prove_where {
	PROVE_INSIDE,   /* stopped before an instruction of the operation */
	PROVE_ASLEEP,   /* sleeps in a system call of it; not stopped */
	PROVE_RETURNED, /* stopped at the instruction after the call */
	PROVE_GONE,     /* ended, by a signal or by itself, before the operation was over */
};

struct prove_tracee {
	pid_t pid; /* 0: none */
	enum prove_role role;
	enum prove_where where;
	uintptr_t at;      /* the next instruction */
	uintptr_t entry;   /* of the operation */
	uintptr_t back;    /* where it returns to */
	uintptr_t stack;   /* at its entry */
	int64_t result;    /* of the operation, once it has returned */
	int status;        /* of waitpid(2), once it is gone */
	int calls;         /* stops of prove_tracee_call() so far: odd in a system call */
	uintptr_t planted; /* breakpoints, as the processor's register 7 has them; they stay while it sleeps */
	struct prove_run *run;
	/* Called once, at the first sleep of prove_tracee_run_to() and prove_tracee_wake(); may be NULL. */
	void (*let_go)(struct prove_run *run);
};

/* Start .victim as @role, stopped at the entry of @symbol (its address). A failure to get there fails the run, unless
 * it left. */
bool prove_tracee_start(struct prove_tracee *tracee, struct prove_run *run, enum prove_role role,
			const struct prove_operation *operation, uintptr_t symbol);

/* One instruction. A system call that sleeps is PROVE_ASLEEP. */
enum prove_where prove_tracee_step(struct prove_tracee *tracee);

/*
 * Until it is before the instruction at @address for the @occurrence-th time since the entry, itself counted; or where
 * it gets to instead: back, or asleep past the patience of the run.
 */
enum prove_where prove_tracee_run_to(struct prove_tracee *tracee, uintptr_t address, uint32_t occurrence);

/* To the next entry or exit of a system call, or to its sleep; from there, as prove_tracee_wake(). */
enum prove_where prove_tracee_call(struct prove_tracee *tracee);

/* Let it go, then wait for what it does after its sleep, at most the patience of the run. */
enum prove_where prove_tracee_wake(struct prove_tracee *tracee);
/* Whether one that sleeps has woken by now. */
enum prove_where prove_tracee_look(struct prove_tracee *tracee);

/* Whether the next instruction is a system call. */
bool prove_tracee_before_call(const struct prove_tracee *tracee);

/* After a step through a system call: whether it was one that waited until its time was up. */
bool prove_tracee_timed_out(const struct prove_tracee *tracee);

/* Trace it no longer: it goes on as an actor. One that sleeps has to wake first: false if it never does. */
bool prove_tracee_detach(struct prove_tracee *tracee, struct prove_actor *ret_actor);

/* SIGKILL, and return once it is gone; stamps .killed_at, and says what the operation had returned. */
void prove_tracee_kill(struct prove_tracee *tracee, struct prove_run *run);

/*
 * Fork it where it is stopped: the child runs @function with the victim's memory, and is let go. The victim is as it
 * was. The child is an actor, but of the victim: it is reaped once that is gone.
 */
void prove_tracee_fork(struct prove_tracee *tracee, void (*function)(void), struct prove_actor *ret_child);

/* execve(2) where it is stopped: the process goes on as @argv, static, and is traced no longer. */
void prove_tracee_exec(struct prove_tracee *tracee, const char *const argv[], struct prove_actor *ret_actor);

#endif
