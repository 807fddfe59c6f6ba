/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_LOCK_H
#define NONET_TOOL_LOCK_H

#include <nonet/error.h>
#include <nonet/semaphore.h>
#include <nonet/time.h>

/* What nonet lock exits with beside the command's own status, as env(1) does. */
enum {
	LOCK_FAILED = 125,
	LOCK_NOT_RUN = 126,
	LOCK_NOT_FOUND = 127,
};

/* What to do if the last holder of a mutex or rwlock died with it. */
enum lock_dead {
	LOCK_DEAD_WARNS,    /* run the command with a warning; if it exits with 0, it has put right what there was */
	LOCK_DEAD_RECOVERS, /* run it: what the mutex guards is right, whatever the command does */
	LOCK_DEAD_REFUSES,
};

/* Set in the environment of the command, then: the address. */
#define LOCK_DEAD_VARIABLE "NONET_OWNER_DIED"

struct lock_request {
	const char *address;
	int shared;
	enum lock_dead dead;
	int has_dead;       /* it was said */
	nonet_time timeout; /* a duration */
	char **command;     /* ended by NULL */
};

/*
 * What one kind of address takes, and gives back. One is open at a time. The calls return 0 or a negative errno: why
 * take() or give() failed, explain() says.
 */
struct lock_kind {
	int (*open)(const struct lock_request *request, nonet_time deadline, struct nonet_error *ret_error);
	int (*take)(nonet_time deadline);
	int (*give)(int status); /* what the command ended with, as struct verb's run() returns it */
	void (*explain)(int code, struct nonet_error *ret_error);
	/*
	 * The kernel gives it back at the end of the process that took it, and execve(2) doesn't change that: so the
	 * process becomes the command. Without that a guard runs the command, and gives back.
	 */
	int ends_with_process;
	int ends_with_guard; /* as the first, but the command could lose it: a guard's death gives it back */
};

/* The kind that @request's address is of, or NULL after saying what is wrong. */
const struct lock_kind *lock_kind(const struct lock_request *request);

extern const struct lock_kind lock_file;
extern const struct lock_kind lock_mutex;
extern const struct lock_kind lock_rwlock;
extern const struct lock_kind lock_own_semaphore;
extern const struct lock_kind lock_posix_semaphore;
extern const struct lock_kind lock_sysv_semaphore;

/* Take it, and become the command. Return: only if that failed, the exit status, having said why. */
int lock_execute(const struct lock_kind *kind, const struct lock_request *request);

/*
 * Have a guard, another process, take it, run the command and give it back: it does so when this process is killed,
 * too, and kills the command before. Return: as struct verb's run().
 */
int lock_guarded(const struct lock_kind *kind, const struct lock_request *request);

/* As nonet_semaphore_open(); a System V set that nobody gives its values for a second is taken as it is. */
int lock_open_semaphore(const char *address, nonet_time deadline, struct nonet_semaphore **ret_semaphore,
			struct nonet_error *ret_error);

/* What failed before there was a command. Return: the exit status: LOCK_FAILED, or timed out. */
int lock_failed(int code, const struct nonet_error *error, const char *address);

/* A command that couldn't be run. Return: LOCK_NOT_FOUND or LOCK_NOT_RUN. */
int lock_not_run(int code);

#endif
