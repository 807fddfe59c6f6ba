/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/event.h>
#include <nonet/mutex.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>
#include <nonet/wait.h>

#include "harness/domain.h"
#include "harness/test.h"
#include "sync/doorbell_private.h"
#include "sync/event.h"

/* Doorbells, by those of events: the table, the FIFOs, the helper; what is left by the dead and put there by others. */

static struct nonet_event *make(void)
{
	struct nonet_event *event = NULL;

	test_check_equal(nonet_event_create("event:bell", NULL, &event, NULL), 0);
	return event;
}

static struct nonet_event *reach(void)
{
	struct nonet_event *event = NULL;

	test_check_equal(nonet_event_open("event:bell", &event, NULL), 0);
	return event;
}

/* How many bells are in the directory; the path of one. */
static int bells(const char *directory, char *ret_path, size_t size)
{
	const struct dirent *entry;
	DIR *opened = opendir(directory);
	int count = 0;

	test_check(opened != NULL);
	while (opened && (entry = readdir(opened))) {
		if (strncmp(entry->d_name, ".bell-", 6) != 0)
			continue;
		count++;
		if (ret_path)
			snprintf(ret_path, size, "%s/%s", directory, entry->d_name);
	}
	if (opened)
		closedir(opened);
	return count;
}

static int entries(const struct nonet_event *event)
{
	const struct object_bells *table = doorbell_table(&event->object);
	int count = 0;

	for (unsigned i = 0; i < DOORBELL_ENTRIES; i++)
		count += atomic_load(&table->armed[i]) != 0;
	return count;
}

static bool is_readable(struct nonet_event *event, nonet_time deadline)
{
	struct pollfd item = {.fd = nonet_event_fd(event), .events = POLLIN};

	return test_poll(&item, 1, deadline) == 1;
}

static int set_when_told(struct test_child_side *side, void *argument)
{
	struct nonet_event *event = reach();

	(void)argument;
	test_report(side, "ready");
	test_await(side, "set");
	test_check_equal(nonet_event_set(event), 0);
	test_report(side, "done");
	test_await(side, "pulse");
	test_check_equal(nonet_event_pulse(event), 0);
	nonet_event_close(event);
	return 0;
}

DOMAIN_TEST(another_process_rings)
{
	struct nonet_event *event = make();
	struct test_child *child = test_child_until(set_when_told, NULL);
	uint64_t count = 0;
	const int fd = nonet_event_fd(event);
	struct stat status;
	char path[512];

	test_check(fd >= 0);
	test_check_equal(nonet_event_fd(event), fd);
	test_check_equal(bells(argument, path, sizeof(path)), 1);
	test_check(stat(path, &status) == 0);
	test_check(S_ISFIFO(status.st_mode));
	test_check_equal(status.st_mode & 0777, 0600);
	test_check(fcntl(fd, F_GETFD) & FD_CLOEXEC);

	test_check_equal(nonet_event_arm(event), 0);
	test_check_equal(nonet_event_arm(event), 0);
	test_check_equal(entries(event), 1);
	test_check(!is_readable(event, test_clock()));
	test_child_tell(child, "set");
	test_check(is_readable(event, test_deadline()));
	test_child_wait_state(child, "done");
	test_check_equal(entries(event), 0);
	test_check_equal(nonet_event_arm(event), 1);
	test_check_equal(nonet_event_clear(event), 1);
	test_check_equal(nonet_event_wait_count(event, 0, NONET_NOW, &count), 0);
	test_check_equal(nonet_event_arm(event), 0);
	test_check(!is_readable(event, test_clock()));
	/* Over before we look, but it is told. */
	test_child_tell(child, "pulse");
	test_check(is_readable(event, test_deadline()));
	test_check_equal(nonet_event_arm(event), 1);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_event_arm(event), 0);
	test_check_equal(test_child_join(child), 0);
	nonet_event_close(event);
	test_check_equal(bells(argument, NULL, 0), 0);
	(void)side;
	return 0;
}

#define ROUNDS 8

static int pulse_when_told(struct test_child_side *side, void *argument)
{
	struct nonet_event *event = reach();

	(void)argument;
	test_report(side, "ready");
	for (int i = 0; i < ROUNDS; i++) {
		test_await(side, "pulse");
		test_check_equal(nonet_event_pulse(event), 0);
	}
	nonet_event_close(event);
	return 0;
}

/* Our helper, which looks every 100 ms, would hide that nobody rings: so the best of some rounds has to be better. */
DOMAIN_TEST(a_ring_comes_at_once)
{
	struct nonet_event *event = make();
	struct nonet_event *other = NULL;
	struct test_child *child = test_child_until(pulse_when_told, NULL);
	nonet_time best = NONET_FOREVER;

	(void)side;
	(void)argument;
	/* So that the helper never rests, and arming doesn't make it look. */
	test_check_equal(nonet_event_create("event:other", NULL, &other, NULL), 0);
	test_check_equal(nonet_event_arm(other), 0);
	for (int i = 0; i < ROUNDS; i++) {
		const nonet_time begin = test_clock();
		nonet_time took;

		test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
		test_check_equal(nonet_event_arm(event), 0);
		test_child_tell(child, "pulse");
		test_check(is_readable(event, test_deadline()));
		took = test_clock() - begin;
		best = took < best ? took : best;
	}
	test_check(best < NONET_MS(50));
	test_check_equal(test_child_join(child), 0);
	nonet_event_close(other);
	nonet_event_close(event);
	return 0;
}

DOMAIN_TEST(out_of_its_set_nobody_rings)
{
	struct nonet_event *event = make();
	struct nonet_wait_set *set = NULL;
	struct nonet_wait_event ready;
	size_t count = 0;

	(void)side;
	(void)argument;
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_event_waitable(event), NONET_WAIT_RECEIVE, event), 0);
	test_check_equal(nonet_wait(set, &ready, 1, nonet_after(NONET_MS(20)), &count), -ETIMEDOUT);
	test_check_equal(entries(event), 1);
	test_check_equal(nonet_event_set(event), 0);
	test_check_equal(nonet_wait(set, &ready, 1, test_deadline(), &count), 0);
	test_check(ready.data == event);
	test_check_equal(nonet_event_clear(event), 1);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_wait(set, &ready, 1, nonet_after(NONET_MS(20)), &count), -ETIMEDOUT);
	test_check_equal(entries(event), 1);
	test_check_equal(nonet_wait_set_remove(set, nonet_event_waitable(event)), 0);
	test_check_equal(entries(event), 0);
	nonet_wait_set_free(set);
	nonet_event_close(event);
	return 0;
}

/* A waker who is killed between setting and ringing: his step without the rest. Our own helper looks soon. */
DOMAIN_TEST(a_waker_who_died_is_rung_for)
{
	struct nonet_event *event = make();
	uint64_t count = 0;

	(void)side;
	(void)argument;
	for (int i = 1; i < 4; i++) {
		test_check_equal(nonet_event_arm(event), 0);
		test_check(atomic_load(&event->shared->state) & EVENT_BELLS);
		atomic_store(&event->shared->state, (uint64_t)i * EVENT_ONCE);
		test_check(is_readable(event, test_deadline()));
		test_check_equal(entries(event), 0);
		test_check_equal(nonet_event_wait_count(event, UINT64_MAX, NONET_NOW, &count), 0);
		test_check_equal(count, i);
	}
	nonet_event_close(event);
	return 0;
}

static int arm_and_stay(struct test_child_side *side, void *argument)
{
	struct nonet_event *event = reach();

	(void)argument;
	test_check_equal(nonet_event_arm(event), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

/* Who would have rung a dead one takes away what is left of him, and so does who arms after him. */
DOMAIN_TEST(what_the_dead_leave_is_removed)
{
	struct nonet_event *event = make();
	struct test_child *child = test_child_until(arm_and_stay, NULL);

	(void)side;
	test_check_equal(bells(argument, NULL, 0), 1);
	test_check_equal(entries(event), 1);
	test_kill(child);
	test_check_equal(nonet_event_set(event), 0);
	test_check_equal(entries(event), 0);
	test_check_equal(bells(argument, NULL, 0), 0);
	test_check_equal(nonet_event_clear(event), 1);

	child = test_child_until(arm_and_stay, NULL);
	test_kill(child);
	test_check_equal(bells(argument, NULL, 0), 1);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_event_arm(event), 0);
	test_check_equal(entries(event), 1);
	test_check_equal(bells(argument, NULL, 0), 1);
	nonet_event_close(event);
	test_check_equal(bells(argument, NULL, 0), 0);
	return 0;
}

/* What a hostile member can put in a bell's place; the rest of the name is what was asked for. */
static void put_nothing(const char *path)
{
	(void)path;
}

static void put_file(const char *path)
{
	const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	test_check(fd >= 0);
	close(fd);
}

static void put_link(const char *path)
{
	test_check(symlink("victim", path) == 0);
}

static void put_directory(const char *path)
{
	test_check(mkdir(path, 0700) == 0);
}

/* A FIFO that has another reader, who doesn't read, and is full. */
static void put_full_fifo(const char *path)
{
	static const char nonsense[4096];
	int fd;

	test_check(mkfifo(path, 0600) == 0);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	test_check(fd >= 0);
	while (write(fd, nonsense, sizeof(nonsense)) > 0)
		;
	close(fd);
}

DOMAIN_TEST(what_stands_in_for_a_bell_is_not_written_to)
{
	void (*const puts[])(const char *path) = {put_nothing, put_file, put_link, put_directory, put_full_fifo};
	char victim[512];
	struct stat status;

	(void)side;
	snprintf(victim, sizeof(victim), "%s/victim", (const char *)argument);
	put_file(victim);
	for (size_t i = 0; i < sizeof(puts) / sizeof(puts[0]); i++) {
		struct nonet_event *event = make();
		char path[512];

		test_check_equal(nonet_event_arm(event), 0);
		test_check_equal(bells(argument, path, sizeof(path)), 1);
		test_check(unlink(path) == 0);
		puts[i](path);
		/* It comes back, and the helper tells him whose bell it was. */
		test_check_equal(nonet_event_set(event), 0);
		test_check(is_readable(event, test_deadline()));
		if (i > 0) {
			test_check(lstat(path, &status) == 0);
			test_check(!S_ISREG(status.st_mode) || status.st_size == 0);
			test_check(remove(path) == 0);
		}
		nonet_event_close(event);
		test_check_equal(nonet_event_unlink("event:bell", NULL), 0);
	}
	test_check(stat(victim, &status) == 0);
	test_check_equal(status.st_size, 0);
	return 0;
}

/* A table full of others, who live, and of nonsense: the bell isn't in it, and rings all the same. */
DOMAIN_TEST(a_full_table_costs_time_only)
{
	struct nonet_event *event = make();
	struct nonet_event *other = reach();
	struct object_bells *table = doorbell_table(&event->object);
	uint64_t name;

	(void)side;
	(void)argument;
	test_check_equal(nonet_event_arm(other), 0);
	name = atomic_load(&table->armed[0]);
	for (unsigned i = 0; i < DOORBELL_ENTRIES; i++)
		atomic_store(&table->armed[i], name ^ (i + 1));
	atomic_store(&table->used, UINT32_MAX);
	test_check_equal(nonet_event_arm(event), 0);
	test_check_equal(nonet_event_set(event), 0);
	test_check_equal(entries(event), 0);
	test_check(is_readable(event, test_deadline()));
	test_check(is_readable(other, test_deadline()));
	nonet_event_close(other);
	nonet_event_close(event);
	return 0;
}

static int close_everything(struct test_child_side *side, void *argument)
{
	struct nonet_event *event = reach();
	struct nonet_event *own = reach();
	int fds[2];
	char byte;

	(void)argument;
	/* It has rung a bell, and keeps its descriptor. */
	test_check_equal(nonet_event_set(event), 0);
	test_report(side, "ready");
	test_await(side, "go on");
	/* The last, since the parent's own bell is open here too. */
	for (int fd = 63; fd > 2; fd--) {
		struct stat status;

		if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && fcntl(fd, F_GETFL) & O_RDWR) {
			/* What a daemon does, and then it has another pipe by that number. */
			test_check(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
			test_check(dup3(fds[1], fd, O_CLOEXEC) == fd);
			test_check_equal(nonet_event_set(event), 0);
			test_check_equal(read(fds[0], &byte, 1), -1);
			test_check(fcntl(fd, F_GETFD) >= 0);
			nonet_event_close(own);
			nonet_event_close(event);
			return 0;
		}
	}
	return 1;
}

DOMAIN_TEST(a_descriptor_that_became_another_is_not_written_to)
{
	struct nonet_event *event = make();
	struct test_child *child;

	(void)side;
	(void)argument;
	test_check_equal(nonet_event_arm(event), 0);
	child = test_child_until(close_everything, NULL);
	test_check(is_readable(event, test_deadline()));
	test_check_equal(nonet_event_clear(event), 1);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EAGAIN);
	test_check_equal(nonet_event_arm(event), 0);
	test_child_tell(child, "go on");
	test_check(is_readable(event, test_deadline()));
	test_check_equal(test_child_join(child), 0);
	nonet_event_close(event);
	return 0;
}

/* In a child the parent's bell isn't ours to remove, and our own has a helper of its own. */
static int close_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_event *own = reach();

	(void)side;
	nonet_event_close(argument);
	test_check_equal(nonet_event_arm(own), 0);
	atomic_store(&own->shared->state, 7 * EVENT_ONCE);
	test_check(is_readable(own, test_deadline()));
	nonet_event_close(own);
	return 0;
}

/* The helper looks at what others may cut off. */
DOMAIN_TEST(an_object_that_is_cut_off_rings)
{
	struct nonet_event *event = make();
	/* It isn't given any more once the helper has seen that. */
	struct pollfd bell = {.fd = nonet_event_fd(event), .events = POLLIN};
	char path[512];

	(void)side;
	test_check_equal(nonet_event_arm(event), 0);
	snprintf(path, sizeof(path), "%s/bell.event", (const char *)argument);
	test_check_equal(truncate(path, 0), 0);
	test_check_equal(test_poll(&bell, 1, test_deadline()), 1);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -EBADMSG);
	nonet_event_close(event);
	return 0;
}

/* One of each, which nobody will make ready: this thread has what can be had. */
struct hopeless {
	struct nonet_event *event;
	struct nonet_mutex *mutex;
	struct nonet_rwlock *rwlock;
	struct nonet_semaphore *pool;
	struct nonet_semaphore *signal;
};

static void arm_in_vain(struct hopeless *all)
{
	const struct nonet_semaphore_options pool = {.size = sizeof(pool), .value = 1};
	const struct nonet_semaphore_options signal = {.size = sizeof(signal), .flags = NONET_SEMAPHORE_SIGNAL};

	all->event = make();
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &all->mutex, NULL), 0);
	test_check_equal(nonet_rwlock_create("rwlock:m", NULL, &all->rwlock, NULL), 0);
	test_check_equal(nonet_semaphore_create("semaphore:m", &pool, NONET_NOW, &all->pool, NULL), 0);
	test_check_equal(nonet_semaphore_create("semaphore:s", &signal, NONET_NOW, &all->signal, NULL), 0);
	test_check_equal(nonet_mutex_lock(all->mutex, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_write_lock(all->rwlock, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_wait(all->pool, 1, 0, NONET_NOW), 0);
	test_check_equal(nonet_event_arm(all->event), 0);
	test_check_equal(nonet_mutex_arm(all->mutex), 0);
	test_check_equal(nonet_rwlock_arm(all->rwlock, NONET_RWLOCK_READS), 0);
	test_check_equal(nonet_semaphore_arm(all->pool), 0);
	test_check_equal(nonet_semaphore_arm(all->signal), 0);
}

static void check_all_are_stale(struct hopeless *all)
{
	test_check_equal(nonet_event_arm(all->event), -ESTALE);
	test_check_equal(nonet_mutex_arm(all->mutex), -ESTALE);
	test_check_equal(nonet_rwlock_arm(all->rwlock, NONET_RWLOCK_READS), -ESTALE);
	test_check_equal(nonet_semaphore_arm(all->pool), -ESTALE);
	test_check_equal(nonet_semaphore_arm(all->signal), -ESTALE);
	/* Who doesn't arm, as in nonet_wait(), is told by what he tries. */
	test_check_equal(nonet_event_wait(all->event, NONET_NOW), -ESTALE);
	test_check_equal(nonet_semaphore_wait(all->pool, 1, 0, NONET_NOW), -ESTALE);
	test_check_equal(nonet_semaphore_wait(all->signal, 1, 0, NONET_NOW), -ESTALE);
}

static void *try_locks(void *argument)
{
	struct hopeless *all = argument;

	test_check_equal(nonet_mutex_lock(all->mutex, NONET_NOW), -ESTALE);
	test_check_equal(nonet_rwlock_read_lock(all->rwlock, NONET_NOW), -ESTALE);
	return NULL;
}

/* Nobody may be left there who rings. */
DOMAIN_TEST(a_domain_that_is_removed_rings)
{
	struct hopeless all = {0};
	struct pollfd items[5];
	pthread_t other;
	char path[512];

	(void)side;
	arm_in_vain(&all);
	items[0] = (struct pollfd){.fd = nonet_event_fd(all.event), .events = POLLIN};
	items[1] = (struct pollfd){.fd = nonet_mutex_fd(all.mutex), .events = POLLIN};
	items[2] = (struct pollfd){.fd = nonet_rwlock_fd(all.rwlock, NONET_RWLOCK_READS), .events = POLLIN};
	items[3] = (struct pollfd){.fd = nonet_semaphore_fd(all.pool), .events = POLLIN};
	items[4] = (struct pollfd){.fd = nonet_semaphore_fd(all.signal), .events = POLLIN};
	test_check_equal(test_poll(items, 5, test_clock() + NONET_MS(20)), 0);
	snprintf(path, sizeof(path), "%s/.domain", (const char *)argument);
	test_check_equal(unlink(path), 0);
	for (int i = 0; i < 5; i++)
		test_check_equal(test_poll(&items[i], 1, test_deadline()), 1);
	check_all_are_stale(&all);
	test_check_equal(pthread_create(&other, NULL, try_locks, &all), 0);
	test_check_equal(pthread_join(other, NULL), 0);
	nonet_event_close(all.event);
	nonet_mutex_close(all.mutex);
	nonet_rwlock_close(all.rwlock);
	nonet_semaphore_close(all.pool);
	nonet_semaphore_close(all.signal);
	return 0;
}

/* Whose bells have no owners, for whose lives the domain's file would be opened. */
DOMAIN_TEST(a_removed_domain_of_events_rings)
{
	struct nonet_event *event = make();
	struct nonet_wait_event ready;
	struct nonet_wait_set *set = NULL;
	char path[512];
	size_t count = 0;

	(void)side;
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_event_waitable(event), NONET_WAIT_RECEIVE, event), 0);
	test_check_equal(nonet_wait(set, &ready, 1, nonet_after(NONET_MS(20)), &count), -ETIMEDOUT);
	snprintf(path, sizeof(path), "%s/.domain", (const char *)argument);
	test_check_equal(unlink(path), 0);
	test_check_equal(nonet_wait(set, &ready, 1, test_deadline(), &count), 0);
	test_check_equal(nonet_event_wait(event, NONET_NOW), -ESTALE);
	test_check_equal(nonet_event_arm(event), -ESTALE);
	/* The descriptor stays, for who asks for it again. */
	test_check(nonet_event_fd(event) >= 0);
	nonet_wait_set_free(set);
	nonet_event_close(event);
	return 0;
}

DOMAIN_TEST(a_childs_bells_are_its_own)
{
	struct nonet_event *event = make();

	(void)side;
	test_check_equal(nonet_event_arm(event), 0);
	test_check_equal(test_child_join(test_child_start(close_the_parents, event)), 0);
	test_check_equal(bells(argument, NULL, 0), 1);
	test_check(is_readable(event, test_deadline()));
	nonet_event_close(event);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(another_process_rings),
		test_case(a_ring_comes_at_once),
		test_case(out_of_its_set_nobody_rings),
		test_case(a_waker_who_died_is_rung_for),
		test_case(what_the_dead_leave_is_removed),
		test_case(what_stands_in_for_a_bell_is_not_written_to),
		test_case(a_full_table_costs_time_only),
		test_case(a_descriptor_that_became_another_is_not_written_to),
		test_case(an_object_that_is_cut_off_rings),
		test_case(a_domain_that_is_removed_rings),
		test_case(a_removed_domain_of_events_rings),
		test_case(a_childs_bells_are_its_own),
	};
	return test_main(tests);
}
