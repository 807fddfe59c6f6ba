/* SPDX-License-Identifier: Apache-2.0 */
/* What only a POSIX queue has: priorities, notification, a hand for what a buffer was too small for. */
#include <poll.h>
#include <signal.h>

#include <nonet/signal.h>

#include "queue/test_queue.h"

static void send_as(struct nonet_queue *queue, uint32_t priority, char byte)
{
	const struct nonet_queue_label label = labelled(priority, 0);

	test_check_equal(nonet_queue_send(queue, &byte, 1, &label, NONET_NOW), 0);
}

/* @capacity: of a small buffer it comes by the hand. */
static void receive_as(struct nonet_queue *queue, size_t capacity, uint32_t priority, char byte)
{
	const struct nonet_queue_select highest = selecting(NONET_QUEUE_HIGHEST, 0);
	struct nonet_queue_message message = {.reserved = {1}};
	char bytes[8192];

	test_check_equal(
		nonet_queue_receive(queue, bytes, capacity, priority % 2 ? &highest : NULL, NONET_NOW, &message), 0);
	test_check_equal(bytes[0], byte);
	test_check_equal(message.size, 1);
	test_check_equal(message.priority, priority);
	test_check_equal(message.type, 0);
	test_check_equal(message.reserved[0], 0);
}

static void the_highest_priority_comes_first(void **state)
{
	const char *address = new_posix();
	struct nonet_queue *queue = make(address);

	(void)state;
	for (size_t capacity = 1; capacity <= 8192; capacity += 8191) {
		send_as(queue, 0, 'a');
		send_as(queue, 7, 'b');
		send_as(queue, 32767, 'c');
		send_as(queue, 7, 'd');
		receive_as(queue, capacity, 32767, 'c');
		receive_as(queue, capacity, 7, 'b');
		receive_as(queue, capacity, 7, 'd');
		receive_as(queue, capacity, 0, 'a');
	}
	unmake(queue, address);
}

static void it_has_no_types_and_cannot_peek(void **state)
{
	const struct nonet_queue_label one = labelled(0, 1);
	const struct nonet_queue_label two = labelled(0, 2);
	const char *address = new_posix();
	struct nonet_queue *queue = make(address);
	struct nonet_queue_message message;
	size_t size;

	(void)state;
	test_check_equal(nonet_queue_send(queue, "a", 1, &two, NONET_NOW), -EOPNOTSUPP);
	/* The type that every message has which was given none. */
	test_check_equal(nonet_queue_send(queue, "a", 1, &one, NONET_NOW), 0);
	for (enum nonet_queue_which which = NONET_QUEUE_TYPE; which <= NONET_QUEUE_EXCEPT; which++) {
		const struct nonet_queue_select select = selecting(which, 1);

		test_check_equal(nonet_queue_receive(queue, &size, 1, &select, NONET_NOW, &message), -EOPNOTSUPP);
		test_check_equal(nonet_queue_message_size(queue, &select, NONET_NOW, &size), -EOPNOTSUPP);
	}
	test_check_equal(nonet_queue_peek(queue, 0, &size, 1, &message), -EOPNOTSUPP);
	unmake(queue, address);
}

/* What is in hand comes before what is in the queue, even if that has come to be more urgent. */
static void what_is_in_hand_comes_first(void **state)
{
	const char *address = new_posix();
	struct nonet_queue *queue = make(address);
	struct nonet_queue *other;
	struct nonet_queue_message message;
	char bytes[8192] = {0};
	uint64_t count;
	size_t size;

	(void)state;
	test_check_equal(nonet_queue_open(address, NULL, &other, NULL), 0);
	send_as(queue, 1, 'a');
	test_check_equal(nonet_queue_arm(queue), 0);
	test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), 0);
	test_check_equal(nonet_queue_arm(queue), 1);
	send_as(queue, 9, 'b');
	/* Nobody else gets it. */
	receive_as(other, 8192, 9, 'b');
	test_check_equal(nonet_queue_receive(other, bytes, 8192, NULL, NONET_NOW, &message), -EAGAIN);
	receive_as(queue, 8192, 1, 'a');
	test_check_equal(nonet_queue_arm(queue), 0);
	/* Drained with the rest. */
	send_as(queue, 1, 'c');
	send_as(queue, 1, 'd');
	test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), 0);
	test_check_equal(nonet_queue_drain(queue, &count), 0);
	test_check_equal(count, 2);
	nonet_queue_close(other);
	unmake(queue, address);
}

static int child_has_no_hand(struct test_child_side *side, void *argument)
{
	struct nonet_queue_message message;
	char bytes[8192];

	(void)side;
	test_check_equal(nonet_queue_receive(argument, bytes, 8192, NULL, NONET_NOW, &message), -EAGAIN);
	test_check_equal(nonet_queue_arm(argument), 0);
	nonet_queue_close(argument);
	return 0;
}

static void what_is_in_hand_is_not_the_childs(void **state)
{
	const char *address = new_posix();
	struct nonet_queue *queue = make(address);
	struct nonet_queue_status status;
	size_t size;

	(void)state;
	send_as(queue, 1, 'a');
	test_check_equal(nonet_queue_message_size(queue, NULL, NONET_NOW, &size), 0);
	test_check_equal(test_child_join(test_child_start(child_has_no_hand, queue)), 0);
	/* The child put nothing back. */
	test_check_equal(nonet_queue_status(queue, &status), 0);
	test_check_equal(status.messages, 0);
	receive_as(queue, 1, 1, 'a');
	unmake(queue, address);
}

static void who_only_sends_is_not_told_of_bytes(void **state)
{
	const struct nonet_queue_options sends = {.size = sizeof(sends), .flags = NONET_QUEUE_SEND};
	const char *address = new_posix();
	struct nonet_queue_status status;
	struct nonet_queue *queue;

	(void)state;
	test_check_equal(nonet_queue_create(address, &sends, &queue, NULL), 0);
	test_check_equal(nonet_queue_status(queue, &status), 0);
	test_check(status.bytes == UINT64_MAX);
	unmake(queue, address);
}

static int ask_too(struct test_child_side *side, void *argument)
{
	struct nonet_queue *queue;

	(void)side;
	test_check_equal(nonet_queue_open(argument, NULL, &queue, NULL), 0);
	test_check_equal(nonet_queue_notify(queue, SIGUSR2, 1), -EBUSY);
	nonet_queue_close(queue);
	return 0;
}

static void one_process_is_notified_once(void **state)
{
	const char *address = new_posix();
	struct nonet_queue *queue = make(address);
	struct nonet_signal_info info;
	struct nonet_signal *signal;
	const int number = SIGUSR1;

	(void)state;
	test_check_equal(nonet_signal_open(&number, 1, NULL, &signal, NULL), 0);
	test_check_equal(nonet_queue_notify(queue, 1000, 1), -EINVAL);
	test_check_equal(nonet_queue_notify(queue, -1, 1), -EINVAL);
	test_check_equal(nonet_queue_notify(queue, SIGUSR1, 4711), 0);
	test_check_equal(nonet_queue_notify(queue, SIGUSR1, 4711), -EBUSY);
	test_check_equal(test_child_join(test_child_start(ask_too, (void *)address)), 0);
	send_as(queue, 0, 'a');
	test_check_equal(nonet_signal_receive(signal, test_deadline(), &info), 0);
	test_check_equal(info.number, SIGUSR1);
	test_check_equal(info.value, 4711);
	test_check_equal(info.code, SI_MESGQ);
	receive_as(queue, 1, 0, 'a');
	/* That was the once; and what is taken back isn't sent. */
	send_as(queue, 0, 'b');
	receive_as(queue, 1, 0, 'b');
	test_check_equal(nonet_queue_notify(queue, SIGUSR1, 1), 0);
	test_check_equal(nonet_queue_notify(queue, 0, 0), 0);
	send_as(queue, 0, 'c');
	test_check_equal(nonet_signal_receive(signal, NONET_NOW, &info), -EAGAIN);
	nonet_signal_close(signal);
	unmake(queue, address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(the_highest_priority_comes_first),    test_case(it_has_no_types_and_cannot_peek),
		test_case(what_is_in_hand_comes_first),         test_case(what_is_in_hand_is_not_the_childs),
		test_case(who_only_sends_is_not_told_of_bytes), test_case(one_process_is_notified_once),
	};

	return test_main(tests);
}
