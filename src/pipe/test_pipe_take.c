/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipe/test_pipe.h"
#include "sys/fault.h"

/* Says its descriptor's flags when asked: a process that shares the open file description with the test. */
static int share(struct test_child_side *side, void *argument)
{
	const int fd = *(int *)argument;

	test_report(side, "ready");
	test_await(side, "flags");
	test_report_number(side, fcntl(fd, F_GETFL));
	test_await(side, "end");
	return 0;
}

static void check_taken(struct nonet_pipe *reader, struct nonet_pipe *writer)
{
	char buffer[8];
	size_t size;

	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, nonet_after(NONET_MS(1)), &size), -ETIMEDOUT);
	assert_int_equal(send_filled(writer, 100000, 1, NONET_NOW), -EAGAIN);
	assert_int_equal(send_filled(writer, 100000, 1, nonet_after(NONET_MS(1))), -ETIMEDOUT);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size), -EMSGSIZE);
}

static void an_inherited_pipe_is_bounded_and_others_see_it_unchanged(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct test_child *children[2];
	struct stat before;
	struct stat after;
	int numbers[2];
	int fds[2];

	(void)state;
	test_must(pipe(fds));
	test_must(fstat(fds[0], &before));
	for (int i = 0; i < 2; i++) {
		children[i] = test_child_until(share, &fds[i]);
		numbers[i] = fds[i];
	}
	assert_int_equal(nonet_pipe_take_fd(&fds[0], NULL, &reader, NULL), 0);
	assert_int_equal(nonet_pipe_take_fd(&fds[1], NULL, &writer, NULL), 0);
	assert_int_equal(nonet_pipe_get_end(reader), NONET_PIPE_READER);
	assert_int_equal(nonet_pipe_get_end(writer), NONET_PIPE_WRITER);
	assert_int_equal(fds[0], -1);
	assert_int_equal(fds[1], -1);
	assert_int_equal(nonet_pipe_fd(reader), numbers[0]);
	assert_int_equal(nonet_pipe_fd(writer), numbers[1]);
	for (int i = 0; i < 2; i++)
		assert_true(fcntl(numbers[i], F_GETFD) & FD_CLOEXEC);
	test_must(fstat(numbers[0], &after));
	assert_int_equal(before.st_ino, after.st_ino);
	check_taken(reader, writer);
	for (int i = 0; i < 2; i++) {
		test_child_tell(children[i], "flags");
		assert_false(test_child_number(children[i]) & O_NONBLOCK);
		test_child_tell(children[i], "end");
		assert_int_equal(test_child_join(children[i]), 0);
	}
	close_pair(reader, writer);
}

/* Each call by which the end is opened anew fails in turn: then the description that all share is changed. */
static void without_proc_it_is_bounded_all_the_same(void **state)
{
	static const enum sys_call calls[] = {SYS_CALL_OPEN, SYS_CALL_DUP};
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct test_child *child;
	int fds[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		test_must(pipe(fds));
		child = test_child_until(share, &fds[0]);
		sys_fault_arm_kind(calls[i], EMFILE);
		assert_int_equal(nonet_pipe_take_fd(&fds[0], NULL, &reader, NULL), 0);
		assert_int_equal(nonet_pipe_take_fd(&fds[1], NULL, &writer, NULL), 0);
		assert_true(sys_fault_fired());
		sys_fault_disarm();
		check_taken(reader, writer);
		test_child_tell(child, "flags");
		assert_true(test_child_number(child) & O_NONBLOCK);
		test_child_tell(child, "end");
		assert_int_equal(test_child_join(child), 0);
		close_pair(reader, writer);
	}
}

static void check_refused(int fd, int code)
{
	struct nonet_pipe *pipe = NULL;
	struct nonet_error error = {0};
	int given = fd;

	assert_int_equal(nonet_pipe_take_fd(&given, NULL, &pipe, &error), code);
	assert_int_equal(given, fd);
	assert_null(pipe);
	assert_int_equal(error.code, code);
	assert_true(strlen(error.text) > 10);
}

static void what_is_no_end_of_a_pipe_stays_the_callers(void **state)
{
	const char *directory = test_directory_new();
	const char *fifo = test_path(directory, "fifo");
	int both;
	int path;
	int file;
	int fds[2];

	(void)state;
	assert_int_equal(nonet_pipe_create(fifo, 0, NULL), 0);
	both = (int)test_must(open(fifo, O_RDWR));
	path = (int)test_must(open(fifo, O_PATH));
	file = (int)test_must(open("/dev/null", O_RDONLY));
	test_must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	check_refused(both, -ENOTSUP);
	check_refused(path, -ENOTSUP);
	check_refused(file, -ENOTSUP);
	check_refused(fds[0], -ENOTSUP);
	check_refused(-1, -EBADF);
	check_refused(1000, -EBADF);
	for (int i = 0; i < 2; i++)
		test_must(close(fds[i]));
	test_must(close(file));
	test_must(close(path));
	test_must(close(both));
	assert_int_equal(nonet_pipe_unlink(fifo, NULL), 0);
	test_directory_free(directory);
}

/* Whoever made the pipe had a writer in mind: that it left before we came is the end. */
static void a_writer_that_left_before_is_the_end(void **state)
{
	struct nonet_pipe *reader;
	char byte;
	size_t size;
	int fds[2];

	(void)state;
	test_must(pipe(fds));
	test_must(close(fds[1]));
	assert_int_equal(nonet_pipe_take_fd(&fds[0], NULL, &reader, NULL), 0);
	assert_int_equal(nonet_pipe_receive(reader, &byte, 1, NONET_FOREVER, &size), -EPIPE);
	nonet_pipe_close(reader);
}

/* Then the end can't be opened anew: no reader is there to open for. */
static void a_writer_without_reader_can_be_taken(void **state)
{
	struct nonet_pipe *writer;
	int fds[2];

	(void)state;
	test_must(pipe(fds));
	test_must(close(fds[0]));
	assert_int_equal(nonet_pipe_take_fd(&fds[1], NULL, &writer, NULL), 0);
	assert_int_equal(nonet_pipe_send(writer, "x", 1, NONET_FOREVER), -EPIPE);
	assert_int_equal(nonet_pipe_reopen(writer, NONET_NOW), -EOPNOTSUPP);
	nonet_pipe_close(writer);
}

static void options_apply_to_what_is_taken(void **state)
{
	const struct nonet_pipe_options options = {.size = sizeof(options), .capacity = 8192, .message_size = 100};
	struct nonet_pipe *writer;
	size_t capacity = 0;
	int fds[2];

	(void)state;
	test_must(pipe(fds));
	assert_int_equal(nonet_pipe_take_fd(&fds[1], &options, &writer, NULL), 0);
	assert_int_equal(nonet_pipe_capacity(writer, &capacity), 0);
	assert_int_equal(capacity, 8192);
	assert_int_equal(send_filled(writer, 101, 0, NONET_NOW), -EMSGSIZE);
	assert_int_equal(send_filled(writer, 100, 0, NONET_NOW), 0);
	nonet_pipe_close(writer);
	test_must(close(fds[0]));
}

static void closed_at_exec(void **state)
{
	struct nonet_pipe *reader;
	int fds[2];

	(void)state;
	for (int way = 0; way < 2; way++) {
		test_must(pipe(fds));
		if (way == 1)
			sys_fault_arm_kind(SYS_CALL_OPEN, EACCES);
		assert_int_equal(nonet_pipe_take_fd(&fds[0], NULL, &reader, NULL), 0);
		sys_fault_disarm();
		assert_true(fcntl(nonet_pipe_fd(reader), F_GETFD) & FD_CLOEXEC);
		nonet_pipe_close(reader);
		test_must(close(fds[1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(an_inherited_pipe_is_bounded_and_others_see_it_unchanged),
		test_case(without_proc_it_is_bounded_all_the_same),
		test_case(what_is_no_end_of_a_pipe_stays_the_callers),
		test_case(a_writer_that_left_before_is_the_end),
		test_case(a_writer_without_reader_can_be_taken),
		test_case(options_apply_to_what_is_taken),
		test_case(closed_at_exec),
	};

	return test_main(tests);
}
