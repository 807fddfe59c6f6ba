/* SPDX-License-Identifier: Apache-2.0 */
/* Row 14: processes of two PID namespaces, both number 1, exclude each other; one of another time keeps its deadlines.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "rows/kind.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

struct pair {
	const struct row_kind *kind;
	uint64_t turns;
	uint64_t count; /* by who is inside */
	_Atomic int inside;
};

static int count_as_number_one(struct pair *pair)
{
	const struct row_kind *kind = pair->kind;
	struct row_object *object = row_reach(kind);

	if (getpid() != 1)
		return 1;
	for (uint64_t i = 0; i < pair->turns; i++) {
		const int result = kind->wait(object, NONET_FOREVER);

		/* The other ends with it. */
		if ((result < 0 && result != kind->told) || atomic_exchange(&pair->inside, 1) != 0)
			return 2;
		pair->count++;
		if (atomic_exchange(&pair->inside, 0) != 1 || kind->done(object) < 0)
			return 3;
	}
	/* He who is last ends with it too: known by more than his number. */
	(void)!kind->wait(object, NONET_FOREVER);
	return 0;
}

static int in_a_namespace(struct test_child_side *side, void *argument)
{
	int status = -1;
	pid_t child;

	test_must(unshare(CLONE_NEWPID));
	test_report(side, "ready");
	test_await(side, "go");
	child = (pid_t)test_must(fork());
	if (child == 0)
		_exit(count_as_number_one(argument));
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check_equal(status, 0);
	return 0;
}

static void be_number_one_twice(const struct row_kind *kind)
{
	struct pair *pair = mmap(NULL, sizeof(*pair), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct row_object *object = row_reach(kind);
	struct test_child *children[2];

	test_check(pair != MAP_FAILED);
	pair->kind = kind;
	pair->turns = test_scaled(200000);
	for (int i = 0; i < 2; i++)
		children[i] = test_child_until(in_a_namespace, pair);
	for (int i = 0; i < 2; i++)
		test_child_tell(children[i], "go");
	for (int i = 0; i < 2; i++)
		test_check_equal(test_child_join(children[i]), 0);
	test_check_equal(pair->count, 2 * pair->turns);
	test_check_equal(kind->wait(object, NONET_NOW), kind->told);
	test_check_equal(kind->done(object), 0);
	row_close(object);
	test_prove(kind->name, 14, pair->count, 0);
	munmap(pair, sizeof(*pair));
}

DOMAIN_TEST(two_that_are_number_one_exclude_each_other)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
		{
			if (!kind->alone)
				continue;
			if (geteuid() == 0)
				be_number_one_twice(kind);
			else
				test_prove_not(kind->name, 14, "not root: no PID namespaces");
		}
	return 0;
}

/* What is in the other namespace is a day ahead. */
static int live_a_day_ahead(struct test_child_side *side, void *argument)
{
	static const char offsets[] = "monotonic 86400 0\nboottime 86400 0\n";
	const struct row_kind *kind = argument;
	const nonet_time here = nonet_clock();
	pid_t child;
	int status;
	int fd;

	test_must(unshare(CLONE_NEWTIME));
	fd = (int)test_must(open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
	test_check_equal(test_must(write(fd, offsets, sizeof(offsets) - 1)), sizeof(offsets) - 1);
	close(fd);
	child = (pid_t)test_must(fork());
	if (child == 0) {
		struct row_object *object = row_reach(kind);

		test_check(nonet_clock() - here > NONET_S(86000));
		for (uint64_t i = 0; i < test_scaled(50); i++)
			row_wait_in_vain(kind, object, NONET_MS(1 + i * 37 % 130));
		test_report(side, "waited");
		/* Woken by one whose clock is another, and in time. */
		test_check_equal(kind->wait(object, nonet_after(NONET_S(20))), 0);
		test_report(side, "has it");
		test_await(side, "let go");
		test_check_equal(kind->done(object), 0);
		row_close(object);
		_exit(0);
	}
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	return status;
}

static void be_a_day_ahead(const struct row_kind *kind)
{
	const uint64_t turns = test_scaled(50);
	struct row_object *object = row_reach(kind);
	struct test_child *child;

	test_check_equal(kind->take(object), 0);
	child = test_child_start(live_a_day_ahead, (void *)kind);
	test_child_wait_state(child, "waited");
	test_check_equal(kind->give(object), 0);
	test_child_wait_state(child, "has it");
	for (uint64_t i = 0; kind->alone && i < turns; i++)
		row_wait_in_vain(kind, object, NONET_MS(1 + i * 37 % 130));
	test_child_tell(child, "let go");
	test_check_equal(test_child_join(child), 0);
	row_close(object);
	test_prove(kind->name, 14, kind->alone ? 2 * turns : turns, 0);
}

DOMAIN_TEST(namespaces_of_time_have_their_own_deadlines)
{
	const bool can = geteuid() == 0 && access("/proc/self/timens_offsets", W_OK) == 0;

	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
		{
			if (can)
				be_a_day_ahead(kind);
			else
				test_prove_not(kind->name, 14, "not root, or no time namespaces");
		}
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(two_that_are_number_one_exclude_each_other, &long_one),
		test_case_with(namespaces_of_time_have_their_own_deadlines, &long_one),
	};

	return test_main(tests);
}
