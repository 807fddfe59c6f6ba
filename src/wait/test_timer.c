/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "harness/fault.h"
#include "harness/test.h"
#include "sys/event.h"
#include "sys/fault.h"

#include <nonet/wait.h>

#define SOON test_after(NONET_S(20))

static struct nonet_timer *timer_new(void)
{
	struct nonet_timer *timer;

	assert_int_equal(nonet_timer_new(&timer, NULL), 0);
	return timer;
}

static void expect_none(struct nonet_timer *timer)
{
	uint64_t count = 99;

	assert_int_equal(nonet_timer_take(timer, NONET_NOW, &count), -EAGAIN);
	assert_int_equal(nonet_timer_take(timer, 1, &count), -ETIMEDOUT);
	assert_int_equal(count, 99);
}

static void a_timer_expires_when_it_was_told_to_and_not_before(void **state)
{
	struct nonet_timer *timer = timer_new();
	uint64_t count;

	(void)state;
	expect_none(timer);
	for (int i = 0; i < 10; i++) {
		nonet_time when = nonet_after(NONET_US(100 + 300 * i));

		assert_int_equal(nonet_timer_set(timer, when, 0), 0);
		assert_int_equal(nonet_timer_take(timer, SOON, &count), 0);
		assert_true(nonet_clock() >= when);
		assert_int_equal(count, 1);
		expect_none(timer);
	}
	/* The past is now. */
	for (nonet_time when = -1; when <= 1; when++) {
		assert_int_equal(nonet_timer_set(timer, when, 0), 0);
		assert_int_equal(nonet_timer_take(timer, SOON, &count), 0);
		assert_int_equal(count, 1);
	}
	nonet_timer_free(timer);
	assert_null(nonet_timer_free(NULL));
}

static void a_take_ends_at_its_own_deadline(void **state)
{
	struct nonet_timer *timer = timer_new();
	nonet_time deadline = nonet_after(NONET_MS(3));
	uint64_t count = 99;

	(void)state;
	assert_int_equal(nonet_timer_set(timer, nonet_after(NONET_S(3600)), 0), 0);
	assert_int_equal(nonet_timer_take(timer, deadline, &count), -ETIMEDOUT);
	assert_true(nonet_clock() >= deadline);
	assert_int_equal(count, 99);
	nonet_timer_free(timer);
}

static void expirations_that_nobody_took_are_counted(void **state)
{
	struct nonet_timer *timer = timer_new();
	uint64_t count;

	(void)state;
	/* Began 10 ms ago: that many milliseconds have expired at least. */
	assert_int_equal(nonet_timer_set(timer, nonet_clock() - NONET_MS(10), NONET_MS(1)), 0);
	assert_int_equal(nonet_timer_take(timer, SOON, &count), 0);
	assert_true(count >= 10);
	assert_int_equal(nonet_timer_take(timer, SOON, &count), 0);
	assert_true(count >= 1);

	/* Wrong use leaves it ticking... */
	assert_int_equal(nonet_timer_set(timer, 1, -1), -EINVAL);
	assert_int_equal(nonet_timer_take(timer, SOON, &count), 0);
	/* ...setting it anew forgets what was not taken. */
	assert_true(sys_poll_one(nonet_timer_fd(timer), POLLIN, SOON) > 0);
	assert_int_equal(nonet_timer_set(timer, NONET_FOREVER, NONET_MS(1)), 0);
	expect_none(timer);
	nonet_timer_free(timer);
}

static void a_timer_in_a_set_tells_no_earlier(void **state)
{
	struct nonet_timer *timer = timer_new();
	struct nonet_wait_event got;
	struct nonet_wait_set *set;
	uint64_t expired;
	nonet_time when;
	size_t count;

	(void)state;
	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	assert_int_equal(nonet_wait_set_add(set, nonet_timer_waitable(timer), NONET_WAIT_RECEIVE, timer), 0);
	when = nonet_after(NONET_MS(2));
	assert_int_equal(nonet_timer_set(timer, when, 0), 0);
	assert_int_equal(nonet_timer_arm(timer), 0);
	assert_int_equal(nonet_wait(set, &got, 1, SOON, &count), 0);
	assert_true(nonet_clock() >= when);
	assert_ptr_equal(got.data, timer);
	assert_int_equal(nonet_timer_take(timer, NONET_NOW, &expired), 0);
	assert_int_equal(nonet_wait(set, &got, 1, NONET_NOW, &count), -EAGAIN);
	nonet_timer_free(timer);
	nonet_wait_set_free(set);
}

/* Both of two threads can be woken by one expiration: who finds nothing goes on waiting. */
static void a_take_that_comes_too_late_waits_on(void **state)
{
	struct nonet_timer *timer = timer_new();
	uint64_t count = 0;
	int result;

	(void)state;
	assert_int_equal(nonet_timer_set(timer, nonet_after(NONET_MS(100)), 0), 0);
	/* The calls: read, ppoll, and the read that finds that another thread was faster. */
	sys_fault_arm(2, EAGAIN);
	result = nonet_timer_take(timer, SOON, &count);
	assert_true(sys_fault_fired());
	sys_fault_disarm();
	assert_int_equal(result, 0);
	assert_int_equal(count, 1);
	nonet_timer_free(timer);
}

static void a_wake_stays_signalled_until_cleared(void **state)
{
	struct nonet_wake *wake;

	(void)state;
	assert_int_equal(nonet_wake_new(&wake, NULL), 0);
	assert_int_equal(nonet_wake_clear(wake), 0);
	for (int i = 0; i < 3; i++)
		nonet_wake_signal(wake);
	assert_int_equal(nonet_wake_arm(wake), 0);
	assert_int_equal(sys_poll_now(nonet_wake_fd(wake), POLLIN), POLLIN);
	assert_int_equal(nonet_wake_clear(wake), 1);
	assert_int_equal(nonet_wake_clear(wake), 0);
	assert_int_equal(sys_poll_now(nonet_wake_fd(wake), POLLIN), 0);
	nonet_wake_free(wake);
	assert_null(nonet_wake_free(NULL));
}

struct outputs {
	struct nonet_timer *timer;
	struct nonet_wake *wake;
	uint64_t count;
};

static int run_timer_new(void *state, void *outputs)
{
	struct outputs *out = outputs;

	(void)state;
	return nonet_timer_new(&out->timer, NULL);
}

static void release_timer(void *state, void *outputs)
{
	struct outputs *out = outputs;

	(void)state;
	nonet_timer_free(out->timer);
}

static int run_wake_new(void *state, void *outputs)
{
	struct outputs *out = outputs;

	(void)state;
	return nonet_wake_new(&out->wake, NULL);
}

static void release_wake(void *state, void *outputs)
{
	struct outputs *out = outputs;

	(void)state;
	nonet_wake_free(out->wake);
}

static int setup_timer(void **ret_state)
{
	struct nonet_timer *timer;
	int error = nonet_timer_new(&timer, NULL);

	*ret_state = timer;
	return error;
}

static void teardown_timer(void *state)
{
	nonet_timer_free(state);
}

static int run_timer_take(void *state, void *outputs)
{
	struct outputs *out = outputs;
	int error = nonet_timer_set(state, nonet_after(NONET_MS(1)), 0);

	return error < 0 ? error : nonet_timer_take(state, SOON, &out->count);
}

static void every_call_may_fail(void **state)
{
	const struct test_operation operations[] = {
		{.name = "timer new", .run = run_timer_new, .release = release_timer},
		{.name = "wake new", .run = run_wake_new, .release = release_wake},
		{.name = "timer take", .setup = setup_timer, .run = run_timer_take, .teardown = teardown_timer},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		struct test_operation operation = operations[i];

		operation.outputs_size = sizeof(struct outputs);
		test_fault_sweep(&operation);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_timer_expires_when_it_was_told_to_and_not_before),
		test_case(a_take_ends_at_its_own_deadline),
		test_case(expirations_that_nobody_took_are_counted),
		test_case(a_timer_in_a_set_tells_no_earlier),
		test_case(a_take_that_comes_too_late_waits_on),
		test_case(a_wake_stays_signalled_until_cleared),
		test_case(every_call_may_fail),
	};

	return test_main(tests);
}
