/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls a mutex needs, for who writes a filter (seccomp(2)): the lists are those of nonet_mutex_open(3).
 * Each part of a mutex's use runs under a filter that lets through what its list names, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "harness/domain.h"
#include "harness/restrict.h"
#include "harness/test.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* To sleep and wake; the clock costs no call where there is a vDSO. */
static const int sleeping[] = {SYS_futex, SYS_futex_waitv, SYS_clock_gettime, SYS_sched_getaffinity, TEST_CALLS_END};
/* Once an interval was slept through. */
static const int looking[] = {SYS_openat, SYS_newfstatat, SYS_fstat,      SYS_fcntl,
			      SYS_close,  SYS_read,       SYS_getdents64, TEST_CALLS_END};
/* A thread's first lock. */
static const int first[] = {SYS_mmap,   SYS_munmap, SYS_brk,    SYS_madvise,         SYS_fallocate, SYS_prlimit64,
			    SYS_getpid, SYS_gettid, SYS_tgkill, SYS_get_robust_list, TEST_CALLS_END};
/* Making, opening, closing and removing objects; joining with the first. */
static const int opening[] = {SYS_mremap,   SYS_munlock,    SYS_ftruncate,    SYS_fchmod,    SYS_linkat,
			      SYS_unlinkat, SYS_readlinkat, SYS_rt_sigaction, SYS_getrandom, TEST_CALLS_END};

static struct nonet_mutex *make(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	return mutex;
}

static void lock_and_unlock(struct nonet_mutex *mutex)
{
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
}

/* Run in a fork; its status is that of the test. */
static void in_a_child(void (*function)(void))
{
	const pid_t child = (pid_t)test_must(fork());
	int status;

	if (child == 0) {
		function();
		_exit(0);
	}
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check_equal(status, 0);
}

static void use_what_is_free(void)
{
	struct nonet_mutex *mutex = make();

	/* The first of them asks how many CPUs there are. */
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EDEADLK);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	test_restrict_to((const int *const[]){NULL});
	for (int i = 0; i < 1000; i++) {
		if (nonet_mutex_lock(mutex, NONET_NOW) < 0 || nonet_mutex_lock(mutex, NONET_FOREVER) != -EDEADLK ||
		    nonet_mutex_unlock(mutex) < 0)
			_exit(1);
	}
}

DOMAIN_TEST(a_free_one_makes_no_call)
{
	(void)side;
	(void)argument;
	in_a_child(use_what_is_free);
	return 0;
}

static int hold(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = NULL;

	(void)argument;
	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

DOMAIN_TEST(a_sleeper_needs_few_calls)
{
	struct nonet_mutex *mutex = make();
	struct test_child *owner;

	(void)side;
	(void)argument;
	lock_and_unlock(mutex);
	owner = test_child_until(hold, NULL);
	(void)owner;
	test_restrict_to((const int *const[]){sleeping, looking, NULL});
	/* Two intervals, with a look after the first. */
	if (nonet_mutex_lock(mutex, nonet_after(NONET_MS(250))) != -ETIMEDOUT)
		_exit(1);
	_exit(0);
}

DOMAIN_TEST(a_thread_takes_its_slot_with_few_calls)
{
	struct nonet_mutex *mutex = make();

	(void)side;
	(void)argument;
	test_restrict_to((const int *const[]){sleeping, looking, first, NULL});
	if (nonet_mutex_lock(mutex, NONET_NOW) < 0 || nonet_mutex_unlock(mutex) < 0)
		_exit(1);
	_exit(0);
}

DOMAIN_TEST(a_process_joins_with_few_calls)
{
	struct nonet_mutex *mutex = NULL;

	(void)side;
	(void)argument;
	test_restrict_to((const int *const[]){sleeping, looking, first, opening, NULL});
	if (nonet_mutex_create("mutex:m", NULL, &mutex, NULL) < 0 || nonet_mutex_lock(mutex, NONET_NOW) < 0 ||
	    nonet_mutex_unlock(mutex) < 0)
		_exit(1);
	nonet_mutex_close(mutex);
	if (nonet_mutex_open("mutex:m", &mutex, NULL) < 0 || nonet_mutex_unlink("mutex:m", NULL) < 0)
		_exit(2);
	nonet_mutex_close(mutex);
	_exit(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_free_one_makes_no_call),
		test_case(a_sleeper_needs_few_calls),
		test_case(a_thread_takes_its_slot_with_few_calls),
		test_case(a_process_joins_with_few_calls),
	};

	return test_main(tests);
}
