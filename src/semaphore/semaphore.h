/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEMAPHORE_SEMAPHORE_H
#define SEMAPHORE_SEMAPHORE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include <nonet/address.h>
#include <nonet/semaphore.h>

#include "domain/object.h"
#include "sync/doorbell.h"
#include "sync/mutex.h"
#include "sys/posix_semaphore.h"
#include "waitable/waitable.h"
#include "watcher/looker.h"
#include "watcher/watcher.h"

struct semaphore_carrier;
struct semaphore_shared;

/* What an address of a semaphore means. */
struct semaphore_place {
	const struct semaphore_carrier *carrier;
	struct nonet_address *address;
	const char *text; /* of the address */

	char file[256]; /* POSIX: its name in SYS_POSIX_SEMAPHORE_DIRECTORY */

	int id; /* System V: -1 if the address has none */
	int32_t key;
	bool indexed; /* [N] is written there */
	uint32_t index;
};

struct nonet_semaphore {
	/* In one line of the cache: what taking and giving read. */
	sem_t *posix; /* NULL: it is of System V, or nonet's own */
	int id;       /* of a System V set */
	uint32_t count;
	const struct semaphore_carrier *carrier;
	/* Of nonet's own. What doesn't change in the shared memory was read once. */
	struct semaphore_shared *shared; /* NULL: it isn't */
	uint32_t maximum;
	_Atomic uint32_t mine; /* the permit that was taken last, by this handle */
	bool signals;          /* permits are nobody's */

	struct nonet_waitable waitable;
	struct semaphore_place place;

	/* Of nonet's own. */
	struct object object;
	struct nonet_mutex turn;
	struct doorbell bell;

	unsigned generation; /* of the process that opened it */
	pthread_mutex_t starting;
	/* Its helper, one of the two: under @starting until it is there; then it stays. */
	struct watcher *watcher;
	struct looker *looker;
};

/*
 * A carrier. What it gets was checked as far as it is the same for both: flags are known, permits above 0. Those that
 * open fill in the handle, and leave nothing behind when they fail.
 */
struct semaphore_carrier {
	int (*create)(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
		      struct nonet_error *reterr);
	int (*open)(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
		    nonet_time deadline, struct nonet_error *reterr);
	void (*close)(struct nonet_semaphore *semaphore);
	int (*unlink)(const struct semaphore_place *place, struct nonet_error *reterr);

	int (*operate)(struct nonet_semaphore *semaphore, const struct nonet_semaphore_operation *operations,
		       size_t count, nonet_time deadline);
	int (*value)(struct nonet_semaphore *semaphore, uint32_t *ret_value);
	int (*look)(struct nonet_semaphore *semaphore, struct nonet_semaphore_info *ret_info);

	/* How it is waited for: by a helper in a call that blocks; NULL: it is looked at. Their object is the handle.
	 */
	const struct watcher_job *job;
	looker_look *is_ready;

	/* A sentence for what only this carrier can say more of; false: the usual one will do. */
	bool (*explain)(struct nonet_semaphore *semaphore, int code, struct nonet_error *ret_error);
};

extern const struct semaphore_carrier semaphore_posix;
extern const struct semaphore_carrier semaphore_sysv;
extern const struct semaphore_carrier semaphore_shared;

/*
 * Taking and giving, called directly: after a system call each return and indirect call is predicted wrongly on a CPU
 * whose kernel guards against that (src/stream/hot.h), which would be 5 % of a semop(2).
 */
int semaphore_posix_wait(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags, nonet_time deadline);
int semaphore_posix_post(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags);
int semaphore_sysv_wait(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags, nonet_time deadline);
int semaphore_sysv_post(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags);

int semaphore_shared_wait(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags, nonet_time deadline);
int semaphore_shared_post(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags);
/* The same for one permit and no flags. */
int semaphore_shared_take(struct nonet_semaphore *semaphore, nonet_time deadline);
int semaphore_shared_give(struct nonet_semaphore *semaphore);

/* A domain's have a doorbell, and no helper of theirs: the descriptor; arm, once there is one; and rest. */
int semaphore_shared_start(struct nonet_semaphore *semaphore);
int semaphore_shared_arm(struct nonet_semaphore *semaphore);
void semaphore_shared_rest(struct nonet_semaphore *semaphore);

/* Where there was no permit: until @deadline, which isn't NONET_NOW. */
int semaphore_posix_sleep(struct nonet_semaphore *semaphore, nonet_time deadline);

/* One permit of a POSIX semaphore. */
static inline int semaphore_posix_take(struct nonet_semaphore *semaphore, nonet_time deadline)
{
	int error = sys_posix_semaphore_try(semaphore->posix);

	return error == -EAGAIN && deadline != NONET_NOW ? semaphore_posix_sleep(semaphore, deadline) : error;
}

/*
 * Out of line, so that what is seldom needed costs taking and giving a free permit neither registers nor stack: with
 * link-time optimization all would be one function.
 */
#define SEMAPHORE_APART __attribute__((noinline))

/* The same, and nothing that it calls is out of line but those. */
#define SEMAPHORE_OTHER __attribute__((flatten, noinline))

/* Read an address. semaphore_place_done() frees what is in it. */
int semaphore_place_init(struct semaphore_place *place, const char *address, struct nonet_error *reterr);
void semaphore_place_done(struct semaphore_place *place);

#endif
