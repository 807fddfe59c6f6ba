/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "domain/domain.h"
#include "domain/life.h"
#include "domain/thread.h"
#include "harness/domain.h"
#include "harness/domain_fault.h"
#include "harness/test.h"
#include "sys/fault.h"

/* Every call of mutex.h, joining a domain included, with every one of its system calls failing in turn. */

static struct nonet_mutex *make(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	return mutex;
}

static void close_it(void *state, void *outputs)
{
	(void)state;
	nonet_mutex_close(*(struct nonet_mutex **)outputs);
}

static void close_and_unlink(void *state, void *outputs)
{
	close_it(state, outputs);
	test_check_equal(nonet_mutex_unlink("mutex:m", NULL), 0);
}

/* Joins, and makes the domain. */
static int run_create(void *state, void *outputs)
{
	int result = nonet_mutex_create("mutex:m", NULL, outputs, NULL);

	(void)state;
	/* On failure there is nothing in the way of another try. */
	if (result < 0)
		test_check_equal(nonet_mutex_unlink("mutex:m", NULL), -ENOENT);
	return result;
}

/* By another process, so that this one has yet to join. */
static void new_object(void **ret_state)
{
	int status = -1;
	const pid_t child = (pid_t)test_must(fork());

	(void)ret_state;
	if (child == 0) {
		nonet_mutex_close(make());
		_exit(0);
	}
	test_must(waitpid(child, &status, 0));
	test_check_equal(status, 0);
}

static int run_open(void *state, void *outputs)
{
	(void)state;
	return nonet_mutex_open("mutex:m", outputs, NULL);
}

static int run_create_or_open(void *state, void *outputs)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = NONET_MUTEX_MAY_EXIST};

	(void)state;
	return nonet_mutex_create("mutex:m", &options, outputs, NULL);
}

static int run_unlink(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_mutex_unlink("mutex:m", NULL);
}

static void new_place(void **ret_state)
{
	*ret_state = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	test_check(*ret_state != MAP_FAILED);
}

static int run_place(void *state, void *outputs)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = NONET_MUTEX_MAKE};

	return nonet_mutex_place(state, NULL, &options, outputs, NULL);
}

static void new_member(void **ret_state)
{
	*ret_state = make();
}

/* The thread takes its slot. */
static int run_first_lock(void *state, void *outputs)
{
	int result = nonet_mutex_lock(state, NONET_NOW);
	struct nonet_mutex_holder holder;

	(void)outputs;
	if (result < 0) {
		test_check_equal(nonet_mutex_look(state, &holder), 0);
		test_check_equal(holder.flags & NONET_MUTEX_IS_HELD, 0);
	} else {
		test_check_equal(nonet_mutex_unlock(state), 0);
	}
	return result;
}

/* The whole process has one: a thread is started for it. */
static int run_helper(void *state, void *outputs)
{
	struct domain *domain = NULL;
	int result = domain_join(NULL, false, &domain, NULL);

	(void)state;
	return result < 0 ? result : domain_process_owner(domain, outputs);
}

static int hold(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = NULL;

	(void)argument;
	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

/* Another process holds it; this thread has its slot. */
static struct test_child *holder;

static void new_held(void **ret_state)
{
	struct nonet_mutex *mutex = make();

	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	holder = test_child_until(hold, NULL);
	*ret_state = mutex;
}

/* Sleeps, and looks around once. */
static int run_contended(void *state, void *outputs)
{
	(void)outputs;
	return nonet_mutex_lock(state, nonet_after(DOMAIN_INTERVAL + NONET_MS(20)));
}

static void new_dead(void **ret_state)
{
	new_held(ret_state);
	test_kill(holder);
}

static int run_take_over(void *state, void *outputs)
{
	int result = nonet_mutex_lock(state, nonet_after(NONET_S(2)));

	(void)outputs;
	if (result != -EOWNERDEAD)
		return result;
	result = nonet_mutex_recover(state);
	test_check_equal(nonet_mutex_unlock(state), 0);
	return result;
}

/* Nobody marked it: the life lock says so. */
static void new_dead_unmarked(void **ret_state)
{
	struct domain *domain = NULL;

	new_held(ret_state);
	test_check_equal(domain_join(NULL, false, &domain, NULL), 0);
	atomic_store(&domain_slot(domain, 2)->life, life_word(SYS_LIFE_WAITERS | 1, 1));
	test_kill(holder);
}

static const int codes[] = {-EEXIST, -EAGAIN, -ESTALE, -EPROTO, 0};
static const int sleeping[] = {-ETIMEDOUT, -EBADMSG, 0};

#define HANDLE .outputs_size = sizeof(struct nonet_mutex *), .allowed = codes
static const struct test_domain_operation operations[] = {
	{.name = "mutex create", .run = run_create, .release = close_and_unlink, HANDLE},
	{.name = "mutex open", .setup = new_object, .run = run_open, .release = close_it, HANDLE},
	{.name = "mutex create or open", .setup = new_object, .run = run_create_or_open, .release = close_it, HANDLE},
	{.name = "mutex unlink", .setup = new_object, .run = run_unlink, .not_repeatable = true},
	{.name = "mutex place", .setup = new_place, .run = run_place, .release = close_it, HANDLE},
	{.name = "mutex first lock", .setup = new_member, .run = run_first_lock, .allowed = codes},
	{.name = "domain helper", .setup = new_member, .run = run_helper, .outputs_size = 8, .allowed = codes},
	{.name = "mutex contended", .setup = new_held, .run = run_contended, .allowed = sleeping},
	{.name = "mutex take over", .setup = new_dead, .run = run_take_over, .not_repeatable = true},
	{.name = "mutex take over unmarked",
	 .setup = new_dead_unmarked,
	 .run = run_take_over,
	 .allowed = sleeping,
	 .not_repeatable = true},
};

DOMAIN_TEST(a_free_one_costs_no_call_and_no_memory)
{
	struct nonet_mutex *mutex;
	struct nonet_mutex_holder seen;

	(void)side;
	(void)argument;
	new_held((void **)&mutex);
	test_kill(holder);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EOWNERDEAD);
	sys_fault_record();
	test_check_equal(nonet_mutex_recover(mutex), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	/* The first may wake one who wanted it. */
	test_check(sys_fault_recorded() <= 1);
	sys_fault_record();
	for (int i = 0; i < 1000; i++) {
		test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(1))), 0);
		test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EDEADLK);
		test_check_equal(nonet_mutex_unlock(mutex), 0);
		test_check_equal(nonet_mutex_unlock(mutex), -EPERM);
		test_check_equal(nonet_mutex_look(mutex, &seen), 0);
	}
	/* Of src/sys's calls, all that the library makes; memory is one of them. */
	test_check_equal(sys_fault_recorded(), 0);
	return 0;
}

static void no_failure_of_the_kernel_breaks_a_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		test_domain_sweep(&operations[i]);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(200)};
	const struct CMUnitTest tests[] = {
		test_case_with(no_failure_of_the_kernel_breaks_a_call, &long_one),
		test_case(a_free_one_costs_no_call_and_no_memory),
	};

	return test_main(tests);
}
