/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>

#include "harness/test.h"
#include "sys/event.h"
#include "sys/files.h"
#include "wait/wait_set.h"
#include "waitable/waitable.h"

#define SOON test_after(NONET_S(20))

static struct nonet_wait_set *set_new(void)
{
	struct nonet_wait_set *set;

	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	return set;
}

static struct nonet_wake *wake_new(void)
{
	struct nonet_wake *wake;

	assert_int_equal(nonet_wake_new(&wake, NULL), 0);
	return wake;
}

/* Until some thread waits in the set, and has nothing ready. */
static void until_asleep(struct nonet_wait_set *set)
{
	nonet_time deadline = SOON;
	bool sleeping = false;

	while (!sleeping) {
		assert_true(nonet_clock() < deadline);
		sched_yield();
		pthread_mutex_lock(&set->mutex);
		sleeping = set->sleeping > 0;
		pthread_mutex_unlock(&set->mutex);
	}
}

struct sleeper {
	struct nonet_wait_set *set;
	struct nonet_wait_event got;
	int result;
};

static void *sleep_in_set(void *data)
{
	struct sleeper *sleeper = data;
	size_t count;

	sleeper->result = nonet_wait(sleeper->set, &sleeper->got, 1, SOON, &count);
	return NULL;
}

static void a_wake_ends_another_threads_wait(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wake *wake = wake_new();
	struct nonet_wake *late = wake_new();
	struct sleeper sleeper = {.set = set};
	pthread_t thread;

	(void)state;
	assert_int_equal(nonet_wait_set_add(set, nonet_wake_waitable(wake), NONET_WAIT_RECEIVE, wake), 0);
	assert_int_equal(pthread_create(&thread, NULL, sleep_in_set, &sleeper), 0);
	until_asleep(set);
	nonet_wake_signal(wake);
	pthread_join(thread, NULL);
	assert_int_equal(sleeper.result, 0);
	assert_ptr_equal(sleeper.got.data, wake);
	assert_int_equal(nonet_wake_clear(wake), 1);

	/* One that is ready when it is added. */
	nonet_wake_signal(late);
	assert_int_equal(pthread_create(&thread, NULL, sleep_in_set, &sleeper), 0);
	until_asleep(set);
	assert_int_equal(nonet_wait_set_add(set, nonet_wake_waitable(late), NONET_WAIT_RECEIVE, late), 0);
	pthread_join(thread, NULL);
	assert_int_equal(sleeper.result, 0);
	assert_ptr_equal(sleeper.got.data, late);
	nonet_wake_free(wake);
	nonet_wake_free(late);
	nonet_wait_set_free(set);
}

static struct nonet_wake *_Atomic handler_wake;
static atomic_int handled;

static void signal_wake(int number)
{
	int before = errno;

	(void)number;
	atomic_fetch_add(&handled, 1);
	if (atomic_load(&handler_wake))
		nonet_wake_signal(atomic_load(&handler_wake));
	if (errno != before)
		abort();
}

static void handle(int number)
{
	struct sigaction action = {.sa_handler = signal_wake};

	atomic_store(&handled, 0);
	assert_int_equal(sigaction(number, &action, NULL), 0);
}

static void a_signal_handler_ends_the_wait_by_a_wake(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wake *wake = wake_new();
	struct sleeper sleeper = {.set = set};
	pthread_t thread;

	(void)state;
	handle(SIGUSR1);
	assert_int_equal(nonet_wait_set_add(set, nonet_wake_waitable(wake), NONET_WAIT_RECEIVE, wake), 0);
	assert_int_equal(pthread_create(&thread, NULL, sleep_in_set, &sleeper), 0);
	until_asleep(set);
	/* Without the wake a signal ends nothing... */
	assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
	while (atomic_load(&handled) == 0)
		sched_yield();
	until_asleep(set);
	/* ...and with it, this does. */
	atomic_store(&handler_wake, wake);
	assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
	pthread_join(thread, NULL);
	atomic_store(&handler_wake, NULL);
	assert_int_equal(sleeper.result, 0);
	assert_ptr_equal(sleeper.got.data, wake);
	assert_int_equal(nonet_wake_clear(wake), 1);
	nonet_wake_free(wake);
	nonet_wait_set_free(set);
	signal(SIGUSR1, SIG_DFL);
}

static void a_storm_of_signals_neither_shows_nor_moves_the_deadline(void **state)
{
	const struct itimerval storm = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100};
	const struct itimerval calm = {.it_value.tv_usec = 0};
	struct nonet_wait_set *set = set_new();
	struct nonet_timer *timer;

	(void)state;
	assert_int_equal(nonet_timer_new(&timer, NULL), 0);
	handle(SIGALRM);
	setitimer(ITIMER_REAL, &storm, NULL);
	for (int i = 0; i < 10 || atomic_load(&handled) < 100; i++) {
		nonet_time deadline = nonet_after(NONET_MS(5));
		struct nonet_wait_event got;
		uint64_t expired;
		size_t count;

		assert_int_equal(nonet_wait(set, &got, 1, deadline, &count), -ETIMEDOUT);
		assert_true(nonet_clock() >= deadline);
		deadline = nonet_after(NONET_MS(5));
		assert_int_equal(nonet_timer_take(timer, deadline, &expired), -ETIMEDOUT);
		assert_true(nonet_clock() >= deadline);
	}
	setitimer(ITIMER_REAL, &calm, NULL);
	signal(SIGALRM, SIG_DFL);
	nonet_timer_free(timer);
	nonet_wait_set_free(set);
}

/* What is added, and may no longer be reported by calls that begin after @gone. */
struct guest {
	struct nonet_wake *wake;
	_Atomic uint64_t gone;
};

struct party {
	struct nonet_wait_set *set;
	struct nonet_wake *end;
	_Atomic uint64_t calls;
	uint64_t reports;
	bool failed;
};

static void *watch_party(void *data)
{
	struct party *party = data;

	for (;;) {
		uint64_t call = atomic_fetch_add(&party->calls, 1) + 1;
		struct nonet_wait_event got[8];
		size_t count;

		if (nonet_wait(party->set, got, 8, SOON, &count) < 0) {
			party->failed = true;
			return NULL;
		}
		for (size_t i = 0; i < count; i++) {
			struct guest *guest = got[i].data;

			if (!guest)
				return NULL;
			party->reports++;
			if (call > atomic_load(&guest->gone))
				party->failed = true;
		}
	}
}

/* The memory of a member that epoll has just told of goes away under the waiting thread: half removed, half closed. */
static void members_can_leave_while_another_thread_waits(void **state)
{
	enum {
		GUESTS = 20000,
		TABLE = 16
	};
	struct party party = {.set = set_new(), .end = wake_new()};
	struct guest *guests = calloc(GUESTS, sizeof(*guests));
	pthread_t thread;

	(void)state;
	assert_int_equal(nonet_wait_set_add(party.set, nonet_wake_waitable(party.end), NONET_WAIT_RECEIVE, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, watch_party, &party), 0);
	for (size_t i = 0; i < GUESTS + TABLE; i++) {
		if (i < GUESTS) {
			struct guest *guest = &guests[i];
			struct nonet_waitable *waitable;

			guest->wake = wake_new();
			atomic_store(&guest->gone, UINT64_MAX);
			nonet_wake_signal(guest->wake);
			waitable = nonet_wake_waitable(guest->wake);
			assert_int_equal(nonet_wait_set_add(party.set, waitable, NONET_WAIT_RECEIVE, guest), 0);
		}
		if (i >= TABLE) {
			struct guest *guest = &guests[i - TABLE];

			if (i % 2)
				nonet_wait_set_remove(party.set, nonet_wake_waitable(guest->wake));
			else
				guest->wake = nonet_wake_free(guest->wake);
			/* Calls up to this one had begun when we came back. */
			atomic_store(&guest->gone, atomic_load(&party.calls));
			guest->wake = nonet_wake_free(guest->wake);
		}
	}
	nonet_wake_signal(party.end);
	pthread_join(thread, NULL);
	assert_false(party.failed);
	assert_true(party.reports > 0);
	assert_true(list_is_empty(&party.set->graves) && list_is_empty(&party.set->ghosts));
	nonet_wait_set_free(party.set);
	nonet_wake_free(party.end);
	free(guests);
}

static int never_ahead(struct nonet_waitable *waitable)
{
	(void)waitable;
	return 0;
}

struct object {
	struct nonet_waitable waitable;
	atomic_bool stop;
};

static void *touch_for_ever(void *data)
{
	struct object *object = data;

	while (!atomic_load(&object->stop))
		waitable_touch(&object->waitable);
	return NULL;
}

static void *close_wakes(void *data)
{
	struct nonet_wake **wakes = data;

	for (int i = 0; i < 8; i++)
		wakes[i] = nonet_wake_free(wakes[i]);
	return NULL;
}

/* One thread makes calls on an object, or closes it, while another frees its set. */
static void a_set_can_go_under_calls_on_its_members(void **state)
{
	struct object object = {.stop = false};
	int fd = sys_eventfd_create();
	pthread_t toucher;

	(void)state;
	waitable_init(&object.waitable, fd, never_ahead);
	assert_int_equal(pthread_create(&toucher, NULL, touch_for_ever, &object), 0);
	for (int round = 0; round < 500; round++) {
		struct nonet_wait_set *set = set_new();
		struct nonet_wake *wakes[8];
		struct nonet_wait_event got;
		pthread_t closer;
		size_t count;

		for (int i = 0; i < 8; i++) {
			wakes[i] = wake_new();
			assert_int_equal(
				nonet_wait_set_add(set, nonet_wake_waitable(wakes[i]), NONET_WAIT_RECEIVE, NULL), 0);
		}
		assert_int_equal(nonet_wait_set_add(set, &object.waitable, NONET_WAIT_RECEIVE, NULL), 0);
		/* The bell of the touches doesn't keep a call beyond its deadline. */
		assert_int_equal(nonet_wait(set, &got, 1, nonet_after(NONET_US(100)), &count), -ETIMEDOUT);
		assert_int_equal(pthread_create(&closer, NULL, close_wakes, wakes), 0);
		nonet_wait_set_free(set);
		pthread_join(closer, NULL);
	}
	atomic_store(&object.stop, true);
	pthread_join(toucher, NULL);
	waitable_done(&object.waitable);
	sys_close(&fd);
}

struct household {
	struct nonet_wait_set *set;
	struct nonet_wake *end;
	struct object object;
	bool set_first;
};

static int clean_up(struct test_child_side *side, void *argument)
{
	struct household *household = argument;

	(void)side;
	waitable_touch(&household->object.waitable);
	if (household->set_first)
		nonet_wait_set_free(household->set);
	waitable_done(&household->object.waitable);
	nonet_wake_free(household->end);
	if (!household->set_first)
		nonet_wait_set_free(household->set);
	return 0;
}

/* fork() while one thread sleeps in the set and another holds its locks: the child can still close and free all. */
static void a_child_can_clean_up_whatever_other_threads_did(void **state)
{
	struct household household = {.set = set_new(), .end = wake_new()};
	struct sleeper sleeper = {.set = household.set};
	int fd = sys_eventfd_create();
	pthread_t toucher;
	pthread_t thread;

	(void)state;
	waitable_init(&household.object.waitable, fd, never_ahead);
	assert_int_equal(nonet_wait_set_add(household.set, nonet_wake_waitable(household.end), NONET_WAIT_RECEIVE, &fd),
			 0);
	assert_int_equal(nonet_wait_set_add(household.set, &household.object.waitable, NONET_WAIT_RECEIVE, NULL), 0);
	assert_int_equal(pthread_create(&toucher, NULL, touch_for_ever, &household.object), 0);
	assert_int_equal(pthread_create(&thread, NULL, sleep_in_set, &sleeper), 0);
	for (uint64_t i = 0; i < test_scaled(500); i++) {
		household.set_first = i % 2;
		assert_int_equal(test_child_join(test_child_start(clean_up, &household)), 0);
	}
	nonet_wake_signal(household.end);
	pthread_join(thread, NULL);
	assert_int_equal(sleeper.result, 0);
	assert_ptr_equal(sleeper.got.data, &fd);
	atomic_store(&household.object.stop, true);
	pthread_join(toucher, NULL);
	waitable_done(&household.object.waitable);
	sys_close(&fd);
	nonet_wake_free(household.end);
	nonet_wait_set_free(household.set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_wake_ends_another_threads_wait),
		test_case(a_signal_handler_ends_the_wait_by_a_wake),
		test_case(a_storm_of_signals_neither_shows_nor_moves_the_deadline),
		test_case(members_can_leave_while_another_thread_waits),
		test_case(a_set_can_go_under_calls_on_its_members),
		test_case(a_child_can_clean_up_whatever_other_threads_did),
	};

	return test_main(tests);
}
