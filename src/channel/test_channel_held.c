/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel/subscriber.h"
#include "channel/test_channel.h"
#include "harness/domain.h"
#include "harness/random.h"

/* Messages that are held: how many, in which order they are given back, and who has to wait for whom. */

static struct nonet_message take(struct nonet_subscriber *subscriber, uint64_t number)
{
	struct nonet_message message;
	uint64_t found;

	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	test_check_equal(message.size, sizeof(found));
	memcpy(&found, message.data, sizeof(found));
	test_check_equal(found, number);
	return message;
}

/* It is how many are held that counts, not how many were taken since. */
DOMAIN_TEST(one_who_holds_too_many_is_told)
{
	struct nonet_message messages[NONET_CHANNEL_TAKEN];
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_message more;
	uint64_t number;

	(void)side;
	(void)argument;
	make(NULL);
	publisher = publish();
	subscriber = subscribe(0);
	for (number = 0; number < NONET_CHANNEL_TAKEN; number++) {
		send_number(publisher, number);
		messages[number] = take(subscriber, number);
	}
	for (; number < 1000; number++) {
		const uint64_t other = 1 + number % (NONET_CHANNEL_TAKEN - 1);

		send_number(publisher, number);
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &more), -ENOBUFS);
		test_check_equal(nonet_subscriber_take(subscriber, NONET_FOREVER, &more), -ENOBUFS);
		test_check_equal(nonet_subscriber_release(subscriber, &messages[other]), 0);
		test_check_equal(nonet_subscriber_release(subscriber, &messages[other]), -EINVAL);
		messages[other] = take(subscriber, number);
	}
	/* And a copy is always to be had. */
	send_number(publisher, number);
	test_check_equal(next_number(subscriber, NONET_NOW), number);
	test_check_equal(*(const uint64_t *)messages[0].data, 0);
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

/* Whatever is held is waited for, and what isn't any more is not: at random, beside a list of what should be. */
DOMAIN_TEST(what_is_held_and_no_more_is_waited_for)
{
	struct test_random random = test_random_init(test_seed(), 5);
	struct nonet_message held[NONET_CHANNEL_TAKEN];
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	unsigned count = 0;
	uint64_t sent = 0;

	(void)side;
	(void)argument;
	make(&(struct nonet_channel_options){.size = sizeof(struct nonet_channel_options), .lane = 65536});
	publisher = publish();
	subscriber = subscribe(0);
	for (int round = 0; round < 20000; round++) {
		uint64_t oldest = UINT64_MAX;
		unsigned which;

		if (count < NONET_CHANNEL_TAKEN && test_random_between(&random, 0, 99) < 52) {
			send_number(publisher, sent);
			if (test_random_between(&random, 0, 9) == 0)
				test_check_equal(next_number(subscriber, NONET_NOW), sent);
			else
				held[count++] = take(subscriber, sent);
			sent++;
		} else if (count > 0) {
			which = test_random_between(&random, 0, count - 1);
			test_check_equal(*(const uint64_t *)held[which].data, held[which].sequence);
			test_check_equal(nonet_subscriber_release(subscriber, &held[which]), 0);
			held[which] = held[--count];
		}
		for (which = 0; which < count; which++)
			oldest = held[which].position < oldest ? held[which].position : oldest;
		if (count > 0)
			test_check((atomic_load(&subscriber->lanes[0].position->position) & ~(uint64_t)7) <= oldest);
		else
			test_check_equal(atomic_load(&subscriber->lanes[0].position->position) & ~(uint64_t)7,
					 atomic_load(&subscriber->lanes[0].head));
		/* So that one that is held for long makes nobody wait for what came after it. */
		for (which = 0; which < count && sent - held[which].sequence > 1000; which++)
			test_check_equal(nonet_subscriber_release(subscriber, &held[which]), 0);
		memmove(held, held + which, (count - which) * sizeof(held[0]));
		count -= which;
	}
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

/* Of two publishers' lanes one has as many held as may be: the other's messages come nevertheless. */
DOMAIN_TEST(a_lane_that_is_full_hides_no_other)
{
	static struct nonet_message held[NONET_CHANNEL_TAKEN];
	struct nonet_publisher *first;
	struct nonet_publisher *second;
	struct nonet_subscriber *subscriber;
	struct nonet_message message;

	(void)side;
	(void)argument;
	make(&(struct nonet_channel_options){.size = sizeof(struct nonet_channel_options), .publishers = 2});
	first = publish();
	second = publish();
	subscriber = subscribe(0);
	for (uint64_t i = 0; i <= NONET_CHANNEL_TAKEN; i++)
		send_number(first, i);
	for (uint64_t i = 0; i < NONET_CHANNEL_TAKEN; i++)
		held[i] = take(subscriber, i);
	for (uint64_t i = 0; i < 10; i++) {
		send_number(second, 1000 + i);
		message = take(subscriber, 1000 + i);
		test_check_equal(nonet_subscriber_release(subscriber, &message), 0);
		test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), -ENOBUFS);
	}
	test_check_equal(nonet_subscriber_release(subscriber, &held[40]), 0);
	(void)take(subscriber, NONET_CHANNEL_TAKEN);
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(first);
	nonet_publisher_close(second);
	return 0;
}

/* A loan ends with what is loaned or sent next, also if that fails: then nothing of it can be published. */
DOMAIN_TEST(there_is_one_loan_at_a_time)
{
	static char bytes[1000];
	struct nonet_publisher *publisher;
	void *buffer;

	(void)side;
	(void)argument;
	make(NULL);
	publisher = publish();
	for (int way = 0; way < 3; way++) {
		test_check_equal(nonet_publisher_loan(publisher, 8, NONET_NOW, &buffer), 0);
		if (way == 0)
			test_check_equal(nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_NOW), 0);
		else if (way == 1)
			test_check_equal(nonet_publisher_loan(publisher, SIZE_MAX, NONET_NOW, &buffer), -EMSGSIZE);
		else
			test_check_equal(nonet_publisher_send(publisher, bytes, 1u << 20, NONET_NOW), -EMSGSIZE);
		test_check_equal(nonet_publisher_publish(publisher, 8, 0), -EINVAL);
	}
	nonet_publisher_close(publisher);
	return 0;
}

/* That a message was overwritten while it was held is no matter of the domain's, and said so. */
DOMAIN_TEST(what_was_overwritten_is_said)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options), .lane = 65536, .policy = NONET_CHANNEL_DROP};
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
	struct nonet_message message;
	struct nonet_error error;

	(void)side;
	(void)argument;
	make(&options);
	publisher = publish();
	subscriber = subscribe(0);
	send_number(publisher, 0);
	message = take(subscriber, 0);
	for (uint64_t number = 1; number < 10000; number++)
		send_number(publisher, number);
	test_check_equal(nonet_subscriber_release(subscriber, &message), -ESTALE);
	nonet_subscriber_explain(subscriber, -ESTALE, &error);
	test_check(strstr(error.text, "was overwritten while it was held"));
	nonet_subscriber_close(subscriber);
	nonet_publisher_close(publisher);
	return 0;
}

/* Where the descriptor of the channel's file is; another one's. */
static int descriptor_of(const char *name)
{
	char path[64];
	char link[512];

	for (int fd = 0; fd < 256; fd++) {
		ssize_t size;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		size = readlink(path, link, sizeof(link) - 1);
		if (size < 0)
			continue;
		link[size] = '\0';
		if (strstr(link, name))
			return fd;
	}
	return -1;
}

/* A daemon has closed all that it doesn't know, and uses the number: closing the handle leaves that alone. */
DOMAIN_TEST(what_is_not_its_own_is_not_closed)
{
	struct nonet_subscriber *subscriber;
	struct stat status;
	int null;
	int fd;

	(void)side;
	(void)argument;
	make(NULL);
	subscriber = subscribe(0);
	fd = descriptor_of("news.channel");
	test_check(fd >= 0);
	null = (int)test_must(open("/dev/null", O_RDWR | O_CLOEXEC));
	test_must(dup3(null, fd, O_CLOEXEC));
	nonet_subscriber_close(subscriber);
	test_must(fstat(fd, &status));
	test_check(S_ISCHR(status.st_mode));
	close(fd);
	close(null);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(one_who_holds_too_many_is_told),     test_case(what_is_held_and_no_more_is_waited_for),
		test_case(a_lane_that_is_full_hides_no_other), test_case(there_is_one_loan_at_a_time),
		test_case(what_is_not_its_own_is_not_closed),  test_case(what_was_overwritten_is_said),
	};
	return test_main(tests);
}
