/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/list.h"
#include "domain/life.h"
#include "sync/mutex.h"

/*
 * Waiting for a mutex by its doorbell. Who arms says so by the waiters' bit, like who sleeps: so whoever unlocks wakes
 * one sleeper, and rings all bells, since who is rung need not want it any more.
 */

static bool mutex_is_ready(const struct nonet_mutex *mutex, uint64_t seen)
{
	return claim_is_free(seen) || life_has_ended(mutex->object.domain, seen) || object_check(&mutex->object) < 0 ||
	       object_check_shared(&mutex->object) < 0;
}

/* What its owner did is seen by who takes it, not by who only looks. */
static uint64_t mutex_glance(const struct nonet_mutex *mutex)
{
	return atomic_load_explicit(&mutex->shared->claim, memory_order_relaxed);
}

static int mutex_bell_look(void *argument, uint64_t *owners, int room)
{
	const struct nonet_mutex *mutex = argument;
	const uint64_t seen = mutex_glance(mutex);

	if (mutex_is_ready(mutex, seen))
		return DOORBELL_READY;
	if (room == 0)
		return 0;
	owners[0] = seen & CLAIM_OWNER;
	return 1;
}

static const struct doorbell_job mutex_bell = {.look = mutex_bell_look};

static int mutex_arm(struct nonet_waitable *waitable)
{
	struct nonet_mutex *mutex = container_of(waitable, struct nonet_mutex, waitable);
	uint64_t seen = mutex_glance(mutex);

	if (mutex_is_ready(mutex, seen))
		return 1;
	doorbell_arm(&mutex->bell);
	do {
		if (mutex_is_ready(mutex, seen)) {
			doorbell_disarm(&mutex->bell);
			return 1;
		}
	} while (!atomic_compare_exchange_strong_explicit(&mutex->shared->claim, &seen, seen | CLAIM_WAITERS,
							  memory_order_acq_rel,
							  memory_order_relaxed)); /* [BELL-ARMED] */
	doorbell_watch(&mutex->bell, seen);
	return 0;
}

static void mutex_rest(struct nonet_waitable *waitable)
{
	struct nonet_mutex *mutex = container_of(waitable, struct nonet_mutex, waitable);

	if (mutex->object.generation == sys_generation())
		doorbell_rest(&mutex->bell);
}

void mutex_bell_init(struct nonet_mutex *mutex)
{
	doorbell_init(&mutex->bell, &mutex->object, &mutex_bell, mutex);
	/* Until it has a bell; in a child it won't. */
	waitable_init(&mutex->waitable, -ECHILD, mutex_arm);
	mutex->waitable.rest = mutex_rest;
}

void mutex_bell_done(struct nonet_mutex *mutex)
{
	waitable_done(&mutex->waitable);
	doorbell_done(&mutex->bell);
}

static int mutex_bell_start(struct nonet_mutex *mutex)
{
	int error = object_check(&mutex->object);

	if (error == 0 && !mutex->object.map.base)
		error = -EOPNOTSUPP;
	mutex->waitable.fd = error < 0 ? error : doorbell_start(&mutex->bell);
	return mutex->waitable.fd;
}

int nonet_mutex_fd(struct nonet_mutex *mutex)
{
	return mutex_bell_start(mutex);
}

int nonet_mutex_arm(struct nonet_mutex *mutex)
{
	int error = mutex_bell_start(mutex);

	if (error >= 0)
		error = object_check_domain(&mutex->object);
	return error < 0 ? error : waitable_arm(&mutex->waitable);
}

struct nonet_waitable *nonet_mutex_waitable(struct nonet_mutex *mutex)
{
	(void)mutex_bell_start(mutex);
	return &mutex->waitable;
}
