/* SPDX-License-Identifier: Apache-2.0 */
#include "watcher/looker.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/time.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/thread.h"

/*
 * Invariants, under @helper_mutex:
 *
 * 1. An armed looker is in the list, and its bell is silent; one that isn't is in none, and its bell says @rung.
 * 2. What is in the list may be looked at: so who takes a looker out may free what it looks at.
 *
 * The helper runs while there are lookers. It is started and ended under @helper_starting, which comes first: it isn't
 * held by the helper, that is waited for under it.
 */
struct looker {
	looker_look *look;
	void *object;
	int bell;            /* an eventfd */
	unsigned generation; /* of the process whose helper looks */
	bool rung;
	struct list in_armed;
};

static pthread_mutex_t helper_starting = PTHREAD_MUTEX_INITIALIZER;
static pthread_t helper;
static unsigned helper_users;

static pthread_mutex_t helper_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t helper_ordered; /* the first is armed, or the helper is to end */
static struct list helper_armed = {&helper_armed, &helper_armed};
static bool helper_ending;

static pthread_once_t helper_once = PTHREAD_ONCE_INIT;
static int helper_once_error;

/* Can't fail on Linux: it only fills in memory. */
static void helper_init_ordered(void)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&helper_ordered, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* The helper isn't here, nor whoever held the mutexes; and what is in the list is the parent's. */
static void helper_forked(void)
{
	pthread_mutex_init(&helper_starting, NULL);
	pthread_mutex_init(&helper_mutex, NULL);
	helper_init_ordered();
	list_init(&helper_armed);
	helper_users = 0;
	helper_ending = false;
}

static void helper_prepare(void)
{
	helper_init_ordered();
	helper_once_error = -pthread_atfork(NULL, NULL, helper_forked);
}

/* The eventfd's counter is 0 or 1, so neither can fail, nor wait. */
static void looker_ring(struct looker *looker)
{
	list_remove(&looker->in_armed);
	looker->rung = true;
	(void)sys_counter_write(looker->bell, 1);
}

static void helper_look_at_all(void)
{
	struct list *node;
	struct list *after;

	list_for_each_safe (node, after, &helper_armed) {
		struct looker *looker = container_of(node, struct looker, in_armed);

		if (looker->look(looker->object))
			looker_ring(looker);
	}
}

static void *helper_thread(void *argument)
{
	nonet_time next = 0;

	(void)argument;
	pthread_mutex_lock(&helper_mutex);
	while (!helper_ending) {
		const struct timespec time = time_to_timespec(next);

		if (list_is_empty(&helper_armed)) {
			pthread_cond_wait(&helper_ordered, &helper_mutex);
		} else if (nonet_clock() < next) {
			(void)pthread_cond_timedwait(&helper_ordered, &helper_mutex, &time);
		} else {
			helper_look_at_all();
			next = nonet_after(LOOKER_INTERVAL);
		}
	}
	pthread_mutex_unlock(&helper_mutex);
	return NULL;
}

static int helper_use(void)
{
	int error = 0;

	pthread_once(&helper_once, helper_prepare);
	if (helper_once_error < 0)
		return helper_once_error;
	pthread_mutex_lock(&helper_starting);
	if (helper_users == 0)
		error = sys_thread_start("nonet-looker", helper_thread, NULL, &helper);
	if (error == 0)
		helper_users++;
	pthread_mutex_unlock(&helper_starting);
	return error;
}

static void helper_leave(void)
{
	pthread_mutex_lock(&helper_starting);
	if (--helper_users == 0) {
		pthread_mutex_lock(&helper_mutex);
		helper_ending = true;
		pthread_cond_signal(&helper_ordered);
		pthread_mutex_unlock(&helper_mutex);
		sys_thread_join(helper);
		helper_ending = false;
	}
	pthread_mutex_unlock(&helper_starting);
}

static bool looker_is_foreign(const struct looker *looker)
{
	return looker->generation != sys_generation();
}

int looker_new(looker_look *look, void *object, struct looker **ret_looker)
{
	struct looker *looker = sys_allocate(sizeof(*looker));
	int error;

	if (!looker)
		return -ENOMEM;
	looker->look = look;
	looker->object = object;
	looker->generation = sys_generation();
	list_init(&looker->in_armed);
	looker->bell = sys_eventfd_create();
	error = looker->bell < 0 ? looker->bell : helper_use();
	if (error < 0) {
		sys_close(&looker->bell);
		sys_free(looker);
		return error;
	}
	*ret_looker = looker;
	return 0;
}

int looker_fd(const struct looker *looker)
{
	return looker->bell;
}

int looker_arm(struct looker *looker)
{
	uint64_t rings;

	if (looker_is_foreign(looker))
		return -ECHILD;
	pthread_mutex_lock(&helper_mutex);
	if (looker->rung)
		(void)sys_counter_read(looker->bell, &rings);
	looker->rung = false;
	if (list_is_empty(&looker->in_armed)) {
		if (list_is_empty(&helper_armed))
			pthread_cond_signal(&helper_ordered);
		list_add_last(&helper_armed, &looker->in_armed);
	}
	pthread_mutex_unlock(&helper_mutex);
	return 0;
}

void looker_rest(struct looker *looker)
{
	if (looker_is_foreign(looker))
		return;
	pthread_mutex_lock(&helper_mutex);
	if (!list_is_empty(&looker->in_armed))
		looker_ring(looker);
	pthread_mutex_unlock(&helper_mutex);
}

struct looker *looker_free(struct looker *looker)
{
	if (!looker)
		return NULL;
	if (!looker_is_foreign(looker)) {
		pthread_mutex_lock(&helper_mutex);
		list_remove(&looker->in_armed);
		pthread_mutex_unlock(&helper_mutex);
		helper_leave();
	}
	sys_close(&looker->bell);
	return sys_free(looker);
}
