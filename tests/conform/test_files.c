/* SPDX-License-Identifier: Apache-2.0 */
/* A file through every carrier, and its checksum before and after; also in a storm of signals from a third process. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conform/carrier.h"
#include "harness/run.h"
#include "harness/storm.h"
#include "harness/test.h"

#define FILE_SIZE    104857600
#define MESSAGE_SIZE 150000

struct copy {
	struct pair *pair;
	char from[128];
	char to[128];
	uint64_t seed;
};

static void write_all(int fd, const uint8_t *bytes, size_t size)
{
	ssize_t step;

	for (; size > 0; bytes += step, size -= (size_t)step) {
		step = write(fd, bytes, size);
		if (step < 0 && errno != EINTR)
			test_fail("can't write a file: %s", strerror(errno));
		step = step < 0 ? 0 : step;
	}
}

static void file_make(const char *path, size_t size)
{
	struct test_random random = test_random_init(test_seed(), size);
	const int fd = (int)test_must(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	uint8_t *bytes = malloc(1048576);
	size_t step;

	test_check(bytes);
	for (; size > 0; size -= step) {
		step = size < 1048576 ? size : 1048576;
		test_random_bytes(&random, bytes, step);
		write_all(fd, bytes, step);
	}
	free(bytes);
	close(fd);
}

/* Messages of many sizes; an empty one is the end. */
static int file_send(struct test_child_side *side, void *argument)
{
	const struct copy *copy = argument;
	struct test_random random = test_random_init(copy->seed, 0);
	struct nonet_endpoint *sender = pair_open(copy->pair, PAIR_SENDER);
	const int fd = (int)test_must(open(copy->from, O_RDONLY | O_CLOEXEC));
	const size_t whole = carrier_largest(copy->pair->carrier);
	const size_t largest = whole < MESSAGE_SIZE ? whole : MESSAGE_SIZE;
	uint8_t *bytes = malloc(largest);
	int64_t count = 0;
	ssize_t size;

	test_check(bytes);
	test_report(side, "ready");
	test_await(side, "go");
	do {
		size = read(fd, bytes, test_random_between(&random, 1, largest));
		if (size < 0 && errno == EINTR)
			continue;
		test_check(size >= 0);
		pair_room(copy->pair);
		test_check_equal(
			nonet_endpoint_send(sender, bytes, (size_t)size, count % 2 ? test_deadline() : NONET_FOREVER),
			0);
		count += size > 0;
	} while (size != 0);
	test_report_number(side, count);
	free(bytes);
	close(fd);
	nonet_endpoint_close(sender);
	return 0;
}

static int file_receive(struct test_child_side *side, void *argument)
{
	const struct copy *copy = argument;
	struct nonet_endpoint *receiver = pair_open(copy->pair, PAIR_RECEIVER);
	const int fd = (int)test_must(open(copy->to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	uint8_t *bytes = malloc(MESSAGE_SIZE);
	int64_t count = 0;
	size_t size = 0;

	test_check(bytes);
	test_report(side, "ready");
	test_await(side, "go");
	for (;;) {
		test_check_equal(nonet_endpoint_receive(receiver, bytes, MESSAGE_SIZE,
							count % 2 ? NONET_FOREVER : test_deadline(), &size),
				 0);
		if (size == 0)
			break;
		pair_taken(copy->pair);
		write_all(fd, bytes, size);
		count++;
	}
	test_report_number(side, count);
	test_report_number(side, (int64_t)test_storm_received());
	free(bytes);
	close(fd);
	nonet_endpoint_close(receiver);
	return 0;
}

/* SHA-256 of a file, as 64 digits. */
static void file_sum(const char *path, char ret_sum[65])
{
	const char *const argv[] = {"sha256sum", path, NULL};
	struct test_result result;

	test_run(argv, NULL, 0, test_after(NONET_S(60)), &result);
	if (result.status != 0 || result.out_size < 65)
		test_fail("sha256sum: status %d, %s", result.status, result.err);
	memcpy(ret_sum, result.out, 64);
	ret_sum[64] = '\0';
	test_run_free(&result);
}

static void copy_over(const struct carrier *carrier, bool storm)
{
	const size_t size = test_scaled(FILE_SIZE);
	const char *directory = test_directory_new();
	struct copy copy = {.pair = pair_new(carrier), .seed = test_seed()};
	struct test_storm *blowing = NULL;
	struct test_child *receiver;
	struct test_child *sender;
	pid_t pids[2];
	char before[65];
	char after[65];
	nonet_time begin;
	nonet_time took;
	int64_t sent;
	int64_t came;
	int64_t signals;

	snprintf(copy.from, sizeof(copy.from), "%s/from", directory);
	snprintf(copy.to, sizeof(copy.to), "%s/to", directory);
	file_make(copy.from, size);
	if (storm)
		test_storm_victim();
	receiver = test_child_start(file_receive, &copy);
	sender = test_child_start(file_send, &copy);
	pair_leave(copy.pair);
	test_child_wait_state(receiver, "ready");
	test_child_wait_state(sender, "ready");
	pids[0] = test_child_pid(receiver);
	pids[1] = test_child_pid(sender);
	if (storm)
		blowing = test_storm_start(pids, 2, NONET_S(3600));
	/* The first signals have been sent by now. */
	begin = test_clock();
	test_child_tell(receiver, "go");
	test_child_tell(sender, "go");
	sent = test_child_number(sender);
	came = test_child_number(receiver);
	took = test_clock() - begin;
	signals = test_child_number(receiver);
	if (storm)
		test_check(test_storm_stop(blowing) > 0 && signals > 0);
	test_check_equal(test_child_join(sender), 0);
	test_check_equal(test_child_join(receiver), 0);
	test_note("%s: %zu bytes in %lld messages, %lld lost, %lld ms, %lld signals", carrier->name, size,
		  (long long)sent, (long long)(sent - came), (long long)(took / NONET_MS(1)), (long long)signals);
	test_check_equal(came, sent);
	file_sum(copy.from, before);
	file_sum(copy.to, after);
	if (strcmp(before, after) != 0)
		test_fail("the sum was %s before, and is %s after", before, after);
	unlink(copy.from);
	unlink(copy.to);
	pair_free(copy.pair);
	test_directory_free(directory);
}

static void a_file_arrives_as_it_was_over_every_carrier(void **state)
{
	(void)state;
	for (const struct carrier *carrier = carriers; carrier->name; carrier++) {
		if (carrier_missing(carrier)) {
			test_note("%s: left out: %s", carrier->name, carrier_missing(carrier));
			continue;
		}
		test_watchdog_extend(NONET_S(60) + test_scaled(NONET_S(600)));
		copy_over(carrier, false);
	}
}

static void a_file_arrives_as_it_was_through_a_storm_of_signals(void **state)
{
	(void)state;
	for (const struct carrier *carrier = carriers; carrier->name; carrier++) {
		if (carrier_missing(carrier)) {
			test_note("%s: left out: %s", carrier->name, carrier_missing(carrier));
			continue;
		}
		test_watchdog_extend(NONET_S(60) + test_scaled(NONET_S(600)));
		copy_over(carrier, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_file_arrives_as_it_was_over_every_carrier),
		test_case(a_file_arrives_as_it_was_through_a_storm_of_signals),
	};

	return test_main(tests);
}
