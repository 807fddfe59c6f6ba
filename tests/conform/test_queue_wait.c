/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a queue by its descriptor: nothing is missed, and nothing is lost or stolen by it. */
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <nonet/wait.h>

#include "conform/queue_kind.h"

#define SOON test_deadline()

static bool is_readable(struct nonet_queue *queue)
{
	struct pollfd item = {.fd = nonet_queue_fd(queue), .events = POLLIN};

	test_check(item.fd >= 0);
	return poll(&item, 1, 0) == 1;
}

static void until_readable(struct nonet_queue *queue)
{
	struct pollfd item = {.fd = nonet_queue_fd(queue), .events = POLLIN};

	test_check_equal(test_poll(&item, 1, SOON), 1);
}

static int wait_in(struct nonet_wait_set *set, void *queue, nonet_time deadline)
{
	struct nonet_wait_event event = {0};
	size_t count = 0;
	int code = nonet_wait(set, &event, 1, deadline, &count);

	test_check(code < 0 || (count == 1 && event.data == queue));
	return code;
}

static struct nonet_wait_set *set_of(struct nonet_queue *queue)
{
	struct nonet_wait_set *set;

	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_queue_waitable(queue), NONET_WAIT_RECEIVE, queue), 0);
	return set;
}

/* Until nothing is reported: what a helper has seen just now it may still tell of, though it was taken meanwhile. */
static void until_quiet(struct nonet_wait_set *set, struct nonet_queue *queue, nonet_time duration)
{
	int code;

	for (int i = 0; (code = wait_in(set, queue, duration ? test_clock() + duration : NONET_NOW)) == 0; i++)
		test_check(i < 3 && queue_is_empty(queue));
	test_check_equal(code, duration ? -ETIMEDOUT : -EAGAIN);
}

/* Empty ones among them. */
static size_t size_of(uint64_t number)
{
	return number % 3 == 0 ? 0 : number % 500;
}

static void a_wait_set_reports_until_all_is_taken(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct nonet_wait_set *set = set_of(queue);

	(void)state;
	for (uint64_t round = 0; round < 20; round++) {
		until_quiet(set, queue, 0);
		until_quiet(set, queue, NONET_MS(2));
		for (uint64_t i = round; i < round + 4; i++)
			queue_put(queue, i, size_of(i), NONET_NOW);
		for (uint64_t i = round; i < round + 4; i++) {
			/* A helper needs a moment to be awake; what has been reported is so again at once. */
			test_check_equal(wait_in(set, queue, SOON), 0);
			test_check_equal(wait_in(set, queue, NONET_NOW), 0);
			queue_take(queue, i, size_of(i), NONET_NOW);
		}
		test_check(queue_is_empty(queue));
	}
	nonet_wait_set_free(set);
	queue_unmake(queue, address);
}

/* What a buffer was too small for is still there to be told of. */
static void a_message_too_large_keeps_a_wait_set_awake(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct nonet_wait_set *set = set_of(queue);
	struct nonet_queue_message message;
	uint8_t byte;

	(void)state;
	until_quiet(set, queue, NONET_MS(2));
	queue_put(queue, 1, 100, NONET_NOW);
	for (int i = 0; i < 3; i++) {
		test_check_equal(wait_in(set, queue, SOON), 0);
		test_check_equal(nonet_queue_receive(queue, &byte, 1, NULL, NONET_NOW, &message), -EMSGSIZE);
		test_check_equal(nonet_queue_arm(queue), 1);
	}
	queue_take(queue, 1, 100, NONET_NOW);
	until_quiet(set, queue, NONET_MS(2));
	/* Also one that the set hasn't reported, and that leaves the descriptor silent. */
	queue_put(queue, 2, 100, NONET_NOW);
	test_check_equal(nonet_queue_receive(queue, &byte, 1, NULL, NONET_NOW, &message), -EMSGSIZE);
	test_check_equal(wait_in(set, queue, SOON), 0);
	queue_take(queue, 2, 100, NONET_NOW);
	until_quiet(set, queue, NONET_MS(2));
	nonet_wait_set_free(set);
	queue_unmake(queue, address);
}

struct stream {
	const char *address;
	uint64_t count;
	uint64_t seed;
};

/* In bursts, so that the receiver sleeps in between. */
static int send_bursts(struct test_child_side *side, void *argument)
{
	const struct stream *stream = argument;
	struct test_random random = test_random_init(stream->seed, 3);
	struct nonet_queue *queue = queue_open_as(stream->address, NONET_QUEUE_SEND);

	test_report(side, "ready");
	for (uint64_t i = 0; i < stream->count; i++) {
		queue_put(queue, i, size_of(i), SOON);
		if (test_random_between(&random, 0, 9) == 0)
			test_poll(NULL, 0, test_clock() + (nonet_time)test_random_between(&random, 0, 100000));
	}
	nonet_queue_close(queue);
	return 0;
}

static void armed_under_epoll_no_message_is_missed(void **state)
{
	struct stream stream = {.count = test_scaled(50000), .seed = test_seed()};
	struct nonet_queue *queue = queue_make(&stream.address);
	const int epoll = (int)test_must(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = {.events = EPOLLIN};
	struct nonet_queue_message message;
	struct test_child *child;
	uint8_t bytes[8192];
	uint64_t next = 0;
	uint64_t slept = 0;

	(void)state;
	test_watchdog_extend(NONET_S(120));
	test_must(epoll_ctl(epoll, EPOLL_CTL_ADD, nonet_queue_fd(queue), &event));
	child = test_child_until(send_bursts, &stream);
	while (next < stream.count) {
		int armed = nonet_queue_arm(queue);
		int code;

		test_check(armed == 0 || armed == 1);
		if (armed == 0) {
			test_check_equal(epoll_wait(epoll, &event, 1, 20000), 1);
			slept++;
		}
		while ((code = nonet_queue_receive(queue, bytes, sizeof(bytes), NULL, NONET_NOW, &message)) == 0) {
			test_check_equal(message.size, size_of(next));
			next++;
		}
		test_check_equal(code, -EAGAIN);
	}
	test_note("%llu messages, slept %llu times", (unsigned long long)next, (unsigned long long)slept);
	test_check_equal(test_child_join(child), 0);
	test_must(close(epoll));
	queue_unmake(queue, stream.address);
}

/* Who waits and doesn't come for it leaves every message to others, the empty ones too, within a moment. */
static void waiting_steals_nothing(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct nonet_queue *waiting[2] = {queue_open_as(address, 0), queue_open_as(address, NONET_QUEUE_RECEIVE)};

	(void)state;
	for (uint64_t round = 0; round < 10; round++) {
		for (int i = 0; i < 2; i++)
			test_check_equal(nonet_queue_arm(waiting[i]), 0);
		queue_put(queue, round, size_of(round), SOON);
		/* Of an empty one, one of them is told, and has it in hand. */
		if (size_of(round) > 0 || queue_is_posix)
			for (int i = 0; i < 2; i++)
				until_readable(waiting[i]);
		queue_take(queue, round, size_of(round), SOON);
		test_check(queue_is_empty(queue));
	}
	for (int i = 0; i < 2; i++)
		nonet_queue_close(waiting[i]);
	queue_unmake(queue, address);
}

/* Whatever the helper has just done: the message is in the queue or in hand, and close puts it back. */
static void closing_a_handle_that_waits_loses_nothing(void **state)
{
	const uint64_t rounds = test_scaled(2000);
	const char *address;
	struct nonet_queue *queue = queue_make(&address);

	(void)state;
	for (uint64_t i = 0; i < rounds; i++) {
		struct nonet_queue *waiting = queue_open_as(address, 0);

		test_check_equal(nonet_queue_arm(waiting), 0);
		queue_put(queue, i, size_of(i), NONET_NOW);
		if (i % 2)
			until_readable(waiting);
		nonet_queue_close(waiting);
		queue_take(queue, i, size_of(i), NONET_NOW);
		test_check(queue_is_empty(queue));
	}
	queue_unmake(queue, address);
}

/* A handle that is armed, used, armed again, by the one who takes all. Before it is readable, what the helper has just
 * taken may be overtaken: it is waited for. */
static void arming_and_receiving_in_turns_keeps_the_order(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct nonet_queue *other = queue_open_as(address, 0);
	bool armed = false;
	uint64_t next = 0;

	(void)state;
	for (uint64_t i = 0; i < test_scaled(5000); i++) {
		armed |= nonet_queue_arm(queue) == 0;
		queue_put(other, i, size_of(i), NONET_NOW);
		if (i % 3 != 2)
			continue;
		if (armed)
			until_readable(queue);
		armed = false;
		for (; next <= i; next++)
			queue_take(queue, next, size_of(next), NONET_NOW);
		test_check(queue_is_empty(queue));
	}
	nonet_queue_close(other);
	nonet_queue_close(queue);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);
}

static int child_waits(struct test_child_side *side, void *argument)
{
	struct nonet_queue *queue = argument;
	struct nonet_wait_set *set;
	const int code = queue_is_posix ? 0 : -ECHILD;

	(void)side;
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check(queue_is_posix ? nonet_queue_fd(queue) >= 0 : nonet_queue_fd(queue) == -ECHILD);
	test_check_equal(nonet_queue_arm(queue), code);
	test_check_equal(nonet_wait_set_add(set, nonet_queue_waitable(queue), NONET_WAIT_RECEIVE, NULL), code);
	queue_take(queue, 1, 10, SOON);
	nonet_wait_set_free(set);
	nonet_queue_close(queue);
	return 0;
}

static void in_a_forked_child_a_helper_is_missed_and_said(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct test_child *child;

	(void)state;
	test_check_equal(nonet_queue_arm(queue), 0);
	child = test_child_start(child_waits, queue);
	test_child_wait_blocked(child);
	queue_put(queue, 1, 10, SOON);
	test_check_equal(test_child_join(child), 0);
	/* The parent's is as it was. */
	test_check(nonet_queue_arm(queue) >= 0);
	queue_put(queue, 2, 20, SOON);
	until_readable(queue);
	queue_take(queue, 2, 20, NONET_NOW);
	queue_unmake(queue, address);
}

static void who_only_sends_waits_for_room_where_there_is_an_event(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct nonet_queue *sender = queue_open_as(address, NONET_QUEUE_SEND);
	struct pollfd item = {.events = POLLOUT};
	struct nonet_wait_set *set;

	(void)state;
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	if (!queue_is_posix) {
		test_check_equal(nonet_queue_fd(sender), -EOPNOTSUPP);
		test_check_equal(nonet_queue_arm(sender), -EOPNOTSUPP);
		test_check_equal(nonet_wait_set_add(set, nonet_queue_waitable(sender), NONET_WAIT_SEND, NULL),
				 -EOPNOTSUPP);
	} else {
		item.fd = nonet_queue_fd(sender);
		test_check_equal(poll(&item, 1, 0), 1);
		queue_fill(sender, 100);
		test_check_equal(poll(&item, 1, 0), 0);
		queue_take(queue, 0, 100, NONET_NOW);
		test_check_equal(poll(&item, 1, 0), 1);
	}
	nonet_wait_set_free(set);
	nonet_queue_close(sender);
	queue_unmake(queue, address);
}

/* Removed under somebody who waits: a System V queue is gone, a POSIX one has only lost its name. */
static int wait_until_removed(struct test_child_side *side, void *argument)
{
	struct nonet_queue *queue = queue_open_as(argument, 0);
	struct nonet_queue_message message = {.size = 4711};
	struct nonet_error error;
	uint8_t byte;

	test_report(side, "ready");
	for (int i = 0; i < 2; i++)
		test_check_equal(nonet_queue_receive(queue, &byte, 1, NULL, i ? SOON : NONET_FOREVER, &message),
				 -EIDRM);
	test_check_equal(nonet_queue_send(queue, "a", 1, NULL, NONET_FOREVER), -EIDRM);
	test_check(is_readable(queue) || nonet_queue_arm(queue) == 1);
	test_check_equal(message.size, 4711);
	nonet_queue_explain(queue, -EIDRM, &error);
	test_check(strstr(error.text, "was removed"));
	nonet_queue_close(queue);
	return 0;
}

static void a_queue_may_be_removed_under_who_waits_for_it(void **state)
{
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct test_child *child;

	(void)state;
	if (queue_is_posix) {
		test_check_equal(nonet_queue_unlink(address, NULL), 0);
		queue_put(queue, 1, 10, NONET_NOW);
		queue_take(queue, 1, 10, NONET_NOW);
		nonet_queue_close(queue);
		return;
	}
	child = test_child_until(wait_until_removed, (void *)address);
	test_child_wait_blocked(child);
	test_check_equal(nonet_queue_arm(queue), 0);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);
	until_readable(queue);
	test_check_equal(test_child_join(child), 0);
	nonet_queue_close(queue);
	test_check_equal(nonet_queue_unlink(address, NULL), -ENOENT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test_case(a_wait_set_reports_until_all_is_taken),
		test_case(a_message_too_large_keeps_a_wait_set_awake),
		test_case(armed_under_epoll_no_message_is_missed),
		test_case(waiting_steals_nothing),
		test_case(closing_a_handle_that_waits_loses_nothing),
		test_case(arming_and_receiving_in_turns_keeps_the_order),
		test_case(in_a_forked_child_a_helper_is_missed_and_said),
		test_case(who_only_sends_waits_for_room_where_there_is_an_event),
		test_case(a_queue_may_be_removed_under_who_waits_for_it),
	};

	return queue_main(argc, argv, tests);
}
