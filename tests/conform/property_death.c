/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "conform/property.h"

/* Of a side that survives the other: what it was told, and when. */
struct news {
	int64_t code;
	nonet_time time;
};

struct survivor {
	struct pair *pair;
	bool for_ever;
};

static int wait_for_message(struct test_child_side *side, void *argument)
{
	const struct survivor *survivor = argument;
	struct nonet_endpoint *receiver = pair_open(survivor->pair, PAIR_RECEIVER);
	struct news news;
	uint8_t bytes[16];
	size_t size;

	test_report(side, "ready");
	news.code = nonet_endpoint_receive(receiver, bytes, sizeof(bytes),
					   survivor->for_ever ? NONET_FOREVER : test_deadline(), &size);
	news.time = test_clock();
	test_report_bytes(side, &news, sizeof(news));
	/* The end stays the end. */
	test_check_equal(nonet_endpoint_receive(receiver, bytes, sizeof(bytes), NONET_NOW, &size), news.code);
	test_check_equal(nonet_endpoint_message_size(receiver, NONET_FOREVER, &size), news.code);
	nonet_endpoint_close(receiver);
	return 0;
}

static int wait_for_room(struct test_child_side *side, void *argument)
{
	const struct survivor *survivor = argument;
	struct nonet_endpoint *sender = pair_open(survivor->pair, PAIR_SENDER);
	uint8_t bytes[20000] = {0};
	struct news news;
	int again;

	test_report(side, "ready");
	message_fill_up(sender, sizeof(bytes));
	test_report(side, "full");
	news.code =
		nonet_endpoint_send(sender, bytes, sizeof(bytes), survivor->for_ever ? NONET_FOREVER : test_deadline());
	news.time = test_clock();
	test_report_bytes(side, &news, sizeof(news));
	again = nonet_endpoint_send(sender, bytes, 100, test_deadline());
	test_check(again == news.code || again == -EPIPE);
	nonet_endpoint_close(sender);
	return 0;
}

/* Kill @victim while @child sleeps. Return: what @child was told. */
static int kill_under(struct test_child *child, struct test_child *victim, bool full)
{
	struct news news;
	nonet_time begin;

	test_child_wait_state(child, "ready");
	test_child_wait_state(victim, "ready");
	if (full)
		test_child_wait_state(child, "full");
	test_child_wait_blocked(child);
	begin = test_clock();
	test_kill(victim);
	test_child_receive(child, &news, sizeof(news));
	test_check(news.time - begin < TOLERANCE);
	test_check_equal(test_child_join(child), 0);
	return (int)news.code;
}

void a_receiver_is_told_at_once_that_the_sender_was_killed(const struct carrier *carrier)
{
	for (int i = 0; i < 2; i++) {
		struct survivor survivor = {.pair = pair_new(carrier), .for_ever = i > 0};
		struct test_child *receiver = test_child_start(wait_for_message, &survivor);
		struct test_child *sender = test_child_start(idle_sender, survivor.pair);

		pair_leave(survivor.pair);
		test_check_equal(kill_under(receiver, sender, false), -EPIPE);
		pair_free(survivor.pair);
	}
}

static void check_dead_receiver(const struct carrier *carrier, int code)
{
	const int *allowed = carrier->dead_receiver;

	/* Nobody has gone, as far as a queue knows: the message waits for whoever comes. */
	if (code == 0 && carrier->kind == CARRIER_QUEUE)
		return;
	while (*allowed && *allowed != code)
		allowed++;
	if (*allowed == 0)
		test_fail("a sender was told %s of a dead receiver", nonet_error_name(code));
}

void a_sender_is_told_at_once_that_the_receiver_was_killed(const struct carrier *carrier)
{
	for (int i = 0; i < 2; i++) {
		struct survivor survivor = {.pair = pair_new(carrier), .for_ever = i > 0};
		struct test_child *receiver = test_child_start(idle_receiver, survivor.pair);
		struct test_child *sender = test_child_start(wait_for_room, &survivor);

		pair_leave(survivor.pair);
		check_dead_receiver(carrier, kill_under(sender, receiver, true));
		/* Nobody is left to remove a killed process's name; the FIFO is removed by pair_free(). */
		if (carrier->kind == CARRIER_PATH && !carrier->framed && carrier->why_not[ABILITY_END])
			test_must(remove(test_path(survivor.pair->directory, "talk")));
		pair_free(survivor.pair);
	}
}

static int send_and_wait(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *sender = pair_open(argument, PAIR_SENDER);

	message_send(sender, 0, carrier_size(((struct pair *)argument)->carrier, 30000));
	message_send(sender, 1, 10);
	message_send(sender, 2, 0);
	test_report(side, "ready");
	test_await(side, "end");
	nonet_endpoint_close(sender);
	return 0;
}

void what_a_killed_sender_had_sent_is_received(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *receiver;
	struct test_child *sender = talk_start(pair, send_and_wait, pair, PAIR_RECEIVER, &receiver);
	uint8_t byte;
	size_t size;

	test_kill(sender);
	message_receive(receiver, 0, carrier_size(carrier, 30000));
	message_receive(receiver, 1, 10);
	message_receive(receiver, 2, 0);
	test_check_equal(nonet_endpoint_receive(receiver, &byte, 1, NONET_NOW, &size),
			 carrier->why_not[ABILITY_END] ? -EAGAIN : -EPIPE);
	nonet_endpoint_close(receiver);
	pair_free(pair);
}

/* With SIGPIPE as it is by default, which ends the process. */
static int send_to_the_dead(struct test_child_side *side, void *argument)
{
	struct pair *pair = argument;
	struct nonet_endpoint *sender;
	const size_t sizes[] = {0, 1, 4079, carrier_size(pair->carrier, 20000)};
	uint8_t bytes[20001] = {0};
	sigset_t waiting;

	signal(SIGPIPE, SIG_DFL);
	sender = pair_open(pair, PAIR_SENDER);
	test_report(side, "ready");
	test_await(side, "send");
	for (size_t i = 0; i < 4; i++) {
		const int code = nonet_endpoint_send(sender, bytes, sizes[i], test_deadline());
		const int next = nonet_endpoint_write(sender, bytes, sizes[i] + 1, NONET_NOW, NULL);

		/* What is told late is told to the next call. */
		test_report_number(side, code == 0 && pair->carrier->told_late ? next : code);
	}
	test_must(sigpending(&waiting));
	test_check(!sigismember(&waiting, SIGPIPE));
	nonet_endpoint_close(sender);
	return 0;
}

void sending_to_the_dead_raises_no_signal(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *receiver;
	struct test_child *sender = talk_start(pair, send_to_the_dead, pair, PAIR_RECEIVER, &receiver);

	nonet_endpoint_close(receiver);
	test_child_tell(sender, "send");
	for (int i = 0; i < 4; i++)
		check_dead_receiver(carrier, (int)test_child_number(sender));
	test_check_equal(test_child_join(sender), 0);
	pair_free(pair);
}

static int send_some_and_close(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *sender = pair_open(argument, PAIR_SENDER);

	test_report(side, "ready");
	for (uint64_t i = 0; i < 100; i++)
		message_send(sender, i, (size_t)(i * i));
	/* Of packets an empty one must not be taken for the end. */
	message_send(sender, 100, 0);
	message_send(sender, 101, 0);
	nonet_endpoint_close(sender);
	return 0;
}

void the_end_comes_after_every_message(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *receiver;
	struct test_child *sender = talk_start(pair, send_some_and_close, pair, PAIR_RECEIVER, &receiver);
	uint8_t byte;
	size_t size = 5;

	for (uint64_t i = 0; i < 100; i++)
		message_receive(receiver, i, (size_t)(i * i));
	message_receive(receiver, 100, 0);
	message_receive(receiver, 101, 0);
	for (int i = 0; i < 3; i++)
		test_check_equal(nonet_endpoint_receive(receiver, &byte, 1, i ? test_deadline() : NONET_FOREVER, &size),
				 -EPIPE);
	test_check_equal(nonet_endpoint_read(receiver, &byte, 1, test_deadline(), &size), -EPIPE);
	test_check_equal(size, 5);
	test_check_equal(test_child_join(sender), 0);
	nonet_endpoint_close(receiver);
	pair_free(pair);
}

static int answer_after_the_end(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *endpoint = pair_open(argument, PAIR_SENDER);
	uint8_t byte;
	size_t size;

	test_report(side, "ready");
	message_receive(endpoint, 0, 70000);
	test_check_equal(nonet_endpoint_receive(endpoint, &byte, 1, test_deadline(), &size), -EPIPE);
	for (uint64_t i = 0; i < 20; i++)
		message_send(endpoint, i, 50000);
	test_check_equal(nonet_endpoint_finish(endpoint), 0);
	test_check_equal(nonet_endpoint_send(endpoint, "a", 1, test_deadline()), -EPIPE);
	nonet_endpoint_close(endpoint);
	return 0;
}

void who_has_finished_still_receives(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *endpoint;
	struct test_child *child = talk_start(pair, answer_after_the_end, pair, PAIR_RECEIVER, &endpoint);
	uint8_t byte;
	size_t size;

	message_send(endpoint, 0, 70000);
	test_check_equal(nonet_endpoint_finish(endpoint), 0);
	test_check_equal(nonet_endpoint_send(endpoint, "a", 1, test_deadline()), -EPIPE);
	for (uint64_t i = 0; i < 20; i++)
		message_receive(endpoint, i, 50000);
	test_check_equal(nonet_endpoint_receive(endpoint, &byte, 1, test_deadline(), &size), -EPIPE);
	test_check_equal(test_child_join(child), 0);
	nonet_endpoint_close(endpoint);
	pair_free(pair);
}

void finish_refuses_where_the_carrier_cannot(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *sender;
	struct test_child *child = talk_start(pair, idle_receiver, pair, PAIR_SENDER, &sender);
	const bool can = !carrier->why_not[ABILITY_FINISH];

	test_check_equal(nonet_endpoint_finish(sender), can ? 0 : -EOPNOTSUPP);
	if (!can)
		message_send(sender, 0, 10);
	talk_end(pair, child, sender);

	pair = pair_new(carrier);
	child = talk_start(pair, idle_sender, pair, PAIR_RECEIVER, &sender);
	test_check_equal(nonet_endpoint_finish(sender), carrier->why_not[ABILITY_DUPLEX] ? -EBADF : 0);
	talk_end(pair, child, sender);
}
