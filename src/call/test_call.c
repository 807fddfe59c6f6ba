/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "call/test_call.h"
#include "harness/domain.h"

/* Calls, all sides in one process. */

DOMAIN_TEST(a_request_has_its_reply)
{
	struct nonet_message requests[3];
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_reply reply;
	uint64_t calls[3];

	(void)side;
	(void)argument;
	make(2);
	client = client_new(0);
	server = server_new(0);
	for (uint64_t i = 0; i < 3; i++)
		calls[i] = begin_number(client, i);
	test_check_equal(nonet_client_end(client, calls[0], NONET_NOW, &reply), -EAGAIN);
	test_check_equal(nonet_client_end(client, calls[0], nonet_after(NONET_MS(1)), &reply), -ETIMEDOUT);
	for (uint64_t i = 0; i < 3; i++)
		requests[i] = next_request(server, i, NONET_NOW);
	test_check_equal(nonet_server_next(server, NONET_NOW, &requests[0]), -EAGAIN);
	/* In any order, and each has its own. */
	for (uint64_t i = 3; i-- > 0;)
		reply_number(server, &requests[i], 100 + i);
	for (uint64_t i = 0; i < 3; i++)
		end_number(client, calls[i], 100 + i, NONET_NOW);
	/* Once. */
	test_check_equal(nonet_client_end(client, calls[0], NONET_NOW, &reply), -EINVAL);
	test_check_equal(nonet_server_reply(server, &requests[0], 0, "", 0, NONET_NOW), -EINVAL);
	calls[0] = begin_number(client, 7);
	test_check_equal(nonet_client_end(client, calls[0], NONET_NOW, &reply), -EAGAIN);
	nonet_server_close(server);
	nonet_client_close(client);
	return 0;
}

DOMAIN_TEST(requests_and_replies_are_written_in_place)
{
	struct nonet_message request;
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_reply reply;
	uint64_t call;
	void *buffer;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(0);
	server = server_new(0);
	test_check_equal(nonet_client_commit(client, 0, &call), -EINVAL);
	test_check_equal(nonet_client_loan(client, nonet_client_limit(client) + 1, NONET_NOW, &buffer), -EMSGSIZE);
	test_check_equal(nonet_client_loan(client, 5, NONET_NOW, &buffer), 0);
	memcpy(buffer, "hello", 5);
	test_check_equal(nonet_client_commit(client, 6, &call), -EMSGSIZE);
	test_check_equal(nonet_client_commit(client, 5, &call), 0);
	test_check_equal(nonet_server_next(server, NONET_NOW, &request), 0);
	test_check(request.size == 5 && memcmp(request.data, "hello", 5) == 0);
	test_check_equal(request.publisher, 1);
	test_check_equal(nonet_server_commit(server, &request, 0, 0), -EINVAL);
	test_check_equal(nonet_server_loan(server, &request, nonet_server_limit(server) + 1, NONET_NOW, &buffer),
			 -EMSGSIZE);
	test_check_equal(nonet_server_loan(server, &request, 10, NONET_NOW, &buffer), 0);
	test_check_equal((uintptr_t)buffer % 8, 0);
	memcpy(buffer, "not found", 9);
	test_check_equal(nonet_server_commit(server, &request, -ENOENT, 11), -EMSGSIZE);
	test_check_equal(nonet_server_commit(server, &request, -ENOENT, 9), 0);
	test_check_equal(nonet_client_end(client, call, NONET_NOW, &reply), 0);
	test_check_equal(reply.code, -ENOENT);
	test_check(reply.size == 9 && memcmp(reply.data, "not found", 9) == 0);
	test_check_equal(nonet_client_end(client, call, NONET_NOW, &reply), -EINVAL);
	test_check_equal(nonet_client_cancel(client, call), -EINVAL);
	test_check_equal(nonet_client_release(client, &reply), 0);
	test_check_equal(nonet_client_release(client, &reply), -EINVAL);
	/* Nothing, both ways, and the most. */
	test_check_equal(nonet_client_begin(client, NULL, 0, NONET_NOW, &call), 0);
	test_check_equal(nonet_server_next(server, NONET_NOW, &request), 0);
	test_check_equal(request.size, 0);
	test_check_equal(nonet_server_loan(server, &request, nonet_server_limit(server), NONET_NOW, &buffer), 0);
	memset(buffer, 'x', nonet_server_limit(server));
	test_check_equal(nonet_server_commit(server, &request, 0, nonet_server_limit(server)), 0);
	test_check_equal(nonet_client_end(client, call, NONET_NOW, &reply), 0);
	test_check_equal(reply.size, nonet_server_limit(server));
	test_check_equal(((const char *)reply.data)[reply.size - 1], 'x');
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

/* A reply that comes late belongs to nobody, though the client calls again, and a new client has the lane. */
DOMAIN_TEST(a_late_reply_is_nobodys)
{
	struct nonet_message late[3];
	struct nonet_message request;
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_reply reply;
	uint64_t call;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(0);
	server = server_new(0);
	test_check_equal(nonet_client_call(client, "late", 4, nonet_after(NONET_MS(1)), &reply), -ETIMEDOUT);
	test_check_equal(nonet_client_call(client, "late", 4, NONET_NOW, &reply), -EAGAIN);
	call = begin_number(client, 1);
	test_check_equal(nonet_client_cancel(client, call), 0);
	test_check_equal(nonet_client_end(client, call, NONET_NOW, &reply), -EINVAL);
	for (int i = 0; i < 3; i++)
		test_check_equal(nonet_server_next(server, NONET_NOW, &late[i]), 0);
	call = begin_number(client, 2);
	reply_number(server, &late[0], 1000);
	request = next_request(server, 2, NONET_NOW);
	reply_number(server, &request, 3);
	end_number(client, call, 3, NONET_NOW);
	/* Given up when its reply was there already. */
	call = begin_number(client, 4);
	request = next_request(server, 4, NONET_NOW);
	reply_number(server, &request, 5);
	test_check_equal(nonet_client_cancel(client, call), 0);
	nonet_client_close(client);
	client = client_new(0);
	call = begin_number(client, 6);
	reply_number(server, &late[1], 1001);
	reply_number(server, &late[2], 1002);
	test_check_equal(nonet_client_end(client, call, NONET_NOW, &reply), -EAGAIN);
	request = next_request(server, 6, NONET_NOW);
	test_check(request.publisher > 1);
	reply_number(server, &request, 7);
	end_number(client, call, 7, NONET_NOW);
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

/* Given up when its reply is here already, and kept: it is let go, and so the lane and the places in it. */
DOMAIN_TEST(a_kept_reply_that_is_given_up_is_released)
{
	static char bytes[2000];
	struct nonet_message request;
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_reply reply;
	uint64_t calls[2];

	(void)side;
	(void)argument;
	make(1);
	client = client_new(0);
	server = server_new(0);
	for (uint64_t turn = 0; turn < 2 * NONET_CALLS; turn++) {
		calls[0] = begin_number(client, turn);
		calls[1] = begin_number(client, turn);
		request = next_request(server, turn, NONET_NOW);
		test_check_equal(nonet_server_reply(server, &request, 0, bytes, sizeof(bytes), NONET_NOW), 0);
		test_check_equal(nonet_client_end(client, calls[1], NONET_NOW, &reply), -EAGAIN);
		test_check_equal(nonet_client_cancel(client, calls[0]), 0);
		request = next_request(server, turn, NONET_NOW);
		reply_number(server, &request, turn + 1);
		end_number(client, calls[1], turn + 1, NONET_NOW);
	}
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

/* As many calls as there may be, and one more; and the lane goes round some times. */
DOMAIN_TEST(many_calls_at_once)
{
	struct nonet_message requests[NONET_CALLS];
	uint64_t calls[NONET_CALLS];
	struct nonet_client *client;
	struct nonet_server *server;
	uint64_t more;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(NONET_CALL_WAIT);
	server = server_new(0);
	for (uint64_t turn = 0; turn < 100; turn++) {
		for (uint64_t i = 0; i < NONET_CALLS; i++)
			calls[i] = begin_number(client, turn * NONET_CALLS + i);
		test_check_equal(nonet_client_begin(client, "", 0, NONET_NOW, &more), -ENOBUFS);
		for (uint64_t i = 0; i < NONET_CALLS; i++)
			requests[i] = next_request(server, turn * NONET_CALLS + i, NONET_NOW);
		for (uint64_t i = 0; i < NONET_CALLS; i++)
			reply_number(server, &requests[i ^ turn % NONET_CALLS], i ^ turn % NONET_CALLS);
		for (uint64_t i = NONET_CALLS; i-- > 0;)
			end_number(client, calls[i], i, NONET_NOW);
	}
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

/* The server has no room for the replies of one who doesn't read, and goes on with the others. */
DOMAIN_TEST(who_leaves_replies_unread_stops_only_itself)
{
	static char bytes[30000];
	struct nonet_message request;
	struct nonet_client *slow;
	struct nonet_client *other;
	struct nonet_server *server;
	struct nonet_reply reply;
	uint64_t calls[3];
	uint64_t call;

	(void)side;
	(void)argument;
	make(2);
	slow = client_new(0);
	other = client_new(0);
	server = server_new(0);
	for (uint64_t i = 0; i < 3; i++)
		calls[i] = begin_number(slow, i);
	for (uint64_t i = 0; i < 2; i++) {
		request = next_request(server, i, NONET_NOW);
		test_check_equal(nonet_server_reply(server, &request, 0, bytes, sizeof(bytes), NONET_NOW), 0);
	}
	request = next_request(server, 2, NONET_NOW);
	test_check_equal(nonet_server_reply(server, &request, 0, bytes, sizeof(bytes), NONET_NOW), -EAGAIN);
	test_check_equal(nonet_server_reply(server, &request, 0, bytes, sizeof(bytes), nonet_after(NONET_MS(1))),
			 -ETIMEDOUT);
	call = begin_number(other, 9);
	{
		struct nonet_message next = next_request(server, 9, NONET_NOW);

		reply_number(server, &next, 10);
	}
	end_number(other, call, 10, NONET_NOW);
	/* It is still held: once the client reads, it can be answered. */
	for (int i = 0; i < 2; i++) {
		test_check_equal(nonet_client_end(slow, calls[i], NONET_NOW, &reply), 0);
		test_check_equal(nonet_client_release(slow, &reply), 0);
	}
	test_check_equal(nonet_server_reply(server, &request, 0, bytes, sizeof(bytes), NONET_NOW), 0);
	test_check_equal(nonet_client_end(slow, calls[2], NONET_NOW, &reply), 0);
	/* And what is dropped has none. */
	call = begin_number(other, 11);
	request = next_request(server, 11, NONET_NOW);
	test_check_equal(nonet_server_drop(server, &request), 0);
	test_check_equal(nonet_server_drop(server, &request), -EINVAL);
	test_check_equal(nonet_client_end(other, call, nonet_after(NONET_MS(1)), &reply), -ETIMEDOUT);
	nonet_client_close(slow);
	nonet_client_close(other);
	nonet_server_close(server);
	return 0;
}

static void check_poll(int fd, int expected)
{
	struct pollfd poll_fd = {fd, POLLIN, 0};

	test_check_equal(poll(&poll_fd, 1, expected ? 10000 : 0), expected);
}

DOMAIN_TEST(both_sides_are_waited_for_by_descriptor)
{
	struct nonet_message request;
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_wait_set *set;
	struct nonet_wait_event event;
	struct nonet_reply reply;
	uint64_t calls[2];
	size_t count;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(0);
	server = server_new(0);
	test_check_equal(nonet_server_arm(server), 0);
	check_poll(nonet_server_fd(server), 0);
	calls[0] = begin_number(client, 1);
	calls[1] = begin_number(client, 2);
	check_poll(nonet_server_fd(server), 1);
	test_check_equal(nonet_client_arm(client), 0);
	check_poll(nonet_client_fd(client), 0);
	request = next_request(server, 1, NONET_NOW);
	reply_number(server, &request, 3);
	check_poll(nonet_client_fd(client), 1);
	/* What was kept for one call while another was looked at is told too, by a set as well. */
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_client_waitable(client), NONET_WAIT_RECEIVE, client), 0);
	test_check_equal(nonet_client_end(client, calls[1], NONET_NOW, &reply), -EAGAIN);
	test_check_equal(nonet_client_arm(client), 1);
	test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	test_check_equal(count, 1);
	end_number(client, calls[0], 3, NONET_NOW);
	test_check_equal(nonet_client_end(client, calls[1], NONET_NOW, &reply), -EAGAIN);
	test_check_equal(nonet_client_arm(client), 0);
	/* The end of the server is told as well. */
	nonet_server_close(server);
	test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	test_check_equal(nonet_client_end(client, calls[1], NONET_NOW, &reply), -EPIPE);
	nonet_wait_set_free(set);
	nonet_client_close(client);
	return 0;
}

DOMAIN_TEST(what_makes_no_sense_is_refused)
{
	struct nonet_call_options options = {.size = sizeof(options)};
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_publisher *publisher = NULL;
	struct nonet_message request = {.lane = 5};
	struct nonet_client *client = NULL;
	struct nonet_server *server = NULL;
	struct nonet_client *first;
	struct nonet_error error;
	void *buffer;

	(void)side;
	(void)argument;
	test_check_equal(nonet_client_open(CALL_CHANNEL, NULL, &client, &error), -ENOENT);
	make(1);
	test_check_equal(nonet_channel_create("channel:news", NULL, NULL), 0);
	test_check_equal(nonet_client_open("channel:news", NULL, &client, &error), -EPROTO);
	test_check(strstr(error.text, "not for calls"));
	test_check_equal(nonet_server_open("channel:news", NULL, &server, &error), -EPROTO);
	test_check_equal(nonet_publisher_open(CALL_CHANNEL, &publisher, &error), -EPROTO);
	test_check_equal(nonet_subscriber_open(CALL_CHANNEL, NULL, &subscriber, &error), -EPROTO);
	test_check(strstr(error.text, "is for calls"));
	options.flags = 8;
	test_check_equal(nonet_client_open(CALL_CHANNEL, &options, &client, &error), -EINVAL);
	options.flags = NONET_CALL_WAIT;
	test_check_equal(nonet_server_open(CALL_CHANNEL, &options, &server, &error), -EINVAL);
	test_check(strstr(error.text, "NONET_CALL_WAIT is for a client"));
	options.flags = NONET_CALL_POLL | NONET_CALL_SLEEP;
	test_check_equal(nonet_client_open(CALL_CHANNEL, &options, &client, &error), -EINVAL);
	options.flags = 0;
	options.size = 4;
	test_check_equal(nonet_server_open(CALL_CHANNEL, &options, &server, &error), -EINVAL);
	options.size = sizeof(options);
	options.reserved[2] = 1;
	test_check_equal(nonet_server_open(CALL_CHANNEL, &options, &server, &error), -EINVAL);
	test_check(!client && !server && !publisher && !subscriber);
	first = client_new(0);
	test_check_equal(nonet_client_open(CALL_CHANNEL, NULL, &client, &error), -EUSERS);
	test_check(strstr(error.text, "has 1 clients, as many as it was made for"));
	server = server_new(0);
	{
		struct nonet_server *second = NULL;

		test_check_equal(nonet_server_open(CALL_CHANNEL, NULL, &second, &error), -EBUSY);
		test_check(!second && strstr(error.text, "has a server"));
	}
	test_check_equal(nonet_server_loan(server, &request, 1, NONET_NOW, &buffer), -EINVAL);
	test_check_equal(nonet_server_commit(server, &request, 0, 0), -EINVAL);
	test_check_equal(nonet_server_drop(server, &request), -EINVAL);
	nonet_server_close(server);
	nonet_client_close(first);
	/* Both places are free again. */
	server = server_new(0);
	first = client_new(0);
	nonet_server_explain(server, -EAGAIN, &error);
	test_check(strstr(error.text, "nobody has called"));
	nonet_client_explain(first, -ETIMEDOUT, &error);
	test_check(strstr(error.text, "has not replied"));
	nonet_server_close(server);
	nonet_client_explain(first, -ETIMEDOUT, &error);
	test_check(strstr(error.text, "has no server"));
	nonet_client_close(first);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_request_has_its_reply),
		test_case(requests_and_replies_are_written_in_place),
		test_case(a_late_reply_is_nobodys),
		test_case(a_kept_reply_that_is_given_up_is_released),
		test_case(many_calls_at_once),
		test_case(who_leaves_replies_unread_stops_only_itself),
		test_case(both_sides_are_waited_for_by_descriptor),
		test_case(what_makes_no_sense_is_refused),
	};
	return test_main(tests);
}
