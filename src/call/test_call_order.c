/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/wait.h>

#include "call/server.h"
#include "call/test_call.h"
#include "harness/domain.h"

/* Loans that belong to one request, places that go from hand to hand, and what is told though nobody calls. */

static int be_a_client(struct test_child_side *side, void *argument)
{
	struct nonet_client *client = client_new(0);

	(void)argument;
	(void)client;
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static int be_a_server(struct test_child_side *side, void *argument)
{
	struct nonet_server *server = server_new(0);

	(void)argument;
	(void)server;
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

/* More replies than a lane takes: whoever had the places before, dead now, read other lanes than who has them. */
static void call_round_the_lane(struct nonet_client *client, struct nonet_server *server)
{
	static char bytes[20000];
	struct nonet_message request;
	struct nonet_reply reply;
	uint64_t call;

	for (int i = 0; i < 20; i++) {
		test_check_equal(nonet_client_begin(client, bytes, sizeof(bytes), NONET_NOW, &call), 0);
		test_check_equal(nonet_server_next(server, NONET_NOW, &request), 0);
		test_check_equal(nonet_server_reply(server, &request, 0, bytes, sizeof(bytes), NONET_NOW), 0);
		test_check_equal(nonet_client_end(client, call, NONET_NOW, &reply), 0);
		test_check_equal(nonet_client_release(client, &reply), 0);
	}
}

/* One who is dead had the first seat, and the first of two who come next gets it. */
static void places_change_hands(test_child_function *dies, bool server_first)
{
	struct nonet_server *server = NULL;
	struct nonet_client *client;

	make(2);
	test_kill(test_child_until(dies, NULL));
	if (server_first)
		server = server_new(0);
	client = client_new(0);
	if (!server_first)
		server = server_new(0);
	call_round_the_lane(client, server);
	nonet_client_close(client);
	nonet_server_close(server);
}

DOMAIN_TEST(a_dead_client_leaves_its_place_to_a_server)
{
	(void)side;
	(void)argument;
	places_change_hands(be_a_client, true);
	return 0;
}

DOMAIN_TEST(a_dead_server_leaves_its_place_to_a_client)
{
	(void)side;
	(void)argument;
	places_change_hands(be_a_server, false);
	return 0;
}

/* What is loaned for one request answers no other, and is gone with it, or with the next loan for the client. */
DOMAIN_TEST(a_loan_is_for_its_request)
{
	struct nonet_message requests[3];
	struct nonet_server *server;
	struct nonet_client *client;
	struct nonet_message forged;
	uint64_t calls[3];
	void *buffer;
	const uint64_t number = 7;

	(void)side;
	(void)argument;
	make(1);
	server = server_new(0);
	client = client_new(0);
	for (uint64_t i = 0; i < 3; i++) {
		calls[i] = begin_number(client, i);
		requests[i] = next_request(server, i, NONET_NOW);
	}
	test_check_equal(nonet_server_loan(server, &requests[0], sizeof(number), NONET_NOW, &buffer), 0);
	memcpy(buffer, &number, sizeof(number));
	test_check_equal(nonet_server_commit(server, &requests[1], 0, sizeof(number)), -EINVAL);
	/* One that isn't held, whatever it says of itself, has no loan, and ends nobody's. */
	forged = requests[1];
	forged.position += 8;
	test_check_equal(nonet_server_loan(server, &forged, 8, NONET_NOW, &buffer), -EINVAL);
	test_check_equal(nonet_server_reply(server, &forged, 0, "", 0, NONET_FOREVER), -EINVAL);
	forged.lane = 77;
	test_check_equal(nonet_server_reply(server, &forged, 0, "", 0, NONET_FOREVER), -EINVAL);
	test_check_equal(nonet_server_drop(server, &forged), -EINVAL);
	test_check_equal(nonet_server_commit(server, &requests[0], 0, sizeof(number)), 0);
	end_number(client, calls[0], number, NONET_NOW);
	/* Answered once, it isn't answered again, also where that would wait. */
	test_check_equal(nonet_server_reply(server, &requests[0], 0, "", 0, NONET_FOREVER), -EINVAL);
	test_check_equal(nonet_server_loan(server, &requests[1], 8, NONET_NOW, &buffer), 0);
	test_check_equal(nonet_server_drop(server, &requests[1]), 0);
	test_check_equal(nonet_server_commit(server, &requests[1], 0, 0), -EINVAL);
	test_check_equal(nonet_server_commit(server, &requests[2], 0, 0), -EINVAL);
	test_check_equal(nonet_server_loan(server, &requests[2], SIZE_MAX / 2, NONET_NOW, &buffer), -EMSGSIZE);
	test_check_equal(nonet_server_commit(server, &requests[2], 0, 0), -EINVAL);
	reply_number(server, &requests[2], number);
	end_number(client, calls[2], number, NONET_NOW);
	nonet_client_close(client);
	nonet_server_close(server);
	return 0;
}

/* What waits for the next server is sent again though something is loaned, once that is given back, or lent anew. */
DOMAIN_TEST(a_loan_keeps_nothing_back_for_good)
{
	struct nonet_server *server;
	struct nonet_client *client;
	struct nonet_message request;
	struct nonet_reply reply;
	uint64_t calls[2];
	void *buffer;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(NONET_CALL_WAIT);
	for (int way = 0; way < 2; way++) {
		server = server_new(0);
		calls[0] = begin_number(client, 1);
		(void)next_request(server, 1, NONET_NOW);
		nonet_server_close(server);
		server = server_new(0);
		test_check_equal(nonet_client_loan(client, 8, NONET_NOW, &buffer), 0);
		test_check_equal(nonet_client_end(client, calls[0], nonet_after(NONET_MS(5)), &reply), -ETIMEDOUT);
		test_check_equal(nonet_server_next(server, NONET_NOW, &request), -EAGAIN);
		if (way == 0) {
			test_check_equal(nonet_client_abort(client), 0);
			test_check_equal(nonet_client_commit(client, 8, &calls[1]), -EINVAL);
			test_check_equal(nonet_client_end(client, calls[0], NONET_NOW, &reply), -EAGAIN);
		} else {
			calls[1] = begin_number(client, 2);
			test_check_equal(nonet_client_end(client, calls[0], NONET_NOW, &reply), -EAGAIN);
			request = next_request(server, 2, NONET_NOW);
			reply_number(server, &request, 3);
			end_number(client, calls[1], 3, NONET_NOW);
		}
		request = next_request(server, 1, NONET_NOW);
		reply_number(server, &request, 2);
		end_number(client, calls[0], 2, NONET_NOW);
		nonet_server_close(server);
	}
	nonet_client_close(client);
	return 0;
}

/*
 * Who wants room gets it though he has something on loan: that is over, and an old request, which has to go to the next
 * server and keeps back all that came behind it, is sent again.
 */
DOMAIN_TEST(a_loan_ends_with_the_next_request)
{
	static char bytes[30000];
	struct nonet_server *server;
	struct nonet_client *client;
	struct nonet_message old, large;
	struct nonet_reply reply;
	uint64_t calls[3];
	void *buffer;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(NONET_CALL_WAIT);
	server = server_new(0);
	calls[0] = begin_number(client, 1);
	test_check_equal(nonet_client_begin(client, bytes, sizeof(bytes), NONET_NOW, &calls[1]), 0);
	old = next_request(server, 1, NONET_NOW);
	test_check_equal(nonet_server_next(server, NONET_NOW, &large), 0);
	reply_number(server, &large, 2);
	end_number(client, calls[1], 2, NONET_NOW);
	nonet_server_close(server);
	server = server_new(0);
	test_check_equal(nonet_client_loan(client, 8, NONET_NOW, &buffer), 0);
	test_check_equal(nonet_server_next(server, NONET_NOW, &large), -EAGAIN);
	test_check_equal(nonet_client_begin(client, bytes, sizeof(bytes), nonet_after(NONET_S(1)), &calls[2]), 0);
	old = next_request(server, 1, NONET_NOW);
	reply_number(server, &old, 1);
	end_number(client, calls[0], 1, NONET_NOW);
	test_check_equal(nonet_server_next(server, NONET_NOW, &large), 0);
	test_check_equal(large.size, sizeof(bytes));
	reply_number(server, &large, 3);
	test_check_equal(nonet_client_end(client, calls[2], NONET_NOW, &reply), 0);
	test_check_equal(nonet_client_release(client, &reply), 0);
	nonet_server_close(server);
	nonet_client_close(client);
	return 0;
}

/* Answers all that comes, and sleeps in a set meanwhile. */
static int serve_in_a_set(struct test_child_side *side, void *argument)
{
	struct nonet_server *server = server_new(0);
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	size_t count;

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_server_waitable(server), NONET_WAIT_RECEIVE, server), 0);
	for (;;) {
		struct nonet_message request;

		test_check_equal(nonet_wait(set, &event, 1, NONET_FOREVER, &count), 0);
		while (nonet_server_next(server, NONET_NOW, &request) == 0)
			reply_number(server, &request, 1);
	}
	return 0;
}

/*
 * A client whose lane is full of replies is told of a new server once there is room, also where that one sleeps in a
 * set until somebody calls.
 */
DOMAIN_TEST(a_server_that_sleeps_tells_that_it_is_new)
{
	static char bytes[30000];
	struct nonet_message request;
	struct nonet_client *client;
	struct nonet_server *server;
	struct test_child *child;
	struct nonet_reply reply;
	uint64_t calls[64];
	size_t size = sizeof(bytes);
	int count = 0;
	int result = 0;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(0);
	server = server_new(0);
	while (size > 0) {
		test_check(count < 64);
		calls[count++] = begin_number(client, 1);
		request = next_request(server, 1, NONET_NOW);
		do {
			result = nonet_server_reply(server, &request, 0, bytes, size, NONET_NOW);
			if (result == -EAGAIN)
				size = size > 1000 ? size / 2 : size > 8 ? size - 8 : 0;
		} while (result == -EAGAIN && size > 0);
	}
	test_check_equal(result, -EAGAIN);
	nonet_server_close(server);
	child = test_child_until(serve_in_a_set, NULL);
	test_child_wait_blocked(child);
	for (int i = 0; i < count - 1; i++) {
		test_check_equal(nonet_client_end(client, calls[i], NONET_NOW, &reply), 0);
		test_check_equal(nonet_client_release(client, &reply), 0);
	}
	test_check_equal(nonet_client_end(client, calls[count - 1], test_deadline(), &reply), -EPIPE);
	calls[0] = begin_number(client, 2);
	end_number(client, calls[0], 1, test_deadline());
	test_kill(child);
	nonet_client_close(client);
	return 0;
}

/* What was rung may be told once; then nothing is, over a look around. */
static void check_quiet(struct nonet_wait_set *set)
{
	struct nonet_wait_event event;
	size_t count;
	int told = -1;

	do
		told++;
	while (nonet_wait(set, &event, 1, nonet_after(NONET_MS(250)), &count) == 0 && told < 10);
	test_check(told <= 3);
}

/* Without a server and without a call there is nothing to tell; with a call there is. */
DOMAIN_TEST(who_calls_nobody_is_told_nothing)
{
	struct nonet_client *client;
	struct nonet_server *server;
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_reply reply;
	uint64_t call;
	size_t count;

	(void)side;
	(void)argument;
	make(1);
	client = client_new(0);
	server = server_new(0);
	call = begin_number(client, 1);
	{
		const struct nonet_message request = next_request(server, 1, NONET_NOW);

		reply_number(server, &request, 2);
	}
	end_number(client, call, 2, NONET_NOW);
	nonet_server_close(server);
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_client_waitable(client), NONET_WAIT_RECEIVE, client), 0);
	test_check_equal(nonet_client_arm(client), 0);
	check_quiet(set);
	call = begin_number(client, 3);
	test_check_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	test_check_equal(nonet_client_end(client, call, NONET_NOW, &reply), -EPIPE);
	check_quiet(set);
	/* Nor is a reply to what was given up told, which nobody would take. */
	server = server_new(0);
	call = begin_number(client, 4);
	{
		const struct nonet_message request = next_request(server, 4, NONET_NOW);

		test_check_equal(nonet_client_cancel(client, call), 0);
		reply_number(server, &request, 5);
	}
	check_quiet(set);
	nonet_server_close(server);
	nonet_wait_set_free(set);
	nonet_client_close(client);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_dead_client_leaves_its_place_to_a_server),
		test_case(a_dead_server_leaves_its_place_to_a_client),
		test_case(a_loan_is_for_its_request),
		test_case(a_loan_keeps_nothing_back_for_good),
		test_case(a_loan_ends_with_the_next_request),
		test_case(a_server_that_sleeps_tells_that_it_is_new),
		test_case(who_calls_nobody_is_told_nothing),
	};
	return test_main(tests);
}
