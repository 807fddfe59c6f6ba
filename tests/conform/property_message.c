/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "conform/property.h"

struct test_child *talk_start_at(const char *file, int line, const char *name, struct pair *pair,
				 test_child_function *other, void *argument, enum pair_side ours,
				 struct nonet_endpoint **ret_endpoint)
{
	struct test_child *child = test_child_start_at(file, line, name, other, argument);

	*ret_endpoint = pair_open(pair, ours);
	test_child_wait_state_at(file, line, child, "ready");
	return child;
}

void talk_end(struct pair *pair, struct test_child *idle, struct nonet_endpoint *endpoint)
{
	if (idle) {
		test_child_tell(idle, "end");
		test_check_equal(test_child_join(idle), 0);
	}
	nonet_endpoint_close(endpoint);
	pair_free(pair);
}

void a_hundred_thousand_messages_arrive_in_order(const struct carrier *carrier)
{
	struct transfer transfer = {
		.pair = pair_new(carrier),
		.count = test_scaled(100000),
		.seed = test_seed(),
		.largest = 200,
	};
	struct nonet_endpoint *receiver;
	struct test_child *child;

	test_watchdog_extend(NONET_S(60) + NONET_MS(1) * (nonet_time)transfer.count);
	child = talk_start(transfer.pair, transfer_sender, &transfer, PAIR_RECEIVER, &receiver);
	transfer_receive(&transfer, receiver);
	test_check_equal(test_child_join(child), 0);
	nonet_endpoint_close(receiver);
	pair_free(transfer.pair);
}

/* The sizes at and around @carrier's boundaries; NULL only counts. */
static size_t sizes_of(const struct carrier *carrier, size_t *ret_sizes)
{
	const size_t largest = carrier_largest(carrier);
	const size_t ends[] = {0, 1, 2, 12, 13, largest - 1, largest};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++, count++)
		if (ret_sizes)
			ret_sizes[count] = ends[i];
	for (const size_t *boundary = carrier->boundaries; *boundary; boundary++) {
		for (int around = -1; around <= 1; around++) {
			if (*boundary + (size_t)around > largest)
				continue;
			if (ret_sizes)
				ret_sizes[count] = *boundary + (size_t)around;
			count++;
		}
	}
	return count;
}

static int send_sizes(struct test_child_side *side, void *argument)
{
	struct pair *pair = argument;
	struct nonet_endpoint *sender = pair_open(pair, PAIR_SENDER);
	const size_t count = sizes_of(pair->carrier, NULL);
	size_t *sizes = calloc(count, sizeof(*sizes));

	test_check(sizes);
	sizes_of(pair->carrier, sizes);
	test_report(side, "ready");
	for (size_t i = 0; i < count; i++) {
		pair_room(pair);
		message_send(sender, i, sizes[i]);
	}
	free(sizes);
	nonet_endpoint_close(sender);
	return 0;
}

void every_size_up_to_the_largest_arrives_whole(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	const size_t count = sizes_of(carrier, NULL);
	size_t *sizes = calloc(count, sizeof(*sizes));
	struct nonet_endpoint *receiver;
	struct test_child *child;

	test_check(sizes);
	sizes_of(carrier, sizes);
	child = talk_start(pair, send_sizes, pair, PAIR_RECEIVER, &receiver);
	for (size_t i = 0; i < count; i++) {
		message_receive(receiver, i, sizes[i]);
		pair_taken(pair);
	}
	test_check_equal(test_child_join(child), 0);
	free(sizes);
	nonet_endpoint_close(receiver);
	pair_free(pair);
}

static int receive_largest(struct test_child_side *side, void *argument)
{
	struct pair *pair = argument;
	struct nonet_endpoint *receiver = pair_open(pair, PAIR_RECEIVER);

	test_report(side, "ready");
	message_receive(receiver, 1, 10);
	message_receive(receiver, 2, carrier_largest(pair->carrier));
	message_receive(receiver, 3, 10);
	nonet_endpoint_close(receiver);
	return 0;
}

void a_message_over_the_limit_is_refused_and_the_next_one_goes(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	const size_t largest = carrier_largest(carrier);
	struct nonet_endpoint *sender;
	struct test_child *child;
	uint8_t *bytes = calloc(2, largest);

	test_check(bytes);
	if (carrier->framed)
		pair->message_size = largest;
	child = talk_start(pair, receive_largest, pair, PAIR_SENDER, &sender);
	/* Of packets the first is over what the kernel takes, the other over our own limit. */
	test_check_equal(nonet_endpoint_send(sender, bytes, largest + 1, test_deadline()), -EMSGSIZE);
	test_check_equal(nonet_endpoint_send(sender, bytes, 2 * largest, NONET_NOW), -EMSGSIZE);
	message_send(sender, 1, 10);
	test_check_equal(nonet_endpoint_send(sender, bytes, largest + 1, NONET_FOREVER), -EMSGSIZE);
	message_send(sender, 2, largest);
	message_send(sender, 3, 10);
	test_check_equal(test_child_join(child), 0);
	free(bytes);
	nonet_endpoint_close(sender);
	pair_free(pair);
}

/* Larger than a chunk, where there are any. */
static size_t large_of(const struct carrier *carrier)
{
	const size_t largest = carrier_largest(carrier);

	return largest < 100000 ? largest : 100000;
}

static int send_large_and_small(struct test_child_side *side, void *argument)
{
	struct pair *pair = argument;
	struct nonet_endpoint *sender = pair_open(pair, PAIR_SENDER);

	test_report(side, "ready");
	message_send(sender, 0, large_of(pair->carrier));
	message_send(sender, 1, 300);
	message_send(sender, 2, 0);
	message_send(sender, 3, 20);
	nonet_endpoint_close(sender);
	return 0;
}

void a_message_larger_than_the_buffer_stays_until_it_fits(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *receiver;
	struct test_child *child = talk_start(pair, send_large_and_small, pair, PAIR_RECEIVER, &receiver);
	uint8_t small[299];
	size_t size = 12345;

	for (int i = 0; i < 2; i++)
		test_check_equal(nonet_endpoint_receive(receiver, small, sizeof(small), test_deadline(), &size),
				 -EMSGSIZE);
	test_check_equal(size, 12345);
	test_check_equal(nonet_endpoint_message_size(receiver, test_deadline(), &size), 0);
	test_check_equal(size, large_of(carrier));
	test_check_equal(nonet_endpoint_receive(receiver, NULL, 0, NONET_NOW, &size), -EMSGSIZE);
	message_receive(receiver, 0, large_of(carrier));

	/* One byte is missing. The size is asked for twice, and before anything else is. */
	for (int i = 0; i < 2; i++)
		test_check_equal(nonet_endpoint_message_size(receiver, test_deadline(), &size), 0);
	test_check_equal(size, 300);
	test_check_equal(nonet_endpoint_receive(receiver, small, sizeof(small), test_deadline(), &size), -EMSGSIZE);
	message_receive(receiver, 1, 300);
	test_check_equal(nonet_endpoint_message_size(receiver, test_deadline(), &size), 0);
	test_check_equal(size, 0);
	message_receive(receiver, 2, 0);
	message_receive(receiver, 3, 20);
	test_check_equal(test_child_join(child), 0);
	nonet_endpoint_close(receiver);
	pair_free(pair);
}

void nobody_sends_who_only_receives_nor_the_other_way(const struct carrier *carrier)
{
	struct pair *pair = pair_new(carrier);
	struct nonet_endpoint *endpoint;
	struct test_child *child = talk_start(pair, idle_sender, pair, PAIR_RECEIVER, &endpoint);
	const bool duplex = !carrier->why_not[ABILITY_DUPLEX];
	size_t size = 7;

	test_check_equal(nonet_endpoint_send(endpoint, "a", 1, NONET_NOW), duplex ? 0 : -EBADF);
	test_check_equal(nonet_endpoint_write(endpoint, "a", 1, NONET_NOW, NULL), duplex ? 0 : -EBADF);
	test_check_equal(nonet_endpoint_receive(endpoint, &size, 1, NONET_NOW, &size), -EAGAIN);
	talk_end(pair, child, endpoint);

	pair = pair_new(carrier);
	child = talk_start(pair, idle_receiver, pair, PAIR_SENDER, &endpoint);
	test_check_equal(nonet_endpoint_receive(endpoint, &size, 1, NONET_NOW, &size), duplex ? -EAGAIN : -EBADF);
	test_check_equal(nonet_endpoint_message_size(endpoint, NONET_NOW, &size), duplex ? -EAGAIN : -EBADF);
	test_check_equal(nonet_endpoint_read(endpoint, &size, 1, NONET_NOW, &size), duplex ? -EAGAIN : -EBADF);
	test_check_equal(size, 7);
	test_check_equal(nonet_endpoint_send(endpoint, NULL, 0, NONET_NOW), 0);
	talk_end(pair, child, endpoint);
}

static int answer(struct test_child_side *side, void *argument)
{
	const struct transfer *transfer = argument;
	struct nonet_endpoint *endpoint = pair_open(transfer->pair, PAIR_SENDER);

	test_report(side, "ready");
	for (uint64_t i = 0; i < transfer->count; i++) {
		message_receive(endpoint, i, transfer_size(transfer, i));
		message_send(endpoint, i + 1, transfer_size(transfer, i + 1));
	}
	nonet_endpoint_close(endpoint);
	return 0;
}

void both_sides_talk_at_once(const struct carrier *carrier)
{
	struct transfer transfer = {
		.pair = pair_new(carrier),
		.count = test_scaled(5000),
		.seed = test_seed(),
		.largest = 50000,
	};
	struct nonet_endpoint *endpoint;
	struct test_child *child = talk_start(transfer.pair, answer, &transfer, PAIR_RECEIVER, &endpoint);

	/* One question is always under way while an answer is. */
	message_send(endpoint, 0, transfer_size(&transfer, 0));
	for (uint64_t i = 1; i <= transfer.count; i++) {
		if (i < transfer.count)
			message_send(endpoint, i, transfer_size(&transfer, i));
		message_receive(endpoint, i, transfer_size(&transfer, i));
	}
	test_check_equal(test_child_join(child), 0);
	nonet_endpoint_close(endpoint);
	pair_free(transfer.pair);
}
