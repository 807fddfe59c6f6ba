/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a publisher and a subscriber who are both awake 100,000 messages cost neither a system call nor memory. Each
 * is a process under a filter that lets no call through (seccomp(2)), with the C library's malloc(3) and its kin
 * counted.
 */
#include <stdint.h>
#include <unistd.h>

#include <nonet/channel.h>

#include "channel/test_channel.h"
#include "harness/allocations.h"
#include "harness/domain.h"
#include "harness/restrict.h"
#include "harness/sanitizer.h"
#include "harness/test.h"

#define MESSAGES UINT64_C(100000)
#define SIZE     56u

/* What a process ends with that has made a call too many is 77, as it says itself. */
enum {
	FREE_FAILED = 20,
	FREE_UNSEEN = 21,
	FREE_WRONG = 22,
	FREE_ALLOCATED = 23,
};

/* From here on nothing may be asked for. @before: allocations before the handle was made, which are seen */
static unsigned be_free(unsigned before)
{
	if (allocations == before && !TEST_SANITIZED && !test_under_valgrind())
		_exit(FREE_UNSEEN);
	test_restrict_to((const int *const[]){NULL});
	return allocations;
}

/* In place, several at once, and copied. Return: as nonet_publisher_send(). */
static int publish_one(struct nonet_publisher *publisher, uint64_t number)
{
	uint64_t message[SIZE / sizeof(uint64_t)] = {number};
	void *buffer;
	int error;

	if (number % 3 == 0)
		return nonet_publisher_send(publisher, message, SIZE, NONET_NOW);
	error = nonet_publisher_loan(publisher, SIZE, NONET_NOW, &buffer);
	if (error < 0)
		return error;
	memcpy(buffer, message, SIZE);
	return nonet_publisher_publish(publisher, SIZE, number % 3 == 1 ? NONET_CHANNEL_MORE : 0);
}

static int publish_freely(struct test_child_side *side, void *argument)
{
	const unsigned before = allocations;
	struct nonet_publisher *publisher = publish();
	unsigned now;

	(void)argument;
	test_report(side, "ready");
	test_await(side, "begin");
	/* The first may cost something: how many processors there are is found out once. */
	test_check_equal(publish_one(publisher, 0), 0);
	now = be_free(before);
	for (uint64_t number = 1; number < MESSAGES; number++) {
		int error;

		/* The ring is smaller than all of them: who is slower is awaited awake. */
		do
			error = publish_one(publisher, number);
		while (error == -EAGAIN);
		if (error < 0)
			_exit(FREE_FAILED);
	}
	_exit(allocations == now ? 0 : FREE_ALLOCATED);
}

static int read_one(struct nonet_subscriber *subscriber, uint64_t number)
{
	uint64_t copy[SIZE / sizeof(uint64_t)];
	struct nonet_message message;
	uint64_t first;
	int error;

	if (number % 2 == 0) {
		error = nonet_subscriber_receive(subscriber, copy, sizeof(copy), NONET_FOREVER, &message);
		return error < 0 ? FREE_FAILED : copy[0] == number && message.size == SIZE ? 0 : FREE_WRONG;
	}
	if (nonet_subscriber_take(subscriber, NONET_FOREVER, &message) < 0)
		return FREE_FAILED;
	memcpy(&first, message.data, sizeof(first));
	if (first != number || message.size != SIZE)
		return FREE_WRONG;
	return nonet_subscriber_release(subscriber, &message) == 0 ? 0 : FREE_FAILED;
}

static int read_freely(struct test_child_side *side, void *argument)
{
	const unsigned before = allocations;
	struct nonet_subscriber *subscriber = subscribe(NONET_SUBSCRIBER_POLL);
	struct nonet_message message;
	unsigned now;

	(void)argument;
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -EAGAIN);
	test_report(side, "ready");
	test_await(side, "begin");
	now = be_free(before);
	for (uint64_t number = 0; number < MESSAGES; number++) {
		const int wrong = read_one(subscriber, number);

		if (wrong)
			_exit(wrong);
	}
	_exit(allocations == now ? 0 : FREE_ALLOCATED);
}

DOMAIN_TEST(messages_between_the_awake_cost_nothing)
{
	struct test_child *publisher;
	struct test_child *subscriber;

	(void)side;
	(void)argument;
	make(&(struct nonet_channel_options){.size = sizeof(struct nonet_channel_options)});
	publisher = test_child_until(publish_freely, NULL);
	subscriber = test_child_until(read_freely, NULL);
	test_child_tell(subscriber, "begin");
	test_child_tell(publisher, "begin");
	test_check_equal(test_child_join(subscriber), 0);
	test_check_equal(test_child_join(publisher), 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(messages_between_the_awake_cost_nothing),
	};

	return test_main(tests);
}
