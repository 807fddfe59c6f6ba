/* SPDX-License-Identifier: Apache-2.0 */
/* Row 11: a storm of signals without SA_RESTART. No call that waits comes back early, and nobody gets in who shouldn't.
 */
#include <sys/mman.h>

#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/storm.h"
#include "harness/test.h"
#include "rows/kind.h"

/* In the storm from its first step: it joins, opens, waits. */
static int live_in_a_storm(struct test_child_side *side, void *argument)
{
	const struct row_kind *kind = argument;
	const uint64_t turns = test_scaled(100);
	struct row_object *object;

	test_storm_victim();
	test_report(side, "ready");
	test_await(side, "go");
	object = row_reach(kind);
	for (uint64_t i = 0; i < turns; i++) {
		row_wait_in_vain(kind, object, NONET_MS(1 + i * 37 % 130));
		test_report(side, "waited");
	}
	test_check_equal(kind->wait(object, NONET_FOREVER), 0);
	test_report_number(side, (int64_t)test_storm_received());
	test_check_equal(kind->done(object), 0);
	row_close(object);
	return 0;
}

static void wait_in_a_storm(const struct row_kind *kind)
{
	const uint64_t turns = test_scaled(100);
	struct test_child *owner = test_child_until(row_hold, (void *)kind);
	struct test_child *victim = test_child_until(live_in_a_storm, (void *)kind);
	struct test_storm *storm = test_storm_start((pid_t[]){test_child_pid(victim)}, 1, NONET_S(100));
	int64_t received;
	uint64_t sent;

	test_child_tell(victim, "go");
	for (uint64_t i = 0; i < turns; i++)
		test_child_wait_state(victim, "waited");
	test_child_tell(owner, "let go");
	test_check_equal(test_child_join(owner), 0);
	received = test_child_number(victim);
	test_check(received > 0);
	test_check_equal(test_child_join(victim), 0);
	sent = test_storm_stop(storm);
	test_note("%s: %llu signals sent, %lld seen, in %llu waits", kind->name, (unsigned long long)sent,
		  (long long)received, (unsigned long long)turns + 1);
	test_prove(kind->name, 11, (uint64_t)received, 0);
}

DOMAIN_TEST(signals_end_no_call)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	wait_in_a_storm(kind);
	return 0;
}

struct crowd {
	const struct row_kind *kind;
	uint64_t turns;
	uint64_t count; /* by who is inside */
};

static int count_in_a_storm(struct test_child_side *side, void *argument)
{
	struct crowd *crowd = argument;
	const struct row_kind *kind = crowd->kind;
	struct row_object *object = row_reach(kind);

	test_storm_victim();
	test_report(side, "ready");
	test_await(side, "go");
	for (uint64_t i = 0; i < crowd->turns; i++) {
		test_check_equal(kind->wait(object, NONET_FOREVER), 0);
		crowd->count++;
		test_check_equal(kind->done(object), 0);
	}
	row_close(object);
	return 0;
}

static void crowd_in_a_storm(const struct row_kind *kind)
{
	struct crowd *crowd = mmap(NULL, sizeof(*crowd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_child *children[3];
	struct test_storm *storm;
	pid_t pids[3];

	test_check(crowd != MAP_FAILED);
	crowd->kind = kind;
	crowd->turns = test_scaled(100000);
	for (int i = 0; i < 3; i++) {
		children[i] = test_child_until(count_in_a_storm, crowd);
		pids[i] = test_child_pid(children[i]);
	}
	storm = test_storm_start(pids, 3, NONET_S(100));
	for (int i = 0; i < 3; i++)
		test_child_tell(children[i], "go");
	for (int i = 0; i < 3; i++)
		test_check_equal(test_child_join(children[i]), 0);
	test_check(test_storm_stop(storm) > 0);
	test_check_equal(crowd->count, 3 * crowd->turns);
	test_prove(kind->name, 11, crowd->count, 0);
	munmap(crowd, sizeof(*crowd));
}

DOMAIN_TEST(signals_keep_nobody_out_and_let_nobody_in)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
	if (kind->alone)
		crowd_in_a_storm(kind);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(signals_end_no_call, &long_one),
		test_case_with(signals_keep_nobody_out_and_let_nobody_in, &long_one),
	};

	return test_main(tests);
}
