/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/queue_kind.h"

#include <stdio.h>

#include "conform/message.h"

bool queue_is_posix;

int queue_main_run(const char *file, int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
	if (argc != 2 || (strcmp(argv[1], "posixmq") != 0 && strcmp(argv[1], "sysvmsg") != 0)) {
		fprintf(stderr, "usage: %s posixmq|sysvmsg\n", argv[0]);
		return 2;
	}
	queue_is_posix = strcmp(argv[1], "posixmq") == 0;
	return test_main_run(file, tests, count);
}

const char *queue_new_address(void)
{
	static char addresses[8][64];
	static unsigned int next;
	char *address = addresses[next++ % 8];

	if (queue_is_posix)
		snprintf(address, sizeof(addresses[0]), "posixmq:/%s", test_name("queue"));
	else
		snprintf(address, sizeof(addresses[0]), "sysvmsg:%#x", (unsigned int)test_sysv_key());
	return address;
}

struct nonet_queue *queue_make_for(uint32_t depth, uint64_t message_size, const char **ret_address)
{
	const struct nonet_queue_options options = {
		.size = sizeof(options), .depth = depth, .message_size = message_size};
	const char *address = queue_new_address();
	struct nonet_queue *queue = NULL;
	struct nonet_error error;

	if (nonet_queue_create(address, &options, &queue, &error) < 0)
		test_fail("can't make %s: %s", address, error.text);
	*ret_address = address;
	return queue;
}

struct nonet_queue *queue_make(const char **ret_address)
{
	/* All POSIX queues of a user share RLIMIT_MSGQUEUE. */
	return queue_make_for(queue_is_posix ? 4 : 0, 0, ret_address);
}

void queue_unmake(struct nonet_queue *queue, const char *address)
{
	test_check(nonet_queue_close(queue) == NULL);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);
}

struct nonet_queue *queue_open_as(const char *address, uint32_t flags)
{
	const struct nonet_queue_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_queue *queue = NULL;
	struct nonet_error error;

	if (nonet_queue_open(address, &options, &queue, &error) < 0)
		test_fail("can't open %s: %s", address, error.text);
	return queue;
}

void queue_put_at(const char *file, int line, struct nonet_queue *queue, uint64_t number, size_t size,
		  nonet_time deadline)
{
	uint8_t bytes[QUEUE_MESSAGE_SIZE];
	int code;

	message_fill(bytes, size, number);
	code = nonet_queue_send(queue, bytes, size, NULL, deadline);
	if (code < 0)
		test_fail_at(file, line, "message %llu of %zu bytes wasn't sent: %s", (unsigned long long)number, size,
			     nonet_error_name(code));
}

void queue_take_at(const char *file, int line, struct nonet_queue *queue, uint64_t number, size_t size,
		   nonet_time deadline)
{
	struct nonet_queue_message message = {0};
	uint8_t bytes[QUEUE_MESSAGE_SIZE];
	int code = nonet_queue_receive(queue, bytes, sizeof(bytes), NULL, deadline, &message);

	if (code < 0)
		test_fail_at(file, line, "message %llu of %zu bytes wasn't received: %s", (unsigned long long)number,
			     size, nonet_error_name(code));
	if (message.size != size || !message_is(bytes, size, number))
		test_fail_at(file, line, "what came, of %llu bytes, isn't message %llu of %zu",
			     (unsigned long long)message.size, (unsigned long long)number, size);
}

uint64_t queue_fill(struct nonet_queue *queue, size_t size)
{
	uint8_t bytes[QUEUE_MESSAGE_SIZE];
	uint64_t count = 0;
	int code;

	do {
		message_fill(bytes, size, count);
		code = nonet_queue_send(queue, bytes, size, NULL, NONET_NOW);
		count += code == 0;
	} while (code == 0);
	test_check_equal(code, -EAGAIN);
	return count;
}

bool queue_is_empty(struct nonet_queue *queue)
{
	struct nonet_queue_message message;
	uint8_t bytes[QUEUE_MESSAGE_SIZE];
	int code = nonet_queue_receive(queue, bytes, sizeof(bytes), NULL, NONET_NOW, &message);

	test_check(code == 0 || code == -EAGAIN);
	return code == -EAGAIN;
}
