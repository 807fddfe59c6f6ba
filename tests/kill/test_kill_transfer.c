/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a transfer is killed at a random moment. The other is told in time, and what it received by then is
 * whole, in order and without a gap.
 */
#include <stdlib.h>

#include "conform/message.h"
#include "harness/kill.h"
#include "harness/test.h"

#define KILLS     200
#define KILLS_MIN 20

/* From just before kill(2) to the survivor's return with the error. */
#define TOLD_WITHIN (NONET_MS(100) * test_slowness())

/* What the survivor knows in the end. */
struct news {
	int64_t code;    /* that ended it */
	int64_t before;  /* another error before that, or 0 */
	nonet_time time; /* of the first */
	uint64_t messages;
};

struct figures {
	uint64_t kills;
	uint64_t messages;
	uint64_t torn;
	nonet_time *told;
};

static int surviving_receiver(struct test_child_side *side, void *argument)
{
	const struct transfer *transfer = argument;
	struct nonet_endpoint *receiver = pair_open(transfer->pair, PAIR_RECEIVER);
	uint8_t *bytes = malloc(transfer->largest);
	struct news news = {0};
	size_t size = 0;

	test_check(bytes);
	test_report(side, "ready");
	do {
		news.code = nonet_endpoint_receive(receiver, bytes, transfer->largest,
						   news.messages % 2 ? test_deadline() : NONET_FOREVER, &size);
		if (news.code == 0) {
			test_check_equal(news.before, 0);
			test_check_equal(size, transfer_size(transfer, news.messages));
			test_check(message_is(bytes, size, news.messages));
			news.messages++;
		} else if (news.time == 0) {
			news.time = test_clock();
		}
		if (news.code == -EBADMSG) {
			test_check_equal(news.before, 0);
			news.before = news.code;
		}
	} while (news.code == 0 || news.code == -EBADMSG);
	test_report_bytes(side, &news, sizeof(news));
	free(bytes);
	nonet_endpoint_close(receiver);
	return 0;
}

static int surviving_sender(struct test_child_side *side, void *argument)
{
	const struct transfer *transfer = argument;
	struct nonet_endpoint *sender = pair_open(transfer->pair, PAIR_SENDER);
	uint8_t *bytes = malloc(transfer->largest);
	struct news news = {0};
	size_t size;

	test_check(bytes);
	test_report(side, "ready");
	do {
		size = transfer_size(transfer, news.messages);
		message_fill(bytes, size, news.messages);
		news.code =
			nonet_endpoint_send(sender, bytes, size, news.messages % 2 ? test_deadline() : NONET_FOREVER);
		news.messages += news.code == 0;
	} while (news.code == 0);
	news.time = test_clock();
	test_report_bytes(side, &news, sizeof(news));
	free(bytes);
	nonet_endpoint_close(sender);
	return 0;
}

static bool is_among(const int *codes, int64_t code)
{
	while (*codes && *codes != code)
		codes++;
	return *codes != 0;
}

static int compare_times(const void *a, const void *b)
{
	const nonet_time one = *(const nonet_time *)a;
	const nonet_time other = *(const nonet_time *)b;

	return (one > other) - (one < other);
}

static void kill_once(const struct carrier *carrier, enum pair_side victim_side, struct test_random *random,
		      struct figures *figures)
{
	const bool receiver_dies = victim_side == PAIR_RECEIVER;
	struct transfer transfer = {
		.pair = pair_new(carrier),
		.count = UINT64_MAX,
		.seed = test_random_next(random),
		.largest = carrier->framed ? 300000 : 100000,
		.for_ever = true,
	};
	const nonet_time moment = (nonet_time)test_random_between(random, 0, (uint64_t)NONET_MS(15));
	struct test_child *survivor;
	struct test_child *victim;
	struct pollfd ended = {.events = POLLIN};
	struct news news;
	nonet_time begin;

	/* As the system has it: nothing has to be full here. */
	transfer.pair->buffer = 0;
	survivor = test_child_start(receiver_dies ? surviving_sender : surviving_receiver, &transfer);
	victim = test_child_start(receiver_dies ? transfer_receiver : transfer_sender, &transfer);
	ended.fd = test_child_pidfd(victim);
	pair_leave(transfer.pair);
	test_child_wait_state(survivor, "ready");
	test_child_wait_state(victim, "ready");
	/* Not a wait for something to have happened: the random moment is the test. */
	test_poll(&ended, 1, test_clock() + moment);
	begin = test_clock();
	test_kill(victim);
	test_child_receive(survivor, &news, sizeof(news));
	test_check_equal(test_child_join(survivor), 0);
	pair_free(transfer.pair);

	if (receiver_dies && !is_among(carrier->dead_receiver, news.code))
		test_fail("a sender was told %s of a dead receiver", nonet_error_name((int)news.code));
	if (!receiver_dies)
		test_check_equal(news.code, -EPIPE);
	/* Packets are whole or not there. */
	test_check(carrier->framed || news.before == 0);
	figures->told[figures->kills++] = news.time - begin;
	figures->messages += news.messages;
	figures->torn += news.before != 0;
}

static void kill_many(const char *name, enum pair_side victim_side)
{
	const struct carrier *carrier = carrier_find(name);
	const uint64_t scaled = test_scaled(KILLS);
	const uint64_t count = scaled > KILLS_MIN ? scaled : KILLS_MIN;
	struct test_random random = test_random_init(test_seed(), (uint64_t)name[0] << 8 | (uint64_t)victim_side);
	struct figures figures = {.told = NULL};

	if (carrier_missing(carrier)) {
		test_note("%s: left out: %s", name, carrier_missing(carrier));
		return;
	}
	figures.told = calloc(count, sizeof(nonet_time));
	test_check(figures.told);
	for (uint64_t i = 0; i < count; i++) {
		test_watchdog_extend(NONET_S(30));
		kill_once(carrier, victim_side, &random, &figures);
	}
	qsort(figures.told, count, sizeof(nonet_time), compare_times);
	test_note("%s, %s killed: %llu times after %llu messages, %llu in the middle of one; told within %lld us "
		  "(median),"
		  " %lld us (max)",
		  name, victim_side == PAIR_RECEIVER ? "receiver" : "sender", (unsigned long long)count,
		  (unsigned long long)figures.messages, (unsigned long long)figures.torn,
		  (long long)(figures.told[count / 2] / 1000), (long long)(figures.told[count - 1] / 1000));
	test_check(figures.told[count - 1] < TOLD_WITHIN);
	free(figures.told);
}

static void a_killed_sender_is_noticed_and_tears_no_message(void **state)
{
	(void)state;
	kill_many("fifo", PAIR_SENDER);
	kill_many("fd-pipe", PAIR_SENDER);
	kill_many("unix", PAIR_SENDER);
	kill_many("unix-seqpacket", PAIR_SENDER);
	kill_many("tcp4", PAIR_SENDER);
	kill_many("tcp6", PAIR_SENDER);
}

static void a_killed_receiver_is_noticed(void **state)
{
	(void)state;
	kill_many("fifo", PAIR_RECEIVER);
	kill_many("fd-pipe", PAIR_RECEIVER);
	kill_many("unix", PAIR_RECEIVER);
	kill_many("unix-seqpacket", PAIR_RECEIVER);
	kill_many("tcp4", PAIR_RECEIVER);
	kill_many("tcp6", PAIR_RECEIVER);
}

#define DATAGRAM_DEADLINE NONET_MS(20)

/* Sends with a deadline that it holds, full or not, until nobody is there any more. */
static int datagram_sender(struct test_child_side *side, void *argument)
{
	const struct transfer *transfer = argument;
	struct nonet_endpoint *sender = pair_open(transfer->pair, PAIR_SENDER);
	uint8_t bytes[1000] = {0};
	struct news news = {0};
	nonet_time deadline;
	nonet_time over;

	test_report(side, "ready");
	do {
		message_fill(bytes, sizeof(bytes), news.messages);
		deadline = test_clock() + DATAGRAM_DEADLINE;
		news.code = nonet_endpoint_send(sender, bytes, sizeof(bytes), deadline);
		over = test_clock() - deadline;
		test_check(over < TOLD_WITHIN);
		test_check(news.code == 0 || news.code == -ETIMEDOUT || news.code == -ECONNREFUSED);
		test_check(news.code != -ETIMEDOUT || over >= 0);
		news.messages += news.code == 0;
	} while (news.code != -ECONNREFUSED);
	news.time = test_clock();
	/* It isn't said only once. */
	for (int i = 0; i < 3; i++)
		test_check_equal(nonet_endpoint_send(sender, bytes, 1, i ? NONET_FOREVER : NONET_NOW), -ECONNREFUSED);
	test_report_bytes(side, &news, sizeof(news));
	nonet_endpoint_close(sender);
	return 0;
}

static int datagram_receiver(struct test_child_side *side, void *argument)
{
	const struct transfer *transfer = argument;
	struct nonet_endpoint *receiver = pair_open(transfer->pair, PAIR_RECEIVER);

	test_report(side, "ready");
	for (uint64_t i = 0; i < UINT64_MAX; i++)
		message_receive(receiver, i, 1000);
	return 1;
}

/* @stopped: it has taken nothing for a while when it is killed, so that the sender waits for room. */
static void kill_datagram_receiver(bool stopped, struct test_random *random, struct figures *figures)
{
	struct transfer transfer = {.pair = pair_new(carrier_find("unix-dgram"))};
	struct test_child *receiver = test_child_start(datagram_receiver, &transfer);
	struct test_child *sender = test_child_start(datagram_sender, &transfer);
	struct pollfd ended = {.fd = test_child_pidfd(receiver), .events = POLLIN};
	struct news news;
	nonet_time begin;

	test_child_wait_state(receiver, "ready");
	test_child_wait_state(sender, "ready");
	if (stopped)
		test_child_stop(receiver);
	test_poll(&ended, 1, test_clock() + (nonet_time)test_random_between(random, 0, (uint64_t)NONET_MS(30)));
	begin = test_clock();
	test_kill(receiver);
	test_child_receive(sender, &news, sizeof(news));
	test_check_equal(test_child_join(sender), 0);
	figures->told[figures->kills++] = news.time - begin;
	figures->messages += news.messages;
	/* Who was killed removes nothing: the next one that binds takes it over. */
	receiver = test_child_until(idle_receiver, transfer.pair);
	test_child_tell(receiver, "end");
	test_check_equal(test_child_join(receiver), 0);
	pair_free(transfer.pair);
}

static void a_datagram_sender_keeps_its_deadline_and_is_told_when_nobody_is_left(void **state)
{
	const uint64_t scaled = test_scaled(KILLS);
	const uint64_t count = scaled > KILLS_MIN ? scaled : KILLS_MIN;
	struct test_random random = test_random_init(test_seed(), 7);
	struct figures figures = {.told = calloc(count, sizeof(nonet_time))};

	(void)state;
	test_check(figures.told);
	for (uint64_t i = 0; i < count; i++) {
		test_watchdog_extend(NONET_S(30));
		kill_datagram_receiver(i % 2, &random, &figures);
	}
	qsort(figures.told, count, sizeof(nonet_time), compare_times);
	test_note("unix-dgram, receiver killed: %llu times after %llu messages; told within %lld us (median), %lld us "
		  "(max)",
		  (unsigned long long)count, (unsigned long long)figures.messages,
		  (long long)(figures.told[count / 2] / 1000), (long long)(figures.told[count - 1] / 1000));
	test_check(figures.told[count - 1] < TOLD_WITHIN);
	free(figures.told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_killed_sender_is_noticed_and_tears_no_message),
		test_case(a_killed_receiver_is_noticed),
		test_case(a_datagram_sender_keeps_its_deadline_and_is_told_when_nobody_is_left),
	};

	return test_main(tests);
}
