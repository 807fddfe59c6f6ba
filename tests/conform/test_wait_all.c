/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <nonet/channel.h>
#include <nonet/event.h>
#include <nonet/filelock.h>
#include <nonet/mutex.h>
#include <nonet/process.h>
#include <nonet/queue.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>
#include <nonet/signal.h>
#include <nonet/unix.h>
#include <nonet/wait.h>

#include "harness/domain.h"
#include "harness/test.h"

/*
 * Everything that can be waited for, in one nonet_wait(): what the kernel has a descriptor for, and what a helper
 * thread has to wait for. Another process makes each ready in turn, and the wait says which.
 */
#define SOON test_after(NONET_S(20))

enum thing {
	SYSV_QUEUE,
	POSIX_QUEUE,
	FILE_LOCK,
	POSIX_SEMAPHORE,
	SYSV_SEMAPHORE,
	UNIX_SOCKET,
	SIGNAL,
	PROCESS,
	TIMER,
	THINGS,
};

struct world {
	const char *directory;
	char lock_address[128], queue_address[64], posix_queue_address[64], semaphore_address[64], set_address[64];
	struct nonet_queue *queue, *posix_queue;
	struct nonet_filelock *lock;
	struct nonet_semaphore *semaphore, *set;
	struct nonet_unix *ours, *theirs;
	struct nonet_signal *signal;
	struct nonet_process *process;
	struct nonet_timer *timer;
	struct nonet_wait_set *waits;
	struct test_child *other;
};

/* What the other process does when it is told to; it holds the lock from the beginning. */
static int other_process(struct test_child_side *side, void *argument)
{
	struct world *world = argument;
	struct nonet_filelock *lock;
	struct nonet_queue *queue;
	struct nonet_semaphore *semaphore;

	test_check(nonet_filelock_open(world->lock_address, NULL, &lock, NULL) == 0);
	test_check(nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, NONET_NOW) == 0);
	test_report(side, "ready");

	test_await(side, "sysv queue");
	test_check(nonet_queue_open(world->queue_address, NULL, &queue, NULL) == 0);
	test_check(nonet_queue_send(queue, "x", 1, NULL, NONET_NOW) == 0);
	nonet_queue_close(queue);
	test_await(side, "posix queue");
	test_check(nonet_queue_open(world->posix_queue_address, NULL, &queue, NULL) == 0);
	test_check(nonet_queue_send(queue, "x", 1, NULL, NONET_NOW) == 0);
	nonet_queue_close(queue);
	test_await(side, "lock");
	nonet_filelock_close(lock);
	test_await(side, "posix semaphore");
	test_check(nonet_semaphore_open(world->semaphore_address, NULL, NONET_NOW, &semaphore, NULL) == 0);
	test_check(nonet_semaphore_post(semaphore, 1, 0) == 0);
	nonet_semaphore_close(semaphore);
	test_await(side, "sysv semaphore");
	test_check(nonet_semaphore_open(world->set_address, NULL, NONET_NOW, &semaphore, NULL) == 0);
	test_check(nonet_semaphore_post(semaphore, 1, 0) == 0);
	nonet_semaphore_close(semaphore);
	test_await(side, "socket");
	test_check(nonet_unix_send(world->theirs, "x", 1, NONET_NOW) == 0);
	test_await(side, "signal");
	test_check(nonet_signal_send(getppid(), SIGUSR1, NULL, NULL) == 0);
	test_await(side, "process");
	return 0;
}

static void open_world(struct world *world)
{
	const struct nonet_filelock_options make = {.size = sizeof(make), .flags = NONET_FILELOCK_CREATE};
	const struct nonet_queue_options small = {.size = sizeof(small), .depth = 2, .message_size = 16};

	*world = (struct world){.directory = test_directory_new()};
	snprintf(world->lock_address, sizeof(world->lock_address), "ofdlock:%s", test_path(world->directory, "lock"));
	snprintf(world->queue_address, sizeof(world->queue_address), "sysvmsg:%u", test_sysv_key());
	snprintf(world->posix_queue_address, sizeof(world->posix_queue_address), "posixmq:/%s", test_name("all"));
	snprintf(world->semaphore_address, sizeof(world->semaphore_address), "posixsem:/%s", test_name("all"));
	snprintf(world->set_address, sizeof(world->set_address), "sysvsem:%u", test_sysv_key());
	assert_int_equal(nonet_queue_create(world->queue_address, NULL, &world->queue, NULL), 0);
	assert_int_equal(nonet_queue_create(world->posix_queue_address, &small, &world->posix_queue, NULL), 0);
	assert_int_equal(nonet_filelock_open(world->lock_address, &make, &world->lock, NULL), 0);
	assert_int_equal(nonet_semaphore_create(world->semaphore_address, NULL, NONET_NOW, &world->semaphore, NULL), 0);
	assert_int_equal(nonet_semaphore_create(world->set_address, NULL, NONET_NOW, &world->set, NULL), 0);
	assert_int_equal(nonet_unix_pair(NONET_UNIX_STREAM, NULL, &world->ours, &world->theirs, NULL), 0);
	assert_int_equal(nonet_signal_open((const int[]){SIGUSR1}, 1, NULL, &world->signal, NULL), 0);
	assert_int_equal(nonet_timer_new(&world->timer, NULL), 0);
	world->other = test_child_until(other_process, world);
	assert_int_equal(nonet_process_open(test_child_pid(world->other), &world->process, NULL), 0);
}

static void wait_for_all(struct world *world)
{
	struct nonet_waitable *const things[THINGS] = {
		[SYSV_QUEUE] = nonet_queue_waitable(world->queue),
		[POSIX_QUEUE] = nonet_queue_waitable(world->posix_queue),
		[FILE_LOCK] = nonet_filelock_waitable(world->lock),
		[POSIX_SEMAPHORE] = nonet_semaphore_waitable(world->semaphore),
		[SYSV_SEMAPHORE] = nonet_semaphore_waitable(world->set),
		[UNIX_SOCKET] = nonet_unix_waitable(world->ours),
		[SIGNAL] = nonet_signal_waitable(world->signal),
		[PROCESS] = nonet_process_waitable(world->process),
		[TIMER] = nonet_timer_waitable(world->timer),
	};

	assert_int_equal(nonet_wait_set_new(&world->waits, NULL), 0);
	for (uintptr_t i = 0; i < THINGS; i++)
		assert_int_equal(nonet_wait_set_add(world->waits, things[i], NONET_WAIT_RECEIVE, (void *)i), 0);
}

/* Nothing is ready. */
static void nothing_wakes(struct world *world)
{
	struct nonet_wait_event event;
	size_t count;

	assert_int_equal(nonet_wait(world->waits, &event, 1, nonet_after(NONET_MS(30)), &count), -ETIMEDOUT);
}

/* Take what is there. Return: 0, or -EAGAIN if there was nothing: readiness may be spurious. */
static int take(struct world *world, enum thing thing)
{
	struct nonet_queue_message message;
	struct nonet_signal_info info;
	char buffer[8192]; /* of what a POSIX queue takes */
	uint64_t expired;
	size_t size;

	switch (thing) {
	case SYSV_QUEUE:
		return nonet_queue_receive(world->queue, buffer, sizeof(buffer), NULL, NONET_NOW, &message);
	case POSIX_QUEUE:
		return nonet_queue_receive(world->posix_queue, buffer, sizeof(buffer), NULL, NONET_NOW, &message);
	case FILE_LOCK:
		return nonet_filelock_lock(world->lock, NONET_FILELOCK_EXCLUSIVE, NONET_NOW);
	case POSIX_SEMAPHORE:
		return nonet_semaphore_wait(world->semaphore, 1, 0, NONET_NOW);
	case SYSV_SEMAPHORE:
		return nonet_semaphore_wait(world->set, 1, 0, NONET_NOW);
	case UNIX_SOCKET:
		return nonet_unix_receive(world->ours, buffer, sizeof(buffer), NONET_NOW, &size);
	case SIGNAL:
		return nonet_signal_receive(world->signal, NONET_NOW, &info);
	case PROCESS:
		/* Not reaped here: the harness does. */
		return test_poll(&(struct pollfd){.fd = nonet_process_fd(world->process), .events = POLLIN}, 1,
				 NONET_NOW) == 1
			       ? 0
			       : -EAGAIN;
	default:
		return nonet_timer_take(world->timer, NONET_NOW, &expired);
	}
}

/* Only this one is told. */
static void wakes(struct world *world, enum thing thing)
{
	const nonet_time deadline = SOON;
	struct nonet_wait_event event;
	size_t count;
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		assert_int_equal(nonet_wait(world->waits, &event, 1, deadline, &count), 0);
		assert_int_equal((uintptr_t)event.data, thing);
		r = take(world, thing);
	}
	assert_int_equal(r, 0);
}

static void close_world(struct world *world)
{
	nonet_wait_set_free(world->waits);
	nonet_queue_close(world->queue);
	nonet_queue_close(world->posix_queue);
	nonet_filelock_close(world->lock);
	nonet_semaphore_close(world->semaphore);
	nonet_semaphore_close(world->set);
	nonet_unix_close(world->ours);
	nonet_unix_close(world->theirs);
	nonet_signal_close(world->signal);
	nonet_process_close(world->process);
	nonet_timer_free(world->timer);
	assert_int_equal(nonet_queue_unlink(world->queue_address, NULL), 0);
	assert_int_equal(nonet_queue_unlink(world->posix_queue_address, NULL), 0);
	assert_int_equal(nonet_semaphore_unlink(world->semaphore_address, NULL), 0);
	assert_int_equal(nonet_semaphore_unlink(world->set_address, NULL), 0);
	unlink(test_path(world->directory, "lock"));
	test_directory_free(world->directory);
}

static void one_wait_wakes_for_each_of_them(void **state)
{
	static const struct {
		enum thing thing;
		const char *word;
	} turns[] = {
		{SYSV_QUEUE, "sysv queue"},
		{POSIX_QUEUE, "posix queue"},
		{FILE_LOCK, "lock"},
		{POSIX_SEMAPHORE, "posix semaphore"},
		{SYSV_SEMAPHORE, "sysv semaphore"},
		{UNIX_SOCKET, "socket"},
		{SIGNAL, "signal"},
		{PROCESS, "process"},
	};
	struct world world;

	(void)state;
	open_world(&world);
	wait_for_all(&world);
	nothing_wakes(&world);
	assert_int_equal(nonet_timer_set(world.timer, nonet_after(NONET_MS(1)), 0), 0);
	wakes(&world, TIMER);
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		nothing_wakes(&world);
		test_child_tell(world.other, turns[i].word);
		wakes(&world, turns[i].thing);
	}
	assert_int_equal(test_child_join(world.other), 0);
	close_world(&world);
}

/* The same of a domain's: rung by whoever makes them ready, and by our own helper when their holder is killed. */
struct shared {
	struct nonet_event *event;
	struct nonet_mutex *mutex;
	struct nonet_rwlock *rwlock;
	struct nonet_semaphore *pool, *signal;
};

static struct shared share(void)
{
	const struct nonet_event_options events = {.size = sizeof(events), .flags = NONET_EVENT_MAY_EXIST};
	const struct nonet_mutex_options mutexes = {.size = sizeof(mutexes), .flags = NONET_MUTEX_MAY_EXIST};
	const struct nonet_rwlock_options rwlocks = {.size = sizeof(rwlocks), .flags = NONET_RWLOCK_MAY_EXIST};
	struct nonet_semaphore_options options = {
		.size = sizeof(options), .value = 1, .flags = NONET_SEMAPHORE_MAY_EXIST};
	struct shared shared;

	test_check_equal(nonet_event_create("event:all", &events, &shared.event, NULL), 0);
	test_check_equal(nonet_mutex_create("mutex:all", &mutexes, &shared.mutex, NULL), 0);
	test_check_equal(nonet_rwlock_create("rwlock:all", &rwlocks, &shared.rwlock, NULL), 0);
	test_check_equal(nonet_semaphore_create("semaphore:pool", &options, NONET_NOW, &shared.pool, NULL), 0);
	options.value = 0;
	options.flags |= NONET_SEMAPHORE_SIGNAL;
	test_check_equal(nonet_semaphore_create("semaphore:signal", &options, NONET_NOW, &shared.signal, NULL), 0);
	return shared;
}

static void unshare_all(struct shared *shared)
{
	nonet_event_close(shared->event);
	nonet_mutex_close(shared->mutex);
	nonet_rwlock_close(shared->rwlock);
	nonet_semaphore_close(shared->pool);
	nonet_semaphore_close(shared->signal);
}

static int other_member(struct test_child_side *side, void *argument)
{
	struct shared shared = share();

	(void)argument;
	test_check_equal(nonet_mutex_lock(shared.mutex, NONET_NOW), 0);
	test_check_equal(nonet_rwlock_read_lock(shared.rwlock, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_wait(shared.pool, 1, 0, NONET_NOW), 0);
	test_report(side, "ready");
	test_await(side, "event");
	test_check_equal(nonet_event_set(shared.event), 0);
	test_await(side, "signal");
	test_check_equal(nonet_semaphore_post(shared.signal, 1, 0), 0);
	test_await(side, "mutex");
	test_check_equal(nonet_mutex_unlock(shared.mutex), 0);
	test_await(side, "rwlock");
	test_check_equal(nonet_rwlock_unlock(shared.rwlock), 0);
	test_await(side, "pool");
	test_check_equal(nonet_semaphore_post(shared.pool, 1, 0), 0);
	test_report(side, "done");
	test_await(side, "again");
	test_check_equal(nonet_mutex_lock(shared.mutex, NONET_FOREVER), 0);
	test_check_equal(nonet_semaphore_wait(shared.pool, 1, 0, NONET_FOREVER), 0);
	test_report(side, "held");
	test_await(side, "never");
	return 0;
}

/* The next that is told and can be had is @wanted. */
static void is_had(struct nonet_wait_set *set, struct shared *shared, void *wanted)
{
	struct nonet_wait_event event;
	size_t count;
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		test_check_equal(nonet_wait(set, &event, 1, SOON, &count), 0);
		test_check(event.data == wanted);
		if (wanted == shared->event)
			r = nonet_event_wait(shared->event, NONET_NOW);
		else if (wanted == shared->mutex)
			r = nonet_mutex_lock(shared->mutex, NONET_NOW);
		else if (wanted == shared->rwlock)
			r = nonet_rwlock_write_lock(shared->rwlock, NONET_NOW);
		else
			r = nonet_semaphore_wait(wanted, 1, 0, NONET_NOW);
	}
	test_check(r == 0 || r == -EOWNERDEAD);
	if (wanted == shared->event)
		test_check_equal(nonet_event_clear(shared->event), 1);
}

static void nothing_is_had(struct nonet_wait_set *set)
{
	struct nonet_wait_event event;
	size_t count;

	test_check_equal(nonet_wait(set, &event, 1, nonet_after(NONET_MS(30)), &count), -ETIMEDOUT);
}

DOMAIN_TEST(one_wait_wakes_for_each_of_a_domain)
{
	struct shared shared = share();
	struct test_child *other = test_child_until(other_member, NULL);
	struct nonet_wait_set *set = NULL;

	(void)side;
	(void)argument;
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_event_waitable(shared.event), 1, shared.event), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_mutex_waitable(shared.mutex), 1, shared.mutex), 0);
	test_check_equal(
		nonet_wait_set_add(set, nonet_rwlock_waitable(shared.rwlock, NONET_RWLOCK_WRITES), 1, shared.rwlock),
		0);
	test_check_equal(nonet_wait_set_add(set, nonet_semaphore_waitable(shared.pool), 1, shared.pool), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_semaphore_waitable(shared.signal), 1, shared.signal), 0);
	nothing_is_had(set);
	test_child_tell(other, "event");
	is_had(set, &shared, shared.event);
	nothing_is_had(set);
	test_child_tell(other, "signal");
	is_had(set, &shared, shared.signal);
	nothing_is_had(set);
	test_child_tell(other, "mutex");
	is_had(set, &shared, shared.mutex);
	nothing_is_had(set);
	test_child_tell(other, "rwlock");
	is_had(set, &shared, shared.rwlock);
	nothing_is_had(set);
	test_child_tell(other, "pool");
	is_had(set, &shared, shared.pool);
	test_child_wait_state(other, "done");
	test_check_equal(nonet_mutex_unlock(shared.mutex), 0);
	test_check_equal(nonet_rwlock_unlock(shared.rwlock), 0);
	test_check_equal(nonet_semaphore_post(shared.pool, 1, 0), 0);
	test_check_equal(nonet_wait_set_remove(set, nonet_rwlock_waitable(shared.rwlock, NONET_RWLOCK_WRITES)), 0);
	test_child_tell(other, "again");
	test_child_wait_state(other, "held");
	/* Now both are held by one who is killed. */
	test_check_equal(nonet_wait_set_remove(set, nonet_semaphore_waitable(shared.pool)), 0);
	while (nonet_mutex_arm(shared.mutex) != 0)
		test_check_equal(nonet_mutex_lock(shared.mutex, NONET_NOW), -EAGAIN);
	nothing_is_had(set);
	test_kill(other);
	is_had(set, &shared, shared.mutex);
	test_check_equal(nonet_mutex_recover(shared.mutex), 0);
	test_check_equal(nonet_wait_set_remove(set, nonet_mutex_waitable(shared.mutex)), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_semaphore_waitable(shared.pool), 1, shared.pool), 0);
	is_had(set, &shared, shared.pool);
	nonet_wait_set_free(set);
	unshare_all(&shared);
	return 0;
}

/* Those of the other kinds: src/sync/test_doorbell.c. */
DOMAIN_TEST(a_subscriber_is_told_that_the_domain_is_gone)
{
	struct nonet_publisher *publisher = NULL;
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_wait_set *set = NULL;
	struct nonet_wait_event event;
	struct nonet_message message;
	char path[512];
	size_t count;

	(void)side;
	test_check_equal(nonet_channel_create("channel:news", NULL, NULL), 0);
	test_check_equal(nonet_publisher_open("channel:news", &publisher, NULL), 0);
	test_check_equal(nonet_subscriber_open("channel:news", NULL, &subscriber, NULL), 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EAGAIN);
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_subscriber_waitable(subscriber), 1, subscriber), 0);
	nothing_is_had(set);
	snprintf(path, sizeof(path), "%s/.domain", (const char *)argument);
	test_check_equal(unlink(path), 0);
	test_check_equal(nonet_wait(set, &event, 1, SOON, &count), 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -ESTALE);
	test_check_equal(nonet_subscriber_arm(subscriber), -ESTALE);
	nonet_wait_set_free(set);
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(one_wait_wakes_for_each_of_them),
		test_case(one_wait_wakes_for_each_of_a_domain),
		test_case(a_subscriber_is_told_that_the_domain_is_gone),
	};
	return test_main(tests);
}
