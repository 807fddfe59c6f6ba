/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in shared words, from just below the last: each goes round, or goes no further, and stays in its field. */
#include <errno.h>
#include <unistd.h>

#include <nonet/mutex.h>
#include <nonet/semaphore.h>

#include "domain/domain.h"
#include "domain/life.h"
#include "harness/domain.h"
#include "harness/test.h"
#include "semaphore/semaphore.h"
#include "semaphore/semaphore_shared.h"
#include "sync/mutex.h"

static struct nonet_mutex *make(uint32_t flags)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", &options, &mutex, NULL), 0);
	return mutex;
}

static struct nonet_mutex *reach(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	return mutex;
}

DOMAIN_TEST(who_locks_too_often_is_refused)
{
	struct nonet_mutex *mutex = make(NONET_MUTEX_RECURSIVE);
	uint64_t claim;

	(void)side;
	(void)argument;
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	claim = atomic_load(&mutex->shared->claim);
	atomic_store(&mutex->shared->claim, claim | (MUTEX_DEPTH - 1));
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	for (int i = 0; i < 3; i++) {
		test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EAGAIN);
		test_check_equal(atomic_load(&mutex->shared->claim), claim | MUTEX_DEPTH);
	}
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	test_check_equal(atomic_load(&mutex->shared->claim), claim | (MUTEX_DEPTH - 1));
	atomic_store(&mutex->shared->claim, claim);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	test_check_equal(atomic_load(&mutex->shared->claim), 0);
	nonet_mutex_close(mutex);
	return 0;
}

static int hold(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_check_equal(nonet_mutex_lock(reach(), NONET_NOW), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int be_a_member(struct test_child_side *side, void *argument)
{
	(void)argument;
	(void)reach();
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

/* The last generation of a member's number, and the first again: who has the number lives, who had it doesn't. */
DOMAIN_TEST(a_member_with_the_last_generation_isnt_the_next_one)
{
	struct nonet_mutex *mutex = make(0);
	struct domain *domain = NULL;
	struct domain_member *member;
	struct test_child *child;
	uint64_t owner;
	uint32_t number;

	(void)side;
	(void)argument;
	test_check_equal(domain_join(NULL, false, &domain, NULL), 0);
	number = atomic_load(&domain_header(domain)->member_hint) % DOMAIN_MEMBERS;
	member = domain_member(domain, number);
	atomic_store(&member->generation, UINT32_MAX - 1);
	child = test_child_until(hold, NULL);
	test_check_equal(atomic_load(&member->generation), UINT32_MAX);
	owner = atomic_load(&mutex->shared->claim);
	test_kill(child);
	/* The kernel's mark is taken away again: then only the member tells. */
	atomic_store(&domain_slot(domain, claim_slot(owner))->life,
		     life_word(SYS_LIFE_WAITERS | (uint32_t)getpid(), claim_generation(owner)));
	atomic_store(&domain_header(domain)->member_hint, number);
	child = test_child_until(be_a_member, NULL);
	test_check_equal(atomic_load(&member->generation), 0);
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(10))), -EOWNERDEAD);
	test_kill(child);
	nonet_mutex_close(mutex);
	return 0;
}

/* By what sleepers see that something was given: it mustn't run over into the bits beside it. */
DOMAIN_TEST(what_a_semaphore_counts_for_sleepers_stays_in_its_field)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = 1};
	struct nonet_semaphore *semaphore = NULL;
	_Atomic uint32_t *word;

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_create("semaphore:s", &options, NONET_NOW, &semaphore, NULL), 0);
	word = &semaphore->shared->word;
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	atomic_store(word, SEMAPHORE_WAITS | SEMAPHORE_COUNT);
	test_check_equal(nonet_semaphore_post(semaphore, 1, 0), 0);
	test_check_equal(atomic_load(word), SEMAPHORE_WAITS);
	atomic_store(word, 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(who_locks_too_often_is_refused),
		test_case(a_member_with_the_last_generation_isnt_the_next_one),
		test_case(what_a_semaphore_counts_for_sleepers_stays_in_its_field),
	};
	return test_main(tests);
}
