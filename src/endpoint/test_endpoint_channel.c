/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include <nonet/channel.h>
#include <nonet/endpoint.h>

#include "harness/domain.h"
#include "harness/test.h"

/* Endpoints over channels. */

#define CHANNEL "channel:news"

static struct nonet_endpoint *open_as(uint32_t flags, nonet_time deadline, int expected)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_endpoint *endpoint = NULL;
	struct nonet_error error = {0};

	test_check_equal(nonet_endpoint_open(CHANNEL, &options, deadline, &endpoint, &error), expected);
	test_check(expected == 0 || (endpoint == NULL && error.code == expected && error.text[0] != '\0'));
	return endpoint;
}

DOMAIN_TEST(messages_the_history_and_the_end_go_through_an_endpoint)
{
	struct nonet_endpoint *receiver;
	struct nonet_endpoint *sender;
	char buffer[16];
	size_t size = 0;

	(void)side;
	(void)argument;
	open_as(NONET_ENDPOINT_SEND, NONET_NOW, -ENOENT);
	open_as(NONET_ENDPOINT_SEND | NONET_ENDPOINT_LISTEN | NONET_ENDPOINT_END, NONET_NOW, -EINVAL);
	sender = open_as(NONET_ENDPOINT_SEND | NONET_ENDPOINT_LISTEN, NONET_NOW, 0);
	test_check_equal(nonet_endpoint_send(sender, "early", 5, NONET_NOW), 0);
	test_check_equal(nonet_endpoint_fd(sender), -EOPNOTSUPP);
	test_check_equal(nonet_endpoint_receive(sender, buffer, sizeof(buffer), NONET_NOW, &size), -EBADF);
	/* It is the only one that there may be. */
	open_as(NONET_ENDPOINT_SEND, NONET_NOW, -EUSERS);
	open_as(NONET_ENDPOINT_SEND | NONET_ENDPOINT_WAIT, nonet_after(NONET_MS(2)), -ETIMEDOUT);
	receiver = open_as(NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_HISTORY | NONET_ENDPOINT_END, NONET_NOW, 0);
	test_check_equal(nonet_endpoint_message_size(receiver, NONET_NOW, &size), 0);
	test_check_equal(size, 5);
	test_check_equal(nonet_endpoint_receive(receiver, buffer, 4, NONET_NOW, &size), -EMSGSIZE);
	test_check_equal(nonet_endpoint_receive(receiver, buffer, sizeof(buffer), NONET_NOW, &size), 0);
	test_check(size == 5 && memcmp(buffer, "early", 5) == 0);
	test_check_equal(nonet_endpoint_receive(receiver, buffer, sizeof(buffer), NONET_NOW, &size), -EAGAIN);
	nonet_endpoint_close(sender);
	test_check_equal(nonet_endpoint_receive(receiver, buffer, sizeof(buffer), test_deadline(), &size), -EPIPE);
	/* Now there is somebody who reads. */
	sender = open_as(NONET_ENDPOINT_SEND | NONET_ENDPOINT_WAIT, test_deadline(), 0);
	nonet_endpoint_close(receiver);
	nonet_endpoint_close(sender);
	open_as(NONET_ENDPOINT_SEND | NONET_ENDPOINT_WAIT, nonet_after(NONET_MS(2)), -ETIMEDOUT);
	return 0;
}

DOMAIN_TEST(what_an_endpoint_lost_is_counted)
{
	const struct nonet_channel_options drops = {.size = sizeof(drops), .policy = NONET_CHANNEL_DROP, .lane = 65536};
	struct nonet_endpoint *receiver;
	struct nonet_endpoint *sender;
	uint64_t received = 0;
	char buffer[16];
	size_t size;

	(void)side;
	(void)argument;
	test_check_equal(nonet_channel_create(CHANNEL, &drops, NULL), 0);
	receiver = open_as(NONET_ENDPOINT_RECEIVE, NONET_NOW, 0);
	sender = open_as(NONET_ENDPOINT_SEND, NONET_NOW, 0);
	for (int i = 0; i < 20000; i++)
		test_check_equal(nonet_endpoint_send(sender, &i, sizeof(i), NONET_NOW), 0);
	while (nonet_endpoint_receive(receiver, buffer, sizeof(buffer), NONET_NOW, &size) == 0)
		received++;
	test_check(nonet_endpoint_lost(receiver) > 0);
	test_check_equal(received + nonet_endpoint_lost(receiver), 20000);
	test_check_equal(nonet_endpoint_lost(sender), 0);
	nonet_endpoint_close(receiver);
	nonet_endpoint_close(sender);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(messages_the_history_and_the_end_go_through_an_endpoint),
		test_case(what_an_endpoint_lost_is_counted),
	};
	return test_main(tests);
}
