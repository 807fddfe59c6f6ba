/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "conform/property.h"
#include "harness/storm.h"

#define WAIT NONET_MS(50)

/* What a small message, and one in pieces, say of a deadline. */
static const size_t sizes[] = {100, 20000};

/* For how long this thread was ready to run and another did, since it began: 0 if the kernel doesn't count that. */
static nonet_time kept_from_running(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "re");
	unsigned long long kept = 0;

	if (file && fscanf(file, "%*u %llu", &kept) != 1)
		kept = 0;
	if (file)
		fclose(file);
	return (nonet_time)kept;
}

struct punctual punctual_begin(nonet_time deadline)
{
	return (struct punctual){.kept = kept_from_running(), .begin = test_clock(), .deadline = deadline};
}

void punctual_end_at(const char *file, int line, const struct punctual *punctual)
{
	const nonet_time end = test_clock();
	const nonet_time kept = kept_from_running() - punctual->kept;
	const nonet_time due = punctual->deadline > punctual->begin ? punctual->deadline : punctual->begin;

	if (end < punctual->deadline)
		test_fail_at(file, line, "it gave up %lld ns before its deadline", (long long)(due - end));
	if (end - due > TOLERANCE + kept)
		test_fail_at(file, line, "it gave up %lld ns after its deadline, and was kept from running for %lld",
			     (long long)(end - due), (long long)kept);
}

static void receive_nothing(struct nonet_endpoint *endpoint, nonet_time deadline)
{
	const struct punctual punctual = punctual_begin(deadline);
	uint8_t bytes[16];
	size_t size = 99;

	test_check_equal(nonet_endpoint_receive(endpoint, bytes, sizeof(bytes), deadline, &size),
			 deadline == NONET_NOW ? -EAGAIN : -ETIMEDOUT);
	punctual_end(&punctual);
	test_check_equal(nonet_endpoint_message_size(endpoint, deadline, &size),
			 deadline == NONET_NOW ? -EAGAIN : -ETIMEDOUT);
	test_check_equal(size, 99);
}

static void send_nothing(struct nonet_endpoint *endpoint, size_t size, nonet_time deadline)
{
	const struct punctual punctual = punctual_begin(deadline);
	uint8_t bytes[20000] = {0};

	test_check_equal(nonet_endpoint_send(endpoint, bytes, size, deadline),
			 deadline == NONET_NOW ? -EAGAIN : -ETIMEDOUT);
	punctual_end(&punctual);
}

void now_never_waits_and_a_past_deadline_tries_once(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *endpoint;
	struct test_child *child = talk_start(pair, idle_sender, pair, PAIR_RECEIVER, &endpoint);

	receive_nothing(endpoint, NONET_NOW);
	receive_nothing(endpoint, test_clock() - 1);
	receive_nothing(endpoint, 1);
	talk_end(pair, child, endpoint);

	for (size_t i = 0; i < 2 && !carrier->why_not[ABILITY_ROOM]; i++) {
		pair = pair_new(carrier);
		child = talk_start(pair, idle_receiver, pair, PAIR_SENDER, &endpoint);
		/* One that isn't too late, with a deadline that is: it still tries. */
		test_check_equal(nonet_endpoint_send(endpoint, "a", 1, 1), 0);
		test_check(message_fill_up(endpoint, carrier_size(carrier, sizes[i])) > 0);
		send_nothing(endpoint, carrier_size(carrier, sizes[i]), NONET_NOW);
		send_nothing(endpoint, carrier_size(carrier, sizes[i]), test_clock() - 1);
		send_nothing(endpoint, carrier_size(carrier, sizes[i]), 1);
		talk_end(pair, child, endpoint);
	}
}

void a_receiver_waits_to_its_deadline_and_no_longer(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *endpoint;
	struct test_child *child = talk_start(pair, idle_sender, pair, PAIR_RECEIVER, &endpoint);

	for (int i = 0; i < 4; i++)
		receive_nothing(endpoint, test_clock() + WAIT);
	talk_end(pair, child, endpoint);
}

void a_sender_waits_to_its_deadline_and_no_longer(const struct carrier *carrier)
{
	for (size_t i = 0; i < 2; i++) {
		struct pair *pair = pair_new(carrier);
		struct nonet_endpoint *endpoint;
		struct test_child *child = talk_start(pair, idle_receiver, pair, PAIR_SENDER, &endpoint);

		test_check(message_fill_up(endpoint, carrier_size(carrier, sizes[i])) > 0);
		for (int j = 0; j < 3; j++)
			send_nothing(endpoint, carrier_size(carrier, sizes[i]), test_clock() + WAIT);
		talk_end(pair, child, endpoint);
	}
}

/* A child that receives one message without a deadline, and tells when it came. */
static int receive_and_tell(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *endpoint = pair_open(argument, PAIR_RECEIVER);
	uint8_t bytes[16];
	size_t size = 0;
	int code;

	test_report(side, "ready");
	for (int i = 0; i < 2; i++) {
		code = nonet_endpoint_receive(endpoint, bytes, sizeof(bytes), i ? test_deadline() : NONET_FOREVER,
					      &size);
		test_report_number(side, test_clock());
		test_check_equal(code, 0);
		test_check_equal(size, 10);
	}
	nonet_endpoint_close(endpoint);
	return 0;
}

void a_message_ends_a_wait_at_once(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *sender;
	struct test_child *child = talk_start(pair, receive_and_tell, pair, PAIR_SENDER, &sender);

	for (uint64_t i = 0; i < 2; i++) {
		nonet_time begin;

		test_child_wait_blocked(child);
		begin = test_clock();
		message_send(sender, i, 10);
		test_check(test_child_number(child) - begin < TOLERANCE);
	}
	test_check_equal(test_child_join(child), 0);
	nonet_endpoint_close(sender);
	pair_free(pair);
}

/* A child that fills its carrier up, and sends one more message without a deadline. */
static int fill_and_send(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *endpoint = pair_open(argument, PAIR_SENDER);
	uint64_t count;

	test_report(side, "ready");
	for (int i = 0; i < 2; i++) {
		uint8_t bytes[1000];

		/* Not while the other side still takes what was there. */
		test_await(side, "fill");
		count = message_fill_up(endpoint, 1000);
		test_report_number(side, (int64_t)count);
		message_fill(bytes, sizeof(bytes), count);
		test_check_equal(nonet_endpoint_send(endpoint, bytes, 1000, i ? test_deadline() : NONET_FOREVER), 0);
		test_report(side, "sent");
	}
	nonet_endpoint_close(endpoint);
	return 0;
}

void room_ends_a_wait_at_once(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *receiver;
	struct test_child *child = talk_start(pair, fill_and_send, pair, PAIR_RECEIVER, &receiver);

	for (int i = 0; i < 2; i++) {
		uint64_t count;

		test_child_tell(child, "fill");
		count = (uint64_t)test_child_number(child);
		test_child_wait_blocked(child);
		for (uint64_t j = 0; j <= count; j++)
			message_receive(receiver, j, 1000);
		test_child_wait_state(child, "sent");
	}
	test_check_equal(test_child_join(child), 0);
	nonet_endpoint_close(receiver);
	pair_free(pair);
}

void a_storm_of_signals_shortens_no_deadline(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *endpoint;
	struct test_child *child = talk_start(pair, idle_sender, pair, PAIR_RECEIVER, &endpoint);
	const pid_t us = getpid();
	struct test_storm *storm;

	test_storm_victim();
	storm = test_storm_start(&us, 1, NONET_S(60));
	for (int i = 0; i < 4; i++)
		receive_nothing(endpoint, test_clock() + WAIT);
	receive_nothing(endpoint, NONET_NOW);
	test_check(test_storm_stop(storm) > 0);
	test_check(test_storm_received() > 50);
	talk_end(pair, child, endpoint);
	if (carrier->why_not[ABILITY_ROOM])
		return;

	pair = pair_new(carrier);
	child = talk_start(pair, idle_receiver, pair, PAIR_SENDER, &endpoint);
	test_storm_victim();
	storm = test_storm_start(&us, 1, NONET_S(60));
	test_check(message_fill_up(endpoint, carrier_size(carrier, sizes[1])) > 0);
	for (int i = 0; i < 4; i++)
		send_nothing(endpoint, carrier_size(carrier, sizes[1]), test_clock() + WAIT);
	send_nothing(endpoint, carrier_size(carrier, sizes[1]), NONET_NOW);
	test_check(test_storm_stop(storm) > 0);
	test_check(test_storm_received() > 50);
	talk_end(pair, child, endpoint);
}
