/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/storm.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/deadline.h"

#define STORM_PERIOD  NONET_US(100)
#define STORM_VICTIMS 64

struct test_storm {
	struct test_child *child;
	size_t count;
	nonet_time limit;
	int pidfds[STORM_VICTIMS];
	_Atomic uint64_t sent; /* written by the helper; the whole struct is shared memory */
};

static _Atomic uint64_t received;

static void storm_handler(int number)
{
	(void)number;
	atomic_fetch_add_explicit(&received, 1, memory_order_relaxed);
}

void test_storm_victim(void)
{
	struct sigaction action = {.sa_handler = storm_handler};
	sigset_t set;

	atomic_store_explicit(&received, 0, memory_order_relaxed);
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

uint64_t test_storm_received(void)
{
	return atomic_load_explicit(&received, memory_order_relaxed);
}

static int storm_blow(struct test_child_side *side, void *argument)
{
	struct test_storm *storm = argument;
	struct itimerspec beat = {.it_value.tv_nsec = STORM_PERIOD, .it_interval.tv_nsec = STORM_PERIOD};
	int timer = (int)test_must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	nonet_time end = test_clock() + storm->limit;
	uint64_t beats;
	size_t alive = 1;
	bool reported = false;

	test_must(timerfd_settime(timer, 0, &beat, NULL));
	while (alive > 0 && test_clock() < end) {
		alive = 0;
		for (size_t i = 0; i < storm->count; i++) {
			/* By pidfd: a victim's number may have been given away meanwhile. */
			if (syscall(SYS_pidfd_send_signal, storm->pidfds[i], SIGUSR1, NULL, 0) == 0) {
				atomic_fetch_add_explicit(&storm->sent, 1, memory_order_relaxed);
				alive++;
			}
		}
		if (!reported)
			test_report(side, "blowing");
		reported = true;
		/* Beats that were missed while this process didn't run come as one: not made up for in a burst. */
		if (read(timer, &beats, sizeof(beats)) < 0 && errno != EINTR)
			test_fail("no beat: %s", strerror(errno));
	}
	return 0;
}

struct test_storm *test_storm_start_at(const char *file, int line, const pid_t *pids, size_t count, nonet_time limit)
{
	struct test_storm *storm;

	if (count > STORM_VICTIMS)
		test_fail_at(file, line, "a storm over %zu processes: the limit is %d", count, STORM_VICTIMS);
	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (storm == MAP_FAILED)
		test_fail_at(file, line, "no shared memory for a storm: %s", strerror(errno));
	storm->limit = limit;
	for (; storm->count < count; storm->count++) {
		storm->pidfds[storm->count] = test_pidfd_open(pids[storm->count]);
		if (storm->pidfds[storm->count] < 0)
			test_fail_at(file, line, "no pidfd for process %d: %s", (int)pids[storm->count],
				     strerror(errno));
	}
	storm->child = test_child_start_at(file, line, "storm", storm_blow, storm);
	for (size_t i = 0; i < count; i++)
		close(storm->pidfds[i]);
	test_child_wait_state_at(file, line, storm->child, "blowing");
	return storm;
}

uint64_t test_storm_stop_at(const char *file, int line, struct test_storm *storm)
{
	uint64_t sent;

	test_kill_if_running_at(file, line, storm->child);
	sent = atomic_load_explicit(&storm->sent, memory_order_relaxed);
	munmap(storm, sizeof(*storm));
	return sent;
}
