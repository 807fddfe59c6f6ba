/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is dead, and who isn't: an owner whose number another process got, also where the kernel left no mark, one that
 * executes another program or forks; and one who is stopped while he joins.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "domain/domain.h"
#include "domain/life.h"
#include "harness/domain.h"
#include "harness/process.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "sync/mutex.h"
#include "sys/filelocks.h"

static struct nonet_mutex *make(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	return mutex;
}

static struct nonet_mutex *reach(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	return mutex;
}

#define HELD 3

/* As a thread that is stopped while it takes a slot, and a process that is while it joins. */
static int stop_while_taking(struct test_child_side *side, void *argument)
{
	const struct sys_lock_range slots = {.start = DOMAIN_SLOT_LOCK + 1, .length = HELD};
	const struct sys_lock_range members = {.start = 1, .length = HELD};
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/.domain", (const char *)argument);
	fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
	test_check_equal(sys_ofd_lock(fd, SYS_LOCK_EXCLUSIVE, &slots, false), 0);
	test_check_equal(sys_ofd_lock(fd, SYS_LOCK_EXCLUSIVE, &members, false), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int lock_and_unlock(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = reach();

	(void)side;
	(void)argument;
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(10))), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(one_that_is_stopped_while_it_joins_is_in_nobodys_way)
{
	struct nonet_mutex *mutex = make();
	struct test_child *stopped = test_child_until(stop_while_taking, argument);

	(void)side;
	test_child_stop(stopped);
	for (int i = 0; i < 2 * HELD; i++)
		test_check_equal(test_child_join(test_child_start(lock_and_unlock, NULL)), 0);
	test_child_continue(stopped);
	test_kill(stopped);
	nonet_mutex_close(mutex);
	test_prove("domain-join", 17, 2 * HELD, 0);
	return 0;
}

/* Row 12, as far as it isn't the sweep's: another program, in the place of the owner or beside him. */
static int become_another_program(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = reach();
	int *input = argument;

	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_must(dup2(input[0], STDIN_FILENO));
	test_report(side, "ready");
	test_await(side, "go");
	execlp("cat", "cat", (char *)NULL);
	return 1;
}

DOMAIN_TEST(an_owner_that_executes_another_program_is_dead)
{
	struct nonet_mutex *mutex = make();
	const uint64_t points = test_scaled(200);
	int input[2];

	(void)side;
	(void)argument;
	for (uint64_t i = 0; i < points; i++) {
		struct test_child *child;

		test_must(pipe2(input, O_CLOEXEC));
		child = test_child_until(become_another_program, input);
		test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EAGAIN);
		test_child_tell(child, "go");
		test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(10))), -EOWNERDEAD);
		/* It is there, and reads. */
		test_must(kill(test_child_pid(child), 0));
		test_check_equal(nonet_mutex_recover(mutex), 0);
		test_check_equal(nonet_mutex_unlock(mutex), 0);
		close(input[1]);
		close(input[0]);
		test_check_equal(test_child_join(child), 0);
	}
	nonet_mutex_close(mutex);
	test_prove("mutex-lock", 12, points, 0);
	return 0;
}

static int find_it_held(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *own = reach();

	(void)side;
	test_check_equal(nonet_mutex_lock(argument, NONET_NOW), -ECHILD);
	test_check_equal(nonet_mutex_unlock(argument), -ECHILD);
	test_check_equal(nonet_mutex_recover(argument), -ECHILD);
	test_check_equal(nonet_mutex_lock(own, nonet_after(2 * DOMAIN_INTERVAL)), -ETIMEDOUT);
	test_check_equal(nonet_mutex_unlock(own), -EPERM);
	nonet_mutex_close(own);
	nonet_mutex_close(argument);
	return 0;
}

DOMAIN_TEST(an_owner_whose_children_come_and_go_is_alive)
{
	struct nonet_mutex *mutex = make();
	char name[] = "true";
	char *const program[] = {name, NULL};
	char *const nothing[] = {NULL};
	const uint64_t points = test_scaled(50);
	pid_t child;
	int status;

	(void)side;
	(void)argument;
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	for (uint64_t i = 0; i < points; i++) {
		/* vfork(2) and execve(2) in it. */
		test_check_equal(posix_spawnp(&child, "true", NULL, NULL, program, nothing), 0);
		test_check_equal(test_must(waitpid(child, &status, 0)), child);
		test_check_equal(test_child_join(test_child_start(find_it_held, mutex)), 0);
		/* One that never says a word to the library, and outlives the look at the life lock. */
		child = (pid_t)test_must(fork());
		if (child == 0)
			_exit(0);
		test_check_equal(test_must(waitpid(child, &status, 0)), child);
	}
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	test_prove("mutex-lock", 12, points * 3, 0);
	return 0;
}

DOMAIN_TEST(a_child_without_a_list_is_known_by_its_life_lock)
{
	struct nonet_mutex *mutex = make();
	pid_t child;
	int status;

	(void)side;
	(void)argument;
	/* What the child inherits knows already that lists can be used. */
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	child = test_raw_child(0);
	if (child == 0) {
		struct nonet_mutex *own = reach();
		const int result = nonet_mutex_lock(own, NONET_NOW);

		_exit(result == 0 ? 7 : 1);
	}
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check_equal(status, 7 << 8);
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(10))), -EOWNERDEAD);
	test_check_equal(nonet_mutex_recover(mutex), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	return 0;
}

/* Row 13. The number of a dead owner's process and thread is given to another, which may be a member too. */
static int lock_and_end(struct nonet_mutex **ret_mutex)
{
	*ret_mutex = reach();
	return nonet_mutex_lock(*ret_mutex, NONET_NOW);
}

/* What the new one finds: never that the lock is its own, nor that the owner lives. */
static int successor(bool joins)
{
	struct nonet_mutex *mutex = NULL;

	if (!joins)
		return 0;
	if (nonet_mutex_open("mutex:m", &mutex, NULL) < 0)
		return 1;
	if (nonet_mutex_unlock(mutex) != -EPERM)
		return 2;
	if (nonet_mutex_recover(mutex) != -EPERM)
		return 3;
	return 0;
}

static int wait_for(pid_t child)
{
	int status;

	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	return status;
}

/* The kernel's mark is taken away again: then only the life lock tells. */
static bool is_dead_without_a_mark(struct domain *domain, uint64_t owner, pid_t number)
{
	const uint64_t life = life_word(SYS_LIFE_WAITERS | (uint32_t)number, claim_generation(owner));

	/* The successor may have the slot by now, with the next generation. */
	if (life_generation(atomic_load(&domain_slot(domain, claim_slot(owner))->life)) == claim_generation(owner))
		atomic_store(&domain_slot(domain, claim_slot(owner))->life, life);
	return life_look(domain, owner) == 1;
}

/* Return: how many verdicts were wrong. */
static uint64_t reuse_once(struct nonet_mutex *mutex, struct domain *domain, uint64_t turn, const int *word)
{
	struct nonet_mutex_holder holder;
	struct nonet_mutex *own;
	pid_t first, second;
	uint64_t owner, wrong = 0;
	char result = 9;

	first = (pid_t)test_must(fork());
	if (first == 0)
		_exit(lock_and_end(&own) == 0 ? 0 : 1);
	test_check_equal(wait_for(first), 0);
	owner = atomic_load(&mutex->shared->claim);
	second = test_raw_child(first);
	if (second == 0) {
		result = (char)successor(turn % 2);
		if (write(word[1], &result, 1) != 1)
			_exit(9);
		for (;;)
			pause();
	}
	test_check_equal(second, first);
	test_check_equal(test_must(read(word[0], &result, 1)), 1);
	wrong += result != 0;
	wrong += nonet_mutex_look(mutex, &holder) != 0 || !(holder.flags & NONET_MUTEX_IS_DEAD);
	if (turn / 2 % 2)
		wrong += !is_dead_without_a_mark(domain, owner, first);
	wrong += nonet_mutex_lock(mutex, NONET_NOW) != -EOWNERDEAD;
	wrong += nonet_mutex_recover(mutex) != 0;
	wrong += nonet_mutex_unlock(mutex) != 0;
	test_must(kill(second, SIGKILL));
	test_check_equal(wait_for(second), SIGKILL);
	return wrong;
}

DOMAIN_TEST(another_with_the_dead_ones_number_is_another)
{
	struct nonet_mutex *mutex = make();
	struct domain *domain = NULL;
	const uint64_t turns = test_scaled(10000);
	uint64_t wrong = 0;
	int word[2];

	(void)side;
	(void)argument;
	if (geteuid() != 0) {
		test_note("not root: numbers can't be chosen, so this isn't tested");
		nonet_mutex_close(mutex);
		return 0;
	}
	test_check_equal(domain_join(NULL, false, &domain, NULL), 0);
	test_must(pipe2(word, O_CLOEXEC));
	for (uint64_t turn = 0; turn < turns; turn++)
		wrong += reuse_once(mutex, domain, turn, word);
	close(word[0]);
	close(word[1]);
	nonet_mutex_close(mutex);
	test_prove("mutex-lock", 13, turns, wrong);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(one_that_is_stopped_while_it_joins_is_in_nobodys_way),
		test_case_with(an_owner_that_executes_another_program_is_dead, &long_one),
		test_case_with(an_owner_whose_children_come_and_go_is_alive, &long_one),
		test_case(a_child_without_a_list_is_known_by_its_life_lock),
		test_case_with(another_with_the_dead_ones_number_is_another, &long_one),
	};
	return test_main(tests);
}
