/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/sock_diag.h>
#include <poll.h>

#include "socket/test_socket.h"

/* A sender that is faster than its receiver: UDP drops what there is no room for, and only the kernel counts it. */

#define DATAGRAMS 100000
#define LARGEST   9000
#define PATIENCE  NONET_MS(10)

struct flood {
	struct nonet_socket *sender;
	uint64_t count;
};

static size_t flood_size(uint64_t number)
{
	/* Mostly small, now and then one that IP has to part where the MTU is Ethernet's. */
	return number % 50 ? 8 + number % 1400 : LARGEST;
}

static void flood_fill(uint8_t *bytes, uint64_t number)
{
	fill(bytes, flood_size(number), (unsigned)number);
	memcpy(bytes, &number, sizeof(number));
}

/* Before the receiver takes any: it can't be fast enough then. */
static int flood(struct test_child_side *side, void *argument)
{
	const struct flood *flood = argument;
	uint8_t bytes[LARGEST];

	for (uint64_t i = 0; i < flood->count; i++) {
		if (i == flood->count / 10)
			test_report(side, "begun");
		flood_fill(bytes, i);
		test_check_equal(nonet_socket_send(flood->sender, bytes, flood_size(i), i % 2 ? NONET_FOREVER : soon()),
				 0);
	}
	return 0;
}

static uint64_t dropped_by_the_kernel(struct nonet_socket *socket)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(memory);

	test_must(getsockopt(nonet_socket_fd(socket), SOL_SOCKET, SO_MEMINFO, memory, &size));
	return memory[SK_MEMINFO_DROPS];
}

/* Return: -ETIMEDOUT, or 0 with the number of the datagram, which is whole. */
static int take_one(struct nonet_socket *receiver, nonet_time *latest, uint64_t *ret_number)
{
	const nonet_time deadline = test_clock() + PATIENCE;
	uint8_t bytes[LARGEST];
	uint8_t wanted[LARGEST];
	size_t size = 0;
	int code = nonet_socket_receive(receiver, bytes, sizeof(bytes), deadline, &size);
	const nonet_time now = test_clock();

	*latest = now - deadline > *latest ? now - deadline : *latest;
	if (code == -ETIMEDOUT) {
		test_check(now >= deadline);
		return code;
	}
	test_check_equal(code, 0);
	test_check(size >= sizeof(*ret_number));
	memcpy(ret_number, bytes, sizeof(*ret_number));
	test_check_equal(size, flood_size(*ret_number));
	flood_fill(wanted, *ret_number);
	test_check(memcmp(bytes, wanted, size) == 0);
	return 0;
}

static void a_flood_is_received_whole_in_order_and_in_time(void **state)
{
	struct flood flooding = {.count = test_scaled(DATAGRAMS)};
	struct nonet_socket *receiver;
	struct test_child *child;
	struct pollfd ended = {.events = POLLIN};
	uint64_t received = 0;
	uint64_t dropped;
	uint64_t next = 0;
	uint64_t number = 0;
	nonet_time latest = 0;
	bool over;

	(void)state;
	make_datagram_pair(own_host(), NULL, &flooding.sender, &receiver);
	child = test_child_start(flood, &flooding);
	ended.fd = test_child_pidfd(child);
	test_child_wait_state(child, "begun");
	do {
		over = test_poll(&ended, 1, NONET_NOW) > 0;
		while (take_one(receiver, &latest, &number) == 0) {
			test_check(number >= next);
			next = number + 1;
			received++;
		}
	} while (!over);
	assert_int_equal(test_child_join(child), 0);
	dropped = dropped_by_the_kernel(receiver);
	test_note("%llu datagrams: %llu received, %llu lost (%llu %%); a call returned %lld us after its deadline at "
		  "most",
		  (unsigned long long)flooding.count, (unsigned long long)received, (unsigned long long)dropped,
		  (unsigned long long)(100 * dropped / flooding.count), (long long)(latest / 1000));
	/* None vanishes here: what wasn't received was lost there, and counted. */
	assert_int_equal(received + dropped, flooding.count);
	assert_true(dropped > 0);
	assert_true(latest < NONET_MS(500) * test_slowness());
	close_pair(flooding.sender, receiver);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(120)};
	const struct CMUnitTest tests[] = {
		test_case_with(a_flood_is_received_whole_in_order_and_in_time, &long_one),
	};

	return test_main(tests);
}
