/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "domain/life.h"
#include "sync/doorbell_private.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/futex.h"
#include "sys/pipe.h"
#include "sys/thread.h"

/*
 * One helper thread of a process looks after all of its doorbells, since who sleeps on a descriptor can't look himself:
 *
 *   - The kernel can't ring for an owner who is killed: the helper sleeps on the life words of those who have what its
 *     bells are waiting for, as a waiter would.
 *   - A waker may be killed between making an object ready and ringing; a peer may write over the table, or replace a
 *     FIFO; there may be no descriptor left to ring with. So it looks at all armed bells every DOMAIN_INTERVAL.
 *   - In a domain that was removed nobody may be left who rings: all bells there are rung, and who calls then is told
 *     -ESTALE.
 *
 * It sleeps for good while none is armed, and KEEPER_SOON while a job or a bell says so. Looking takes no system call,
 * but where who was killed isn't gone yet; who isn't woken for an interval asks about the owners by their life locks
 * too, and every KEEPER_ASKS the domains are looked for.
 */

#define KEEPER_ASKS NONET_S(1)

/* Where what is waited for wakes nobody: how long not to look. */
#define KEEPER_SOON NONET_MS(1)

/* What a look finds: whose life is slept on. The first word of the sleep is the helper's own. */
#define KEEPER_OWNERS (SYS_FUTEX_MANY - 1)

struct keeper_owner {
	struct domain *domain;
	uint64_t owner;
};

static pthread_mutex_t keeper_lock = PTHREAD_MUTEX_INITIALIZER;
/* All under the lock. */
static struct list keeper_bells = {&keeper_bells, &keeper_bells};
static bool keeper_runs;
static bool keeper_rests; /* it sleeps until it is told */

/* Changed, with a wake, to have the helper look anew. */
static _Atomic uint32_t keeper_word;

/* Neither the thread nor who had the lock is in the child, and the bells are the parent's. */
static void keeper_forked(void)
{
	pthread_mutex_init(&keeper_lock, NULL);
	list_init(&keeper_bells);
	keeper_runs = false;
}

static void keeper_watch_for_forks(void)
{
	(void)pthread_atfork(NULL, NULL, keeper_forked);
}

/* Under the lock. */
static void keeper_tell(void)
{
	atomic_fetch_add_explicit(&keeper_word, 1, memory_order_relaxed);
	(void)sys_futex_wake(&keeper_word, 1);
}

/* Under the lock: it is in the table no more. */
static void keeper_withdraw(struct doorbell *bell)
{
	uint64_t name = bell->name;

	(void)atomic_compare_exchange_strong_explicit(&doorbell_table(bell->object)->armed[bell->place], &name, 0,
						      memory_order_relaxed, memory_order_relaxed);
}

static void keeper_ring(struct doorbell *bell)
{
	keeper_withdraw(bell);
	bell->armed = false;
	(void)sys_counter_write(bell->fd, 1);
}

static void keeper_add_words(const struct keeper_owner *owners, int count, struct sys_futex_word *words)
{
	for (int i = 0; i < count; i++) {
		const _Atomic uint64_t *life = &domain_slot(owners[i].domain, claim_slot(owners[i].owner))->life;

		words[i].word = claim_futex(life);
		words[i].value = (uint32_t)atomic_load_explicit(life, memory_order_relaxed);
	}
}

/* Under the lock, in which this is done to few: once in KEEPER_ASKS, of each domain. */
static void keeper_ask_domains(void)
{
	static nonet_time next;
	struct domain *last = NULL;
	struct list *node;
	int fd;

	if (nonet_clock() < next)
		return;
	next = nonet_after(KEEPER_ASKS);
	for (node = keeper_bells.next; node != &keeper_bells; node = node->next) {
		const struct doorbell *bell = container_of(node, struct doorbell, all);

		if (!bell->armed || bell->object->domain == last)
			continue;
		last = bell->object->domain;
		if (domain_open_again(last, &fd) == 0)
			sys_close(&fd);
	}
}

/* Under the lock. Return: how many @owners have what is waited for; *@ret_interval: when to look again. */
static int keeper_look(struct keeper_owner *owners, nonet_time *ret_interval)
{
	uint64_t found[KEEPER_OWNERS];
	nonet_time interval = NONET_FOREVER;
	struct list *node;
	int count = 0;
	bool soon;

	for (node = keeper_bells.next; node != &keeper_bells; node = node->next) {
		struct doorbell *bell = container_of(node, struct doorbell, all);
		int result;

		if (!bell->armed)
			continue;
		result = object_check_domain(bell->object) < 0
				 ? DOORBELL_READY
				 : bell->job->look(bell->argument, found, KEEPER_OWNERS - count);
		if (result == DOORBELL_READY) {
			keeper_ring(bell);
			continue;
		}
		soon = result == DOORBELL_SOON || bell->closely;
		if (interval == NONET_FOREVER || soon)
			interval = soon ? KEEPER_SOON : DOMAIN_INTERVAL;
		bell->watched = result > 0 ? found[0] : 0;
		for (int i = 0; i < result; i++)
			owners[count++] = (struct keeper_owner){bell->object->domain, found[i]};
	}
	*ret_interval = interval;
	return count;
}

/* They may be dead without a mark: ask for their life locks. */
static void keeper_ask(const struct keeper_owner *owners, int count)
{
	for (int i = 0; i < count; i++)
		(void)life_look(owners[i].domain, owners[i].owner);
}

/* The kernel wakes one sleeper on a dead one's life, and that may have been we. */
static void keeper_pass_on(const struct keeper_owner *owners, int count)
{
	for (int i = 0; i < count; i++)
		if (life_has_ended(owners[i].domain, owners[i].owner))
			life_tell(owners[i].domain, owners[i].owner);
}

/* Under the lock, which is let go meanwhile. */
static void keeper_sleep(const struct keeper_owner *owners, int count, nonet_time interval)
{
	struct sys_futex_word words[SYS_FUTEX_MANY] = {
		{&keeper_word, atomic_load_explicit(&keeper_word, memory_order_relaxed)}};
	const nonet_time until = nonet_after(interval);
	static nonet_time asked;
	int result;

	keeper_add_words(owners, count, words + 1);
	/* Who died before his word was read isn't slept on. */
	for (int i = 0; i < count; i++)
		if (life_has_ended(owners[i].domain, owners[i].owner))
			return;
	keeper_rests = interval == NONET_FOREVER;
	pthread_mutex_unlock(&keeper_lock);
	result = sys_futex_wait_many(words, count + 1, until);
	/* Filtered (seccomp(2)), or no memory: without the lives. */
	if (result < 0 && result != -ETIMEDOUT)
		result = sys_futex_wait(words[0].word, words[0].value, until);
	if (result == -ETIMEDOUT && nonet_clock() - asked >= DOMAIN_INTERVAL) {
		keeper_ask(owners, count);
		asked = nonet_clock();
	}
	keeper_pass_on(owners, count);
	pthread_mutex_lock(&keeper_lock);
	keeper_rests = false;
}

static void *keeper_run(void *argument)
{
	struct keeper_owner owners[KEEPER_OWNERS];
	nonet_time interval;
	int count;

	(void)argument;
	sys_thread_allow_faults();
	pthread_mutex_lock(&keeper_lock);
	for (;;) {
		keeper_ask_domains();
		count = keeper_look(owners, &interval);
		keeper_sleep(owners, count, interval);
	}
	return NULL;
}

int doorbell_keep(struct doorbell *bell)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_t thread;
	int error = 0;

	pthread_once(&once, keeper_watch_for_forks);
	pthread_mutex_lock(&keeper_lock);
	if (!keeper_runs) {
		error = sys_thread_start("nonet-bells", keeper_run, NULL, &thread);
		if (error == 0) {
			sys_thread_detach(thread);
			keeper_runs = true;
		}
	}
	if (error == 0) {
		bell->armed = false;
		list_add_last(&keeper_bells, &bell->all);
	}
	pthread_mutex_unlock(&keeper_lock);
	return error;
}

void doorbell_unkeep(struct doorbell *bell)
{
	pthread_mutex_lock(&keeper_lock);
	list_remove(&bell->all);
	keeper_withdraw(bell);
	pthread_mutex_unlock(&keeper_lock);
}

/* Under the lock, for who arms. Return: whether it is there now. */
static bool doorbell_enter_at(struct doorbell *bell, uint32_t place)
{
	struct object_bells *table = doorbell_table(bell->object);
	uint64_t name = atomic_load_explicit(&table->armed[place], memory_order_relaxed);
	uint32_t used = atomic_load_explicit(&table->used, memory_order_relaxed);

	if (name != 0 && name != bell->name && !life_has_ended(bell->object->domain, name))
		return false;
	while (used <= place && !atomic_compare_exchange_weak_explicit(&table->used, &used, place + 1,
								       memory_order_relaxed, memory_order_relaxed))
		;
	if (name != bell->name && !atomic_compare_exchange_strong_explicit(&table->armed[place], &name, bell->name,
									   memory_order_relaxed, memory_order_relaxed))
		return false;
	bell->place = place;
	return true;
}

/* Under the lock. Where there is no room, the helper is all that rings it. */
static void doorbell_enter(struct doorbell *bell)
{
	bool entered = doorbell_enter_at(bell, bell->place);

	for (uint32_t i = 0; i < DOORBELL_ENTRIES && !entered; i++)
		entered = doorbell_enter_at(bell, i);
}

void doorbell_arm(struct doorbell *bell)
{
	char rings[256];
	const struct iovec vector = {rings, sizeof(rings)};

	pthread_mutex_lock(&keeper_lock);
	(void)sys_pipe_read(bell->fd, &vector, 1);
	doorbell_enter(bell);
	bell->armed = true;
	pthread_mutex_unlock(&keeper_lock);
}

void doorbell_disarm(struct doorbell *bell)
{
	pthread_mutex_lock(&keeper_lock);
	keeper_withdraw(bell);
	bell->armed = false;
	pthread_mutex_unlock(&keeper_lock);
}

void doorbell_rest(struct doorbell *bell)
{
	pthread_mutex_lock(&keeper_lock);
	if (bell->armed)
		keeper_ring(bell);
	pthread_mutex_unlock(&keeper_lock);
}

void doorbell_watch_closely(struct doorbell *bell, bool closely)
{
	pthread_mutex_lock(&keeper_lock);
	if (closely && !bell->closely)
		keeper_tell();
	bell->closely = closely;
	pthread_mutex_unlock(&keeper_lock);
}

void doorbell_watch(struct doorbell *bell, uint64_t owner)
{
	owner &= CLAIM_OWNER;
	pthread_mutex_lock(&keeper_lock);
	if (keeper_rests || (owner != 0 && bell->watched != owner))
		keeper_tell();
	pthread_mutex_unlock(&keeper_lock);
}
