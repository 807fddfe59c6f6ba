/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/test_link_script.h"
#include "harness/fault.h"

/* Every call of channels over sockets, with every one of its system calls failing in turn. */

/* Two sides that haven't met: the other one has said what it has to. */
static struct nonet_unix *good;
static struct nonet_unix *bad;
static void *page;
static void *ring;

static int new_publishing(void **ret_state)
{
	(void)ret_state;
	link_pair(NONET_UNIX_STREAM, &good, &bad);
	script_give(bad, &script_subscriber, &page, NULL);
	return 0;
}

static int new_subscribing(void **ret_state)
{
	(void)ret_state;
	link_pair(NONET_UNIX_STREAM, &good, &bad);
	script_give(bad, &script_publisher, &page, &ring);
	return 0;
}

static void free_sides(void *state)
{
	(void)state;
	good = nonet_unix_close(good);
	bad = nonet_unix_close(bad);
	test_must(munmap(page, LINK_PAGE));
	if (ring)
		test_must(munmap(ring, SCRIPT_LANE));
	ring = NULL;
}

/* On failure the socket is still there; nothing else is promised of it. */
static int keeps_socket(int error)
{
	test_check(error < 0 ? good != NULL : good == NULL);
	return error;
}

static int run_publish(void *state, void *outputs)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = SCRIPT_LANE};

	(void)state;
	return keeps_socket(nonet_publisher_take_socket(&good, &options, test_deadline(), outputs, NULL));
}

static int run_publish_huge(void *state, void *outputs)
{
	const struct nonet_channel_options options = {
		.size = sizeof(options), .lane = SCRIPT_LANE, .flags = NONET_CHANNEL_HUGE};

	(void)state;
	return keeps_socket(nonet_publisher_take_socket(&good, &options, test_deadline(), outputs, NULL));
}

static int run_subscribe(void *state, void *outputs)
{
	(void)state;
	return keeps_socket(nonet_subscriber_take_socket(&good, NULL, test_deadline(), outputs, NULL));
}

static void release_publisher(void *state, void *outputs)
{
	(void)state;
	nonet_publisher_close(*(struct nonet_publisher **)outputs);
}

static void release_subscriber(void *state, void *outputs)
{
	(void)state;
	nonet_subscriber_close(*(struct nonet_subscriber **)outputs);
}

static struct link_ends ends;

static int new_link(void **ret_state)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = SCRIPT_LANE};

	(void)ret_state;
	ends = link_meet(NONET_UNIX_STREAM, &options, NONET_SUBSCRIBER_SLEEP);
	return 0;
}

static int new_full_link(void **ret_state)
{
	new_link(ret_state);
	while (nonet_publisher_send(ends.publisher, "", 1, NONET_NOW) == 0)
		;
	return 0;
}

static int new_armed_link(void **ret_state)
{
	new_link(ret_state);
	test_check_equal(nonet_subscriber_arm(ends.subscriber), 0);
	return 0;
}

static void free_link(void *state)
{
	(void)state;
	link_part(&ends);
}

static int in_vain(int error)
{
	if (error == -ETIMEDOUT)
		return 0;
	return error == 0 ? -EIO : error;
}

/* By futex first, then by the socket. */
static int run_take(void *state, void *outputs)
{
	struct nonet_message message;

	(void)state;
	(void)outputs;
	return in_vain(nonet_subscriber_take(ends.subscriber, nonet_after(NONET_MS(12)), &message));
}

static int run_look(void *state, void *outputs)
{
	struct nonet_message message;
	const int error = nonet_subscriber_take(ends.subscriber, NONET_NOW, &message);

	(void)state;
	(void)outputs;
	return error == -EAGAIN ? 0 : error;
}

static int run_loan(void *state, void *outputs)
{
	void *buffer;

	(void)state;
	(void)outputs;
	return in_vain(nonet_publisher_loan(ends.publisher, 1000, nonet_after(NONET_MS(13)), &buffer));
}

static int run_arm(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_subscriber_arm(ends.subscriber);
}

static int run_send(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_publisher_send(ends.publisher, "", 1, NONET_NOW);
}

/* A socket that fails is one whose other side has gone; a page that isn't there (-EFAULT) one that was cut off. */
static const int waiting[] = {-EPIPE, -EBADMSG, 0};
/* Memory that can't be had or guarded is -ENOMEM, as nonet_memory_new()'s; what can't be looked at is the peer's fault.
 */
static const int meeting[] = {-ENOMEM, -EBADMSG, 0};

#define A_POINTER .outputs_size = sizeof(void *)

static const struct test_operation operations[] = {
	{.name = "publisher take socket",
	 .setup = new_publishing,
	 .run = run_publish,
	 .release = release_publisher,
	 .teardown = free_sides,
	 .allowed = meeting,
	 .not_repeatable = true,
	 A_POINTER},
	{.name = "publisher take socket, huge",
	 .setup = new_publishing,
	 .run = run_publish_huge,
	 .release = release_publisher,
	 .teardown = free_sides,
	 .allowed = meeting,
	 .not_repeatable = true,
	 A_POINTER},
	{.name = "subscriber take socket",
	 .setup = new_subscribing,
	 .run = run_subscribe,
	 .release = release_subscriber,
	 .teardown = free_sides,
	 .allowed = meeting,
	 .not_repeatable = true,
	 A_POINTER},
	{.name = "take in vain",
	 .setup = new_link,
	 .run = run_take,
	 .teardown = free_link,
	 .allowed = waiting,
	 .not_repeatable = true},
	{.name = "look",
	 .setup = new_link,
	 .run = run_look,
	 .teardown = free_link,
	 .allowed = waiting,
	 .not_repeatable = true},
	{.name = "loan in vain",
	 .setup = new_full_link,
	 .run = run_loan,
	 .teardown = free_link,
	 .allowed = waiting,
	 .not_repeatable = true},
	{.name = "arm", .setup = new_link, .run = run_arm, .teardown = free_link},
	{.name = "send to who waits",
	 .setup = new_armed_link,
	 .run = run_send,
	 .teardown = free_link,
	 .allowed = waiting,
	 .not_repeatable = true},
};

static void every_call_may_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_fault_sweep(&operations[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(every_call_may_fail),
	};
	return test_main(tests);
}
