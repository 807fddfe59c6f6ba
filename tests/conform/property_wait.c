/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/epoll.h>
#include <unistd.h>

#include <nonet/wait.h>

#include "conform/property.h"

static struct nonet_wait_set *set_of(struct nonet_endpoint *endpoint, uint32_t events)
{
	struct nonet_wait_set *set = NULL;

	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_endpoint_waitable(endpoint), events, endpoint), 0);
	return set;
}

static int wait_for_one(struct nonet_wait_set *set, void *endpoint, uint32_t events, nonet_time deadline)
{
	struct nonet_wait_event event = {0};
	size_t count = 0;
	int code = nonet_wait(set, &event, 1, deadline, &count);

	if (code < 0)
		return code;
	test_check_equal(count, 1);
	test_check(event.data == endpoint);
	test_check(event.events & events && !(event.events & ~events));
	return 0;
}

/* Sends as many messages as it is told, all before it says so. */
static int send_in_one_go(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *sender = pair_open(argument, PAIR_SENDER);
	uint64_t number = 0;

	test_report(side, "ready");
	for (int round = 0; round < 3; round++) {
		test_await(side, "send");
		message_send(sender, number, 10);
		message_send(sender, number + 1, 10);
		message_send(sender, number + 2, 5000);
		number += 3;
		test_report(side, "sent");
	}
	test_await(side, "end");
	nonet_endpoint_close(sender);
	return 0;
}

void a_wait_set_reports_until_all_is_taken(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *receiver;
	struct test_child *child = talk_start(pair, send_in_one_go, pair, PAIR_RECEIVER, &receiver);
	struct nonet_wait_set *set = set_of(receiver, NONET_WAIT_RECEIVE);
	uint8_t byte;
	size_t size;

	for (uint64_t round = 0; round < 3; round++) {
		test_check_equal(wait_for_one(set, receiver, NONET_WAIT_RECEIVE, NONET_NOW), -EAGAIN);
		test_check_equal(wait_for_one(set, receiver, NONET_WAIT_RECEIVE, test_clock() + NONET_MS(5)),
				 -ETIMEDOUT);
		test_child_tell(child, "send");
		test_child_wait_state(child, "sent");
		/* One per wait: the others, read ahead or not, have to be reported again. */
		for (uint64_t i = 0; i < 3; i++) {
			for (int again = 0; again < 2; again++)
				test_check_equal(wait_for_one(set, receiver, NONET_WAIT_RECEIVE, test_deadline()), 0);
			if (i == 1)
				test_check_equal(nonet_endpoint_receive(receiver, &byte, 1, NONET_NOW, &size),
						 -EMSGSIZE);
			if (i == 1)
				test_check_equal(wait_for_one(set, receiver, NONET_WAIT_RECEIVE, NONET_NOW), 0);
			message_receive(receiver, 3 * round + i, i < 2 ? 10 : 5000);
		}
		test_check_equal(nonet_endpoint_receive(receiver, &byte, 1, NONET_NOW, &size), -EAGAIN);
	}
	nonet_wait_set_free(set);
	talk_end(pair, child, receiver);
}

static int receive_when_told(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *receiver = pair_open(argument, PAIR_RECEIVER);
	uint64_t count;

	test_report(side, "ready");
	test_await(side, "receive");
	for (count = 0;; count++) {
		size_t size = 0;
		uint8_t bytes[1000];
		int code = nonet_endpoint_receive(receiver, bytes, sizeof(bytes), NONET_NOW, &size);

		if (code == -EAGAIN)
			break;
		test_check_equal(code, 0);
		test_check(message_is(bytes, size, count));
	}
	test_report_number(side, (int64_t)count);
	test_await(side, "end");
	nonet_endpoint_close(receiver);
	return 0;
}

void a_wait_set_reports_room(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *sender;
	struct test_child *child = talk_start(pair, receive_when_told, pair, PAIR_SENDER, &sender);
	struct nonet_wait_set *set = set_of(sender, NONET_WAIT_SEND);
	uint64_t count;

	test_check_equal(wait_for_one(set, sender, NONET_WAIT_SEND, NONET_NOW), 0);
	count = message_fill_up(sender, 1000);
	test_check_equal(wait_for_one(set, sender, NONET_WAIT_SEND, NONET_NOW), -EAGAIN);
	test_check_equal(wait_for_one(set, sender, NONET_WAIT_SEND, test_clock() + NONET_MS(5)), -ETIMEDOUT);
	test_child_tell(child, "receive");
	test_check_equal(wait_for_one(set, sender, NONET_WAIT_SEND, test_deadline()), 0);
	test_check_equal(test_child_number(child), count);
	test_check_equal(nonet_endpoint_send(sender, "a", 1, NONET_NOW), 0);
	nonet_wait_set_free(set);
	talk_end(pair, child, sender);
}

void a_wait_set_reports_the_end(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *receiver;
	struct test_child *child = talk_start(pair, idle_sender, pair, PAIR_RECEIVER, &receiver);
	struct nonet_wait_set *set = set_of(receiver, NONET_WAIT_RECEIVE);
	uint8_t byte;
	size_t size;

	test_check_equal(wait_for_one(set, receiver, NONET_WAIT_RECEIVE, NONET_NOW), -EAGAIN);
	test_kill(child);
	test_check_equal(wait_for_one(set, receiver, NONET_WAIT_RECEIVE, test_deadline()), 0);
	test_check_equal(nonet_endpoint_receive(receiver, &byte, 1, NONET_NOW, &size), -EPIPE);
	nonet_wait_set_free(set);
	talk_end(pair, NULL, receiver);
}

/* Another program's loop: arm, epoll, take until there is nothing; sometimes only a little is taken before arming. */
void armed_under_epoll_no_message_is_missed(const struct carrier *carrier)
{
	struct transfer transfer = {
		.pair = pair_new(carrier),
		.count = test_scaled(20000),
		.seed = test_seed(),
		.largest = 6000,
	};
	struct test_random random = test_random_init(test_seed(), 1);
	struct epoll_event event = {.events = EPOLLIN};
	struct nonet_endpoint *receiver;
	struct test_child *child = talk_start(transfer.pair, transfer_sender, &transfer, PAIR_RECEIVER, &receiver);
	const int epoll = (int)test_must(epoll_create1(EPOLL_CLOEXEC));
	uint8_t bytes[6000];
	uint64_t count = 0;
	uint64_t batch;
	size_t size = 0;
	int code;

	test_watchdog_extend(NONET_S(60) + NONET_MS(1) * (nonet_time)transfer.count);
	test_must(epoll_ctl(epoll, EPOLL_CTL_ADD, nonet_endpoint_fd(receiver), &event));
	while (count < transfer.count) {
		if (nonet_endpoint_arm(receiver) == 0 && test_must(epoll_wait(epoll, &event, 1, 10000)) != 1)
			test_fail("asleep with %llu of %llu messages taken", (unsigned long long)count,
				  (unsigned long long)transfer.count);
		batch = test_random_between(&random, 1, 20);
		for (; batch > 0 && count < transfer.count; batch--) {
			code = nonet_endpoint_receive(receiver, bytes, sizeof(bytes), NONET_NOW, &size);
			if (code == -EAGAIN)
				break;
			test_check_equal(code, 0);
			test_check_equal(size, transfer_size(&transfer, count));
			test_check(message_is(bytes, size, count));
			count++;
			pair_taken(transfer.pair);
		}
	}
	test_check_equal(test_child_join(child), 0);
	close(epoll);
	nonet_endpoint_close(receiver);
	pair_free(transfer.pair);
}
