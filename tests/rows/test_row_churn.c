/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row 16: crowds of processes join, use what there is, and leave or are killed. No slot is lost, nothing is counted
 * wrong, and who comes afterwards isn't kept waiting by the dead.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "domain/domain.h"
#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "rows/kind.h"

#define CROWD  100
#define ROUNDS 100 /* 10 by default: 1,000 processes */

struct churn {
	const struct row_kind *kind;
	_Atomic uint64_t begun, ended; /* turns; equal, but for deaths, where one is alone */
	_Atomic uint64_t deaths;       /* that were told */
};

static void turn(struct churn *churn, struct row_object *object)
{
	const struct row_kind *kind = churn->kind;
	const int result = kind->wait(object, kind->crowded ? NONET_FOREVER : nonet_after(NONET_MS(1)));

	if (!kind->crowded) {
		test_check_equal(result, -ETIMEDOUT);
		atomic_fetch_add(&churn->begun, 1);
		return;
	}
	test_check(result == 0 || result == kind->told);
	if (result < 0) {
		atomic_fetch_add(&churn->deaths, 1);
		atomic_store(&churn->ended, atomic_load(&churn->begun));
	}
	if (kind->alone && kind->told)
		test_check_equal(atomic_load(&churn->begun), atomic_load(&churn->ended));
	atomic_fetch_add(&churn->begun, 1);
	atomic_fetch_add(&churn->ended, 1);
	test_check_equal(kind->done(object), 0);
}

/* Every other goes on until it is killed. */
static int come_and_go(struct test_child_side *side, void *argument)
{
	struct churn *churn = argument;
	struct row_object *object = row_reach(churn->kind);

	turn(churn, object);
	test_report(side, "ready");
	test_await(side, "go");
	turn(churn, object);
	row_close(object);
	return 0;
}

static int come_and_stay(struct test_child_side *side, void *argument)
{
	struct churn *churn = argument;
	struct row_object *object = row_reach(churn->kind);

	test_report(side, "ready");
	for (;;)
		turn(churn, object);
	return 0;
}

/* Return: how long it took the one who comes afterwards. */
static nonet_time crowd_once(struct churn *churn)
{
	const struct row_kind *kind = churn->kind;
	struct test_child *children[CROWD];
	struct row_object *object;
	nonet_time begin;
	int result;

	for (int i = 1; i < CROWD; i += 2)
		children[i] = test_child_start(come_and_go, churn);
	for (int i = 1; i < CROWD; i += 2)
		test_child_wait_state(children[i], "ready");
	/* They are busy from now on. */
	for (int i = 0; i < CROWD; i += 2)
		children[i] = test_child_start(come_and_stay, churn);
	for (int i = 0; i < CROWD; i += 2)
		test_child_wait_state(children[i], "ready");
	for (int i = 1; i < CROWD; i += 2)
		test_child_tell(children[i], "go");
	for (int i = 0; i < CROWD; i += 2)
		test_kill(children[i]);
	for (int i = 1; i < CROWD; i += 2)
		test_check_equal(test_child_join(children[i]), 0);
	begin = nonet_clock();
	object = row_reach(kind);
	if (kind->crowded) {
		result = kind->wait(object, NONET_NOW);
		test_check(result == 0 || result == kind->told);
		if (result < 0) {
			atomic_fetch_add(&churn->deaths, 1);
			atomic_store(&churn->ended, atomic_load(&churn->begun));
		}
		test_check_equal(kind->done(object), 0);
	} else {
		test_check_equal(kind->wait(object, NONET_NOW), -EAGAIN);
	}
	row_close(object);
	return nonet_clock() - begin;
}

static int by_time(const void *left, const void *right)
{
	const nonet_time a = *(const nonet_time *)left, b = *(const nonet_time *)right;

	return a < b ? -1 : a > b;
}

static void churn_kind(const struct row_kind *kind, struct domain *domain)
{
	struct churn *churn = mmap(NULL, sizeof(*churn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const uint64_t rounds = test_scaled(ROUNDS);
	nonet_time *times = calloc(rounds, sizeof(*times));
	struct row_object *object = row_reach(kind);
	uint64_t slots;

	test_check(churn != MAP_FAILED && times != NULL);
	test_watchdog_extend(NONET_S(600));
	churn->kind = kind;
	/* For the whole time: the crowd waits in vain. */
	if (!kind->crowded)
		test_check_equal(kind->take(object), 0);
	for (uint64_t i = 0; i < rounds; i++)
		times[i] = crowd_once(churn);
	if (!kind->crowded) {
		test_check_equal(kind->give(object), 0);
		test_check_equal(kind->wait(object, nonet_after(NONET_S(10))), 0);
		test_check_equal(kind->done(object), 0);
	}
	row_close(object);
	qsort(times, rounds, sizeof(*times), by_time);
	/* 0 is nobody's. A process has one for its thread, and one for its permits; this one too. */
	slots = atomic_load(&domain_header(domain)->slots) - 1;
	test_note("%s: %llu processes, %llu turns, %llu deaths told, %llu slots; the next one had it after %lld us",
		  kind->name, (unsigned long long)rounds * CROWD, (unsigned long long)atomic_load(&churn->begun),
		  (unsigned long long)atomic_load(&churn->deaths), (unsigned long long)slots,
		  (long long)times[rounds / 2] / 1000);
	test_check(slots <= 2 * (CROWD + 1));
	test_check(times[rounds / 2] < NONET_MS(10) * test_slowness());
	test_prove(kind->name, 16, rounds * CROWD, 0);
	free(times);
	munmap(churn, sizeof(*churn));
}

DOMAIN_TEST(a_thousand_processes_leave_no_slot_behind)
{
	struct domain *domain = NULL;

	(void)side;
	(void)argument;
	row_begin();
	row_close(row_reach(row_kinds));
	test_check_equal(domain_join(NULL, false, &domain, NULL), 0);
	for
		ROW_EACH_KIND(kind)
	/* This thread can't come afterwards where it has the lock itself. Slots are the same wherever an object is. */
	if ((kind->crowded || !kind->owned) && !kind->placed)
		churn_kind(kind, domain);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_thousand_processes_leave_no_slot_behind),
	};

	return test_main(tests);
}
