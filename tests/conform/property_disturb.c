/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "conform/property.h"
#include "harness/storm.h"

void a_storm_of_signals_loses_and_tears_nothing(const struct carrier *carrier)
{
	struct transfer transfer = {
		.pair = pair_new(carrier),
		.count = test_scaled(20000),
		.seed = test_seed(),
		.largest = carrier_largest(carrier) / 8,
		.for_ever = true,
	};
	pid_t pids[2] = {getpid()};
	struct nonet_endpoint *receiver;
	struct test_storm *storm;
	struct test_child *child;

	test_watchdog_extend(NONET_S(60) + NONET_MS(5) * (nonet_time)transfer.count);
	/* Before the child: it inherits the handler. */
	test_storm_victim();
	child = talk_start(transfer.pair, transfer_sender, &transfer, PAIR_RECEIVER, &receiver);
	pids[1] = test_child_pid(child);
	storm = test_storm_start(pids, 2, NONET_S(3600));
	transfer_receive(&transfer, receiver);
	test_check(test_storm_stop(storm) > 0);
	test_check(test_storm_received() > 0);
	test_check_equal(test_child_join(child), 0);
	nonet_endpoint_close(receiver);
	pair_free(transfer.pair);
}

/* A child that receives messages 0, 1, 2... of one size, until an empty one comes; it tells how many there were. */
struct counting {
	struct pair *pair;
	size_t size;
};

static int receive_and_count(struct test_child_side *side, void *argument)
{
	const struct counting *counting = argument;
	struct nonet_endpoint *receiver = pair_open(counting->pair, PAIR_RECEIVER);
	uint8_t *bytes = malloc(counting->size);
	uint64_t count = 0;
	size_t size = 0;

	test_check(bytes);
	test_report(side, "ready");
	for (;;) {
		test_check_equal(nonet_endpoint_receive(receiver, bytes, counting->size, test_deadline(), &size), 0);
		if (size == 0)
			break;
		test_check_equal(size, counting->size);
		test_check(message_is(bytes, size, count));
		count++;
	}
	test_report_number(side, (int64_t)count);
	free(bytes);
	nonet_endpoint_close(receiver);
	return 0;
}

/* A number that wasn't sent is used again, so that the receiver has to see them without a gap, and none twice. */
static void stop_and_go(const struct carrier *carrier, size_t wanted)
{
	const size_t size = carrier_size(carrier, wanted);
	struct counting counting = {.pair = pair_new(carrier), .size = size};
	struct nonet_endpoint *sender;
	struct test_child *child = talk_start(counting.pair, receive_and_count, &counting, PAIR_SENDER, &sender);
	uint8_t *bytes = malloc(size);
	uint64_t count = 0;
	struct punctual punctual;
	int code;

	test_check(bytes);
	for (int i = 0; i < 3; i++) {
		test_child_stop(child);
		do {
			message_fill(bytes, size, count);
			punctual = punctual_begin(test_clock() + NONET_MS(20));
			code = nonet_endpoint_send(sender, bytes, size, punctual.deadline);
			count += code == 0;
		} while (code == 0);
		test_check_equal(code, -ETIMEDOUT);
		punctual_end(&punctual);
		code = nonet_endpoint_send(sender, bytes, size, NONET_NOW);
		/* TCP may have found some room by then. */
		test_check(code == -EAGAIN || (code == 0 && carrier->told_late));
		count += code == 0;
		test_child_continue(child);
		for (int j = 0; j < 5; j++)
			message_send(sender, count++, size);
	}
	message_send(sender, 0, 0);
	test_check_equal(test_child_number(child), count);
	test_check_equal(test_child_join(child), 0);
	free(bytes);
	nonet_endpoint_close(sender);
	pair_free(counting.pair);
}

/* In pieces on a pipe and a stream, so that some are cut in the middle when the deadline comes. */
void a_stopped_reader_costs_the_sender_its_deadline_and_no_message(const struct carrier *carrier)
{
	stop_and_go(carrier, 9000);
	/* One chunk of a stream, which is cut too: its rest is filled up, and its verdict says so. */
	stop_and_go(carrier, 60000);
	stop_and_go(carrier, 150000);
}

void a_stopped_reader_keeps_small_messages_whole(const struct carrier *carrier)
{
	stop_and_go(carrier, 1);
	stop_and_go(carrier, 3001);
}

/* Receives one message on the endpoint that its parent opened. */
static int receive_inherited(struct test_child_side *side, void *endpoint)
{
	(void)side;
	message_receive(endpoint, 0, 5000);
	nonet_endpoint_close(endpoint);
	return 0;
}

static int send_two(struct test_child_side *side, void *pair)
{
	struct nonet_endpoint *sender = pair_open(pair, PAIR_SENDER);

	test_report(side, "ready");
	/* One at a time: what a process reads ahead is its own. */
	for (uint64_t i = 0; i < 2; i++) {
		test_await(side, "send");
		message_send(sender, i, 5000);
	}
	nonet_endpoint_close(sender);
	return 0;
}

void a_forked_child_receives_on_what_it_inherited(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *receiver;
	struct test_child *sender = talk_start(pair, send_two, pair, PAIR_RECEIVER, &receiver);
	/* Of a bound datagram socket: as long as it is open. A connection has no name any more. */
	const bool named = pair->directory && access(test_path(pair->directory, "talk"), F_OK) == 0;
	struct test_child *heir = test_child_start(receive_inherited, receiver);

	test_child_tell(sender, "send");
	test_check_equal(test_child_join(heir), 0);
	/* The child has closed its copy: nothing of ours went with it, the name neither. */
	test_check(!named || access(test_path(pair->directory, "talk"), F_OK) == 0);
	test_child_tell(sender, "send");
	message_receive(receiver, 1, 5000);
	test_check_equal(test_child_join(sender), 0);
	nonet_endpoint_close(receiver);
	pair_free(pair);
}

static int receive_three(struct test_child_side *side, void *pair)
{
	struct nonet_endpoint *receiver = pair_open(pair, PAIR_RECEIVER);

	test_report(side, "ready");
	for (uint64_t i = 0; i < 3; i++)
		message_receive(receiver, i, 5000);
	nonet_endpoint_close(receiver);
	return 0;
}

static int send_inherited(struct test_child_side *side, void *endpoint)
{
	(void)side;
	message_send(endpoint, 1, 5000);
	nonet_endpoint_close(endpoint);
	return 0;
}

void a_forked_child_sends_on_what_it_inherited(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *sender;
	struct test_child *receiver = talk_start(pair, receive_three, pair, PAIR_SENDER, &sender);
	struct test_child *heir;

	message_send(sender, 0, 5000);
	heir = test_child_start(send_inherited, sender);
	test_check_equal(test_child_join(heir), 0);
	message_send(sender, 2, 5000);
	test_check_equal(test_child_join(receiver), 0);
	nonet_endpoint_close(sender);
	pair_free(pair);
}
