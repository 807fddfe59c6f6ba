/* SPDX-License-Identifier: Apache-2.0 */
#include "pipe/test_pipe.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sys/fault.h"

static void both_ends_are_made_closed_at_exec_and_say_what_they_are(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;

	(void)state;
	make_pipe(&reader, &writer);
	assert_int_equal(nonet_pipe_get_end(reader), NONET_PIPE_READER);
	assert_int_equal(nonet_pipe_get_end(writer), NONET_PIPE_WRITER);
	assert_true(fcntl(nonet_pipe_fd(reader), F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(nonet_pipe_fd(writer), F_GETFD) & FD_CLOEXEC);
	assert_non_null(nonet_pipe_waitable(reader));
	close_pair(reader, writer);
	assert_null(nonet_pipe_close(NULL));
}

static void check_refused(const struct nonet_pipe_options *options)
{
	struct nonet_pipe *const untouched = (struct nonet_pipe *)1;
	struct nonet_pipe *reader = untouched;
	struct nonet_pipe *writer = untouched;
	struct nonet_error error = {0};
	int fd = 0;

	assert_int_equal(nonet_pipe_new(options, &reader, &writer, &error), -EINVAL);
	assert_int_equal(error.code, -EINVAL);
	assert_true(strlen(error.text) > 10);
	assert_int_equal(nonet_pipe_open("/", NONET_PIPE_READER, options, NONET_NOW, &reader, NULL), -EINVAL);
	assert_int_equal(nonet_pipe_take_fd(&fd, options, &reader, NULL), -EINVAL);
	assert_int_equal(fd, 0);
	assert_ptr_equal(reader, untouched);
	assert_ptr_equal(writer, untouched);
}

static void each_bad_option_is_refused_with_a_sentence(void **state)
{
	const struct nonet_pipe_options good = {.size = sizeof(good)};
	struct nonet_pipe_options bad;
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;

	(void)state;
	assert_int_equal(nonet_pipe_new(&good, &reader, &writer, NULL), 0);
	close_pair(reader, writer);
	bad = good, bad.size = 0, check_refused(&bad);
	bad = good, bad.size = sizeof(bad) + 8, check_refused(&bad);
	bad = good, bad.flags = 2, check_refused(&bad);
	bad = good, bad.flags = 1u << 31, check_refused(&bad);
	bad = good, bad.reserved[0] = 1, check_refused(&bad);
	bad = good, bad.reserved[1] = 1, check_refused(&bad);
	bad = good, bad.message_size = (1u << 30) + 1, check_refused(&bad);
	bad = good, bad.capacity = (uint64_t)INT_MAX + 1, check_refused(&bad);
	bad = good, bad.capacity = UINT64_MAX, check_refused(&bad);
}

static void bytes_come_as_they_were_written(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	char buffer[16] = "";
	size_t size = 99;
	size_t done = 0;

	(void)state;
	make_pipe(&reader, &writer);
	assert_int_equal(nonet_pipe_read(reader, buffer, 16, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(nonet_pipe_read(reader, buffer, 16, nonet_after(NONET_MS(2)), &size), -ETIMEDOUT);
	assert_int_equal(size, 99);
	assert_int_equal(nonet_pipe_read(reader, buffer, 0, NONET_NOW, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(nonet_pipe_write(writer, "hello", 5, NONET_NOW, NULL), 0);
	assert_int_equal(nonet_pipe_read(reader, buffer, 2, NONET_FOREVER, &size), 0);
	assert_int_equal(size, 2);
	assert_int_equal(nonet_pipe_read(reader, buffer + 2, 14, soon(), &size), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(buffer, "hello", 5);

	assert_int_equal(nonet_pipe_write(writer, "abc", 3, NONET_NOW, NULL), 0);
	assert_int_equal(nonet_pipe_read_exactly(reader, buffer, 5, NONET_NOW, &done), -EAGAIN);
	assert_int_equal(done, 3);
	assert_int_equal(nonet_pipe_read_exactly(reader, buffer, 5, nonet_after(NONET_MS(2)), &done), -ETIMEDOUT);
	assert_int_equal(done, 3);
	assert_int_equal(nonet_pipe_write(writer, "defg", 4, NONET_NOW, NULL), 0);
	assert_int_equal(nonet_pipe_read_exactly(reader, buffer, 5, soon(), &done), 0);
	assert_int_equal(done, 5);
	assert_memory_equal(buffer, "abcde", 5);
	done = 6;
	assert_int_equal(nonet_pipe_read_exactly(reader, buffer, 5, NONET_NOW, &done), -EINVAL);
	assert_int_equal(nonet_pipe_write(writer, buffer, 5, NONET_NOW, &done), -EINVAL);
	assert_int_equal(done, 6);

	writer = nonet_pipe_close(writer);
	done = 0;
	assert_int_equal(nonet_pipe_read_exactly(reader, buffer, 5, NONET_FOREVER, &done), -EPIPE);
	assert_int_equal(done, 2);
	assert_memory_equal(buffer, "fg", 2);
	assert_int_equal(nonet_pipe_read(reader, buffer, 5, NONET_FOREVER, &size), -EPIPE);
	nonet_pipe_close(reader);
}

static void a_write_goes_on_where_its_deadline_stopped_it(void **state)
{
	enum {
		SIZE = 200000
	};
	uint8_t *bytes = new_filled(SIZE, 1);
	uint8_t *back = malloc(SIZE);
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	size_t done = 0;
	size_t got = 0;

	(void)state;
	make_pipe(&reader, &writer);
	assert_int_equal(nonet_pipe_write(writer, bytes, SIZE, NONET_NOW, &done), -EAGAIN);
	assert_int_equal(done, 65536);
	assert_int_equal(nonet_pipe_write(writer, bytes, SIZE, nonet_after(NONET_MS(3)), &done), -ETIMEDOUT);
	assert_int_equal(done, 65536);
	while (done < SIZE) {
		assert_int_equal(nonet_pipe_read_exactly(reader, back, SIZE, NONET_NOW, &got), -EAGAIN);
		assert_int_equal(got, done);
		(void)!nonet_pipe_write(writer, bytes, SIZE, NONET_NOW, &done);
	}
	assert_int_equal(nonet_pipe_read_exactly(reader, back, SIZE, soon(), &got), 0);
	assert_true(is_filled(back, SIZE, 1));
	close_pair(reader, writer);
	free(bytes);
	free(back);
}

static void each_end_refuses_the_other_ends_calls(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	char byte = 0;
	size_t size = 77;

	(void)state;
	make_pipe(&reader, &writer);
	assert_int_equal(nonet_pipe_send(reader, &byte, 1, NONET_FOREVER), -EBADF);
	assert_int_equal(nonet_pipe_write(reader, &byte, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_vmsplice(reader, &byte, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_splice_from(reader, 0, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_receive(writer, &byte, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_message_size(writer, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_read(writer, &byte, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_read_exactly(writer, &byte, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_splice_to(writer, 1, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_tee(writer, writer, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_tee(reader, reader, 1, NONET_FOREVER, &size), -EBADF);
	assert_int_equal(nonet_pipe_reopen(reader, NONET_FOREVER), -EOPNOTSUPP);
	assert_int_equal(size, 77);
	close_pair(reader, writer);
}

static void check_all_writes_say_epipe(struct nonet_pipe *writer)
{
	static uint8_t large[100000];
	size_t done = 0;

	assert_int_equal(nonet_pipe_send(writer, "x", 1, NONET_FOREVER), -EPIPE);
	assert_int_equal(nonet_pipe_send(writer, NULL, 0, NONET_NOW), -EPIPE);
	assert_int_equal(nonet_pipe_send(writer, large, sizeof(large), NONET_FOREVER), -EPIPE);
	assert_int_equal(nonet_pipe_write(writer, "x", 1, NONET_FOREVER, NULL), -EPIPE);
	assert_int_equal(nonet_pipe_vmsplice(writer, large, 1, NONET_FOREVER, &done), -EPIPE);
	assert_int_equal(done, 0);
}

static int pending_sigpipe(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGPIPE);
}

/* With the default disposition, which would end this process; with and without RWF_NOSIGNAL in the kernel. */
static void a_reader_that_has_gone_is_epipe_and_no_signal(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct sigaction action;
	sigset_t before;
	sigset_t after;

	(void)state;
	make_pipe(&reader, &writer);
	nonet_pipe_close(reader);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	check_all_writes_say_epipe(writer);
	sys_fault_arm_kind(SYS_CALL_WRITE, EOPNOTSUPP);
	check_all_writes_say_epipe(writer);
	sys_fault_disarm();
	assert_false(pending_sigpipe());
	assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
	assert_ptr_equal(action.sa_handler, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int number = 1; number < NSIG; number++)
		assert_int_equal(sigismember(&before, number), sigismember(&after, number));

	/* One that waits already is the program's. */
	sigemptyset(&after);
	sigaddset(&after, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &after, NULL);
	check_all_writes_say_epipe(writer);
	assert_false(pending_sigpipe());
	raise(SIGPIPE);
	check_all_writes_say_epipe(writer);
	assert_true(pending_sigpipe());
	test_must(sigwaitinfo(&after, NULL));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	nonet_pipe_close(writer);
}

static int take_all_after_a_word(struct test_child_side *side, void *argument)
{
	struct nonet_pipe *reader = argument;
	uint8_t *buffer = malloc(300000);
	size_t size;

	test_report(side, "ready");
	test_await(side, "go");
	test_check_equal(nonet_pipe_receive(reader, buffer, 300000, soon(), &size), 0);
	test_check(size == 300000 && is_filled(buffer, size, 3));
	free(buffer);
	return 0;
}

/* A sender without room waits, and goes on when the reader takes something. */
static void forever_waits_for_room(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct test_child *child;

	(void)state;
	make_pipe(&reader, &writer);
	child = test_child_until(take_all_after_a_word, reader);
	assert_int_equal(nonet_pipe_write(writer, "", 0, NONET_NOW, NULL), 0);
	test_child_tell(child, "go");
	assert_int_equal(send_filled(writer, 300000, 3, NONET_FOREVER), 0);
	assert_int_equal(test_child_join(child), 0);
	close_pair(reader, writer);
}

static void capacity_is_what_was_asked_for_rounded_up(void **state)
{
	const struct nonet_pipe_options options = {.size = sizeof(options), .capacity = 100000};
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	size_t capacity = 0;
	size_t queued = 7;

	(void)state;
	assert_int_equal(nonet_pipe_new(&options, &reader, &writer, NULL), 0);
	assert_int_equal(nonet_pipe_capacity(reader, &capacity), 0);
	assert_int_equal(capacity, 131072);
	assert_int_equal(nonet_pipe_set_capacity(writer, 4000), 0);
	assert_int_equal(nonet_pipe_capacity(writer, &capacity), 0);
	assert_int_equal(capacity, 4096);
	assert_int_equal(nonet_pipe_set_capacity(reader, 0), -EINVAL);
	assert_int_equal(nonet_pipe_set_capacity(reader, (size_t)INT_MAX + 1), -EINVAL);
	assert_int_equal(nonet_pipe_set_capacity(reader, 16384), 0);
	assert_int_equal(nonet_pipe_queued(reader, &queued), 0);
	assert_int_equal(queued, 0);
	assert_int_equal(send_filled(writer, 6000, 0, NONET_NOW), 0);
	assert_int_equal(nonet_pipe_set_capacity(reader, 4096), -EBUSY);
	assert_int_equal(nonet_pipe_queued(writer, &queued), 0);
	assert_int_equal(queued, 6000 + 2 * 16 + 1);
	close_pair(reader, writer);
}

static void queued_counts_what_was_read_ahead(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	size_t queued = 0;
	char byte;
	size_t size;

	(void)state;
	make_pipe(&reader, &writer);
	for (int i = 0; i < 3; i++)
		assert_int_equal(nonet_pipe_send(writer, "x", 1, NONET_NOW), 0);
	assert_int_equal(nonet_pipe_queued(reader, &queued), 0);
	assert_int_equal(queued, 3 * 18);
	assert_int_equal(nonet_pipe_receive(reader, &byte, 1, NONET_NOW, &size), 0);
	assert_int_equal(nonet_pipe_queued(reader, &queued), 0);
	assert_int_equal(queued, 2 * 18);
	close_pair(reader, writer);
}

static int ask_for_too_much(struct test_child_side *side, void *argument)
{
	struct nonet_pipe_options options = {.size = sizeof(options), .capacity = INT_MAX};
	struct nonet_pipe *reader = NULL;
	struct nonet_pipe *writer = NULL;
	struct nonet_error error;

	(void)side;
	(void)argument;
	if (geteuid() == 0)
		test_must(setresuid(65534, 65534, 65534));
	test_check_equal(nonet_pipe_new(&options, &reader, &writer, &error), -EPERM);
	test_check(reader == NULL && writer == NULL && error.code == -EPERM);
	make_pipe(&reader, &writer);
	test_check_equal(nonet_pipe_set_capacity(reader, INT_MAX), -EPERM);
	close_pair(reader, writer);
	return 0;
}

static void a_user_without_privilege_is_told_of_pipe_max_size(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_start(ask_for_too_much, NULL)), 0);
}

static void explain_has_a_sentence_for_each_code(void **state)
{
	static const int codes[] = {-EAGAIN, -ETIMEDOUT, -EPIPE, -EBADMSG, -EMSGSIZE, -EBADF, -EBUSY, -EPERM, -ENOMEM};
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_error error;

	(void)state;
	make_pipe(&reader, &writer);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		memset(&error, 0, sizeof(error));
		nonet_pipe_explain(i % 2 ? reader : writer, codes[i], &error);
		assert_int_equal(error.code, codes[i]);
		assert_true(strlen(error.text) > 10);
	}
	close_pair(reader, writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(both_ends_are_made_closed_at_exec_and_say_what_they_are),
		test_case(each_bad_option_is_refused_with_a_sentence),
		test_case(bytes_come_as_they_were_written),
		test_case(a_write_goes_on_where_its_deadline_stopped_it),
		test_case(each_end_refuses_the_other_ends_calls),
		test_case(a_reader_that_has_gone_is_epipe_and_no_signal),
		test_case(forever_waits_for_room),
		test_case(capacity_is_what_was_asked_for_rounded_up),
		test_case(queued_counts_what_was_read_ahead),
		test_case(a_user_without_privilege_is_told_of_pipe_max_size),
		test_case(explain_has_a_sentence_for_each_code),
	};

	return test_main(tests);
}
