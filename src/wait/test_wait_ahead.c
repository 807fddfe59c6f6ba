/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "harness/test.h"
#include "sys/event.h"
#include "sys/fault.h"
#include "sys/files.h"
#include "wait/wait_set.h"
#include "waitable/waitable.h"

#define SOON test_after(NONET_S(20))

/* An object that reads ahead: so many messages are in the handle, which the descriptor knows nothing of. */
struct reader {
	struct nonet_waitable waitable;
	int fd;
	atomic_int ahead;
	atomic_int asked;
};

static int reader_arm(struct nonet_waitable *waitable)
{
	struct reader *reader = container_of(waitable, struct reader, waitable);

	atomic_fetch_add(&reader->asked, 1);
	return atomic_load(&reader->ahead) > 0;
}

static void reader_init(struct reader *reader, int ahead)
{
	memset(reader, 0, sizeof(*reader));
	reader->fd = sys_eventfd_create();
	assert_true(reader->fd >= 0);
	atomic_init(&reader->ahead, ahead);
	waitable_init(&reader->waitable, reader->fd, reader_arm);
}

static void reader_done(struct reader *reader)
{
	waitable_done(&reader->waitable);
	sys_close(&reader->fd);
}

/* A receive that left something in the handle, or took the last of it. */
static void reader_leave(struct reader *reader, int ahead)
{
	atomic_store(&reader->ahead, ahead);
	if (ahead)
		waitable_touch(&reader->waitable);
}

static int reader_asked(struct reader *reader)
{
	return atomic_exchange(&reader->asked, 0);
}

static struct nonet_wait_set *set_new(void)
{
	struct nonet_wait_set *set;

	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	return set;
}

static void add(struct nonet_wait_set *set, struct reader *reader, uint32_t events)
{
	assert_int_equal(nonet_wait_set_add(set, &reader->waitable, events, reader), 0);
}

static void expect_one(struct nonet_wait_set *set, const void *data, uint32_t events)
{
	struct nonet_wait_event got[4];
	size_t count;

	assert_int_equal(nonet_wait(set, got, 4, SOON, &count), 0);
	assert_int_equal(count, 1);
	assert_ptr_equal(got[0].data, data);
	assert_int_equal(got[0].events, events);
}

static void expect_none(struct nonet_wait_set *set)
{
	struct nonet_wait_event got;
	size_t count;

	assert_int_equal(nonet_wait(set, &got, 1, NONET_NOW, &count), -EAGAIN);
}

static void what_was_read_ahead_is_reported_until_it_is_taken(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct reader reader;

	(void)state;
	reader_init(&reader, 2);
	add(set, &reader, NONET_WAIT_RECEIVE);
	expect_one(set, &reader, NONET_WAIT_RECEIVE);
	reader_leave(&reader, 1);
	expect_one(set, &reader, NONET_WAIT_RECEIVE);
	/* Not even looked at by the caller. */
	expect_one(set, &reader, NONET_WAIT_RECEIVE);
	reader_leave(&reader, 0);
	expect_none(set);
	/* Read ahead outside of any report. */
	reader_leave(&reader, 1);
	expect_one(set, &reader, NONET_WAIT_RECEIVE);
	reader_leave(&reader, 0);
	expect_none(set);

	/* Reported by its descriptor; receiving then emptied that, but left one in the handle. */
	assert_int_equal(sys_counter_write(reader.fd, 1), 0);
	expect_one(set, &reader, NONET_WAIT_RECEIVE);
	assert_int_equal(sys_counter_read(reader.fd, &(uint64_t){0}), 0);
	atomic_store(&reader.ahead, 1);
	expect_one(set, &reader, NONET_WAIT_RECEIVE);

	/* Ready by both: one event. */
	assert_int_equal(nonet_wait_set_change(set, &reader.waitable, NONET_WAIT_RECEIVE | NONET_WAIT_SEND), 0);
	expect_one(set, &reader, NONET_WAIT_RECEIVE | NONET_WAIT_SEND);
	reader_done(&reader);
	expect_none(set);
	nonet_wait_set_free(set);
}

static void who_waits_to_send_only_isnt_told_what_was_read_ahead(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct reader reader;

	(void)state;
	reader_init(&reader, 1);
	/* A full counter has no room to write. */
	assert_int_equal(sys_counter_write(reader.fd, UINT64_MAX - 1), 0);
	add(set, &reader, NONET_WAIT_SEND);
	expect_none(set);
	waitable_touch(&reader.waitable);
	expect_none(set);
	assert_int_equal(reader_asked(&reader), 0);
	assert_int_equal(sys_counter_read(reader.fd, &(uint64_t){0}), 0);
	assert_int_equal(nonet_wait_set_change(set, &reader.waitable, NONET_WAIT_RECEIVE), 0);
	expect_one(set, &reader, NONET_WAIT_RECEIVE);
	assert_int_equal(nonet_wait_set_change(set, &reader.waitable, NONET_WAIT_SEND), 0);
	expect_one(set, &reader, NONET_WAIT_SEND);
	nonet_wait_set_free(set);
	reader_done(&reader);
}

/* Only who may have changed is asked: what was reported, and what was touched. */
static void those_that_said_no_arent_asked_again(void **state)
{
	enum {
		READERS = 500
	};
	static struct reader readers[READERS];
	struct nonet_wait_set *set = set_new();

	(void)state;
	for (size_t i = 0; i < READERS; i++) {
		reader_init(&readers[i], 0);
		add(set, &readers[i], NONET_WAIT_RECEIVE);
	}
	expect_none(set);
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(reader_asked(&readers[i]), 1);

	/* Touched three times, asked once; and the waiting itself is one system call. */
	for (int i = 1; i <= 3; i++)
		reader_leave(&readers[77], i);
	sys_fault_record();
	expect_one(set, &readers[77], NONET_WAIT_RECEIVE);
	assert_int_equal(sys_fault_recorded(), 1);
	sys_fault_disarm();
	reader_leave(&readers[77], 0);
	expect_none(set);
	assert_int_equal(reader_asked(&readers[77]), 2);
	expect_none(set);
	for (size_t i = 0; i < READERS; i++) {
		assert_int_equal(reader_asked(&readers[i]), 0);
		reader_done(&readers[i]);
	}
	nonet_wait_set_free(set);
}

/* Some are ready by what they read ahead, some by their descriptor, none is ever drained: each gets its turn. */
static void neither_kind_starves_the_other(void **state)
{
	enum {
		READERS = 20,
		MAX = 5
	};

	(void)state;
	for (size_t max = 1; max <= MAX; max++) {
		struct nonet_wait_set *set = set_new();
		struct nonet_wait_event got[MAX];
		struct reader readers[READERS];
		int seen[READERS] = {0};

		for (int i = 0; i < READERS; i++) {
			reader_init(&readers[i], i % 2);
			if (i % 2 == 0)
				assert_int_equal(sys_counter_write(readers[i].fd, 1), 0);
			assert_int_equal(nonet_wait_set_add(set, &readers[i].waitable, NONET_WAIT_RECEIVE, &seen[i]),
					 0);
		}
		for (size_t call = 0; call < 4 * READERS; call++) {
			size_t count;

			assert_int_equal(nonet_wait(set, got, max, SOON, &count), 0);
			assert_in_range(count, 1, max);
			for (size_t i = 0; i < count; i++)
				(*(int *)got[i].data)++;
		}
		for (int i = 0; i < READERS; i++) {
			assert_in_range(seen[i], 2, 4 * READERS);
			reader_done(&readers[i]);
		}
		nonet_wait_set_free(set);
	}
}

/* What was already found ready is a success, whatever epoll says then. */
static void what_was_found_survives_an_epoll_that_fails(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wait_event got;
	struct reader reader;
	size_t count = 99;

	(void)state;
	reader_init(&reader, 1);
	add(set, &reader, NONET_WAIT_RECEIVE);
	for (int ahead = 1; ahead >= 0; ahead--) {
		struct nonet_wait_event more[2];

		reader_leave(&reader, ahead);
		sys_fault_arm_kind(SYS_CALL_EPOLL_WAIT, ENOMEM);
		assert_int_equal(nonet_wait(set, more, 2, SOON, &count), ahead ? 0 : -ENOMEM);
		assert_int_equal(count, 1);
		sys_fault_disarm();
	}
	reader_leave(&reader, 1);
	assert_int_equal(nonet_wait(set, &got, 1, SOON, &count), 0);
	reader_done(&reader);
	nonet_wait_set_free(set);
}

struct sleeper {
	struct nonet_wait_set *set;
	struct nonet_wait_event got;
	size_t count;
	int result;
	pthread_t thread;
};

static void *sleep_in_set(void *data)
{
	struct sleeper *sleeper = data;

	sleeper->result = nonet_wait(sleeper->set, &sleeper->got, 1, SOON, &sleeper->count);
	return NULL;
}

/* Returns once the thread has looked at its members, and is asleep in epoll or about to be. */
static void sleeper_start(struct sleeper *sleeper, struct nonet_wait_set *set)
{
	nonet_time deadline = SOON;
	bool sleeping = false;

	*sleeper = (struct sleeper){.set = set, .result = 1};
	assert_int_equal(pthread_create(&sleeper->thread, NULL, sleep_in_set, sleeper), 0);
	while (!sleeping) {
		assert_true(nonet_clock() < deadline);
		sched_yield();
		pthread_mutex_lock(&set->mutex);
		sleeping = set->sleeping > 0;
		pthread_mutex_unlock(&set->mutex);
	}
}

static void sleeper_expect(struct sleeper *sleeper, const void *data)
{
	assert_int_equal(pthread_join(sleeper->thread, NULL), 0);
	assert_int_equal(sleeper->result, 0);
	assert_int_equal(sleeper->count, 1);
	assert_ptr_equal(sleeper->got.data, data);
}

static void a_sleeper_is_woken_by_what_its_descriptors_dont_show(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct sleeper sleeper;
	struct reader first;
	struct reader second;

	(void)state;
	reader_init(&first, 0);
	reader_init(&second, 1);
	add(set, &first, NONET_WAIT_RECEIVE);
	for (int i = 0; i < 200; i++) {
		sleeper_start(&sleeper, set);
		reader_leave(&first, 1);
		sleeper_expect(&sleeper, &first);
		reader_leave(&first, 0);
		expect_none(set);

		sleeper_start(&sleeper, set);
		add(set, &second, NONET_WAIT_RECEIVE);
		sleeper_expect(&sleeper, &second);
		assert_int_equal(nonet_wait_set_change(set, &second.waitable, NONET_WAIT_SEND), 0);
		assert_int_equal(sys_counter_write(second.fd, UINT64_MAX - 1), 0);
		expect_none(set);

		sleeper_start(&sleeper, set);
		assert_int_equal(nonet_wait_set_change(set, &second.waitable, NONET_WAIT_RECEIVE), 0);
		sleeper_expect(&sleeper, &second);
		assert_int_equal(sys_counter_read(second.fd, &(uint64_t){0}), 0);
		assert_int_equal(nonet_wait_set_remove(set, &second.waitable), 0);
		expect_none(set);
	}
	reader_done(&first);
	reader_done(&second);
	nonet_wait_set_free(set);
}

/* A touch that nobody sleeps through is list work; one that the set expects is not even that. */
static void a_touch_makes_no_system_call_unless_somebody_sleeps(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct sleeper sleeper;
	struct reader reader;

	(void)state;
	reader_init(&reader, 0);
	sys_fault_record();
	waitable_touch(&reader.waitable);
	assert_int_equal(sys_fault_recorded(), 0);
	add(set, &reader, NONET_WAIT_RECEIVE);
	expect_none(set);
	sys_fault_record();
	reader_leave(&reader, 1);
	reader_leave(&reader, 1);
	assert_int_equal(sys_fault_recorded(), 0);
	reader_leave(&reader, 0);
	expect_none(set);

	sleeper_start(&sleeper, set);
	sys_fault_record();
	reader_leave(&reader, 1);
	reader_leave(&reader, 1);
	assert_int_equal(sys_fault_recorded(), 1);
	sys_fault_disarm();
	sleeper_expect(&sleeper, &reader);
	reader_done(&reader);
	nonet_wait_set_free(set);
}

/* The bell stands in epoll before a member that is ready, and fills the room of the first look. */
static void a_late_bell_hides_nobody(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wait_event got;
	struct reader reader;
	size_t count;

	(void)state;
	reader_init(&reader, 0);
	add(set, &reader, NONET_WAIT_RECEIVE);
	expect_none(set);
	/* As left by a toucher whose sleeper was woken by something else. */
	set->rung = true;
	wait_set_ring(set);
	assert_int_equal(sys_counter_write(reader.fd, 1), 0);
	assert_int_equal(nonet_wait(set, &got, 1, NONET_NOW, &count), 0);
	assert_ptr_equal(got.data, &reader);
	assert_false(set->rung);
	reader_done(&reader);
	expect_none(set);
	nonet_wait_set_free(set);
}

struct traffic {
	struct reader *readers;
	int count;
	int rounds;
};

/* Leaves one message in each handle, again and again, as soon as the last was taken. */
static void *leave_messages(void *data)
{
	struct traffic *traffic = data;

	for (int i = 0; i < traffic->rounds * traffic->count; i++) {
		struct reader *reader = &traffic->readers[i % traffic->count];

		while (atomic_load(&reader->ahead) > 0)
			sched_yield();
		reader_leave(reader, 1);
	}
	return NULL;
}

/* Nothing but touches tells of the messages: a single lost wake and this never ends. */
static void no_touch_is_ever_lost(void **state)
{
	enum {
		READERS = 3,
		ROUNDS = 20000
	};
	struct nonet_wait_set *set = set_new();
	struct reader readers[READERS];
	struct traffic traffic = {.readers = readers, .count = READERS, .rounds = ROUNDS};
	pthread_t thread;

	(void)state;
	for (int i = 0; i < READERS; i++) {
		reader_init(&readers[i], 0);
		add(set, &readers[i], NONET_WAIT_RECEIVE);
	}
	assert_int_equal(pthread_create(&thread, NULL, leave_messages, &traffic), 0);
	for (int taken = 0; taken < READERS * ROUNDS;) {
		struct nonet_wait_event got[2];
		size_t count;

		assert_int_equal(nonet_wait(set, got, 2, SOON, &count), 0);
		for (size_t i = 0; i < count; i++) {
			struct reader *reader = got[i].data;

			taken += atomic_exchange(&reader->ahead, 0);
		}
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	expect_none(set);
	for (int i = 0; i < READERS; i++)
		reader_done(&readers[i]);
	nonet_wait_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_was_read_ahead_is_reported_until_it_is_taken),
		test_case(who_waits_to_send_only_isnt_told_what_was_read_ahead),
		test_case(those_that_said_no_arent_asked_again),
		test_case(neither_kind_starves_the_other),
		test_case(what_was_found_survives_an_epoll_that_fails),
		test_case(a_sleeper_is_woken_by_what_its_descriptors_dont_show),
		test_case(a_touch_makes_no_system_call_unless_somebody_sleeps),
		test_case(a_late_bell_hides_nobody),
		test_case(no_touch_is_ever_lost),
	};

	return test_main(tests);
}
