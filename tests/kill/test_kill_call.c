/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server and its clients are killed at random moments, and others take their places. Each call that a surviving
 * client makes has the reply to just that request, once and whole; or, unless it waits for the next server, is told
 * that its server has ended. No call is left without either.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include <nonet/call.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/random.h"
#include "harness/test.h"

#define CHANNEL "channel:kill"
#define CLIENTS 3
#define AT_ONCE 4
#define LARGEST 5000

/* What all processes of a run share. */
struct board {
	_Atomic uint64_t lives; /* of clients */
	_Atomic uint64_t replies;
	_Atomic uint64_t ended; /* calls whose server had */
	_Atomic int stop;       /* clients, end */
	_Atomic int stop_server;
};

struct role {
	struct board *board;
	int number;
	bool waits;
};

/* What each request and reply is: this, and bytes that follow from it. */
struct head {
	uint64_t life;
	uint64_t number;
};

static size_t size_of(const struct head *head, bool reply)
{
	return sizeof(*head) + (head->life * 13 + head->number * 2654435761u + reply) % (LARGEST - sizeof(*head));
}

static unsigned char byte_of(const struct head *head, size_t place, bool reply)
{
	return (unsigned char)(head->life * 31 + head->number * 7 + place + (reply ? 100 : 0));
}

static size_t fill(unsigned char *bytes, const struct head *head, bool reply)
{
	const size_t size = size_of(head, reply);

	memcpy(bytes, head, sizeof(*head));
	for (size_t i = sizeof(*head); i < size; i++)
		bytes[i] = byte_of(head, i, reply);
	return size;
}

static struct head check(const unsigned char *bytes, size_t size, bool reply)
{
	struct head head;

	test_check(size >= sizeof(head));
	memcpy(&head, bytes, sizeof(head));
	test_check_equal(size, size_of(&head, reply));
	for (size_t i = sizeof(head); i < size; i++)
		test_check(bytes[i] == byte_of(&head, i, reply));
	return head;
}

/* The place of one who was killed is free once he is gone. */
static struct nonet_server *server_open(void)
{
	struct nonet_server *server = NULL;
	int error;

	do
		error = nonet_server_open(CHANNEL, NULL, &server, NULL);
	while (error == -EBUSY && test_clock() < test_deadline());
	test_check_equal(error, 0);
	return server;
}

/* Takes some, and answers them from the last to the first. */
static int serve(struct test_child_side *side, void *argument)
{
	const struct role *role = argument;
	struct nonet_server *server = server_open();
	struct nonet_message requests[AT_ONCE];
	unsigned char bytes[LARGEST];

	test_report(side, "ready");
	while (!atomic_load(&role->board->stop_server)) {
		int count = 0;
		int error = nonet_server_next(server, nonet_after(NONET_MS(20)), &requests[0]);

		while (error == 0 && ++count < AT_ONCE)
			error = nonet_server_next(server, NONET_NOW, &requests[count]);
		test_check(error == 0 || error == -ETIMEDOUT || error == -EAGAIN);
		while (count-- > 0) {
			const struct head head = check(requests[count].data, requests[count].size, false);
			const size_t size = fill(bytes, &head, true);

			test_check_equal(nonet_server_reply(server, &requests[count], 0, bytes, size, test_deadline()),
					 0);
		}
	}
	nonet_server_close(server);
	return 0;
}

static struct nonet_client *client_open(bool waits)
{
	const struct nonet_call_options options = {.size = sizeof(options), .flags = waits ? NONET_CALL_WAIT : 0};
	struct nonet_client *client = NULL;
	int error;

	do
		error = nonet_client_open(CHANNEL, &options, &client, NULL);
	while (error == -EUSERS && test_clock() < test_deadline());
	test_check_equal(error, 0);
	return client;
}

static void end_one(const struct role *role, struct nonet_client *client, uint64_t call, const struct head *head)
{
	struct nonet_reply reply;
	int error = nonet_client_end(client, call, test_deadline(), &reply);

	if (error == -EPIPE && !role->waits) {
		atomic_fetch_add(&role->board->ended, 1);
		return;
	}
	test_check_equal(error, 0);
	test_check_equal(reply.code, 0);
	{
		const struct head seen = check(reply.data, reply.size, true);

		test_check_equal(seen.life, head->life);
		test_check_equal(seen.number, head->number);
	}
	test_check_equal(nonet_client_release(client, &reply), 0);
	atomic_fetch_add(&role->board->replies, 1);
}

static int call_on(struct test_child_side *side, void *argument)
{
	const struct role *role = argument;
	struct nonet_client *client = client_open(role->waits);
	const uint64_t life = atomic_fetch_add(&role->board->lives, 1) + 1;
	unsigned char bytes[LARGEST];
	uint64_t calls[AT_ONCE];

	test_report(side, "ready");
	for (uint64_t number = 0; !atomic_load(&role->board->stop); number += AT_ONCE) {
		for (uint64_t i = 0; i < AT_ONCE; i++) {
			const struct head head = {life, number + i};
			const size_t size = fill(bytes, &head, false);

			test_check_equal(nonet_client_begin(client, bytes, size, test_deadline(), &calls[i]), 0);
		}
		for (uint64_t i = 0; i < AT_ONCE; i++) {
			const struct head head = {life, number + i};

			end_one(role, client, calls[i], &head);
		}
	}
	nonet_client_close(client);
	return 0;
}

DOMAIN_TEST(each_call_has_its_reply_or_is_told)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options), .flags = NONET_CHANNEL_CALLS, .lane = 65536, .publishers = 2 * CLIENTS};
	struct test_random random = test_random_init(test_seed(), 0);
	const uint64_t wanted = test_scaled(2200);
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_child *children[CLIENTS + 1];
	struct role roles[CLIENTS + 1];
	uint64_t kills[2] = {0};

	(void)side;
	(void)argument;
	test_check(board != MAP_FAILED);
	test_check_equal(nonet_channel_create(CHANNEL, &options, NULL), 0);
	/* The server is the last one; of the clients one goes on at its end. */
	for (int i = 0; i <= CLIENTS; i++) {
		roles[i] = (struct role){board, i, i > 0};
		children[i] = test_child_until(i == CLIENTS ? serve : call_on, &roles[i]);
	}
	while (kills[0] + kills[1] < wanted) {
		const int i = kills[0] <= kills[1] ? (int)test_random_between(&random, 0, CLIENTS - 1) : CLIENTS;

		kills[i == CLIENTS] += (uint64_t)test_kill_at_random(children[i], 0, NONET_MS(2), &random);
		children[i] = test_child_until(i == CLIENTS ? serve : call_on, &roles[i]);
	}
	atomic_store(&board->stop, 1);
	for (int i = 0; i < CLIENTS; i++)
		test_check_equal(test_child_join(children[i]), 0);
	atomic_store(&board->stop_server, 1);
	test_check_equal(test_child_join(children[CLIENTS]), 0);
	test_check(atomic_load(&board->replies) > 0);
	test_note("%llu clients and %llu servers killed, %llu replies, %llu calls whose server had ended",
		  (unsigned long long)kills[0], (unsigned long long)kills[1],
		  (unsigned long long)atomic_load(&board->replies), (unsigned long long)atomic_load(&board->ended));
	test_must(munmap(board, sizeof(*board)));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(each_call_has_its_reply_or_is_told),
	};
	return test_main(tests);
}
