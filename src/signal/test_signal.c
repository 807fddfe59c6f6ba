/* SPDX-License-Identifier: Apache-2.0 */
#include <nonet/signal.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/storm.h"
#include "harness/test.h"

static nonet_time soon(void)
{
	return test_deadline();
}

static struct nonet_signal *open_for(const int *numbers, size_t count)
{
	struct nonet_signal *signal = NULL;
	struct nonet_error error;

	if (nonet_signal_open(numbers, count, NULL, &signal, &error) < 0)
		test_fail("%s", error.text);
	return signal;
}

#define OPEN(...) open_for((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static bool is_blocked(int number)
{
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	return sigismember(&mask, number) == 1;
}

static struct nonet_signal_info take(struct nonet_signal *signal)
{
	struct nonet_signal_info info = {.number = -1};

	test_check_equal(nonet_signal_receive(signal, soon(), &info), 0);
	return info;
}

static void nothing_is_left(struct nonet_signal *signal)
{
	struct nonet_signal_info info;

	test_check_equal(nonet_signal_receive(signal, NONET_NOW, &info), -EAGAIN);
}

static void a_signal_tells_its_sender_and_value(void **state)
{
	struct nonet_signal *signal = OPEN(SIGRTMIN + 1, SIGUSR2, SIGTERM);
	const int value = -123456789;
	struct nonet_signal_info info;

	(void)state;
	test_check_equal(nonet_signal_send(getpid(), SIGRTMIN + 1, &value, NULL), 0);
	info = take(signal);
	test_check_equal(info.number, SIGRTMIN + 1);
	test_check_equal(info.pid, getpid());
	test_check_equal(info.uid, getuid());
	test_check_equal(info.value, value);
	test_check_equal(info.how, NONET_SIGNAL_QUEUE);
	test_check_equal(info.code, SI_QUEUE);

	test_check_equal(nonet_signal_send(getpid(), SIGUSR2, NULL, NULL), 0);
	info = take(signal);
	test_check_equal(info.number, SIGUSR2);
	test_check_equal(info.pid, getpid());
	test_check_equal(info.value, 0);
	test_check_equal(info.how, NONET_SIGNAL_USER);

	test_check_equal(nonet_signal_send(getpid(), SIGTERM, &value, NULL), 0);
	info = take(signal);
	test_check_equal(info.value, value);
	test_check_equal(info.how, NONET_SIGNAL_QUEUE);

	test_check_equal(nonet_signal_send_thread(getpid(), getpid(), SIGTERM, NULL, NULL), 0);
	test_check_equal(take(signal).how, NONET_SIGNAL_THREAD);
	test_check_equal(nonet_signal_send_thread(getpid(), getpid(), SIGTERM, &value, NULL), 0);
	test_check_equal(take(signal).value, value);
	nothing_is_left(signal);
	nonet_signal_close(signal);
}

static int send_to_parent(struct test_child_side *side, void *argument)
{
	const int value = 7;

	(void)side;
	(void)argument;
	test_check_equal(nonet_signal_send(getppid(), SIGRTMIN, &value, NULL), 0);
	test_check_equal(nonet_signal_send(getppid(), SIGTERM, NULL, NULL), 0);
	return 0;
}

/* The sender's number is cached, and a fork mustn't keep its parent's. */
static void a_forked_sender_tells_its_own_number(void **state)
{
	struct nonet_signal *signal = OPEN(SIGRTMIN, SIGTERM);
	struct nonet_signal_info info;
	struct test_child *child;

	(void)state;
	test_check_equal(nonet_signal_send(getpid(), SIGRTMIN, NULL, NULL), 0);
	info = take(signal);
	test_check_equal(info.pid, getpid());
	/* Not kill(2)'s, which would get lost where there is no room. */
	test_check_equal(info.how, NONET_SIGNAL_QUEUE);
	child = test_child_start(send_to_parent, NULL);
	for (int i = 0; i < 2; i++) {
		info = take(signal);
		test_check_equal(info.pid, test_child_pid(child));
		test_check_equal(info.value, info.number == SIGTERM ? 0 : 7);
	}
	test_check_equal(test_child_join(child), 0);
	nonet_signal_close(signal);
}

static void ordinary_ones_merge_and_real_time_ones_queue_in_order(void **state)
{
	struct nonet_signal *signal = OPEN(SIGUSR2, SIGRTMIN, SIGRTMIN + 5);
	struct nonet_signal_info info;

	(void)state;
	for (int i = 0; i < 50; i++) {
		test_check_equal(nonet_signal_send(getpid(), SIGRTMIN + 5, &i, NULL), 0);
		test_check_equal(nonet_signal_send(getpid(), SIGRTMIN, &i, NULL), 0);
		test_check_equal(nonet_signal_send(getpid(), SIGUSR2, &(const int){i + 1}, NULL), 0);
	}
	info = take(signal);
	test_check_equal(info.number, SIGUSR2);
	test_check_equal(info.value, 1);
	for (int i = 0; i < 100; i++) {
		info = take(signal);
		test_check_equal(info.number, i < 50 ? SIGRTMIN : SIGRTMIN + 5);
		test_check_equal(info.value, i % 50);
	}
	nothing_is_left(signal);
	nonet_signal_close(signal);
}

static void two_receivers_of_one_thread_share_what_they_block(void **state)
{
	struct nonet_signal *first = OPEN(SIGTERM, SIGUSR2);
	struct nonet_signal *second = OPEN(SIGTERM, SIGINT);
	uint64_t before = 0;

	(void)state;
	test_check(is_blocked(SIGTERM) && is_blocked(SIGUSR2) && is_blocked(SIGINT));
	nonet_signal_close(first);
	test_check(is_blocked(SIGTERM) && !is_blocked(SIGUSR2) && is_blocked(SIGINT));
	nonet_signal_close(second);
	test_check(!is_blocked(SIGTERM) && !is_blocked(SIGINT));

	/* What was blocked before stays so. */
	test_check_equal(nonet_signal_block((const int[]){SIGTERM}, 1, &before), 0);
	first = OPEN(SIGTERM, SIGINT);
	nonet_signal_close(first);
	test_check(is_blocked(SIGTERM) && !is_blocked(SIGINT));
	nonet_signal_restore(before);
	test_check(!is_blocked(SIGTERM));
	test_check_equal(nonet_signal_block((const int[]){SIGSEGV}, 1, NULL), 0);
	test_check(is_blocked(SIGSEGV));
	nonet_signal_restore(before);
	test_check_equal(nonet_signal_block((const int[]){SIGTERM, SIGKILL}, 2, &before), -EINVAL);
	test_check(!is_blocked(SIGTERM));
}

static int close_with_one_pending(struct test_child_side *side, void *argument)
{
	struct nonet_signal *signal = OPEN(SIGTERM);

	(void)side;
	(void)argument;
	test_check_equal(nonet_signal_send(getpid(), SIGTERM, NULL, NULL), 0);
	nonet_signal_close(signal);
	return 0;
}

static void what_is_pending_at_the_close_is_not_swallowed(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(close_with_one_pending, NULL)), -SIGTERM);
}

static void *close_it(void *argument)
{
	struct nonet_signal *own;

	nonet_signal_close(argument);
	/* What this thread holds itself isn't mixed up with that. */
	nonet_signal_restore(0);
	own = OPEN(SIGTERM);
	nonet_signal_close(own);
	test_check(!is_blocked(SIGTERM));
	return NULL;
}

static int close_in_another_thread(struct test_child_side *side, void *argument)
{
	struct nonet_signal *signal = OPEN(SIGTERM);
	pthread_t thread;

	(void)side;
	(void)argument;
	test_check_equal(pthread_create(&thread, NULL, close_it, signal), 0);
	pthread_join(thread, NULL);
	return is_blocked(SIGTERM) ? 0 : 1;
}

static void another_thread_that_closes_leaves_the_mask(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(close_in_another_thread, NULL)), 0);
}

static void *only_close(void *argument)
{
	nonet_signal_close(argument);
	return NULL;
}

static void close_elsewhere(struct nonet_signal *signal)
{
	pthread_t thread;

	test_check_equal(pthread_create(&thread, NULL, only_close, signal), 0);
	pthread_join(thread, NULL);
}

static void whoever_closes_the_others_the_last_unblocks(void **state)
{
	struct nonet_signal *first = OPEN(SIGTERM, SIGINT);
	struct nonet_signal *second = OPEN(SIGTERM, SIGINT);
	struct nonet_signal *third = OPEN(SIGTERM);
	uint64_t before = 0;

	(void)state;
	/* The one that blocked it, and one that didn't. */
	close_elsewhere(first);
	close_elsewhere(third);
	test_check(is_blocked(SIGTERM) && is_blocked(SIGINT));
	nonet_signal_close(second);
	test_check(!is_blocked(SIGTERM) && !is_blocked(SIGINT));

	/* What nobody receives any more is left, and not for the next receiver to let through. */
	close_elsewhere(OPEN(SIGTERM));
	test_check(is_blocked(SIGTERM));
	nonet_signal_close(OPEN(SIGTERM));
	test_check(is_blocked(SIGTERM));
	nonet_signal_restore(0);
	nonet_signal_close(OPEN(SIGTERM));
	test_check(!is_blocked(SIGTERM));

	/* Nor what was blocked before. */
	test_check_equal(nonet_signal_block((const int[]){SIGTERM}, 1, &before), 0);
	first = OPEN(SIGTERM);
	second = OPEN(SIGTERM);
	close_elsewhere(first);
	nonet_signal_close(second);
	test_check(is_blocked(SIGTERM));
	nonet_signal_restore(before);
}

static void *open_and_leave(void *argument)
{
	nonet_signal_restore(0);
	*(struct nonet_signal **)argument = OPEN(SIGTERM);
	return NULL;
}

/* Often under the number, and with the thread-local variables' addresses, of the one before. */
static void *close_that_and_ask(void *argument)
{
	nonet_signal_restore(0);
	/* Open there still, and nothing to this thread. */
	nonet_signal_close(OPEN(SIGTERM));
	test_check(!is_blocked(SIGTERM));
	/* What this thread blocked itself isn't for that receiver to let through. */
	test_check_equal(nonet_signal_block((const int[]){SIGTERM}, 1, NULL), 0);
	nonet_signal_close(argument);
	test_check(is_blocked(SIGTERM));
	return NULL;
}

static void a_thread_does_not_hold_what_one_before_it_held(void **state)
{
	struct nonet_signal *signal;
	uint64_t before;
	pthread_t thread;

	(void)state;
	/* Else we would take it. */
	test_check_equal(nonet_signal_block((const int[]){SIGTERM}, 1, &before), 0);
	for (int i = 0; i < 20; i++) {
		test_check_equal(pthread_create(&thread, NULL, open_and_leave, &signal), 0);
		pthread_join(thread, NULL);
		test_check_equal(pthread_create(&thread, NULL, close_that_and_ask, signal), 0);
		pthread_join(thread, NULL);
	}
	nonet_signal_restore(before);
}

static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_signal *signal = argument;
	struct nonet_signal_info info = {.number = 99};
	struct nonet_signal *own;
	struct nonet_error error;

	(void)side;
	test_check_equal(nonet_signal_receive(signal, NONET_FOREVER, &info), -ECHILD);
	test_check_equal(info.number, 99);
	test_check_equal(nonet_signal_fd(signal), -1);
	test_check_equal(nonet_signal_arm(signal), -ECHILD);
	nonet_signal_explain(signal, -ECHILD, &error);
	test_check(strstr(error.text, "parent's") && strstr(error.text, "SIGTERM"));
	nonet_signal_close(signal);
	test_check(is_blocked(SIGTERM));
	own = OPEN(SIGTERM);
	test_check_equal(nonet_signal_send(getpid(), SIGTERM, NULL, NULL), 0);
	test_check_equal(take(own).pid, getpid());
	nonet_signal_close(own);
	/* It was blocked when the child began. */
	return is_blocked(SIGTERM) ? 0 : 1;
}

static void a_forked_child_opens_its_own(void **state)
{
	struct nonet_signal *signal = OPEN(SIGTERM);

	(void)state;
	test_check_equal(test_child_join(test_child_start(use_the_parents, signal)), 0);
	test_check_equal(nonet_signal_send(getpid(), SIGTERM, NULL, NULL), 0);
	test_check_equal(take(signal).number, SIGTERM);
	nonet_signal_close(signal);
	test_check(!is_blocked(SIGTERM));
}

static void deadlines_are_kept_in_a_storm(void **state)
{
	struct nonet_signal *signal = OPEN(SIGRTMIN);
	struct nonet_signal_info info = {.number = 99};
	struct test_storm *storm;
	struct nonet_error error;
	nonet_time deadline;

	(void)state;
	test_storm_victim();
	storm = test_storm_start((pid_t[]){getpid()}, 1, NONET_S(20));
	for (int i = 0; i < 20; i++) {
		deadline = nonet_after(NONET_MS(20));
		test_check_equal(nonet_signal_receive(signal, deadline, &info), -ETIMEDOUT);
		test_check(nonet_clock() >= deadline);
		test_check(nonet_clock() < deadline + NONET_MS(500) * test_slowness());
		test_check_equal(info.number, 99);
	}
	test_check(test_storm_stop(storm) > 0 && test_storm_received() > 0);
	nothing_is_left(signal);
	nonet_signal_explain(signal, -ETIMEDOUT, &error);
	test_check(strstr(error.text, "SIGRTMIN"));
	nonet_signal_close(signal);
}

static void it_waits_among_others_and_tells_a_childs_end(void **state)
{
	struct nonet_signal *signal = OPEN(SIGCHLD, SIGRTMIN);
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_signal_info info;
	size_t count;
	pid_t pid;

	(void)state;
	test_check_equal(nonet_wait_set_new(&set, NULL), 0);
	test_check_equal(nonet_wait_set_add(set, nonet_signal_waitable(signal), NONET_WAIT_RECEIVE, signal), 0);
	test_check_equal(nonet_signal_arm(signal), 0);
	test_check_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	pid = (pid_t)test_must(fork());
	if (pid == 0)
		_exit(42);
	test_check_equal(nonet_wait(set, &event, 1, soon(), &count), 0);
	test_check(event.data == signal);
	info = take(signal);
	test_check_equal(info.number, SIGCHLD);
	test_check_equal(info.how, NONET_SIGNAL_CHILD);
	test_check_equal(info.pid, pid);
	test_check_equal(info.value, 42);
	test_must(waitpid(pid, NULL, 0));
	nothing_is_left(signal);
	nonet_signal_close(signal);
	nonet_wait_set_free(set);
}

#define SHARED 2000

struct shared {
	struct nonet_signal *signal;
	_Atomic int seen[SHARED];
};

static void *receive_some(void *argument)
{
	struct shared *shared = argument;
	struct nonet_signal_info info;

	while (nonet_signal_receive(shared->signal, NONET_FOREVER, &info) == 0 && info.number != SIGTERM)
		atomic_fetch_add_explicit(&shared->seen[info.value], 1, memory_order_relaxed);
	return NULL;
}

static void threads_that_receive_at_once_get_each_signal_once(void **state)
{
	static struct shared shared;
	pthread_t threads[3];

	(void)state;
	shared.signal = OPEN(SIGRTMIN, SIGTERM);
	for (int i = 0; i < 3; i++)
		test_check_equal(pthread_create(&threads[i], NULL, receive_some, &shared), 0);
	for (int i = 0; i < SHARED; i++)
		test_check_equal(nonet_signal_send(getpid(), SIGRTMIN, &i, NULL), 0);
	/* SIGTERM would overtake what is still there, and two would be one: each thread gets its own. */
	for (int i = 0; i < SHARED; i++)
		while (atomic_load_explicit(&shared.seen[i], memory_order_relaxed) == 0)
			sched_yield();
	for (int i = 0; i < 3; i++) {
		test_check_equal(pthread_kill(threads[i], SIGTERM), 0);
		pthread_join(threads[i], NULL);
	}
	for (int i = 0; i < SHARED; i++)
		test_check_equal(shared.seen[i], 1);
	nothing_is_left(shared.signal);
	nonet_signal_close(shared.signal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_signal_tells_its_sender_and_value),
		test_case(a_forked_sender_tells_its_own_number),
		test_case(ordinary_ones_merge_and_real_time_ones_queue_in_order),
		test_case(two_receivers_of_one_thread_share_what_they_block),
		test_case(what_is_pending_at_the_close_is_not_swallowed),
		test_case(another_thread_that_closes_leaves_the_mask),
		test_case(whoever_closes_the_others_the_last_unblocks),
		test_case(a_thread_does_not_hold_what_one_before_it_held),
		test_case(a_forked_child_opens_its_own),
		test_case(deadlines_are_kept_in_a_storm),
		test_case(it_waits_among_others_and_tells_a_childs_end),
		test_case(threads_that_receive_at_once_get_each_signal_once),
	};

	return test_main(tests);
}
