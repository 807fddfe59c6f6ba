/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sys/clock.h"
#include "sys/event.h"
#include "sys/fault.h"
#include "sys/files.h"
#include "sys/pipe.h"

static int pending_sigpipe(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGPIPE);
}

/* Writes to a pipe that nobody reads: the default disposition would end this process. */
static void write_without_a_reader(void)
{
	struct iovec vector = {.iov_base = (char *)"x", .iov_len = 1};
	int fds[2];

	assert_int_equal(sys_pipe(fds), 0);
	sys_close(&fds[0]);
	assert_int_equal(sys_pipe_write(fds[1], &vector, 1), -EPIPE);
	sys_close(&fds[1]);
}

static void a_write_without_a_reader_is_an_error_and_no_signal(void **state)
{
	struct sigaction action;

	(void)state;
	write_without_a_reader();
	assert_false(pending_sigpipe());
	assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
	assert_ptr_equal(action.sa_handler, SIG_DFL);
}

static void the_same_on_a_kernel_without_rwf_nosignal(void **state)
{
	sigset_t before;
	sigset_t after;

	(void)state;
	sigemptyset(&before);
	sigemptyset(&after);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	sys_fault_arm_kind(SYS_CALL_WRITE, EOPNOTSUPP);
	write_without_a_reader();
	sys_fault_disarm();
	assert_false(pending_sigpipe());
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int number = 1; number < NSIG; number++)
		assert_int_equal(sigismember(&before, number), sigismember(&after, number));
}

/* A SIGPIPE that the program blocks and has pending is the program's: the fallback may not eat it. */
static void a_pending_sigpipe_of_the_caller_stays(void **state)
{
	sigset_t set;
	int number;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	raise(SIGPIPE);
	sys_fault_arm_kind(SYS_CALL_WRITE, EOPNOTSUPP);
	write_without_a_reader();
	sys_fault_disarm();
	assert_true(pending_sigpipe());
	assert_int_equal(sigwait(&set, &number), 0);
	assert_int_equal(number, SIGPIPE);
	write_without_a_reader();
	assert_false(pending_sigpipe());
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void splice_and_its_kin_raise_no_signal(void **state)
{
	int from[2];
	int to[2];

	(void)state;
	assert_int_equal(sys_pipe(from), 0);
	assert_int_equal(sys_pipe(to), 0);
	sys_close(&to[0]);
	assert_int_equal(sys_pipe_write(from[1], &(struct iovec){(char *)"x", 1}, 1), 1);
	assert_int_equal(sys_tee(from[0], to[1], 1), -EPIPE);
	assert_int_equal(sys_splice(from[0], to[1], 1), -EPIPE);
	assert_int_equal(sys_vmsplice(to[1], "x", 1), -EPIPE);
	assert_false(pending_sigpipe());
	sys_close(&from[0]);
	sys_close(&from[1]);
	sys_close(&to[1]);
}

static void a_recorded_call_can_be_made_to_fail(void **state)
{
	int fds[2] = {-1, -1};

	(void)state;
	sys_fault_record();
	assert_int_equal(sys_pipe(fds), 0);
	assert_true(sys_get_flags(fds[0]) >= 0);
	sys_close(&fds[0]);
	sys_close(&fds[1]);
	assert_int_equal(sys_fault_recorded(), 4);
	assert_int_equal(sys_fault_recorded_call(0), SYS_CALL_PIPE);
	assert_int_equal(sys_fault_recorded_call(1), SYS_CALL_FCNTL);
	assert_string_equal(sys_fault_name(sys_fault_recorded_call(2)), "close");

	sys_fault_arm(1, EMFILE);
	assert_true(sys_get_flags(0) >= 0);
	assert_false(sys_fault_fired());
	assert_int_equal(sys_pipe(fds), -EMFILE);
	assert_true(sys_fault_fired());
	assert_int_equal(fds[0], -1);
	sys_fault_disarm();
	for (int call = 0; call < SYS_CALL_COUNT; call++)
		assert_non_null(sys_fault_name((enum sys_call)call));
}

static void waits_end_at_their_deadline_and_not_before(void **state)
{
	int fds[2];
	nonet_time deadline;

	(void)state;
	assert_int_equal(sys_pipe(fds), 0);
	assert_int_equal(sys_poll_one(fds[0], 1, NONET_NOW), -EAGAIN);
	assert_int_equal(sys_poll_one(fds[0], 1, 1), -ETIMEDOUT);
	deadline = nonet_after(NONET_MS(20));
	assert_int_equal(sys_poll_one(fds[0], 1, deadline), -ETIMEDOUT);
	assert_true(nonet_clock() >= deadline);

	sys_close(&fds[0]);
	sys_close(&fds[1]);
	assert_int_equal(fds[0], -1);
	sys_close(&fds[0]);
}

static void looks_come_at_growing_intervals_and_end_at_the_deadline(void **state)
{
	struct sys_retry retry = {0};
	nonet_time expected = NONET_US(50);
	nonet_time deadline;
	int error = 0;

	(void)state;
	assert_int_equal(sys_retry_sleep(&retry, NONET_NOW), -EAGAIN);
	assert_int_equal(sys_retry_sleep(&retry, 1), -ETIMEDOUT);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(sys_retry_next(&retry), expected);
		expected = 2 * expected < NONET_MS(5) ? 2 * expected : NONET_MS(5);
	}
	deadline = nonet_after(NONET_MS(12));
	while (error == 0)
		error = sys_retry_sleep(&retry, deadline);
	assert_int_equal(error, -ETIMEDOUT);
	assert_true(nonet_clock() >= deadline);
}

static void counters_count(void **state)
{
	uint64_t count = 77;
	int fd = sys_eventfd_create();

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sys_counter_read(fd, &count), -EAGAIN);
	assert_int_equal(count, 77);
	assert_int_equal(sys_counter_write(fd, 2), 0);
	assert_int_equal(sys_counter_write(fd, 3), 0);
	assert_int_equal(sys_counter_read(fd, &count), 0);
	assert_int_equal(count, 5);
	sys_close(&fd);

	fd = sys_timerfd_create();
	assert_true(fd >= 0);
	assert_int_equal(sys_timerfd_set(fd, 1, 0), 0); /* long past: at once */
	assert_true(sys_poll_one(fd, 1, nonet_after(NONET_S(5))) > 0);
	assert_int_equal(sys_counter_read(fd, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(sys_timerfd_set(fd, NONET_FOREVER, 0), 0);
	assert_int_equal(sys_counter_read(fd, &count), -EAGAIN);
	sys_close(&fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_without_a_reader_is_an_error_and_no_signal),
		cmocka_unit_test(the_same_on_a_kernel_without_rwf_nosignal),
		cmocka_unit_test(a_pending_sigpipe_of_the_caller_stays),
		cmocka_unit_test(splice_and_its_kin_raise_no_signal),
		cmocka_unit_test(a_recorded_call_can_be_made_to_fail),
		cmocka_unit_test(waits_end_at_their_deadline_and_not_before),
		cmocka_unit_test(looks_come_at_growing_intervals_and_end_at_the_deadline),
		cmocka_unit_test(counters_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
