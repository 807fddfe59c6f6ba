/* SPDX-License-Identifier: Apache-2.0 */
/* Domains where the process has limits, locks its memory, forks at a bad moment, or the file isn't whole any more. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "domain/domain.h"
#include "domain/life.h"
#include "domain/thread.h"
#include "harness/domain.h"
#include "harness/sanitizer.h"
#include "harness/test.h"

static struct domain *join(void)
{
	struct domain *domain = NULL;

	test_check_equal(domain_join(NULL, true, &domain, NULL), 0);
	return domain;
}

static void path_of(const char *directory, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/.domain", directory);
}

/* What the file takes of memory, in bytes. */
static long long room_of(const char *directory)
{
	struct stat status;
	char path[512];

	path_of(directory, path, sizeof(path));
	test_must(stat(path, &status));
	return (long long)status.st_blocks * 512;
}

static void lock_and_unlock(void)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = NONET_MUTEX_MAY_EXIST};
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", &options, &mutex, NULL), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
}

DOMAIN_TEST(locked_memory_doesnt_fill_the_holes)
{
	struct rlimit limit = {256 << 10, 256 << 10};

	(void)side;
	if (geteuid() == 0) {
		/* Root isn't bound by the limit. */
		test_must(chown(argument, 65534, 65534));
		test_must(setgroups(0, NULL));
		test_must(setresgid(65534, 65534, 65534));
		test_must(setresuid(65534, 65534, 65534));
	}
	test_must(setrlimit(RLIMIT_MEMLOCK, &limit));
	test_must(mlockall(MCL_FUTURE));
	lock_and_unlock();
	/* The header, a member, a slot. */
	test_check(room_of(argument) <= 16 * 4096);
	return 0;
}

DOMAIN_TEST(without_room_for_its_addresses_it_says_so)
{
	struct rlimit before, limit;
	struct nonet_error error;
	struct domain *domain = NULL;

	(void)side;
	(void)argument;
	test_must(getrlimit(RLIMIT_AS, &before));
	limit = before;
	limit.rlim_cur = 100 << 20;
	test_must(setrlimit(RLIMIT_AS, &limit));
	test_check_equal(domain_join(NULL, true, &domain, &error), -ENOMEM);
	/* A sanitizer has more than that itself, so the first page is refused already. */
	test_check(TEST_SANITIZED || strstr(error.text, "144 MiB of addresses"));
	test_must(setrlimit(RLIMIT_AS, &before));
	lock_and_unlock();
	return 0;
}

DOMAIN_TEST(a_sleep_that_doesnt_come_to_it_has_its_deadline_too)
{
	struct domain *domain = join();
	_Atomic uint64_t claim = 7;
	const _Atomic uint32_t *word = claim_futex(&claim);
	uint64_t owner = 0;

	(void)side;
	(void)argument;
	test_check_equal(domain_thread_owner(domain, &owner), 0);
	/* Another value than was seen each time, as a peer makes it who never stops writing. */
	test_check_equal(life_sleep_on(word, 6, nonet_clock()), -ETIMEDOUT);
	test_check_equal(life_sleep_on(word, 6, nonet_after(NONET_S(100))), 0);
	test_check_equal(life_sleep_on(word, 6, NONET_FOREVER), 0);
	test_check_equal(life_sleep(domain, &claim, owner, nonet_clock()), -ETIMEDOUT);
	test_check_equal(life_sleep(domain, &claim, owner, nonet_after(NONET_S(100))), 0);
	/* And where the owner is dead each time. */
	test_check_equal(life_sleep(domain, &claim, claim_owner(9, 9), nonet_clock()), -ETIMEDOUT);
	test_check_equal(life_sleep(domain, &claim, claim_owner(9, 9), nonet_after(NONET_S(100))), 0);
	return 0;
}

static size_t count_records(const struct domain *domain)
{
	size_t count = 0;

	for (const struct domain_thread *thread = domain->threads; thread; thread = thread->next)
		count++;
	return count;
}

static void *ask_for_a_slot(void *argument)
{
	uint64_t owner = 0;

	return (void *)(intptr_t)domain_thread_owner(argument, &owner);
}

static int slot_in_a_thread(struct domain *domain)
{
	pthread_t thread;
	void *result;

	test_check_equal(pthread_create(&thread, NULL, ask_for_a_slot, domain), 0);
	test_check_equal(pthread_join(thread, &result), 0);
	return (int)(intptr_t)result;
}

DOMAIN_TEST(one_that_was_cut_off_takes_nobody)
{
	struct domain *domain = join();
	struct domain *again = NULL;
	struct nonet_error error;
	char path[512];
	uint64_t owner = 0;

	(void)side;
	path_of(argument, path, sizeof(path));
	test_check_equal(slot_in_a_thread(domain), 0);
	/* Cut off and grown again: only who touches it in between can know. */
	test_must(truncate(path, 0));
	test_check(life_has_ended(domain, claim_owner(1, 1)));
	test_must(truncate(path, (off_t)DOMAIN_SIZE));
	atomic_store(&domain_header(domain)->slots, 2);
	for (int turn = 0; turn < 20; turn++)
		test_check_equal(domain_thread_owner(domain, &owner), -EBADMSG);
	test_check_equal(owner, 0);
	test_check_equal(count_records(domain), 1);
	test_check_equal(domain_join(NULL, true, &again, &error), -EBADMSG);
	test_check(strstr(error.text, "was cut off"));
	/* Another in its place is another. */
	test_must(unlink(path));
	test_check(join() != domain);
	return 0;
}

static void *start_helper(void *argument)
{
	uint64_t owner = 0;

	test_check_equal(domain_process_owner(argument, &owner), 0);
	return NULL;
}

/* By turns a little earlier and later. */
static int fork_meanwhile(struct test_child_side *side, void *argument)
{
	struct domain *domain = join();
	const nonet_time until = test_clock() + *(nonet_time *)argument;
	pthread_t thread;
	uint64_t owner = 0;
	pid_t child;
	int status;

	(void)side;
	test_check_equal(pthread_create(&thread, NULL, start_helper, domain), 0);
	while (test_clock() < until)
		;
	child = (pid_t)test_must(fork());
	if (child == 0) {
		/* What hangs is ended, and seen, by the alarm. */
		alarm((unsigned)(5 * test_slowness()));
		_exit(domain_process_owner(join(), &owner) == 0 && owner ? 0 : 1);
	}
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check_equal(status, 0);
	test_check_equal(pthread_join(thread, NULL), 0);
	return 0;
}

DOMAIN_TEST(a_child_forked_while_the_helper_starts_has_its_own)
{
	const uint64_t turns = test_scaled(1000);

	(void)side;
	(void)argument;
	/* The sanitizer's own allocator doesn't survive a fork beside a thread that begins. */
	for (uint64_t turn = 0; !TEST_SANITIZED && turn < turns; turn++) {
		nonet_time moment = (nonet_time)(turn % 40) * NONET_US(5);

		test_check_equal(test_child_join(test_child_start(fork_meanwhile, &moment)), 0);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(locked_memory_doesnt_fill_the_holes),
		test_case(without_room_for_its_addresses_it_says_so),
		test_case(a_sleep_that_doesnt_come_to_it_has_its_deadline_too),
		test_case(one_that_was_cut_off_takes_nobody),
		test_case(a_child_forked_while_the_helper_starts_has_its_own),
	};
	return test_main(tests);
}
