/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP knows no connection. A receiver's death is told to its sender by the answer to what it sends next; a sender's
 * death is told to nobody, and the next one goes on. What comes is whole and in order, and every deadline is kept.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "conform/message.h"
#include "harness/kill.h"
#include "harness/test.h"

#define KILLS     200
#define KILLS_MIN 20

#define SIZE     1000
#define DEADLINE NONET_MS(20)
#define LATE     (NONET_MS(500) * test_slowness())

/* What the survivor knows in the end. */
struct news {
	nonet_time time;   /* of the news */
	nonet_time latest; /* how long after its deadline a call returned at most */
	uint64_t messages;
};

struct figures {
	uint64_t kills;
	uint64_t messages;
	nonet_time *told;
};

/* A message tells its own number, as any may be lost. */
static void number_fill(uint8_t *ret_bytes, uint64_t number)
{
	message_fill(ret_bytes, SIZE, number);
	memcpy(ret_bytes, &number, sizeof(number));
}

static uint64_t number_of(const uint8_t *bytes, size_t size)
{
	uint8_t wanted[SIZE];
	uint64_t number;

	test_check_equal(size, SIZE);
	memcpy(&number, bytes, sizeof(number));
	number_fill(wanted, number);
	test_check(memcmp(bytes, wanted, SIZE) == 0);
	return number;
}

static void note_lateness(struct news *news, nonet_time deadline)
{
	const nonet_time late = test_clock() - deadline;

	news->latest = late > news->latest ? late : news->latest;
}

/* Sends as fast as it can until it is told that nobody is there. */
static int surviving_sender(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *sender = pair_open(argument, PAIR_SENDER);
	struct news news = {0};
	uint8_t bytes[SIZE];
	nonet_time deadline;
	int code;

	test_report(side, "ready");
	do {
		number_fill(bytes, news.messages);
		deadline = test_clock() + DEADLINE;
		code = nonet_endpoint_send(sender, bytes, SIZE, deadline);
		test_check(code == 0 || code == -ECONNREFUSED);
		note_lateness(&news, deadline);
		news.messages += code == 0;
	} while (code == 0);
	news.time = test_clock();
	/* Each that is sent has its answer, and that is told once. */
	for (int i = 0; i < 3; i++) {
		test_check_equal(nonet_endpoint_send(sender, bytes, SIZE, i ? NONET_FOREVER : NONET_NOW), 0);
		test_check_equal(nonet_endpoint_send(sender, bytes, SIZE, i ? NONET_FOREVER : NONET_NOW),
				 -ECONNREFUSED);
	}
	test_report_bytes(side, &news, sizeof(news));
	/* The next receiver is one like the first. */
	test_await(side, "again");
	number_fill(bytes, news.messages);
	test_check_equal(nonet_endpoint_send(sender, bytes, SIZE, test_deadline()), 0);
	nonet_endpoint_close(sender);
	return 0;
}

/* Receives in order, with gaps where there was no room; in between, deadlines pass. Until the last one comes. */
static int receive_to_the_last(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *receiver = pair_open(argument, PAIR_RECEIVER);
	struct news news = {0};
	uint8_t bytes[SIZE];
	uint64_t number = 0;
	uint64_t next = 0;
	nonet_time deadline;
	bool quiet = false;
	size_t size = 0;
	int code;

	test_report(side, "ready");
	while (number != UINT64_MAX) {
		deadline = test_clock() + DEADLINE;
		code = nonet_endpoint_receive(receiver, bytes, SIZE, deadline, &size);
		note_lateness(&news, deadline);
		test_check(code == 0 || code == -ETIMEDOUT);
		test_check(code == 0 || test_clock() >= deadline);
		if (code < 0 && !quiet) {
			test_report(side, "quiet");
			quiet = true;
		}
		if (code < 0)
			continue;
		number = number_of(bytes, size);
		test_check(number >= next);
		next = number + 1;
		news.messages++;
	}
	news.time = test_clock();
	test_report_bytes(side, &news, sizeof(news));
	nonet_endpoint_close(receiver);
	return 0;
}

static int send_for_ever(struct test_child_side *side, void *argument)
{
	struct nonet_endpoint *sender = pair_open(argument, PAIR_SENDER);
	uint8_t bytes[SIZE];

	test_report(side, "ready");
	for (uint64_t i = 0; i < UINT64_MAX; i++) {
		number_fill(bytes, i);
		test_check_equal(nonet_endpoint_send(sender, bytes, SIZE, i % 2 ? NONET_FOREVER : test_deadline()), 0);
	}
	return 1;
}

/* Not a wait for something to have happened: the random moment is the test. */
static void wait_a_moment(struct test_child *victim, struct test_random *random)
{
	struct pollfd ended = {.fd = test_child_pidfd(victim), .events = POLLIN};

	test_poll(&ended, 1, test_clock() + (nonet_time)test_random_between(random, 0, (uint64_t)NONET_MS(15)));
}

static void hear(struct test_child *survivor, nonet_time begin, struct figures *figures)
{
	struct news news;

	test_child_receive(survivor, &news, sizeof(news));
	test_check(news.latest < LATE);
	figures->told[figures->kills++] = news.time - begin;
	figures->messages += news.messages;
}

static void kill_receiver(struct test_random *random, struct figures *figures)
{
	struct pair *pair = pair_new(carrier_find("udp"));
	struct test_child *receiver = test_child_start(receive_to_the_last, pair);
	struct test_child *sender = test_child_start(surviving_sender, pair);
	struct nonet_endpoint *next;
	uint8_t bytes[SIZE];
	size_t size = 0;
	nonet_time begin;

	test_child_wait_state(receiver, "ready");
	test_child_wait_state(sender, "ready");
	wait_a_moment(receiver, random);
	begin = test_clock();
	test_kill(receiver);
	hear(sender, begin, figures);
	next = pair_open(pair, PAIR_RECEIVER);
	test_child_tell(sender, "again");
	test_check_equal(nonet_endpoint_receive(next, bytes, SIZE, test_deadline(), &size), 0);
	(void)number_of(bytes, size);
	test_check_equal(test_child_join(sender), 0);
	nonet_endpoint_close(next);
	pair_free(pair);
}

static void kill_sender(struct test_random *random, struct figures *figures)
{
	struct pair *pair = pair_new(carrier_find("udp"));
	struct test_child *receiver = test_child_start(receive_to_the_last, pair);
	struct test_child *sender = test_child_start(send_for_ever, pair);
	struct pollfd ended = {.fd = test_child_pidfd(receiver), .events = POLLIN};
	struct nonet_endpoint *next;
	uint8_t last[SIZE];
	nonet_time begin;
	int code;

	test_child_wait_state(receiver, "ready");
	test_child_wait_state(sender, "ready");
	next = pair_open(pair, PAIR_SENDER);
	number_fill(last, UINT64_MAX);
	wait_a_moment(sender, random);
	begin = test_clock();
	test_kill(sender);
	/* Nobody says that it has gone: a deadline passes. */
	test_child_wait_state(receiver, "quiet");
	/* There may be no room for this yet; and when the receiver has ended, nobody is there. */
	do {
		code = nonet_endpoint_send(next, last, SIZE, test_deadline());
		test_check(code == 0 || code == -ECONNREFUSED);
	} while (test_poll(&ended, 1, test_clock() + NONET_MS(1)) == 0);
	hear(receiver, begin, figures);
	test_check_equal(test_child_join(receiver), 0);
	nonet_endpoint_close(next);
	pair_free(pair);
}

static int compare_times(const void *a, const void *b)
{
	const nonet_time one = *(const nonet_time *)a;
	const nonet_time other = *(const nonet_time *)b;

	return (one > other) - (one < other);
}

static void kill_many(const char *who, void (*kill_one)(struct test_random *random, struct figures *figures),
		      uint64_t stream)
{
	const uint64_t scaled = test_scaled(KILLS);
	const uint64_t count = scaled > KILLS_MIN ? scaled : KILLS_MIN;
	struct test_random random = test_random_init(test_seed(), stream);
	struct figures figures = {.told = calloc(count, sizeof(nonet_time))};

	test_check(figures.told);
	for (uint64_t i = 0; i < count; i++) {
		test_watchdog_extend(NONET_S(30));
		kill_one(&random, &figures);
	}
	qsort(figures.told, count, sizeof(nonet_time), compare_times);
	test_note(
		"udp, %s killed: %llu times after %llu messages; the other knew more within %lld us (median), %lld us "
		"(max)",
		who, (unsigned long long)count, (unsigned long long)figures.messages,
		(long long)(figures.told[count / 2] / 1000), (long long)(figures.told[count - 1] / 1000));
	test_check(figures.told[count - 1] < LATE);
	free(figures.told);
}

static void a_killed_receiver_is_told_by_the_next_answer(void **state)
{
	(void)state;
	kill_many("receiver", kill_receiver, 11);
}

static void a_killed_sender_tears_nothing_and_the_next_one_goes_on(void **state)
{
	(void)state;
	kill_many("sender", kill_sender, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_killed_receiver_is_told_by_the_next_answer),
		test_case(a_killed_sender_tears_nothing_and_the_next_one_goes_on),
	};

	return test_main(tests);
}
