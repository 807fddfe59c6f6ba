/* SPDX-License-Identifier: Apache-2.0 */
/* What only a System V queue has: types, peeking, waiting by helpers. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#include "queue/test_queue.h"
#include "sys/fault.h"

#define SOON test_deadline()

static void send_as(struct nonet_queue *queue, int64_t type, const char *text)
{
	const struct nonet_queue_label label = labelled(0, type);

	test_check_equal(nonet_queue_send(queue, text, strlen(text), &label, NONET_NOW), 0);
}

static int receive_by(struct nonet_queue *queue, enum nonet_queue_which which, int64_t type, nonet_time deadline,
		      char ret_text[16], int64_t *ret_type)
{
	const struct nonet_queue_select select = selecting(which, type);
	struct nonet_queue_message message;
	int code = nonet_queue_receive(queue, ret_text, 15, &select, deadline, &message);

	if (code < 0)
		return code;
	test_check_equal(message.priority, 0);
	ret_text[message.size] = '\0';
	*ret_type = message.type;
	return 0;
}

static void expect(struct nonet_queue *queue, enum nonet_queue_which which, int64_t type, int64_t got_type,
		   const char *text)
{
	char got[16];
	int64_t got_as = 0;

	test_check_equal(receive_by(queue, which, type, NONET_NOW, got, &got_as), 0);
	test_check_equal(got_as, got_type);
	test_check(strcmp(got, text) == 0);
}

static void expect_none(struct nonet_queue *queue, enum nonet_queue_which which, int64_t type)
{
	char got[16];
	int64_t got_as;

	test_check_equal(receive_by(queue, which, type, NONET_NOW, got, &got_as), -EAGAIN);
	test_check_equal(receive_by(queue, which, type, test_clock() + NONET_MS(3), got, &got_as), -ETIMEDOUT);
}

static void messages_are_chosen_by_type(void **state)
{
	const char *address = new_sysv();
	struct nonet_queue *queue = make(address);
	const struct nonet_queue_label urgent = labelled(1, 0);
	struct nonet_queue_select highest = selecting(NONET_QUEUE_HIGHEST, 0);
	struct nonet_queue_message message;
	size_t size;

	(void)state;
	send_as(queue, 5, "five");
	send_as(queue, 3, "three");
	send_as(queue, 9, "nine");
	send_as(queue, 3, "three again");
	send_as(queue, INT64_MAX, "last");
	test_check_equal(nonet_queue_send(queue, NULL, 0, NULL, NONET_NOW), 0);
	expect(queue, NONET_QUEUE_TYPE, 9, 9, "nine");
	expect_none(queue, NONET_QUEUE_TYPE, 9);
	expect_none(queue, NONET_QUEUE_TYPE, 4);
	expect(queue, NONET_QUEUE_EXCEPT, 5, 3, "three");
	expect(queue, NONET_QUEUE_LOWEST, 4, 1, "");
	expect(queue, NONET_QUEUE_LOWEST, 4, 3, "three again");
	expect_none(queue, NONET_QUEUE_LOWEST, 4);
	expect(queue, NONET_QUEUE_FIRST, 0, 5, "five");
	expect_none(queue, NONET_QUEUE_EXCEPT, INT64_MAX);
	expect(queue, NONET_QUEUE_TYPE, INT64_MAX, INT64_MAX, "last");
	expect_none(queue, NONET_QUEUE_FIRST, 0);
	/* No priorities, and no notification. */
	test_check_equal(nonet_queue_send(queue, "a", 1, &urgent, NONET_NOW), -EOPNOTSUPP);
	test_check_equal(nonet_queue_receive(queue, &size, 1, &highest, NONET_NOW, &message), -EOPNOTSUPP);
	test_check_equal(nonet_queue_message_size(queue, &highest, NONET_NOW, &size), -EOPNOTSUPP);
	test_check_equal(nonet_queue_notify(queue, 10, 0), -EOPNOTSUPP);
	unmake(queue, address);
}

static void skip_without_copies(struct nonet_queue *queue)
{
	struct nonet_queue_message message;

	if (nonet_queue_peek(queue, 0, NULL, 0, &message) == -EOPNOTSUPP)
		test_skip("MSG_COPY", "to peek: this kernel was built without CONFIG_CHECKPOINT_RESTORE");
}

static void peeking_leaves_everything(void **state)
{
	const char *address = new_sysv();
	struct nonet_queue *queue = make(address);
	struct nonet_queue_select select = selecting(NONET_QUEUE_TYPE, 9);
	struct nonet_queue_message message = {0};
	char bytes[16] = "................";
	size_t size = 4711;

	(void)state;
	skip_without_copies(queue);
	test_check_equal(nonet_queue_peek(queue, 0, bytes, 16, &message), -EAGAIN);
	test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), -EAGAIN);
	test_check_equal(nonet_queue_message_size(queue, NULL, test_clock() + NONET_MS(3), &size), -ETIMEDOUT);
	test_check_equal(size, 4711);
	send_as(queue, 5, "fives");
	send_as(queue, 9, "nine");
	send_as(queue, 2, "");
	for (int i = 0; i < 2; i++) {
		test_check_equal(nonet_queue_peek(queue, 1, bytes, 2, &message), 0);
		test_check_equal(message.size, 4);
		test_check_equal(message.type, 9);
		test_check(memcmp(bytes, "ni......", 8) == 0);
		test_check_equal(nonet_queue_peek(queue, 3, bytes, 16, &message), -EAGAIN);
		test_check_equal(nonet_queue_peek(queue, UINT64_MAX, bytes, 16, &message), -EAGAIN);
		test_check_equal(nonet_queue_message_size(queue, &select, NONET_NOW, &size), 0);
		test_check_equal(size, 4);
	}
	select = selecting(NONET_QUEUE_LOWEST, 8);
	test_check_equal(nonet_queue_message_size(queue, &select, NONET_NOW, &size), 0);
	test_check_equal(size, 0);
	select = selecting(NONET_QUEUE_EXCEPT, 5);
	test_check_equal(nonet_queue_message_size(queue, &select, NONET_NOW, &size), 0);
	test_check_equal(size, 4);
	test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), 0);
	test_check_equal(size, 5);
	sys_fault_arm_kind(SYS_CALL_SYSV_QUEUE_RECEIVE, ENOSYS);
	test_check_equal(nonet_queue_peek(queue, 0, bytes, 16, &message), -EOPNOTSUPP);
	test_check_equal(nonet_queue_message_size(queue, NULL, NONET_FOREVER, &size), -EOPNOTSUPP);
	sys_fault_disarm();
	unmake(queue, address);
}

/* In a namespace of its own, where the limits may be raised without anybody noticing. */
static int use_large_messages(struct test_child_side *side, void *argument)
{
	static uint8_t bytes[1000000];
	static uint8_t got[1000000];
	const char *address = new_sysv();
	struct nonet_queue_message message;
	struct nonet_queue *queue;
	size_t size = 0;
	int fd;

	(void)side;
	(void)argument;
	test_must(unshare(CLONE_NEWIPC));
	fd = (int)test_must(open("/proc/sys/kernel/msgmax", O_WRONLY | O_CLOEXEC));
	test_must(write(fd, "1000000", 7));
	close(fd);
	fd = (int)test_must(open("/proc/sys/kernel/msgmnb", O_WRONLY | O_CLOEXEC));
	test_must(write(fd, "3000000", 7));
	close(fd);
	queue = make(address);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	for (size_t each = 8191; each <= sizeof(bytes); each += each < 8200 ? 1 : 330600) {
		for (int timed = 0; timed < 2; timed++) {
			const nonet_time deadline = timed ? SOON : NONET_NOW;

			test_check_equal(nonet_queue_send(queue, bytes, each, NULL, deadline), 0);
			test_check_equal(nonet_queue_receive(queue, got, each - 1, NULL, deadline, &message),
					 -EMSGSIZE);
			test_check_equal(nonet_queue_message_size(queue, NULL, deadline, &size), 0);
			test_check_equal(size, each);
			test_check_equal(nonet_queue_peek(queue, 0, got, 8, &message), 0);
			test_check_equal(message.size, each);
			test_check_equal(
				nonet_queue_receive(queue, got, timed ? each : sizeof(got), NULL, deadline, &message),
				0);
			test_check_equal(message.size, each);
			test_check(memcmp(got, bytes, each) == 0);
		}
	}
	test_check_equal(nonet_queue_send(queue, bytes, sizeof(bytes), NULL, NONET_NOW), 0);
	test_check_equal(nonet_queue_drain(queue, &message.size), 0);
	test_check_equal(message.size, 1);
	unmake(queue, address);
	return 0;
}

static void large_messages_come_whole(void **state)
{
	(void)state;
	test_skip_unless_root("to have a namespace with other limits");
	test_check_equal(test_child_join(test_child_start(use_large_messages, NULL)), 0);
}

static void without_a_helper_a_deadline_is_kept_all_the_same(void **state)
{
	const char *address = new_sysv();
	struct nonet_queue *queue = make(address);
	char text[16];
	int64_t type;

	(void)state;
	sys_fault_arm_kind(SYS_CALL_THREAD, ENOMEM);
	for (int i = 0; i < 2; i++) {
		test_check_equal(receive_by(queue, NONET_QUEUE_FIRST, 0, test_clock() + NONET_MS(20), text, &type),
				 -ETIMEDOUT);
		send_as(queue, 4, "four");
		test_check_equal(receive_by(queue, NONET_QUEUE_TYPE, 3, test_clock() + NONET_MS(20), text, &type),
				 -ETIMEDOUT);
		test_check_equal(receive_by(queue, NONET_QUEUE_FIRST, 0, SOON, text, &type), 0);
		test_check_equal(type, 4);
		test_check_equal(nonet_queue_fd(queue), i ? -EMFILE : -ENOMEM);
		sys_fault_arm_kind(SYS_CALL_EVENTFD, EMFILE);
	}
	sys_fault_disarm();
	/* As soon as there is one, it is used. */
	test_check(nonet_queue_fd(queue) >= 0);
	unmake(queue, address);
}

static struct nonet_queue *open_ready(const char *address, uint32_t flags, enum nonet_queue_which which, int64_t type)
{
	const struct nonet_queue_select ready = selecting(which, type);
	const struct nonet_queue_options options = {.size = sizeof(options), .flags = flags, .ready = &ready};
	struct nonet_queue *queue;

	test_check_equal(nonet_queue_open(address, &options, &queue, NULL), 0);
	return queue;
}

static int readable_by(struct nonet_queue *queue, nonet_time deadline)
{
	struct pollfd item = {.fd = nonet_queue_fd(queue), .events = POLLIN};

	return test_poll(&item, 1, deadline);
}

static void a_descriptor_tells_of_the_type_that_was_asked_for(void **state)
{
	const char *address = new_sysv();
	struct nonet_queue *sender = make(address);
	struct nonet_queue *queue = open_ready(address, 0, NONET_QUEUE_TYPE, 7);

	(void)state;
	test_check_equal(nonet_queue_arm(queue), 0);
	send_as(sender, 6, "six");
	test_check_equal(readable_by(queue, test_clock() + NONET_MS(10)), 0);
	test_check_equal(nonet_queue_arm(queue), 0);
	send_as(sender, 7, "seven");
	test_check_equal(readable_by(queue, SOON), 1);
	test_check_equal(nonet_queue_arm(queue), 1);
	expect(queue, NONET_QUEUE_TYPE, 7, 7, "seven");
	/* An empty one too, armed before it came or after. */
	test_check_equal(nonet_queue_arm(queue), 0);
	send_as(sender, 7, "");
	test_check_equal(readable_by(queue, SOON), 1);
	expect(queue, NONET_QUEUE_TYPE, 7, 7, "");
	send_as(sender, 7, "");
	test_check_equal(nonet_queue_arm(queue), 1);
	expect(queue, NONET_QUEUE_TYPE, 7, 7, "");
	expect(sender, NONET_QUEUE_FIRST, 0, 6, "six");
	expect_none(sender, NONET_QUEUE_FIRST, 0);
	nonet_queue_close(queue);
	unmake(sender, address);
}

/* The empty one in hand goes to whom it suits, else back. */
static void an_empty_message_in_hand_is_given_or_put_back(void **state)
{
	const char *address = new_sysv();
	struct nonet_queue *queue = make(address);

	(void)state;
	for (int round = 0; round < 5; round++) {
		test_check_equal(nonet_queue_arm(queue), 0);
		send_as(queue, 4, "");
		test_check_equal(readable_by(queue, SOON), 1);
		switch (round) {
		case 0:
			expect(queue, NONET_QUEUE_FIRST, 0, 4, "");
			break;
		case 1:
			expect(queue, NONET_QUEUE_TYPE, 4, 4, "");
			break;
		case 2:
			expect(queue, NONET_QUEUE_EXCEPT, 5, 4, "");
			break;
		case 3:
			expect_none(queue, NONET_QUEUE_TYPE, 5);
			expect(queue, NONET_QUEUE_LOWEST, 4, 4, "");
			break;
		default: {
			uint64_t count = 0;

			test_check_equal(nonet_queue_drain(queue, &count), 0);
			test_check_equal(count, 1);
			break;
		}
		}
		expect_none(queue, NONET_QUEUE_FIRST, 0);
	}
	unmake(queue, address);
}

/* No room to put it back: it stays in hand, and is found there. */
static void an_empty_message_that_finds_no_way_back_stays_in_hand(void **state)
{
	const char *address = new_sysv();
	const struct nonet_queue_select nine = selecting(NONET_QUEUE_TYPE, 9);
	struct nonet_queue *queue = make(address);
	struct nonet_queue_message message;
	char byte;

	(void)state;
	for (int round = 0; round < 3; round++) {
		size_t size = 4711;

		test_check_equal(nonet_queue_arm(queue), 0);
		send_as(queue, 4, "");
		test_check_equal(readable_by(queue, SOON), 1);
		sys_fault_arm_kind(SYS_CALL_SYSV_QUEUE_SEND, EAGAIN);
		if (round < 2)
			test_check_equal(nonet_queue_receive(queue, &byte, 1, &nine, NONET_NOW, &message), -EAGAIN);
		if (round == 1)
			test_check_equal(nonet_queue_arm(queue), 1);
		if (round == 2) {
			test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), 0);
			test_check_equal(size, 0);
		}
		sys_fault_disarm();
		expect(queue, NONET_QUEUE_FIRST, 0, 4, "");
		expect_none(queue, NONET_QUEUE_FIRST, 0);
	}
	unmake(queue, address);
}

/* One in hand of whoever armed, one in hand of the helper, and the queue is full: neither displaces the other. */
static void two_empty_messages_that_find_no_way_back_are_both_there(void **state)
{
	const struct nonet_queue_options options = {.size = sizeof(options), .depth = 1, .message_size = 1};
	const char *address = new_sysv();
	struct nonet_queue *sender;
	struct nonet_queue *queue;

	(void)state;
	test_check_equal(nonet_queue_create(address, &options, &sender, NULL), 0);
	queue = open_ready(address, 0, NONET_QUEUE_TYPE, 7);
	test_check_equal(nonet_queue_arm(queue), 0);
	send_as(sender, 7, "");
	test_check_equal(readable_by(queue, SOON), 1);
	send_as(sender, 7, "");
	sys_fault_arm_kind(SYS_CALL_SYSV_QUEUE_SEND, EAGAIN);
	test_check_equal(nonet_queue_arm(queue), 1);
	sys_fault_disarm();
	send_as(sender, 9, "");
	/* Longer than the helper's patience. */
	test_poll(NULL, 0, test_after(NONET_MS(250)));
	expect(queue, NONET_QUEUE_TYPE, 7, 7, "");
	expect(queue, NONET_QUEUE_TYPE, 7, 7, "");
	expect(queue, NONET_QUEUE_TYPE, 9, 9, "");
	expect_none(queue, NONET_QUEUE_FIRST, 0);
	nonet_queue_close(queue);
	unmake(sender, address);
}

struct sharing {
	struct nonet_queue *queue;
	atomic_int ending;
	atomic_int got[5]; /* of each type */
};

static void *arm_and_take(void *data)
{
	const struct nonet_queue_select any = selecting(NONET_QUEUE_FIRST, 0);
	struct sharing *sharing = data;
	struct nonet_queue_message message;
	char byte;

	for (unsigned int i = 0; !atomic_load(&sharing->ending); i++) {
		const struct nonet_queue_select one = selecting(NONET_QUEUE_TYPE, 1 + i % 4);

		test_check(nonet_queue_arm(sharing->queue) >= 0);
		if (nonet_queue_receive(sharing->queue, &byte, 1, i % 2 ? &any : &one, NONET_NOW, &message) == 0)
			atomic_fetch_add(&sharing->got[message.type], 1);
	}
	return NULL;
}

/* Each gets what it took: no empty message is lost, and none comes twice as another's type. */
static void threads_share_the_hand(void **state)
{
	const int each = (int)test_scaled(25000);
	const char *address = new_sysv();
	struct nonet_queue *sender = make(address);
	struct sharing sharing = {.queue = open_ready(address, 0, NONET_QUEUE_FIRST, 0)};
	pthread_t threads[3];
	uint64_t rest;

	(void)state;
	for (int i = 0; i < 3; i++)
		test_check_equal(pthread_create(&threads[i], NULL, arm_and_take, &sharing), 0);
	for (int i = 0; i < 4 * each; i++) {
		const struct nonet_queue_label label = labelled(0, 1 + i % 4);

		test_check_equal(nonet_queue_send(sender, "", 0, &label, SOON), 0);
	}
	atomic_store(&sharing.ending, 1);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (int type = 1; type <= 4; type++) {
		const struct nonet_queue_select one = selecting(NONET_QUEUE_TYPE, type);
		struct nonet_queue_message message;
		char byte;

		while (nonet_queue_receive(sharing.queue, &byte, 1, &one, NONET_NOW, &message) == 0)
			sharing.got[type]++;
		test_check_equal(sharing.got[type], each);
	}
	test_check_equal(nonet_queue_drain(sharing.queue, &rest), 0);
	test_check_equal(rest, 0);
	nonet_queue_close(sharing.queue);
	unmake(sender, address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(messages_are_chosen_by_type),
		test_case(peeking_leaves_everything),
		test_case(large_messages_come_whole),
		test_case(without_a_helper_a_deadline_is_kept_all_the_same),
		test_case(a_descriptor_tells_of_the_type_that_was_asked_for),
		test_case(an_empty_message_in_hand_is_given_or_put_back),
		test_case(an_empty_message_that_finds_no_way_back_stays_in_hand),
		test_case(two_empty_messages_that_find_no_way_back_are_both_there),
		test_case(threads_share_the_hand),
	};

	return test_main(tests);
}
