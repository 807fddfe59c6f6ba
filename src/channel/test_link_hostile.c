/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "channel/subscriber.h"
#include "channel/test_link_script.h"

/*
 * The other side has met us as it should, and is hostile from then on: it writes anything into what is its own, floods
 * the socket, steals our futex, says nothing. No call of ours crashes, or lasts longer than its deadline.
 */

/* Beyond a deadline, on a machine that does other things. */
#define SLACK NONET_S(5)

struct link {
	struct nonet_publisher *publisher; /* ours: one of the two */
	struct nonet_subscriber *subscriber;
	struct nonet_unix *bad;
	void *page; /* of the other side, mapped for writing */
	void *ring;
	const _Atomic uint32_t *theirs; /* a subscriber's page, as its publisher has it */
};

struct good {
	struct nonet_unix *socket;
	struct link *link;
	bool publishes;
	uint32_t policy;
};

static void *meet(void *argument)
{
	struct good *good = argument;
	const struct nonet_channel_options options = {
		.size = sizeof(options), .lane = SCRIPT_LANE, .policy = good->policy};

	if (good->publishes)
		test_check_equal(nonet_publisher_take_socket(&good->socket, &options, test_deadline(),
							     &good->link->publisher, NULL),
				 0);
	else
		test_check_equal(nonet_subscriber_take_socket(&good->socket, NULL, test_deadline(),
							      &good->link->subscriber, NULL),
				 0);
	return NULL;
}

static struct link link_with_bad(bool publishes, uint32_t policy)
{
	struct link_hello hello = script_publisher;
	struct link link = {0};
	struct good good = {.link = &link, .publishes = publishes, .policy = policy};
	pthread_t thread;
	int fds[2];

	hello.policy = policy;
	link_pair(NONET_UNIX_STREAM, &good.socket, &link.bad);
	test_check_equal(pthread_create(&thread, NULL, meet, &good), 0);
	if (publishes)
		script_get(link.bad, &hello, fds, 2);
	script_give(link.bad, publishes ? &script_subscriber : &hello, &link.page, &link.ring);
	if (!publishes)
		script_get(link.bad, &hello, fds, 1);
	test_check_equal(pthread_join(thread, NULL), 0);
	if (!publishes) {
		link.theirs = mmap(NULL, LINK_PAGE, PROT_READ, MAP_SHARED, fds[0], 0);
		test_check(link.theirs != MAP_FAILED);
	}
	close(fds[0]);
	if (publishes)
		close(fds[1]);
	return link;
}

static void unlink_bad(struct link *link)
{
	nonet_publisher_close(link->publisher);
	nonet_subscriber_close(link->subscriber);
	nonet_unix_close(link->bad);
	test_must(munmap(link->page, LINK_PAGE));
	if (link->ring) {
		test_must(munmap(link->ring, SCRIPT_LANE));
		test_must(munmap((void *)(uintptr_t)link->theirs, LINK_PAGE));
	}
}

struct scribbler {
	struct link *link;
	uint64_t seed;
	atomic_bool stop;
};

/* Numbers that are worse than others. */
static uint64_t bad_number(struct test_random *random)
{
	switch (test_random_between(random, 0, 6)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return (uint64_t)test_random_between(random, 0, 2 * SCRIPT_LANE) | CHANNEL_READS;
	case 3:
		return CHANNEL_VALID | (uint64_t)test_random_between(random, 0, 2 * SCRIPT_LANE);
	case 4:
		return CHANNEL_VALID | CHANNEL_NOTE | (uint64_t)test_random_between(random, 0, 64);
	case 5:
		return (uint64_t)test_random_between(random, 0, 4);
	default:
		return test_random_next(random);
	}
}

static void *scribble(void *argument)
{
	struct scribbler *scribbler = argument;
	struct test_random random = test_random_init(scribbler->seed, 1);
	_Atomic uint64_t *page = scribbler->link->page;
	_Atomic uint64_t *ring = scribbler->link->ring;

	while (!atomic_load(&scribbler->stop)) {
		atomic_store(&page[test_random_between(&random, 0, LINK_PAGE / 8 - 1)], bad_number(&random));
		/* The words that count are few. */
		if (!ring)
			atomic_store(&page[test_random_between(&random, 0, 40)], bad_number(&random));
		else
			atomic_store(&ring[test_random_between(&random, 0, 100)], bad_number(&random));
	}
	return NULL;
}

static bool is_known(int code)
{
	static const int known[] = {-EAGAIN, -ETIMEDOUT, -EPIPE, -EBADMSG, -EMSGSIZE, -ENOBUFS, -ESTALE};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (code == known[i])
			return true;
	return code >= 0;
}

/* One call of ours, by a deadline. */
static int call(struct link *link, nonet_time deadline)
{
	static char bytes[SCRIPT_LANE];
	struct nonet_message message;
	int result;

	if (link->publisher) {
		test_check(nonet_publisher_subscribers(link->publisher) <= 1);
		return nonet_publisher_send(link->publisher, bytes, 3000, deadline);
	}
	result = nonet_subscriber_arm(link->subscriber);
	test_check(is_known(result));
	result = nonet_subscriber_receive(link->subscriber, bytes, sizeof(bytes), deadline, NULL);
	if (result >= 0 && nonet_subscriber_take(link->subscriber, NONET_NOW, &message) == 0)
		result = nonet_subscriber_release(link->subscriber, &message);
	return result;
}

static void who_scribbles_is_survived(void **state)
{
	const uint64_t rounds = test_scaled(600);
	unsigned told[256] = {0};

	(void)state;
	for (uint64_t round = 0; round < rounds; round++) {
		struct link link = link_with_bad(round % 2, (uint32_t)(round / 2 % 3));
		struct scribbler scribbler = {.link = &link, .seed = test_seed() + round};
		pthread_t thread;

		test_check_equal(pthread_create(&thread, NULL, scribble, &scribbler), 0);
		for (int i = 0; i < 50; i++) {
			const nonet_time until = nonet_after(NONET_US(i % 3 ? 100 : 1000));
			const int result = call(&link, i % 5 ? until : NONET_NOW);

			test_check(is_known(result));
			test_check(nonet_clock() < until + SLACK);
			told[result < 0 ? -result : 0]++;
		}
		atomic_store(&scribbler.stop, true);
		test_check_equal(pthread_join(thread, NULL), 0);
		unlink_bad(&link);
	}
	test_note("%u good, %u EAGAIN, %u ETIMEDOUT, %u EPIPE, %u EBADMSG", told[0], told[EAGAIN], told[ETIMEDOUT],
		  told[EPIPE], told[EBADMSG]);
	test_check(told[0] && told[EBADMSG] && told[EPIPE]);
}

/* Bytes and descriptors without end. */
static void *flood(void *argument)
{
	struct scribbler *scribbler = argument;
	const int fd = nonet_unix_fd(scribbler->link->bad);
	static char bytes[4096];
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec vector = {bytes, sizeof(bytes)};
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	while (!atomic_load(&scribbler->stop))
		if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			test_check(errno == EAGAIN || errno == ETOOMANYREFS);
	return NULL;
}

static void who_floods_the_socket_delays_nobody(void **state)
{
	(void)state;
	for (int publishes = 0; publishes < 2; publishes++) {
		struct link link = link_with_bad(publishes, NONET_CHANNEL_BLOCK);
		struct scribbler scribbler = {.link = &link};
		pthread_t thread;
		nonet_time until;
		int result = 0;

		/* Nobody reads: the ring is full. */
		while (publishes && result == 0)
			result = call(&link, NONET_NOW);
		test_check_equal(pthread_create(&thread, NULL, flood, &scribbler), 0);
		for (int i = 0; i < 3; i++) {
			until = nonet_after(NONET_MS(25));
			test_check_equal(call(&link, until), -ETIMEDOUT);
			test_check(nonet_clock() >= until && nonet_clock() < until + SLACK);
			test_check_equal(call(&link, NONET_NOW), -EAGAIN);
		}
		atomic_store(&scribbler.stop, true);
		test_check_equal(pthread_join(thread, NULL), 0);
		unlink_bad(&link);
	}
}

/* However much there is to throw away, a look ends, and the next one goes on. */
static void a_look_takes_a_part_of_a_flood(void **state)
{
	static const char bytes[100000];
	struct link link = link_with_bad(false, NONET_CHANNEL_BLOCK);
	struct channel_link *ours = link.subscriber->channel.link;
	int left = 1;
	unsigned looks;

	(void)state;
	test_check_equal(nonet_unix_write(link.bad, bytes, sizeof(bytes), test_deadline(), NULL), 0);
	for (looks = 0; left > 0; looks++) {
		test_check(!channel_link_look(ours));
		test_must(ioctl(ours->fd, FIONREAD, &left));
	}
	test_check(looks > 10);
	unlink_bad(&link);
}

/* Killed, it frees no claim: by every policy a publisher sees it at the socket, though it needn't wait. */
static void who_goes_without_a_word_is_missed(void **state)
{
	(void)state;
	for (uint32_t policy = NONET_CHANNEL_BLOCK; policy <= NONET_CHANNEL_DROP; policy++) {
		struct link link = link_with_bad(true, policy);
		uint64_t sent = 0;
		int result = 0;

		link.bad = nonet_unix_close(link.bad);
		while (result == 0 && sent++ < SCRIPT_LANE)
			result = nonet_publisher_send(link.publisher, &sent, sizeof(sent), NONET_NOW);
		test_check_equal(result, -EPIPE);
		test_check(sent <= SCRIPT_LANE / CHANNEL_STEPS / 16 + 1);
		unlink_bad(&link);
	}
}

/* Whoever it says that it is: it is counted, or not, and nobody looks for it in a domain that there isn't. */
static void who_lies_of_his_place_is_counted_or_not(void **state)
{
	struct link link = link_with_bad(true, NONET_CHANNEL_BLOCK);
	struct channel_lane *lane = (struct channel_lane *)((char *)link.page - CHANNEL_LANE_THEIRS);
	struct channel_seat *seat = (struct channel_seat *)(lane + 1);
	static const uint64_t claims[] = {LINK_CLAIM, 0, 1, UINT64_MAX, UINT64_MAX - 1, CLAIM_OWNER, 0x20000};

	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		atomic_store(&seat->claim, claims[i]);
		atomic_store(&seat->joined, claims[i]);
		test_check_equal(nonet_publisher_subscribers(link.publisher), (claims[i] & CLAIM_OWNER) != 0);
	}
	unlink_bad(&link);
}

/* It publishes, but rings nobody, and moves who sleeps on its word to another. */
static void *publish_silently(void *argument)
{
	struct link *link = argument;
	struct channel_lane *lane = script_lane(link->page);

	/* It has armed: the page begins with that. */
	while (atomic_load(link->theirs) != 1)
		;
	for (int i = 0; i < 1000; i++)
		(void)syscall(SYS_futex, &lane->bell, FUTEX_CMP_REQUEUE, 0, (void *)64, &lane->wants, 1);
	atomic_store((_Atomic uint64_t *)link->ring, CHANNEL_VALID | 8);
	return NULL;
}

static void who_is_never_rung_looks_himself(void **state)
{
	struct link link = link_with_bad(false, NONET_CHANNEL_BLOCK);
	struct nonet_message message;
	pthread_t thread;

	(void)state;
	test_check_equal(pthread_create(&thread, NULL, publish_silently, &link), 0);
	test_check_equal(nonet_subscriber_take(link.subscriber, test_deadline(), &message), 0);
	test_check_equal(nonet_subscriber_release(link.subscriber, &message), 0);
	test_check_equal(pthread_join(thread, NULL), 0);
	unlink_bad(&link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(who_scribbles_is_survived),       test_case(who_floods_the_socket_delays_nobody),
		test_case(a_look_takes_a_part_of_a_flood),  test_case(who_goes_without_a_word_is_missed),
		test_case(who_is_never_rung_looks_himself), test_case(who_lies_of_his_place_is_counted_or_not),
	};
	return test_main(tests);
}
