/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include <nonet/channel.h>

#include "channel/subscriber.h"
#include "harness/domain.h"
#include "harness/fault.h"
#include "harness/test.h"
#include "sys/fault.h"

/* Every call of channels, with every one of its system calls failing in turn. */

#define CHANNEL "channel:fault"

struct world {
	struct nonet_publisher *publisher;
	struct nonet_subscriber *subscriber;
};

/* The process is a member, and has its helpers: those are made once, and swept elsewhere. */
static int join(void **ret_state)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .flags = NONET_CHANNEL_MAY_EXIST};
	struct nonet_subscriber *subscriber = NULL;

	(void)ret_state;
	test_check_equal(nonet_channel_create("channel:first", &options, NULL), 0);
	test_check_equal(nonet_subscriber_open("channel:first", NULL, &subscriber, NULL), 0);
	test_check_equal(nonet_subscriber_arm(subscriber), 0);
	nonet_subscriber_close(subscriber);
	return 0;
}

static int new_channel(void **ret_state)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 65536, .publishers = 2};

	join(ret_state);
	test_check_equal(nonet_channel_create(CHANNEL, &options, NULL), 0);
	return 0;
}

static void free_channel(void *state)
{
	(void)state;
	test_check_equal(nonet_channel_unlink(CHANNEL, NULL), 0);
}

static struct world world;

static int new_world(void **ret_state)
{
	new_channel(ret_state);
	test_check_equal(nonet_publisher_open(CHANNEL, &world.publisher, NULL), 0);
	test_check_equal(nonet_subscriber_open(CHANNEL, NULL, &world.subscriber, NULL), 0);
	*ret_state = &world;
	return 0;
}

static int new_full_world(void **ret_state)
{
	static char bytes[1000];

	new_world(ret_state);
	while (nonet_publisher_send(world.publisher, bytes, sizeof(bytes), NONET_NOW) == 0)
		;
	return 0;
}

static void free_world(void *state)
{
	nonet_publisher_close(world.publisher);
	nonet_subscriber_close(world.subscriber);
	free_channel(state);
}

static int run_create(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_channel_create(CHANNEL, NULL, NULL);
}

static void release_created(void *state, void *outputs)
{
	(void)outputs;
	free_channel(state);
}

static int run_publisher(void *state, void *outputs)
{
	(void)state;
	return nonet_publisher_open(CHANNEL, outputs, NULL);
}

static void release_publisher(void *state, void *outputs)
{
	(void)state;
	nonet_publisher_close(*(struct nonet_publisher **)outputs);
}

static int run_subscriber(void *state, void *outputs)
{
	(void)state;
	return nonet_subscriber_open(CHANNEL, NULL, outputs, NULL);
}

static void release_subscriber(void *state, void *outputs)
{
	(void)state;
	nonet_subscriber_close(*(struct nonet_subscriber **)outputs);
}

static int in_vain(int error)
{
	if (error == -ETIMEDOUT)
		return 0;
	return error == 0 ? -EBADMSG : error;
}

static int run_take(void *state, void *outputs)
{
	struct nonet_message message;

	(void)state;
	(void)outputs;
	return in_vain(nonet_subscriber_take(world.subscriber, nonet_after(NONET_MS(2)), &message));
}

/* One that only looks on. */
static int run_tap(void *state, void *outputs)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = NONET_SUBSCRIBER_TAP};

	(void)state;
	return nonet_subscriber_open(CHANNEL, &options, outputs, NULL);
}

static int new_tap(void **ret_state)
{
	new_channel(ret_state);
	test_check_equal(nonet_publisher_open(CHANNEL, &world.publisher, NULL), 0);
	*ret_state = &world;
	return run_tap(NULL, &world.subscriber);
}

static int run_size(void *state, void *outputs)
{
	size_t size;

	(void)state;
	(void)outputs;
	return in_vain(nonet_subscriber_message_size(world.subscriber, nonet_after(NONET_MS(2)), &size));
}

static int run_loan(void *state, void *outputs)
{
	void *buffer;

	(void)state;
	(void)outputs;
	return in_vain(nonet_publisher_loan(world.publisher, 1000, nonet_after(NONET_MS(3)), &buffer));
}

static int run_arm(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_subscriber_arm(world.subscriber);
}

/* Somebody may be asleep, as far as it can tell. */
static int new_armed_world(void **ret_state)
{
	new_world(ret_state);
	return run_take(*ret_state, NULL);
}

static int run_send(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_publisher_send(world.publisher, "", 1, NONET_NOW);
}

static int run_lane_appears(void *state, void *outputs)
{
	struct nonet_message message;
	int error = nonet_subscriber_take(world.subscriber, NONET_NOW, &message);

	(void)state;
	(void)outputs;
	return error == -EAGAIN ? 0 : error;
}

static struct nonet_publisher *second;

static int new_lane(void **ret_state)
{
	new_world(ret_state);
	test_check_equal(nonet_publisher_open(CHANNEL, &second, NULL), 0);
	return 0;
}

static void free_lane(void *state)
{
	second = nonet_publisher_close(second);
	free_world(state);
}

/* A page that isn't there (-EFAULT) is one that a peer cut off. */
static const int sleeping[] = {-EBADMSG, 0};

#define SLEEPS    .allowed = sleeping
#define A_POINTER .outputs_size = sizeof(void *)

static const struct test_operation operations[] = {
	{.name = "channel create", .setup = join, .run = run_create, .release = release_created},
	{.name = "publisher open",
	 .setup = new_channel,
	 .run = run_publisher,
	 .release = release_publisher,
	 .teardown = free_channel,
	 A_POINTER},
	{.name = "subscriber open",
	 .setup = new_channel,
	 .run = run_subscriber,
	 .release = release_subscriber,
	 .teardown = free_channel,
	 A_POINTER},
	{.name = "subscriber take in vain", .setup = new_world, .run = run_take, .teardown = free_world, SLEEPS},
	{.name = "tap open",
	 .setup = new_channel,
	 .run = run_tap,
	 .release = release_subscriber,
	 .teardown = free_channel,
	 A_POINTER},
	{.name = "tap take in vain", .setup = new_tap, .run = run_size, .teardown = free_world, SLEEPS},
	{.name = "tap arm", .setup = new_tap, .run = run_arm, .teardown = free_world},
	{.name = "subscriber sees a lane", .setup = new_lane, .run = run_lane_appears, .teardown = free_lane},
	{.name = "subscriber arm", .setup = new_world, .run = run_arm, .teardown = free_world},
	{.name = "publisher send to sleepers", .setup = new_armed_world, .run = run_send, .teardown = free_world},
	{.name = "publisher loan in vain", .setup = new_full_world, .run = run_loan, .teardown = free_world, SLEEPS},
};

DOMAIN_TEST(every_call_may_fail)
{
	(void)side;
	(void)argument;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_fault_sweep(&operations[i]);
	return 0;
}

/* A lane that has come, looked at for the first time: as nonet_subscriber_take(). */
static int see_lane(void)
{
	struct nonet_message message;

	return nonet_subscriber_take(world.subscriber, NONET_NOW, &message);
}

/* Which of the calls of see_lane() reserves the ring's addresses. */
static size_t reserving_call(void)
{
	void *state = NULL;
	size_t index = 0;

	new_lane(&state);
	sys_fault_record();
	test_check_equal(see_lane(), -EAGAIN);
	while (index < sys_fault_recorded() && sys_fault_recorded_call(index) != SYS_CALL_MMAP)
		index++;
	test_check(index < sys_fault_recorded());
	sys_fault_disarm();
	test_check(world.subscriber->lanes[1].ring.shown != 0);
	free_lane(NULL);
	return index;
}

/* Where addresses, or what may be locked of them, aren't enough for a ring that is mapped twice over, once will do. */
DOMAIN_TEST(half_the_addresses_will_do)
{
	static const int errors[] = {ENOMEM, EAGAIN};
	const size_t index = reserving_call();
	struct nonet_message message;
	void *state = NULL;

	(void)side;
	(void)argument;
	for (size_t i = 0; i < 2; i++) {
		new_lane(&state);
		sys_fault_arm(index, errors[i]);
		test_check_equal(see_lane(), -EAGAIN);
		test_check(sys_fault_fired());
		sys_fault_disarm();
		test_check_equal(world.subscriber->lanes[1].ring.shown, 0);
		test_check_equal(nonet_publisher_send(second, "whole", 5, NONET_NOW), 0);
		test_check_equal(nonet_subscriber_take(world.subscriber, NONET_NOW, &message), 0);
		test_check_equal(message.size, 5);
		test_check(memcmp(message.data, "whole", 5) == 0);
		free_lane(NULL);
	}
	return 0;
}

/* mmap(2) says -EAGAIN where more would be locked than may be: that isn't a lane without a message. */
DOMAIN_TEST(no_memory_is_no_empty_lane)
{
	void *state = NULL;

	(void)side;
	(void)argument;
	new_lane(&state);
	sys_fault_arm_kind(SYS_CALL_MMAP, EAGAIN);
	test_check_equal(see_lane(), -ENOMEM);
	sys_fault_disarm();
	test_check_equal(see_lane(), -EAGAIN);
	free_lane(NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(every_call_may_fail),
		test_case(half_the_addresses_will_do),
		test_case(no_memory_is_no_empty_lane),
	};
	return test_main(tests);
}
