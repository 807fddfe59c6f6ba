/* SPDX-License-Identifier: Apache-2.0 */
/* A helper is interrupted by SIGURG, whose disposition is the program's, also if it changes it at the worst moment. */
#include "sys/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "harness/test.h"

static atomic_int urgent;

static void count_urgent(int number)
{
	(void)number;
	atomic_fetch_add(&urgent, 1);
}

/* As a library does that has a handler for a while: in the moment in which ours is there it saves that one. */
static void a_handler_of_ours_that_somebody_puts_back_calls_the_programs(void **state)
{
	struct sigaction own = {.sa_handler = count_urgent};
	struct sigaction before;
	struct sigaction saved;
	struct sigaction after;

	(void)state;
	atomic_store(&urgent, 0);
	sigaction(SIGURG, &own, &before);
	sys_thread_interrupts_begin();
	sigaction(SIGURG, &(struct sigaction){.sa_handler = SIG_IGN}, &saved);
	sys_thread_interrupts_end();
	sigaction(SIGURG, &saved, NULL);
	raise(SIGURG);
	assert_int_equal(atomic_load(&urgent), 1);
	sys_thread_interrupts_begin();
	raise(SIGURG);
	assert_int_equal(atomic_load(&urgent), 2);
	sys_thread_interrupts_end();
	sigaction(SIGURG, &before, &after);
	assert_ptr_equal(after.sa_handler, count_urgent);
}

static void an_ignored_signal_is_ignored_whatever_the_flags_say(void **state)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN, .sa_flags = SA_SIGINFO};
	struct sigaction before;

	(void)state;
	sigaction(SIGURG, &ignore, &before);
	sys_thread_interrupts_begin();
	raise(SIGURG);
	sys_thread_interrupts_end();
	sigaction(SIGURG, &before, &ignore);
	assert_ptr_equal(ignore.sa_handler, SIG_IGN);
}

struct sleeper {
	int fds[2];
	int bell[2];
};

static void *sleep_until_interrupted(void *data)
{
	struct sleeper *sleeper = data;
	char byte;

	sys_thread_allow_interrupts();
	if (read(sleeper->fds[0], &byte, 1) < 0 && errno == EINTR)
		(void)!write(sleeper->bell[1], "i", 1);
	return NULL;
}

/* Ignored, the signal would get nobody out of anything. */
static void a_program_that_ignores_it_meanwhile_keeps_no_helper_in_its_call(void **state)
{
	const nonet_time deadline = test_deadline();
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction before;
	struct sigaction after;
	struct sleeper sleeper;
	struct pollfd item;
	pthread_t thread;
	int interrupted = 0;

	(void)state;
	assert_int_equal(pipe2(sleeper.fds, O_CLOEXEC), 0);
	assert_int_equal(pipe2(sleeper.bell, O_CLOEXEC), 0);
	item = (struct pollfd){.fd = sleeper.bell[0], .events = POLLIN};
	assert_int_equal(sys_thread_start("sleeper", sleep_until_interrupted, &sleeper, &thread), 0);
	sys_thread_interrupts_begin();
	sigaction(SIGURG, &ignore, &before);
	while (!interrupted && test_clock() < deadline) {
		sys_thread_interrupt(thread);
		interrupted = test_poll(&item, 1, test_after(NONET_MS(1)));
	}
	sys_thread_interrupts_end();
	/* It ends in any case. */
	close(sleeper.fds[1]);
	sys_thread_join(thread);
	assert_int_equal(interrupted, 1);
	sigaction(SIGURG, &(struct sigaction){.sa_handler = SIG_DFL}, &after);
	assert_ptr_equal(after.sa_handler, SIG_IGN);
	close(sleeper.fds[0]);
	close(sleeper.bell[0]);
	close(sleeper.bell[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_handler_of_ours_that_somebody_puts_back_calls_the_programs),
		test_case(an_ignored_signal_is_ignored_whatever_the_flags_say),
		test_case(a_program_that_ignores_it_meanwhile_keeps_no_helper_in_its_call),
	};
	return test_main(tests);
}
