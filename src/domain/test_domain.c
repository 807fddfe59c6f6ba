/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "domain/domain.h"
#include "domain/life.h"
#include "domain/thread.h"
#include "harness/domain.h"
#include "harness/test.h"
#include "sys/filelocks.h"

static struct domain *join(void)
{
	struct domain *domain = NULL;

	test_check_equal(domain_join(NULL, true, &domain, NULL), 0);
	return domain;
}

static int join_fails(struct nonet_error *ret_error)
{
	struct domain *domain = NULL;

	return domain_join(NULL, true, &domain, ret_error);
}

/* The file, as somebody who isn't a member has it. */
static int file_of(const char *directory)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/.domain", directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	test_check(fd >= 0);
	return fd;
}

DOMAIN_TEST(a_directory_that_all_may_write_into_is_refused)
{
	struct nonet_error error;

	(void)side;
	test_check_equal(chmod(argument, 0777), 0);
	test_check_equal(join_fails(&error), -EPERM);
	test_check(strstr(error.text, "anybody may write"));
	test_check_equal(chmod(argument, 0700), 0);
	test_check_equal(join_fails(&error), 0);
	return 0;
}

DOMAIN_TEST(what_lies_in_the_files_place_is_refused)
{
	struct nonet_error error;
	char path[512];
	int fd;

	(void)side;
	snprintf(path, sizeof(path), "%s/.domain", (const char *)argument);
	test_check_equal(symlink("/etc/passwd", path), 0);
	test_check_equal(join_fails(&error), -ELOOP);
	test_check_equal(unlink(path), 0);
	test_check_equal(mkfifo(path, 0600), 0);
	test_check_equal(join_fails(&error), -EPROTO);
	test_check_equal(unlink(path), 0);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	test_check_equal(join_fails(&error), -EPROTO);
	/* The right size, but no magic: somebody else's, or half-made by something that isn't nonet. */
	test_check_equal(ftruncate(fd, (off_t)DOMAIN_SIZE), 0);
	test_check_equal(join_fails(&error), -EPROTO);
	test_check(strstr(error.text, "another version"));
	close(fd);
	test_check_equal(unlink(path), 0);
	test_check_equal(join_fails(&error), 0);
	return 0;
}

DOMAIN_TEST(a_process_joins_once)
{
	struct domain *domain = join();

	(void)side;
	(void)argument;
	test_check(join() == domain);
	test_check_equal(atomic_load(&domain_header(domain)->member_hint), 1);
	return 0;
}

DOMAIN_TEST(a_full_domain_takes_no_more)
{
	const struct sys_lock_range all = {.length = DOMAIN_MEMBERS};
	struct nonet_error error;
	int fd;

	(void)side;
	join();
	fd = file_of(argument);
	/* Ours is in the way of the range: free the rest of it from it. */
	for (uint32_t member = 1; member < DOMAIN_MEMBERS; member++) {
		const struct sys_lock_range one = {.start = member, .length = 1};

		test_check_equal(sys_ofd_lock(fd, SYS_LOCK_EXCLUSIVE, &one, false), 0);
	}
	if (fork() == 0)
		_exit(join_fails(&error) == -EUSERS && strstr(error.text, "4096") ? 0 : 1);
	int status = -1;

	test_check(wait(&status) > 0);
	test_check_equal(status, 0);
	(void)sys_ofd_lock(fd, SYS_LOCK_NONE, &all, false);
	close(fd);
	return 0;
}

static void *take_a_slot(void *argument)
{
	uint64_t owner = 0;

	test_check_equal(domain_thread_owner(argument, &owner), 0);
	test_check(owner != 0);
	return (void *)(uintptr_t)owner;
}

DOMAIN_TEST(slots_of_ended_threads_are_used_again)
{
	struct domain *domain = join();
	uint64_t last = 0;
	void *owner;
	pthread_t thread;

	(void)side;
	(void)argument;
	for (int i = 0; i < 1000; i++) {
		test_check_equal(pthread_create(&thread, NULL, take_a_slot, domain), 0);
		pthread_join(thread, &owner);
		test_check(life_has_ended(domain, (uintptr_t)owner));
		test_check((uintptr_t)owner != last);
		last = (uintptr_t)owner;
	}
	/* Number 0, and one for all of them. */
	test_check_equal(atomic_load(&domain_header(domain)->slots), 2);
	test_check_equal(claim_generation(last), 1000);
	return 0;
}

DOMAIN_TEST(a_slot_retires_with_its_last_generation)
{
	struct domain *domain = join();
	void *owner;
	pthread_t thread;

	(void)side;
	(void)argument;
	test_check_equal(pthread_create(&thread, NULL, take_a_slot, domain), 0);
	pthread_join(thread, NULL);
	atomic_store(&domain_slot(domain, 1)->life, life_word(SYS_LIFE_DIED, DOMAIN_GENERATION - 1));
	test_check_equal(pthread_create(&thread, NULL, take_a_slot, domain), 0);
	pthread_join(thread, &owner);
	test_check_equal(claim_slot((uintptr_t)owner), 1);
	test_check_equal(claim_generation((uintptr_t)owner), DOMAIN_GENERATION);
	test_check_equal(pthread_create(&thread, NULL, take_a_slot, domain), 0);
	pthread_join(thread, &owner);
	test_check_equal(claim_slot((uintptr_t)owner), 2);
	return 0;
}

static int hold_for_ever(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = NULL;

	(void)argument;
	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

DOMAIN_TEST(a_death_without_a_mark_is_found_by_the_life_lock)
{
	struct nonet_mutex *mutex = NULL;
	struct domain *domain = join();
	struct test_child *child;
	nonet_time began;

	(void)side;
	(void)argument;
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	child = test_child_until(hold_for_ever, NULL);
	/* Somebody wrote over the word: the thread id isn't its own, so the kernel doesn't mark it. */
	atomic_store(&domain_slot(domain, 1)->life, life_word(SYS_LIFE_WAITERS | 1, 1));
	test_kill(child);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EAGAIN);
	began = nonet_clock();
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(10))), -EOWNERDEAD);
	test_check(nonet_clock() - began < NONET_MS(1000));
	test_check(life_has_ended(domain, claim_owner(1, 1)));
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(a_living_owner_is_never_taken_for_dead)
{
	struct nonet_mutex *mutex = NULL;
	struct test_child *child;

	(void)side;
	(void)argument;
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	child = test_child_until(hold_for_ever, NULL);
	test_child_stop(child);
	/* Some intervals, each with a look at its life lock. */
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_MS(350))), -ETIMEDOUT);
	test_child_continue(child);
	test_kill(child);
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(a_removed_domain_is_stale)
{
	struct nonet_mutex *mutex = NULL;
	struct nonet_mutex *other = NULL;
	struct test_child *child;
	char path[512];

	(void)side;
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	child = test_child_until(hold_for_ever, NULL);
	/* As logind does with RemoveIPC=yes, while we are members. */
	snprintf(path, sizeof(path), "%s/.domain", (const char *)argument);
	test_check_equal(unlink(path), 0);
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(10))), -ESTALE);
	/* What we make now is in the new domain, in the same directory. */
	test_check_equal(nonet_mutex_unlink("mutex:m", NULL), 0);
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &other, NULL), 0);
	test_check_equal(nonet_mutex_lock(other, NONET_NOW), 0);
	test_check_equal(nonet_mutex_unlock(other), 0);
	test_kill(child);
	nonet_mutex_close(mutex);
	nonet_mutex_close(other);
	return 0;
}

DOMAIN_TEST(a_truncated_domain_is_an_error_and_no_death)
{
	struct nonet_mutex *mutex = NULL;
	struct test_child *child;
	int fd;

	(void)side;
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	child = test_child_until(hold_for_ever, NULL);
	fd = file_of(argument);
	test_check_equal(ftruncate(fd, 0), 0);
	close(fd);
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(10))), -EBADMSG);
	test_kill(child);
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(closing_all_descriptors_changes_nothing)
{
	struct nonet_mutex *mutex = NULL;
	struct test_child *child;

	(void)side;
	(void)argument;
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	child = test_child_until(hold_for_ever, NULL);
	/* All that a daemon doesn't know, but what the harness needs: the domain's is among them, and now another file.
	 */
	for (int fd = 3; fd < 64; fd++) {
		struct stat status;

		if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
			int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

			test_check_equal(dup2(other, fd), fd);
			close(other);
		}
	}
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_MS(250))), -ETIMEDOUT);
	test_kill(child);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EOWNERDEAD);
	nonet_mutex_close(mutex);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_directory_that_all_may_write_into_is_refused),
		test_case(what_lies_in_the_files_place_is_refused),
		test_case(a_process_joins_once),
		test_case(a_full_domain_takes_no_more),
		test_case(slots_of_ended_threads_are_used_again),
		test_case(a_slot_retires_with_its_last_generation),
		test_case(a_death_without_a_mark_is_found_by_the_life_lock),
		test_case(a_living_owner_is_never_taken_for_dead),
		test_case(a_removed_domain_is_stale),
		test_case(a_truncated_domain_is_an_error_and_no_death),
		test_case(closing_all_descriptors_changes_nothing),
	};
	return test_main(tests);
}
