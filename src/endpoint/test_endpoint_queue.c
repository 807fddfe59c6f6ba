/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

/* posixmq: sysvmsg: beyond what tests/conform has: types and priorities, what is refused, queues that stay. */

#define LISTEN (NONET_ENDPOINT_LISTEN | NONET_ENDPOINT_SEND | NONET_ENDPOINT_RECEIVE)

static void address_of(bool posix, char address[64])
{
	if (posix)
		snprintf(address, 64, "posixmq:/%s", test_name("queue"));
	else
		snprintf(address, 64, "sysvmsg:%u", (unsigned int)test_sysv_key());
}

static struct nonet_endpoint *open_as(const char *address, uint32_t flags, int64_t type, uint32_t priority)
{
	const struct nonet_endpoint_options options = {
		.size = sizeof(options), .flags = flags, .type = type, .priority = priority};
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error;

	if (nonet_endpoint_open(address, &options, test_deadline(), &endpoint, &error) < 0)
		test_fail("%s: %s", address, error.text);
	return endpoint;
}

static void refused(const char *address, uint32_t flags, int64_t type, uint32_t priority, int code, const char *words)
{
	const struct nonet_endpoint_options options = {
		.size = sizeof(options), .flags = flags, .type = type, .priority = priority};
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error = {0};

	test_check_equal(nonet_endpoint_open(address, &options, NONET_NOW, &endpoint, &error), code);
	test_check(!endpoint && error.code == code);
	if (!strstr(error.text, words))
		test_fail("%s: \"%s\" doesn't say \"%s\"", address, error.text, words);
}

static void expect(struct nonet_endpoint *endpoint, char byte)
{
	size_t size = 0;
	char got = 0;

	test_check_equal(nonet_endpoint_receive(endpoint, &got, 1, NONET_NOW, &size), byte ? 0 : -EAGAIN);
	test_check(got == byte && size == (byte ? 1 : 0));
}

/* What comes next is @byte, with that type and priority; nothing is written if nothing comes. */
static void expect_labelled(struct nonet_endpoint *endpoint, char byte, int64_t type, uint32_t priority)
{
	struct nonet_queue_message message = {.type = -1};
	char got = 0;

	test_check_equal(nonet_endpoint_receive_message(endpoint, &got, 1, NONET_NOW, &message), 0);
	test_check(got == byte && message.size == 1);
	test_check_equal(message.type, type);
	test_check_equal(message.priority, priority);
	message = (struct nonet_queue_message){.type = -1};
	test_check_equal(nonet_endpoint_receive_message(endpoint, &got, 1, NONET_NOW, &message), -EAGAIN);
	test_check(message.type == -1 && message.size == 0);
}

static void labels_are_told(void **state)
{
	struct nonet_queue_message message = {.type = -1};
	struct nonet_endpoint *all, *labelled;
	char address[64], text[32];
	int ends[2];
	char got;

	(void)state;
	address_of(false, address);
	all = open_as(address, LISTEN, 0, 0);
	labelled = open_as(address, NONET_ENDPOINT_SEND, 7, 0);
	test_check_equal(nonet_endpoint_send(labelled, "a", 1, NONET_NOW), 0);
	expect_labelled(all, 'a', 7, 0);
	test_check_equal(nonet_endpoint_receive_message(labelled, &got, 1, NONET_NOW, &message), -EBADF);
	nonet_endpoint_close(labelled);
	nonet_endpoint_close(all);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);

	address_of(true, address);
	all = open_as(address, LISTEN, 0, 0);
	labelled = open_as(address, NONET_ENDPOINT_SEND, 0, 32767);
	test_check_equal(nonet_endpoint_send(labelled, "b", 1, NONET_NOW), 0);
	expect_labelled(all, 'b', 0, 32767);
	nonet_endpoint_close(labelled);
	nonet_endpoint_close(all);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);

	/* Another carrier has none. */
	test_must(pipe2(ends, O_CLOEXEC));
	snprintf(text, sizeof(text), "fd:%d", ends[0]);
	all = open_as(text, NONET_ENDPOINT_RECEIVE, 0, 0);
	snprintf(text, sizeof(text), "fd:%d", ends[1]);
	labelled = open_as(text, NONET_ENDPOINT_SEND, 0, 0);
	test_check_equal(nonet_endpoint_send(labelled, "c", 1, NONET_NOW), 0);
	expect_labelled(all, 'c', 0, 0);
	nonet_endpoint_close(labelled);
	nonet_endpoint_close(all);
	close(ends[0]);
	close(ends[1]);
}

static void types_choose(void **state)
{
	struct nonet_endpoint *all, *three, *up_to_four;
	char address[64];

	(void)state;
	address_of(false, address);
	all = open_as(address, LISTEN, 0, 0);
	three = open_as(address, 0, 3, 0);
	up_to_four = open_as(address, NONET_ENDPOINT_RECEIVE, -4, 0);
	test_check_equal(nonet_endpoint_send(three, "c", 1, NONET_NOW), 0);
	test_check_equal(nonet_endpoint_send(all, "a", 1, NONET_NOW), 0);
	test_check_equal(nonet_endpoint_write(three, "C", 1, NONET_NOW, NULL), 0);
	expect(up_to_four, 'a');
	expect(three, 'c');
	expect(up_to_four, 'C');
	expect(up_to_four, 0);
	expect(three, 0);
	/* Asleep over all types but its own. */
	test_check_equal(nonet_endpoint_send(all, "a", 1, NONET_NOW), 0);
	test_check_equal(nonet_endpoint_arm(three), 0);
	test_check_equal(nonet_endpoint_arm(up_to_four), 1);
	expect(all, 'a');
	nonet_endpoint_close(three);
	nonet_endpoint_close(up_to_four);
	nonet_endpoint_close(all);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);
}

static void priorities_sort(void **state)
{
	struct nonet_endpoint *plain, *urgent;
	char address[64];

	(void)state;
	address_of(true, address);
	plain = open_as(address, LISTEN, 0, 0);
	urgent = open_as(address, NONET_ENDPOINT_SEND, 0, 32767);
	test_check_equal(nonet_endpoint_send(plain, "a", 1, NONET_NOW), 0);
	test_check_equal(nonet_endpoint_send(urgent, "b", 1, NONET_NOW), 0);
	expect(plain, 'b');
	expect(plain, 'a');
	nonet_endpoint_close(urgent);
	nonet_endpoint_close(plain);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);
}

static void what_a_carrier_has_not_is_refused(void **state)
{
	(void)state;
	refused("posixmq:/x", 0, 5, 0, -EOPNOTSUPP, "have no type: those of sysvmsg: do");
	refused("sysvmsg:1", 0, 0, 5, -EOPNOTSUPP, "have no priority: those of posixmq: do");
	refused("unix:/x", 0, 5, 0, -EOPNOTSUPP, "neither type nor priority");
	refused("fifo:/x", NONET_ENDPOINT_SEND, 0, 5, -EOPNOTSUPP, "neither type nor priority");
	refused("sysvmsg:1", NONET_ENDPOINT_SEND, -5, 0, -EINVAL, "can't be sent");
	refused("sysvmsg:1", 0, -5, 0, -EINVAL, "can't be sent");
}

static void who_waits_for_a_queue_gives_up_at_the_deadline(void **state)
{
	char address[64];

	(void)state;
	for (int posix = 0; posix < 2; posix++) {
		const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = NONET_ENDPOINT_WAIT};
		const nonet_time deadline = test_clock() + NONET_MS(20);
		struct nonet_endpoint *endpoint;

		address_of(posix, address);
		refused(address, 0, 0, 0, -ENOENT, "there is none");
		refused(address, NONET_ENDPOINT_WAIT, 0, 0, -EAGAIN, "there is no queue");
		test_check_equal(nonet_endpoint_open(address, &options, deadline, &endpoint, NULL), -ETIMEDOUT);
		test_check(test_clock() >= deadline);
	}
}

/* Made by whoever comes first, with what is in it for whoever comes later. */
static void a_queue_stays(void **state)
{
	struct nonet_endpoint *endpoint;
	char address[64];

	(void)state;
	for (int posix = 0; posix < 2; posix++) {
		address_of(posix, address);
		for (int i = 0; i < 2; i++) {
			endpoint = open_as(address, LISTEN, 0, 0);
			if (i)
				expect(endpoint, 'a');
			else
				test_check_equal(nonet_endpoint_send(endpoint, "a", 1, NONET_NOW), 0);
			test_check_equal(nonet_endpoint_finish(endpoint), -EOPNOTSUPP);
			nonet_endpoint_close(endpoint);
		}
		test_check_equal(nonet_queue_unlink(address, NULL), 0);
	}
}

/* Its descriptor may be missing, and every call says so. */
static void who_only_sends_has_no_descriptor_of_a_system_v_queue(void **state)
{
	struct nonet_endpoint *endpoint;
	char address[64];

	(void)state;
	address_of(false, address);
	endpoint = open_as(address, NONET_ENDPOINT_LISTEN | NONET_ENDPOINT_SEND, 0, 0);
	test_check_equal(nonet_endpoint_fd(endpoint), -EOPNOTSUPP);
	test_check_equal(nonet_endpoint_arm(endpoint), -EOPNOTSUPP);
	nonet_endpoint_close(endpoint);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(labels_are_told),
		test_case(types_choose),
		test_case(priorities_sort),
		test_case(what_a_carrier_has_not_is_refused),
		test_case(who_waits_for_a_queue_gives_up_at_the_deadline),
		test_case(a_queue_stays),
		test_case(who_only_sends_has_no_descriptor_of_a_system_v_queue),
	};

	return test_main(tests);
}
