/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a stream of signals is killed at a random moment. A dead receiver is told to the sender in time; every
 * signal that a dead sender's send returned for is received, in order and without a gap.
 */
#include <nonet/process.h>
#include <nonet/signal.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/kill.h"
#include "harness/test.h"

#define KILLS     200
#define KILLS_MIN 20

/* From just before kill(2) to the survivor's return. */
#define TOLD_WITHIN (NONET_MS(100) * test_slowness())

struct traffic {
	pid_t receiver;
	_Atomic int32_t sent; /* shared by both sides: sends that returned 0 */
};

static struct traffic *traffic_new(void)
{
	struct traffic *traffic =
		mmap(NULL, sizeof(*traffic), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	test_check(traffic != MAP_FAILED);
	return traffic;
}

static uint64_t kills(void)
{
	const uint64_t scaled = test_scaled(KILLS);

	return scaled > KILLS_MIN ? scaled : KILLS_MIN;
}

static int send_until_killed(struct test_child_side *side, void *argument)
{
	struct traffic *traffic = argument;

	test_report(side, "ready");
	for (int32_t i = 0; i < INT32_MAX; i++) {
		int result;

		do
			result = nonet_signal_send(traffic->receiver, SIGRTMIN + 1, &i, NULL);
		while (result == -EAGAIN);
		test_check_equal(result, 0);
		atomic_store_explicit(&traffic->sent, i + 1, memory_order_relaxed);
	}
	return 1;
}

static void all_that_a_killed_sender_sent_is_received(void **state)
{
	struct test_random random = test_random_init(test_seed(), 1);
	const uint64_t count = kills();
	struct traffic *traffic = traffic_new();
	struct nonet_signal *signal;
	struct nonet_signal_info info;
	uint64_t total = 0;

	(void)state;
	traffic->receiver = getpid();
	test_check_equal(nonet_signal_open((const int[]){SIGRTMIN + 1}, 1, NULL, &signal, NULL), 0);
	for (uint64_t i = 0; i < count; i++) {
		struct test_child *sender = test_child_until(send_until_killed, traffic);
		const nonet_time moment =
			test_clock() + (nonet_time)test_random_between(&random, 0, (uint64_t)NONET_MS(5));
		int32_t received = 0;
		int32_t sent;

		test_watchdog_extend(NONET_S(30));
		while (test_clock() < moment)
			if (nonet_signal_receive(signal, moment, &info) == 0)
				test_check_equal(info.value, received++);
		test_kill(sender);
		while (nonet_signal_receive(signal, NONET_NOW, &info) == 0)
			test_check_equal(info.value, received++);
		sent = atomic_load_explicit(&traffic->sent, memory_order_relaxed);
		/* It may have died between the send and the count. */
		test_check(received == sent || received == sent + 1);
		total += (uint64_t)received;
		atomic_store_explicit(&traffic->sent, 0, memory_order_relaxed);
	}
	test_note("sender killed %llu times after %llu signals", (unsigned long long)count, (unsigned long long)total);
	nonet_signal_close(signal);
	munmap(traffic, sizeof(*traffic));
}

static int receive_until_killed(struct test_child_side *side, void *argument)
{
	struct nonet_signal *signal;
	struct nonet_signal_info info;

	(void)argument;
	test_check_equal(nonet_signal_open((const int[]){SIGRTMIN + 1}, 1, NULL, &signal, NULL), 0);
	test_report(side, "ready");
	for (int32_t i = 0; i < INT32_MAX; i++) {
		test_check_equal(nonet_signal_receive(signal, NONET_FOREVER, &info), 0);
		test_check_equal(info.value, i);
	}
	return 1;
}

/* Sends to the process behind its handle, and looks after each whether that has ended. */
static int send_until_told(struct test_child_side *side, void *argument)
{
	struct traffic *traffic = argument;
	struct nonet_process *receiver;
	struct nonet_process_status status;
	nonet_time told;
	int result;

	test_check_equal(nonet_process_open(traffic->receiver, &receiver, NULL), 0);
	test_report(side, "ready");
	for (int32_t i = 0; nonet_process_wait(receiver, NONET_NOW, &status) == -EAGAIN;) {
		result = nonet_process_signal(receiver, SIGRTMIN + 1, &i);
		test_check(result == 0 || result == -EAGAIN || result == -ESRCH);
		i += result == 0;
	}
	told = test_clock();
	test_check_equal(status.how, NONET_PROCESS_ENDED);
	test_report_bytes(side, &told, sizeof(told));
	nonet_process_close(receiver);
	return 0;
}

static void a_killed_receiver_is_noticed(void **state)
{
	struct test_random random = test_random_init(test_seed(), 2);
	const uint64_t count = kills();
	struct traffic traffic;
	nonet_time longest = 0;

	(void)state;
	for (uint64_t i = 0; i < count; i++) {
		struct test_child *receiver = test_child_until(receive_until_killed, NULL);
		struct test_child *sender;
		nonet_time begin, told;

		test_watchdog_extend(NONET_S(30));
		traffic.receiver = test_child_pid(receiver);
		sender = test_child_until(send_until_told, &traffic);
		test_poll(NULL, 0, test_clock() + (nonet_time)test_random_between(&random, 0, (uint64_t)NONET_MS(5)));
		begin = test_clock();
		test_kill(receiver);
		test_child_receive(sender, &told, sizeof(told));
		test_check_equal(test_child_join(sender), 0);
		longest = told - begin > longest ? told - begin : longest;
	}
	test_note("receiver killed %llu times; told within %lld us", (unsigned long long)count,
		  (long long)(longest / 1000));
	test_check(longest < TOLD_WITHIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(all_that_a_killed_sender_sent_is_received),
		test_case(a_killed_receiver_is_noticed),
	};

	return test_main(tests);
}
