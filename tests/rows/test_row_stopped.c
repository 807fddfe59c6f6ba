/* SPDX-License-Identifier: Apache-2.0 */
/* Row 17: who is stopped (SIGSTOP) is never taken for dead, and stands in nobody's way but where that is the policy. */
#include <errno.h>

#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "rows/kind.h"

/* As often as others look whether a holder lives. */
#define INTERVAL NONET_MS(100)

static void stop_the_holder(const struct row_kind *kind)
{
	struct row_object *object = row_reach(kind);
	struct test_child *owner = test_child_until(row_hold, (void *)kind);
	const uint64_t looks = test_scaled(100); /* 10 s in all, at an interval each */

	test_child_stop(owner);
	for (uint64_t i = 0; i < looks; i++)
		row_wait_in_vain(kind, object, INTERVAL);
	row_wait_in_vain(kind, object, 3 * INTERVAL);
	test_child_continue(owner);
	test_child_tell(owner, "let go");
	test_check_equal(kind->wait(object, nonet_after(NONET_S(10))), 0);
	test_check_equal(test_child_join(owner), 0);
	test_check_equal(kind->done(object), 0);
	row_close(object);
	test_prove(kind->name, 17, looks + 1, 0);
}

DOMAIN_TEST(a_stopped_holder_is_never_taken_for_dead)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	if (kind->owned)
		stop_the_holder(kind);
	return 0;
}

/* One who waits is stopped; another comes, and waits too. */
static void stop_who_waits(const struct row_kind *kind)
{
	struct test_child *owner = test_child_until(row_hold, (void *)kind);
	struct test_child *stopped = test_child_until(row_sleep, (void *)kind);
	struct test_child *other;

	test_child_wait_blocked(stopped);
	test_child_stop(stopped);
	other = test_child_until(row_sleep, (void *)kind);
	test_child_wait_blocked(other);
	test_child_tell(owner, "let go");
	test_check_equal(test_child_join(owner), 0);
	if (kind->in_line) {
		test_child_wait_blocked(other);
		test_child_continue(stopped);
		test_child_wait_state(stopped, "through");
		test_child_tell(stopped, "end");
	}
	test_child_wait_state(other, "through");
	test_child_tell(other, "end");
	test_check_equal(test_child_join(other), 0);
	if (!kind->in_line) {
		test_child_continue(stopped);
		test_child_wait_state(stopped, "through");
		test_child_tell(stopped, "end");
	}
	test_check_equal(test_child_join(stopped), 0);
	test_prove(kind->name, 17, 1, 0);
}

DOMAIN_TEST(one_who_is_stopped_while_he_waits_is_in_nobodys_way)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	/* Two upgraders never wait for each other. */
	if (strcmp(kind->name, "rwlock-upgrade") != 0)
		stop_who_waits(kind);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_stopped_holder_is_never_taken_for_dead, &long_one),
		test_case(one_who_is_stopped_while_he_waits_is_in_nobodys_way),
	};

	return test_main(tests);
}
