/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes at a queue are killed at random moments. What a dead sender's send returned for is received, in order; a
 * dead receiver has at most the one message with it that it had just taken, however it waited; and who comes after them
 * finds the queue as it was.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <nonet/wait.h>

#include "conform/queue_kind.h"
#include "harness/kill.h"

#define KILLS     200
#define KILLS_MIN 20

#define SIZE_MIN sizeof(uint32_t)

/* Shared by both sides. */
struct traffic {
	const char *address;
	int way; /* how the receiver waits */
	_Atomic uint32_t sent;
	_Atomic uint32_t received;
};

static struct traffic *traffic_new(const char *address)
{
	struct traffic *traffic =
		mmap(NULL, sizeof(*traffic), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	test_check(traffic != MAP_FAILED);
	traffic->address = address;
	return traffic;
}

static uint64_t kills(void)
{
	const uint64_t scaled = test_scaled(KILLS);

	return scaled > KILLS_MIN ? scaled : KILLS_MIN;
}

static uint32_t count_of(_Atomic uint32_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static int send_number(struct nonet_queue *queue, uint32_t number, nonet_time deadline)
{
	uint8_t bytes[2000];
	const size_t size = SIZE_MIN + number * 7919 % 1900;

	memset(bytes, (int)(number & 0xff), sizeof(bytes));
	memcpy(bytes, &number, sizeof(number));
	return nonet_queue_send(queue, bytes, size, NULL, deadline);
}

/* Return: 0 with the number of a message that is whole, or as nonet_queue_receive(). */
static int receive_number(struct nonet_queue *queue, nonet_time deadline, uint32_t *ret_number)
{
	struct nonet_queue_message message;
	uint8_t bytes[8192];
	int code = nonet_queue_receive(queue, bytes, sizeof(bytes), NULL, deadline, &message);

	if (code < 0)
		return code;
	memcpy(ret_number, bytes, sizeof(*ret_number));
	test_check_equal(message.size, SIZE_MIN + *ret_number * 7919 % 1900);
	for (size_t i = SIZE_MIN; i < message.size; i++)
		test_check_equal(bytes[i], *ret_number & 0xff);
	return 0;
}

static int send_until_killed(struct test_child_side *side, void *argument)
{
	struct traffic *traffic = argument;
	struct nonet_queue *queue = queue_open_as(traffic->address, NONET_QUEUE_SEND);

	test_report(side, "ready");
	for (uint32_t i = 0;; i++) {
		/* For room it waits in a helper or in the kernel. */
		test_check_equal(send_number(queue, i, i % 2 ? test_deadline() : NONET_FOREVER), 0);
		atomic_store_explicit(&traffic->sent, i + 1, memory_order_relaxed);
	}
	return 1;
}

static void all_that_a_killed_sender_sent_is_received(void **state)
{
	struct test_random random = test_random_init(test_seed(), 1);
	const uint64_t count = kills();
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct traffic *traffic = traffic_new(address);
	uint64_t total = 0;

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		struct test_child *sender = test_child_until(send_until_killed, traffic);
		const nonet_time moment =
			test_clock() + (nonet_time)test_random_between(&random, 0, (uint64_t)NONET_MS(3));
		/* In every second round nobody takes anything, so that it is killed while it waits for room. */
		const bool idle = i % 2;
		uint32_t received = 0;
		uint32_t number;
		uint32_t sent;

		test_watchdog_extend(NONET_S(30));
		if (idle)
			test_child_wait_blocked(sender);
		while (!idle && test_clock() < moment)
			if (receive_number(queue, moment, &number) == 0)
				test_check_equal(number, received++);
		test_kill(sender);
		while (receive_number(queue, NONET_NOW, &number) == 0)
			test_check_equal(number, received++);
		sent = count_of(&traffic->sent);
		/* It may have died between the send and the count. */
		test_check(received == sent || received == sent + 1);
		total += received;
		atomic_store_explicit(&traffic->sent, 0, memory_order_relaxed);
	}
	test_note("sender killed %llu times after %llu messages", (unsigned long long)count, (unsigned long long)total);
	munmap(traffic, sizeof(*traffic));
	queue_unmake(queue, address);
}

static int receive_until_killed(struct test_child_side *side, void *argument)
{
	struct traffic *traffic = argument;
	struct nonet_queue *queue = queue_open_as(traffic->address, NONET_QUEUE_RECEIVE);
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	uint32_t number;
	size_t count;
	int code;

	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_queue_waitable(queue), NONET_WAIT_RECEIVE, NULL), 0);
	test_report(side, "ready");
	for (;;) {
		if (traffic->way == 2)
			test_check_equal(nonet_wait(set, &event, 1, NONET_FOREVER, &count), 0);
		code = receive_number(queue,
				      traffic->way == 0   ? NONET_FOREVER
				      : traffic->way == 1 ? test_deadline()
							  : NONET_NOW,
				      &number);
		test_check(code == 0 || (code == -EAGAIN && traffic->way == 2));
		if (code == 0)
			atomic_fetch_add_explicit(&traffic->received, 1, memory_order_relaxed);
	}
	return 1;
}

static void a_killed_receiver_has_one_message_at_most(void **state)
{
	struct test_random random = test_random_init(test_seed(), 2);
	const uint64_t count = kills();
	const char *address;
	struct nonet_queue *queue = queue_make(&address);
	struct traffic *traffic = traffic_new(address);
	uint64_t total = 0;
	uint64_t lost = 0;

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		struct test_child *receiver;
		nonet_time moment;
		uint32_t received;
		uint32_t number = 0;
		uint32_t sent = 0;

		traffic->way = (int)(i % 3);
		receiver = test_child_until(receive_until_killed, traffic);
		moment = test_clock() + (nonet_time)test_random_between(&random, 0, (uint64_t)NONET_MS(3));
		test_watchdog_extend(NONET_S(30));
		/* Mostly one at a time, so that it has to wait; sometimes it is killed asleep. */
		while (test_clock() < moment && i % 5 != 4) {
			test_check_equal(send_number(queue, sent++, test_deadline()), 0);
			if (sent % 8 == 0)
				test_poll(NULL, 0, test_clock() + NONET_US(100));
		}
		if (i % 5 == 4)
			test_child_wait_blocked(receiver);
		test_kill(receiver);
		received = count_of(&traffic->received);
		/* None is taken by the dead; there is room, unless it was slow. */
		sent += send_number(queue, sent, NONET_NOW) == 0;
		for (uint32_t left = 0; receive_number(queue, NONET_NOW, &number) == 0; left++) {
			/* What is left is the end of what was sent, without a gap. */
			if (left == 0) {
				test_check(number == received || number == received + 1);
				lost += number - received;
				received = number;
			}
			test_check_equal(number, received + left);
			test_check(number < sent);
			if (number == sent - 1)
				total += sent;
		}
		test_check(queue_is_empty(queue));
		test_check_equal(number, sent - 1);
		atomic_store_explicit(&traffic->received, 0, memory_order_relaxed);
	}
	test_note("receiver killed %llu times after %llu messages; %llu times it had just taken one",
		  (unsigned long long)count, (unsigned long long)total, (unsigned long long)lost);
	munmap(traffic, sizeof(*traffic));
	queue_unmake(queue, address);
}

int main(int argc, char **argv)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(all_that_a_killed_sender_sent_is_received, &long_one),
		test_case_with(a_killed_receiver_has_one_message_at_most, &long_one),
	};

	return queue_main(argc, argv, tests);
}
