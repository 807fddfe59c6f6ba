/* SPDX-License-Identifier: Apache-2.0 */
/* What has to hold of a queue, whichever carrier it has: messages, sizes, deadlines, names. */
#include <sys/stat.h>
#include <unistd.h>

#include "conform/message.h"
#include "conform/queue_kind.h"
#include "harness/storm.h"

#define SOON test_deadline()

/* Sizes from nothing to the largest. */
static size_t size_of(uint64_t number)
{
	return number % 17 == 0 ? QUEUE_MESSAGE_SIZE - number % 3 : number * 7919 % 300;
}

struct stream {
	const char *address;
	uint64_t count;
};

static nonet_time sometimes_for_ever(uint64_t number)
{
	return number % 2 ? NONET_FOREVER : SOON;
}

static int send_many(struct test_child_side *side, void *argument)
{
	const struct stream *stream = argument;
	struct nonet_queue *queue = queue_open_as(stream->address, NONET_QUEUE_SEND);

	test_report(side, "ready");
	for (uint64_t i = 0; i < stream->count; i++)
		queue_put(queue, i, size_of(i), sometimes_for_ever(i));
	nonet_queue_close(queue);
	return 0;
}

static void messages_arrive_in_order(void **state)
{
	struct stream stream = {.count = test_scaled(100000)};
	struct nonet_queue *queue = queue_make(&stream.address);
	struct test_child *child;

	(void)state;
	child = test_child_until(send_many, &stream);
	for (uint64_t i = 0; i < stream.count; i++)
		queue_take(queue, i, size_of(i), sometimes_for_ever(i / 2));
	test_check_equal(test_child_join(child), 0);
	test_check(queue_is_empty(queue));
	queue_unmake(queue, stream.address);
}

static void a_storm_of_signals_loses_nothing(void **state)
{
	struct stream stream = {.count = test_scaled(20000)};
	struct nonet_queue *queue = queue_make(&stream.address);
	struct test_child *child;
	struct test_storm *storm;
	pid_t pids[2] = {getpid()};

	(void)state;
	test_watchdog_extend(NONET_S(60) + NONET_MS(5) * (nonet_time)stream.count);
	test_storm_victim();
	child = test_child_until(send_many, &stream);
	pids[1] = test_child_pid(child);
	storm = test_storm_start(pids, 2, NONET_S(3600));
	for (uint64_t i = 0; i < stream.count; i++)
		queue_take(queue, i, size_of(i), sometimes_for_ever(i / 2));
	test_check(test_storm_stop(storm) > 0 && test_storm_received() > 0);
	test_note("%llu messages, %llu signals", (unsigned long long)stream.count,
		  (unsigned long long)test_storm_received());
	test_check_equal(test_child_join(child), 0);
	queue_unmake(queue, stream.address);
}

static void every_size_arrives_and_a_larger_one_is_refused(void **state)
{
	static const uint8_t larger[3 * QUEUE_MESSAGE_SIZE];
	const char *address;
	struct nonet_queue *queue = queue_make_for(3, 5000, &address);
	struct nonet_queue_status status;

	(void)state;
	test_check_equal(nonet_queue_status(queue, &status), 0);
	for (size_t size = 0; size <= 5000; size += size < 20 || size > 4980 ? 1 : 97) {
		queue_put(queue, size, size, NONET_NOW);
		queue_take(queue, size, size, NONET_NOW);
	}
	/* One queue keeps its own limit, the other the system's. */
	test_check_equal(status.message_size, queue_is_posix ? 5000 : 8192);
	for (int i = 0; i < 3; i++) {
		const nonet_time deadline = i == 0 ? NONET_NOW : i == 1 ? test_after(NONET_MS(20)) : NONET_FOREVER;

		test_check_equal(nonet_queue_send(queue, larger, status.message_size + 1, NULL, deadline), -EMSGSIZE);
		test_check_equal(nonet_queue_send(queue, larger, sizeof(larger), NULL, deadline), -EMSGSIZE);
	}
	test_check(queue_is_empty(queue));
	queue_unmake(queue, address);
	/* What is over the whole room would wait for ever. */
	queue = queue_make_for(1, 100, &address);
	test_check_equal(nonet_queue_send(queue, larger, 101, NULL, SOON), -EMSGSIZE);
	test_check_equal(nonet_queue_send(queue, larger, 101, NULL, NONET_FOREVER), -EMSGSIZE);
	queue_put(queue, 1, 100, NONET_NOW);
	test_check_equal(nonet_queue_send(queue, larger, 1, NULL, NONET_NOW), -EAGAIN);
	queue_unmake(queue, address);
}

static void a_message_larger_than_the_buffer_stays_until_it_fits(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct nonet_queue_message message = {.size = 4711};
	uint8_t bytes[300];
	size_t size = 4711;

	(void)state;
	queue_put(queue, 0, 300, NONET_NOW);
	queue_put(queue, 1, 7, NONET_NOW);
	queue_put(queue, 2, 0, NONET_NOW);
	for (int i = 0; i < 3; i++)
		test_check_equal(nonet_queue_receive(queue, bytes, 299, NULL, NONET_NOW, &message), -EMSGSIZE);
	test_check_equal(message.size, 4711);
	for (int i = 0; i < 2; i++)
		test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), 0);
	test_check_equal(size, 300);
	/* Into one that is just right, and into one that is larger than all. */
	test_check_equal(nonet_queue_receive(queue, bytes, 300, NULL, NONET_NOW, &message), 0);
	test_check(message.size == 300 && message_is(bytes, 300, 0));
	test_check_equal(nonet_queue_receive(queue, NULL, 0, NULL, NONET_NOW, &message), -EMSGSIZE);
	queue_take(queue, 1, 7, NONET_NOW);
	test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), 0);
	test_check_equal(size, 0);
	test_check_equal(nonet_queue_receive(queue, NULL, 0, NULL, NONET_NOW, &message), 0);
	test_check_equal(message.size, 0);
	test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), -EAGAIN);
	queue_unmake(queue, address);
}

static void closed_with_a_message_in_hand_it_is_put_back(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct nonet_queue_message message;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct nonet_queue *other = queue_open_as(address, i ? NONET_QUEUE_RECEIVE : 0);

		queue_put(queue, 5, 50, NONET_NOW);
		test_check_equal(nonet_queue_receive(other, &message, 1, NULL, NONET_NOW, &message), -EMSGSIZE);
		nonet_queue_close(other);
		queue_take(queue, 5, 50, NONET_NOW);
	}
	queue_unmake(queue, address);
}

static void gives_up(struct nonet_queue *queue, bool send, nonet_time deadline)
{
	const nonet_time begin = test_clock();
	struct nonet_queue_message message = {.size = 4711};
	uint8_t bytes[1000] = {0};
	int code;

	if (send)
		code = nonet_queue_send(queue, bytes, sizeof(bytes), NULL, deadline);
	else
		code = nonet_queue_receive(queue, bytes, sizeof(bytes), NULL, deadline, &message);
	test_check_equal(code, deadline == NONET_NOW ? -EAGAIN : -ETIMEDOUT);
	test_check(deadline == NONET_NOW || test_clock() >= deadline);
	test_check(test_clock() < (deadline > begin ? deadline : begin) + NONET_MS(200) * test_slowness());
	test_check_equal(message.size, 4711);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct test_storm *storm;

	(void)state;
	test_storm_victim();
	for (int i = 0; i < 2; i++) {
		if (i)
			queue_fill(queue, 1000);
		gives_up(queue, i, NONET_NOW);
		gives_up(queue, i, 1);
		gives_up(queue, i, test_clock() - 1);
		for (int j = 0; j < 3; j++)
			gives_up(queue, i, test_clock() + NONET_MS(30));
		/* A signal neither shortens nor stretches it. */
		storm = test_storm_start((pid_t[]){getpid()}, 1, NONET_S(60));
		for (int j = 0; j < 3; j++)
			gives_up(queue, i, test_clock() + NONET_MS(50));
		test_check(test_storm_stop(storm) > 0);
	}
	queue_unmake(queue, address);
}

/*
 * Deadlines so short that they pass just when a message comes, or room: what was given up isn't done, and what was done
 * isn't given up. A number that wasn't sent is sent again, so one that was would come twice.
 */
static nonet_time soon_past(struct test_random *random)
{
	return test_clock() + (nonet_time)test_random_between(random, 1, (uint64_t)NONET_US(150));
}

static int send_hastily(struct test_child_side *side, void *argument)
{
	const struct stream *stream = argument;
	struct nonet_queue *queue = queue_open_as(stream->address, NONET_QUEUE_SEND);
	struct test_random random = test_random_init(test_seed(), 1);
	int64_t given_up = 0;

	test_report(side, "ready");
	for (uint64_t i = 0; i < stream->count;) {
		int code = nonet_queue_send(queue, &i, sizeof(i), NULL, soon_past(&random));

		test_check(code == 0 || code == -ETIMEDOUT);
		given_up += code < 0;
		i += code == 0;
		/* In turns the queue runs full, and empty. */
		if (i % 64 == 0)
			test_poll(NULL, 0, test_clock() + NONET_US(300));
	}
	test_report_number(side, given_up);
	nonet_queue_close(queue);
	return 0;
}

static void what_is_given_up_is_not_done(void **state)
{
	struct stream stream = {.count = test_scaled(30000)};
	/* Room for two. */
	struct nonet_queue *queue = queue_make_for(2, 8, &stream.address);
	struct test_random random = test_random_init(test_seed(), 2);
	struct test_child *child;
	uint64_t given_up = 0;

	(void)state;
	test_watchdog_extend(NONET_S(120));
	child = test_child_until(send_hastily, &stream);
	for (uint64_t next = 0; next < stream.count;) {
		struct nonet_queue_message message;
		uint64_t number = 0;
		int code = nonet_queue_receive(queue, &number, sizeof(number), NULL, soon_past(&random), &message);

		test_check(code == 0 || code == -ETIMEDOUT);
		if (code == 0)
			test_check_equal(number, next++);
		given_up += code < 0;
		if (next % 50 == 0)
			test_poll(NULL, 0, test_clock() + NONET_US(300));
	}
	test_note("%llu messages; given up %lld times by the sender, %llu times by the receiver",
		  (unsigned long long)stream.count, (long long)test_child_number(child), (unsigned long long)given_up);
	test_check_equal(test_child_join(child), 0);
	test_check(queue_is_empty(queue));
	queue_unmake(queue, stream.address);
}

/* Waits twice, with a deadline and without, and says when it was over. */
static int wait_twice(struct test_child_side *side, void *argument)
{
	struct nonet_queue *queue = queue_open_as(argument, NONET_QUEUE_RECEIVE);

	test_report(side, "ready");
	for (uint64_t i = 0; i < 2; i++) {
		queue_take(queue, i, 10, i ? NONET_FOREVER : SOON);
		test_report_number(side, test_clock());
	}
	nonet_queue_close(queue);
	return 0;
}

static void a_message_ends_a_wait_at_once(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct test_child *child = test_child_until(wait_twice, (void *)address);

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		nonet_time begin;

		test_child_wait_blocked(child);
		begin = test_clock();
		queue_put(queue, i, 10, NONET_NOW);
		test_check(test_child_number(child) - begin < NONET_MS(50) * test_slowness());
	}
	test_check_equal(test_child_join(child), 0);
	queue_unmake(queue, address);
}

static int wait_for_room_twice(struct test_child_side *side, void *argument)
{
	struct nonet_queue *queue = queue_open_as(argument, NONET_QUEUE_SEND);

	test_report(side, "ready");
	for (uint64_t i = 0; i < 2; i++) {
		queue_put(queue, 1000 + i, 1000, i ? NONET_FOREVER : SOON);
		test_report(side, "sent");
	}
	nonet_queue_close(queue);
	return 0;
}

static void room_ends_a_wait(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	uint64_t count = queue_fill(queue, 1000);
	struct test_child *child = test_child_until(wait_for_room_twice, (void *)address);

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		test_child_wait_blocked(child);
		queue_take(queue, i, 1000, NONET_NOW);
		test_child_wait_state(child, "sent");
	}
	for (uint64_t i = 2; i < count + 2; i++)
		queue_take(queue, i < count ? i : 1000 + i - count, 1000, NONET_NOW);
	test_check_equal(test_child_join(child), 0);
	test_check(queue_is_empty(queue));
	queue_unmake(queue, address);
}

/* Several of each, so that a message could be given twice, or to nobody. Each receiver sums up what it got. */
#define CROWD 4

static int send_share(struct test_child_side *side, void *argument)
{
	const struct stream *stream = argument;
	struct nonet_queue *queue = queue_open_as(stream->address, NONET_QUEUE_SEND);

	test_report(side, "ready");
	for (uint64_t i = 1; i <= stream->count; i++)
		test_check_equal(nonet_queue_send(queue, &i, sizeof(i), NULL, sometimes_for_ever(i)), 0);
	nonet_queue_close(queue);
	return 0;
}

static int sum_up(struct test_child_side *side, void *argument)
{
	struct nonet_queue *queue = queue_open_as(argument, NONET_QUEUE_RECEIVE);
	struct nonet_queue_message message;
	int64_t count = 0;
	int64_t sum = 0;
	int64_t number;

	test_report(side, "ready");
	for (;;) {
		number = 0;
		test_check_equal(
			nonet_queue_receive(queue, &number, sizeof(number), NULL, sometimes_for_ever(count), &message),
			0);
		if (message.size == 0)
			break;
		count++;
		sum += number;
	}
	test_report_number(side, count);
	test_report_number(side, sum);
	nonet_queue_close(queue);
	return 0;
}

static void many_send_and_receive_and_none_is_lost_or_doubled(void **state)
{
	struct stream stream = {.count = test_scaled(20000)};
	struct nonet_queue *queue = queue_make(&stream.address);
	struct test_child *senders[CROWD];
	struct test_child *receivers[CROWD];
	int64_t count = 0;
	int64_t sum = 0;

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		receivers[i] = test_child_until(sum_up, (void *)stream.address);
		senders[i] = test_child_until(send_share, &stream);
	}
	for (int i = 0; i < CROWD; i++)
		test_check_equal(test_child_join(senders[i]), 0);
	for (int i = 0; i < CROWD; i++)
		test_check_equal(nonet_queue_send(queue, NULL, 0, NULL, SOON), 0);
	for (int i = 0; i < CROWD; i++) {
		count += test_child_number(receivers[i]);
		sum += test_child_number(receivers[i]);
		test_check_equal(test_child_join(receivers[i]), 0);
	}
	test_check_equal(count, (int64_t)(CROWD * stream.count));
	test_check_equal(sum, (int64_t)(CROWD * (stream.count * (stream.count + 1) / 2)));
	queue_unmake(queue, stream.address);
}

static void it_counts_and_drains(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make_for(8, 1000, &address);
	struct nonet_queue_status status;
	uint64_t count = 99;

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		queue_put(queue, i, 100 * i, NONET_NOW);
	test_check_equal(nonet_queue_status(queue, &status), 0);
	test_check_equal(status.messages, 5);
	test_check_equal(status.bytes, 1000);
	test_check_equal(status.capacity, 8000);
	test_check_equal(status.mode, 0600);
	test_check_equal(status.uid, geteuid());
	test_check_equal(status.gid, getegid());
	test_check(!queue_is_posix || status.depth == 8);
	test_check_equal(status.last_sender, queue_is_posix ? 0 : getpid());
	test_check_equal(nonet_queue_drain(queue, &count), 0);
	test_check_equal(count, 5);
	test_check(queue_is_empty(queue));
	test_check_equal(nonet_queue_drain(queue, &count), 0);
	test_check_equal(count, 0);
	queue_unmake(queue, address);
}

static int child_uses_it(struct test_child_side *side, void *argument)
{
	struct nonet_queue *queue = argument;

	queue_take(queue, 1, 10, SOON);
	test_report(side, "took");
	/* One that waits, too. */
	queue_take(queue, 2, 20, SOON);
	queue_put(queue, 3, 30, SOON);
	nonet_queue_close(queue);
	return 0;
}

static void a_forked_child_goes_on_with_what_it_inherited(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct test_child *child;

	(void)state;
	/* A wait before, so that there is something to inherit. */
	gives_up(queue, false, test_clock() + NONET_MS(1));
	child = test_child_start(child_uses_it, queue);
	queue_put(queue, 1, 10, SOON);
	test_child_wait_state(child, "took");
	test_child_wait_blocked(child);
	queue_put(queue, 2, 20, SOON);
	test_check_equal(test_child_join(child), 0);
	queue_take(queue, 3, 30, SOON);
	gives_up(queue, false, test_clock() + NONET_MS(1));
	queue_unmake(queue, address);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test_case(messages_arrive_in_order),
		test_case(a_storm_of_signals_loses_nothing),
		test_case(every_size_arrives_and_a_larger_one_is_refused),
		test_case(a_message_larger_than_the_buffer_stays_until_it_fits),
		test_case(closed_with_a_message_in_hand_it_is_put_back),
		test_case(a_wait_ends_at_its_deadline),
		test_case(what_is_given_up_is_not_done),
		test_case(a_message_ends_a_wait_at_once),
		test_case(room_ends_a_wait),
		test_case(many_send_and_receive_and_none_is_lost_or_doubled),
		test_case(it_counts_and_drains),
		test_case(a_forked_child_goes_on_with_what_it_inherited),
	};

	return queue_main(argc, argv, tests);
}
