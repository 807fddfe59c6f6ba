/* SPDX-License-Identifier: Apache-2.0 */
/* Row 13: the number of a dead holder's process is given to another, which may be a member too. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/domain.h"
#include "harness/process.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "rows/kind.h"

static int wait_for(pid_t child)
{
	int status;

	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	return status;
}

static _Noreturn void hold_and_end(const struct row_kind *kind)
{
	_exit(kind->take(row_reach(kind)) == 0 ? 0 : 1);
}

/* What the new one finds: never that it is his. */
static _Noreturn void succeed(const struct row_kind *kind, bool joins, int word)
{
	const char wrong = joins && kind->give(row_reach(kind)) != -EPERM;

	if (write(word, &wrong, 1) != 1)
		_exit(9);
	for (;;)
		pause();
}

/* Return: how many verdicts were wrong. */
static uint64_t reuse_once(const struct row_kind *kind, struct row_object *object, bool joins, const int *word)
{
	pid_t first, second;
	uint64_t wrong = 0;
	char result;

	first = (pid_t)test_must(fork());
	if (first == 0)
		hold_and_end(kind);
	test_check_equal(wait_for(first), 0);
	second = test_raw_child(first);
	if (second == 0)
		succeed(kind, joins, word[1]);
	test_check_equal(second, first);
	test_check_equal(test_must(read(word[0], &result, 1)), 1);
	wrong += result != 0;
	/* Nor that the holder lives. */
	wrong += kind->wait(object, NONET_NOW) != kind->told;
	wrong += kind->done(object) != 0;
	test_must(kill(second, SIGKILL));
	test_check_equal(wait_for(second), SIGKILL);
	return wrong;
}

static void reuse(const struct row_kind *kind)
{
	const uint64_t turns = test_scaled(2000);
	struct row_object *object = row_reach(kind);
	uint64_t wrong = 0;
	int word[2];

	test_must(pipe2(word, O_CLOEXEC));
	for (uint64_t turn = 0; turn < turns; turn++)
		wrong += reuse_once(kind, object, turn % 2, word);
	close(word[0]);
	close(word[1]);
	row_close(object);
	test_prove(kind->name, 13, turns, wrong);
}

DOMAIN_TEST(another_with_the_dead_ones_number_is_another)
{
	(void)side;
	(void)argument;
	row_begin();
	for
		ROW_EACH_KIND(kind)
		{
			if (!kind->owned)
				continue;
			if (geteuid() == 0)
				reuse(kind);
			else
				test_prove_not(kind->name, 13, "not root: numbers can't be chosen");
		}
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(another_with_the_dead_ones_number_is_another, &long_one),
	};

	return test_main(tests);
}
