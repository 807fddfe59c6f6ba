/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call/server.h"
#include "call/test_call.h"
#include "harness/domain.h"

/* Servers and clients that end, are killed, and are followed by others. */

/* Answers, with as much as was asked and 100, until it is killed; what is above 1000 it keeps. */
static int serve(struct test_child_side *side, void *argument)
{
	struct nonet_server *server = server_new(0);
	struct nonet_message request;

	(void)argument;
	test_report(side, "ready");
	for (;;) {
		uint64_t number;

		test_check_equal(nonet_server_next(server, NONET_FOREVER, &request), 0);
		number = number_of(request.data, request.size);
		if (number > 1000)
			test_report(side, "holds");
		else
			reply_number(server, &request, number + 100);
	}
	return 0;
}

static void call_number(struct nonet_client *client, uint64_t number)
{
	struct nonet_reply reply;

	test_check_equal(nonet_client_call(client, &number, sizeof(number), test_deadline(), &reply), 0);
	test_check_equal(number_of(reply.data, reply.size), number + 100);
	test_check_equal(nonet_client_release(client, &reply), 0);
}

/* Calls what a server keeps, and says how that ended; then goes on with what it answers. */
static int call_in_vain(struct test_child_side *side, void *argument)
{
	const uint64_t number = 1001;
	struct nonet_client *client = client_new(0);
	struct nonet_reply reply;

	(void)argument;
	call_number(client, 1);
	test_check_equal(nonet_client_call(client, &number, sizeof(number), test_deadline(), &reply), -EPIPE);
	test_report(side, "told");
	/* And no server at all. */
	test_check_equal(nonet_client_call(client, &number, sizeof(number), test_deadline(), &reply), -EPIPE);
	test_report(side, "told");
	test_await(side, "go");
	call_number(client, 2);
	nonet_client_close(client);
	return 0;
}

DOMAIN_TEST(a_server_that_is_killed_fails_what_it_holds)
{
	struct test_child *server;
	struct test_child *client;
	nonet_time begin;

	(void)side;
	(void)argument;
	make(1);
	server = test_child_until(serve, NULL);
	client = test_child_start(call_in_vain, NULL);
	test_child_wait_state(server, "holds");
	test_child_wait_blocked(client);
	begin = test_clock();
	test_kill(server);
	test_child_wait_state(client, "told");
	test_note("the client was told after %lld us", (long long)((test_clock() - begin) / 1000));
	test_child_wait_state(client, "told");
	server = test_child_until(serve, NULL);
	test_child_tell(client, "go");
	test_check_equal(test_child_join(client), 0);
	test_kill(server);
	return 0;
}

/* Calls what isn't answered. */
static int be_left(struct test_child_side *side, void *argument)
{
	const uint64_t number = 1001;
	struct nonet_client *client = client_new(NONET_CALL_SLEEP);
	struct nonet_reply reply;

	(void)argument;
	test_check_equal(nonet_client_call(client, &number, sizeof(number), test_deadline(), &reply), -EPIPE);
	test_report(side, "told");
	nonet_client_close(client);
	return 0;
}

/*
 * Looking around, which who sleeps does every 100 ms, is for the dead: who leaves says so. The client comes after the
 * server, who so has nothing to tell in a lane, and leaves none: that is told too.
 */
DOMAIN_TEST(a_server_that_leaves_and_lives_says_so)
{
	nonet_time best = NONET_FOREVER;

	(void)side;
	(void)argument;
	make(1);
	for (int i = 0; i < 5; i++) {
		struct nonet_server *server = server_new(0);
		struct test_child *client = test_child_start(be_left, NULL);
		nonet_time begin;

		(void)next_request(server, 1001, test_deadline());
		test_child_wait_blocked(client);
		begin = test_clock();
		nonet_server_close(server);
		test_child_wait_state(client, "told");
		best = test_clock() - begin < best ? test_clock() - begin : best;
		test_check_equal(test_child_join(client), 0);
	}
	test_note("told after %lld us at best", (long long)(best / 1000));
	test_check(best < DOMAIN_INTERVAL / 2);
	return 0;
}

/* Not one of its calls is lost: those that the dead server held, those sent to none, those of before. */
DOMAIN_TEST(who_waits_is_answered_by_the_next_server)
{
	struct nonet_client *client;
	struct test_child *server;
	uint64_t calls[10];

	(void)side;
	(void)argument;
	make(1);
	client = client_new(NONET_CALL_WAIT);
	/* Before there was any. */
	calls[0] = begin_number(client, 0);
	server = test_child_until(serve, NULL);
	end_number(client, calls[0], 100, test_deadline());
	calls[0] = begin_number(client, 1001);
	test_child_wait_state(server, "holds");
	calls[1] = begin_number(client, 1);
	end_number(client, calls[1], 101, test_deadline());
	test_kill(server);
	for (uint64_t i = 1; i < 10; i++)
		calls[i] = begin_number(client, i);
	server = test_child_until(serve, NULL);
	for (uint64_t i = 9; i > 0; i--)
		end_number(client, calls[i], 100 + i, test_deadline());
	test_child_wait_state(server, "holds");
	test_check_equal(nonet_client_cancel(client, calls[0]), 0);
	test_kill(server);
	server = test_child_until(serve, NULL);
	calls[1] = begin_number(client, 2);
	end_number(client, calls[1], 102, test_deadline());
	nonet_client_close(client);
	test_kill(server);
	return 0;
}

/* As much as the lane takes is kept for the next server, and what would overwrite it is refused. */
DOMAIN_TEST(what_is_to_be_sent_again_is_not_overwritten)
{
	static unsigned char bytes[9000];
	struct nonet_message request;
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_reply reply;
	uint64_t calls[64];
	uint64_t count = 0;
	int error;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(NONET_CALL_WAIT);
	for (;; count++) {
		memset(bytes, (int)count + 1, sizeof(bytes));
		error = nonet_client_begin(client, bytes, sizeof(bytes) - count, NONET_NOW, &calls[count]);
		if (error < 0)
			break;
	}
	test_check_equal(error, -EAGAIN);
	test_check(count >= 5 && count <= 6);
	test_check_equal(nonet_client_begin(client, bytes, sizeof(bytes), nonet_after(NONET_MS(1)), &calls[count]),
			 -ETIMEDOUT);
	for (int turn = 0; turn < 3; turn++) {
		server = server_new(0);
		test_check_equal(nonet_client_end(client, calls[0], NONET_NOW, &reply), -EAGAIN);
		for (uint64_t i = 0; i < count; i++) {
			test_check_equal(nonet_server_next(server, NONET_NOW, &request), 0);
			test_check_equal(request.size, sizeof(bytes) - i);
			for (size_t j = 0; j < request.size; j++)
				test_check_equal(((const unsigned char *)request.data)[j], i + 1);
			if (turn == 2)
				reply_number(server, &request, i);
		}
		nonet_server_close(server);
	}
	for (uint64_t i = 0; i < count; i++)
		end_number(client, calls[i], i, NONET_NOW);
	nonet_client_close(client);
	return 0;
}

/* A server that is new tells those whom the last one left: nobody waits for what nobody has. */
DOMAIN_TEST(a_server_that_comes_at_once_says_what_it_has_not)
{
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_message request;
	struct nonet_reply reply;
	uint64_t calls[2];

	(void)side;
	(void)argument;
	make(1);
	client = client_new(0);
	server = server_new(0);
	calls[0] = begin_number(client, 1);
	request = next_request(server, 1, NONET_NOW);
	nonet_server_close(server);
	server = server_new(0);
	calls[1] = begin_number(client, 2);
	request = next_request(server, 2, NONET_NOW);
	test_check_equal(nonet_client_end(client, calls[0], test_deadline(), &reply), -EPIPE);
	reply_number(server, &request, 3);
	end_number(client, calls[1], 3, NONET_NOW);
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

static void send_junk(struct nonet_server *server, uint64_t number, uint32_t kind, size_t size)
{
	const struct call_head head = {.number = number, .kind = kind};

	test_check_equal(nonet_publisher_send(server->clients[0].replies, &head, size, NONET_NOW), 0);
}

/* What it is sent is answered with 10 more, until a call of the client's is: how far he gets each time isn't known. */
static void end_served(struct nonet_client *client, uint64_t call, struct nonet_server *server, uint64_t number)
{
	const nonet_time deadline = test_deadline();
	struct nonet_message request;
	struct nonet_reply reply;
	int result;

	do {
		while (nonet_server_next(server, NONET_NOW, &request) == 0)
			reply_number(server, &request, number_of(request.data, request.size) + 10);
		result = nonet_client_end(client, call, nonet_after(NONET_MS(1)), &reply);
	} while (result == -ETIMEDOUT && test_clock() < deadline);
	test_check_equal(result, 0);
	test_check_equal(reply.code, 0);
	test_check_equal(reply.call, call);
	test_check_equal(number_of(reply.data, reply.size), number);
	test_check_equal(nonet_client_release(client, &reply), 0);
}

/* What a server makes up matches no call, and holds up no deadline; that it is new can be said too often. */
DOMAIN_TEST(what_a_server_makes_up_is_data)
{
	struct nonet_message request;
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_reply reply;
	uint64_t calls[2];

	(void)side;
	(void)argument;
	make(1);
	client = client_new(NONET_CALL_WAIT);
	server = server_new(0);
	calls[0] = begin_number(client, 1);
	request = next_request(server, 1, NONET_NOW);
	reply_number(server, &request, 2);
	/* Twice, by what it still knows of the request. */
	send_junk(server, request.sequence, CALL_REPLY, sizeof(struct call_head));
	end_number(client, calls[0], 2, NONET_NOW);
	calls[0] = begin_number(client, 3);
	calls[1] = begin_number(client, 4);
	for (size_t size = 0; size < sizeof(struct call_head); size++)
		send_junk(server, request.sequence + 1, CALL_REPLY, size);
	send_junk(server, request.sequence + 1, 77, sizeof(struct call_head));
	send_junk(server, UINT64_MAX, CALL_REPLY, sizeof(struct call_head));
	send_junk(server, 0, CALL_BEGINS, sizeof(struct call_head));
	for (int i = 0; i < 1500; i++)
		send_junk(server, request.sequence, CALL_REPLY, sizeof(struct call_head));
	test_check_equal(nonet_client_end(client, calls[0], NONET_NOW, &reply), -EAGAIN);
	test_check_equal(nonet_client_end(client, calls[0], nonet_after(NONET_MS(1)), &reply), -ETIMEDOUT);
	/* Each time both are sent again, and answered once. */
	for (int i = 0; i < 100; i++)
		send_junk(server, UINT64_MAX, CALL_BEGINS, sizeof(struct call_head));
	test_check_equal(nonet_client_end(client, calls[0], nonet_after(NONET_MS(1)), &reply), -ETIMEDOUT);
	end_served(client, calls[1], server, 14);
	end_served(client, calls[0], server, 13);
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

static int call_and_hang(struct test_child_side *side, void *argument)
{
	struct nonet_client *client = client_new(0);
	struct nonet_reply reply;
	void *buffer;

	(void)argument;
	(void)begin_number(client, 5);
	test_check_equal(nonet_client_end(client, begin_number(client, 6), test_deadline(), &reply), 0);
	test_check_equal(nonet_client_loan(client, 100, NONET_NOW, &buffer), 0);
	memset(buffer, 0xff, 100);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

DOMAIN_TEST(a_client_that_is_killed_is_in_nobodys_way)
{
	static char bytes[20000];
	struct nonet_server *server;
	struct nonet_client *client;
	struct nonet_message held;
	struct nonet_message request;
	struct test_child *child;
	uint64_t call;

	(void)side;
	(void)argument;
	make(1);
	server = server_new(0);
	child = test_child_start(call_and_hang, NULL);
	held = next_request(server, 5, test_deadline());
	request = next_request(server, 6, test_deadline());
	reply_number(server, &request, 7);
	test_child_wait_state(child, "ready");
	test_kill(child);
	client = client_new(0);
	/* More than the lane takes: the dead one, who held a reply, isn't waited for. */
	test_check_equal(nonet_server_reply(server, &held, 0, bytes, sizeof(bytes), NONET_NOW), 0);
	for (uint64_t i = 0; i < 10; i++) {
		struct nonet_reply reply;

		call = begin_number(client, i);
		request = next_request(server, i, NONET_NOW);
		test_check_equal(nonet_server_reply(server, &request, 0, bytes, sizeof(bytes), NONET_NOW), 0);
		test_check_equal(nonet_client_end(client, call, NONET_NOW, &reply), 0);
		test_check_equal(reply.size, sizeof(bytes));
		test_check_equal(nonet_client_release(client, &reply), 0);
	}
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

DOMAIN_TEST(a_child_opens_its_own)
{
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_message request;
	struct nonet_reply reply;
	uint64_t call;
	pid_t child;
	int status;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(0);
	server = server_new(0);
	call = begin_number(client, 1);
	request = next_request(server, 1, NONET_NOW);
	child = (pid_t)test_must(fork());
	if (child == 0) {
		bool good = nonet_client_call(client, "", 0, NONET_NOW, &reply) == -ECHILD &&
			    nonet_client_end(client, call, NONET_NOW, &reply) == -ECHILD &&
			    nonet_client_cancel(client, call) == -ECHILD && nonet_client_arm(client) == -ECHILD &&
			    nonet_server_next(server, NONET_NOW, &request) == -ECHILD &&
			    nonet_server_reply(server, &request, 0, "", 0, NONET_NOW) == -ECHILD &&
			    nonet_server_drop(server, &request) == -ECHILD && nonet_server_arm(server) == -ECHILD;

		nonet_client_close(client);
		nonet_server_close(server);
		_exit(good ? 0 : 1);
	}
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check_equal(status, 0);
	reply_number(server, &request, 2);
	end_number(client, call, 2, NONET_NOW);
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_server_that_is_killed_fails_what_it_holds),
		test_case(a_server_that_leaves_and_lives_says_so),
		test_case(who_waits_is_answered_by_the_next_server),
		test_case(what_is_to_be_sent_again_is_not_overwritten),
		test_case(a_server_that_comes_at_once_says_what_it_has_not),
		test_case(what_a_server_makes_up_is_data),
		test_case(a_client_that_is_killed_is_in_nobodys_way),
		test_case(a_child_opens_its_own),
	};
	return test_main(tests);
}
