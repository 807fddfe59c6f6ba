/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/child.h"
#include "harness/deadline.h"
#include "harness/domain.h"
#include "harness/process.h"
#include "harness/prove.h"
#include "harness/test.h"

#define VICTIMS 3

static int be_hostile(struct test_child_side *side, void *argument)
{
	const struct hostile_plan *plan = argument;

	test_report(side, "ready");
	if (plan->way == HOSTILE_FILES)
		hostile_damage(plan);
	else
		hostile_scribble(plan);
	return 0;
}

struct victim_process {
	pid_t pid;
	int pidfd;
};

static void victim_start(struct victim_process *victim, const struct hostile_plan *plan, const char *other,
			 uint64_t seed)
{
	victim->pid = (pid_t)test_must(fork());
	if (victim->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* A name for its output would be a file; what fails is told by the board. */
		hostile_victim(plan, other, seed);
		_exit(0);
	}
	victim->pidfd = (int)test_must(syscall(SYS_pidfd_open, victim->pid, 0));
	atomic_fetch_add(&plan->board->victims, 1);
}

static void victim_end(struct victim_process *victim, struct hostile_board *board)
{
	struct pollfd ended = {.fd = victim->pidfd, .events = POLLIN};
	int status;

	if (test_poll(&ended, 1, test_deadline()) == 0) {
		fprintf(stderr, "# a victim hangs\n");
		test_describe_process(victim->pid, stderr);
		atomic_fetch_add(&board->failures, 1);
		kill(victim->pid, SIGKILL);
	}
	test_check_equal(test_must(waitpid(victim->pid, &status, 0)), victim->pid);
	if (status != 0) {
		fprintf(stderr, "# a victim ended with wait status %#x\n", status);
		atomic_fetch_add(&board->failures, 1);
	}
	close(victim->pidfd);
}

static void object_make(const struct hostile_kind *kind, const char *directory, const char *name)
{
	char address[512];
	void *object = NULL;

	snprintf(address, sizeof(address), "%s:%s/%s", kind->scheme, directory, name);
	test_check_equal(kind->make(address, &object), 0);
	kind->close(object);
}

/* The domain that nobody writes over, in a process of its own: this one stays a member of what it joins. */
static int prepare(struct test_child_side *side, void *argument)
{
	const struct hostile_plan *plan = argument;
	char other[512];

	(void)side;
	snprintf(other, sizeof(other), "%s.other", plan->directory);
	object_make(plan->kind, plan->directory, "m");
	object_make(plan->kind, plan->directory, "clean");
	object_make(plan->kind, other, "clean");
	return 0;
}

static const char canary_text[] = "nobody may write here\n";

static void canary_make(const char *path)
{
	const int fd = (int)test_must(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));

	test_check_equal(test_must(write(fd, canary_text, sizeof(canary_text))), sizeof(canary_text));
	close(fd);
}

static void canary_check(const char *path)
{
	char text[sizeof(canary_text) + 1];
	const int fd = (int)test_must(open(path, O_RDONLY | O_CLOEXEC));

	test_check_equal(read(fd, text, sizeof(text)), sizeof(canary_text));
	test_check(memcmp(text, canary_text, sizeof(canary_text)) == 0);
	close(fd);
}

static void report(const struct hostile_plan *plan, const char *what)
{
	struct hostile_board *board = plan->board;

	fprintf(stderr,
		"# %s, %s: %llu acts of damage, %llu victims made %llu calls, the latest back %lld us after its "
		"deadline; elsewhere %llu and %llu rounds\n",
		plan->kind->name, what, (unsigned long long)atomic_load(&board->written),
		(unsigned long long)atomic_load(&board->victims), (unsigned long long)atomic_load(&board->calls),
		(long long)atomic_load(&board->latest) / 1000, (unsigned long long)atomic_load(&board->counted[0]),
		(unsigned long long)atomic_load(&board->counted[1]));
	fprintf(stderr, "#  ");
	for (int i = 0; i < 4096; i++)
		if (board->results[i])
			fprintf(stderr, " %s %llu", strerrorname_np(i), (unsigned long long)board->results[i]);
	fprintf(stderr, "\n");
}

/* For @duration; then tells test_prove() as @row. Runs in a domain of its own: call it in a DOMAIN_TEST(). */
static void hostile_run(const struct hostile_kind *kind, enum hostile_way way, const char *directory,
			nonet_time duration, int row)
{
	static const char *const names[] = {"all written over", "the object written over", "files damaged"};
	struct test_random random = test_random_init(test_seed(), 79);
	struct victim_process victims[VICTIMS];
	struct test_child *hostile;
	char other[512], canary[520];
	struct hostile_plan plan = {.kind = kind, .way = way, .directory = directory, .canary = canary};
	const nonet_time end = test_clock() + duration;

	snprintf(other, sizeof(other), "%s.other", directory);
	snprintf(canary, sizeof(canary), "%s/canary", other);
	plan.board = mmap(NULL, sizeof(*plan.board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	test_check(plan.board != MAP_FAILED);
	test_must(mkdir(other, 0700));
	canary_make(canary);
	test_check_equal(test_child_join(test_child_start(prepare, &plan)), 0);
	hostile = test_child_until(be_hostile, &plan);
	for (int i = 0; i < VICTIMS; i++)
		victim_start(&victims[i], &plan, other, test_random_next(&random));
	for (int i = 0; test_clock() < end; i = (i + 1) % VICTIMS) {
		victim_end(&victims[i], plan.board);
		victim_start(&victims[i], &plan, other, test_random_next(&random));
	}
	atomic_store(&plan.board->stop, 1);
	for (int i = 0; i < VICTIMS; i++)
		victim_end(&victims[i], plan.board);
	test_check_equal(test_child_join(hostile), 0);
	report(&plan, names[way]);
	canary_check(canary);
	test_domain_free_files(other);
	for (int i = 0; i < 2; i++)
		test_check_equal(plan.board->number[i], atomic_load(&plan.board->counted[i]));
	test_prove(kind->name, row, atomic_load(&plan.board->calls), atomic_load(&plan.board->failures));
	munmap(plan.board, sizeof(*plan.board));
}

DOMAIN_TEST(all_that_is_shared_is_written_over)
{
	(void)side;
	hostile_run(&hostile_kind, HOSTILE_ALL, argument, (nonet_time)test_scaled(NONET_S(60)), 7);
	return 0;
}

DOMAIN_TEST(one_that_is_written_over_disturbs_no_other)
{
	(void)side;
	hostile_run(&hostile_kind, HOSTILE_OBJECT, argument, (nonet_time)test_scaled(NONET_S(20)), 7);
	return 0;
}

DOMAIN_TEST(files_are_cut_off_and_replaced)
{
	(void)side;
	hostile_run(&hostile_kind, HOSTILE_FILES, argument, (nonet_time)test_scaled(NONET_S(60)), 9);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(all_that_is_shared_is_written_over, &long_one),
		test_case_with(one_that_is_written_over_disturbs_no_other, &long_one),
		test_case_with(files_are_cut_off_and_replaced, &long_one),
	};
	return test_main(tests);
}
