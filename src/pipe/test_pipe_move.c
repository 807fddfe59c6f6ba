/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipe/test_pipe.h"

static int new_file(const void *bytes, size_t size)
{
	int fd = (int)test_must(memfd_create("test", MFD_CLOEXEC));

	test_check(pwrite(fd, bytes, size, 0) == (ssize_t)size);
	return fd;
}

static void a_file_goes_through_and_comes_out_the_same(void **state)
{
	enum {
		SIZE = 300000
	};
	uint8_t *bytes = new_filled(SIZE, 1);
	uint8_t *back = malloc(SIZE);
	int from = new_file(bytes, SIZE);
	int to = new_file("", 0);
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	size_t total = 0;
	size_t moved;
	size_t out;

	(void)state;
	make_pipe(&reader, &writer);
	do {
		assert_int_equal(nonet_pipe_splice_from(writer, from, SIZE, NONET_NOW, &moved), 0);
		total += moved;
		for (size_t left = moved; left > 0; left -= out) {
			assert_int_equal(nonet_pipe_splice_to(reader, to, left, NONET_NOW, &out), 0);
			assert_true(out >= 1 && out <= left);
		}
	} while (moved > 0);
	assert_int_equal(total, SIZE);
	assert_int_equal(pread(to, back, SIZE, 0), SIZE);
	assert_memory_equal(bytes, back, SIZE);
	close_pair(reader, writer);
	test_must(close(from));
	test_must(close(to));
	free(bytes);
	free(back);
}

static void moving_waits_by_its_deadline(void **state)
{
	static uint8_t bytes[100000];
	int file = new_file(bytes, sizeof(bytes));
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_pipe *other_reader;
	struct nonet_pipe *other_writer;
	size_t moved = 77;
	size_t done = 0;

	(void)state;
	make_pipe(&reader, &writer);
	make_pipe(&other_reader, &other_writer);
	assert_int_equal(nonet_pipe_splice_to(reader, file, 1, NONET_NOW, &moved), -EAGAIN);
	assert_int_equal(nonet_pipe_splice_to(reader, file, 1, nonet_after(NONET_MS(2)), &moved), -ETIMEDOUT);
	assert_int_equal(nonet_pipe_tee(reader, other_writer, 1, NONET_NOW, &moved), -EAGAIN);
	assert_int_equal(nonet_pipe_tee(reader, other_writer, 1, nonet_after(NONET_MS(2)), &moved), -ETIMEDOUT);
	assert_int_equal(nonet_pipe_splice_from(writer, nonet_pipe_fd(other_reader), 1, NONET_NOW, &moved), -EAGAIN);
	assert_int_equal(
		nonet_pipe_splice_from(writer, nonet_pipe_fd(other_reader), 1, nonet_after(NONET_MS(2)), &moved),
		-ETIMEDOUT);
	assert_int_equal(moved, 77);

	assert_int_equal(nonet_pipe_vmsplice(writer, bytes, sizeof(bytes), NONET_NOW, &done), -EAGAIN);
	assert_in_range(done, 1, 65536);
	assert_int_equal(nonet_pipe_splice_from(writer, file, 1, NONET_NOW, &moved), -EAGAIN);
	assert_int_equal(nonet_pipe_splice_from(writer, file, 1, nonet_after(NONET_MS(2)), &moved), -ETIMEDOUT);
	assert_int_equal(nonet_pipe_vmsplice(writer, bytes, sizeof(bytes), nonet_after(NONET_MS(2)), &done),
			 -ETIMEDOUT);
	assert_int_equal(nonet_pipe_tee(reader, other_writer, 100000, NONET_NOW, &moved), 0);
	assert_int_equal(nonet_pipe_tee(reader, other_writer, 100000, NONET_NOW, &moved), -EAGAIN);
	assert_int_equal(nonet_pipe_tee(reader, other_writer, 100000, nonet_after(NONET_MS(2)), &moved), -ETIMEDOUT);
	close_pair(reader, writer);
	close_pair(other_reader, other_writer);
	test_must(close(file));
}

static void what_was_copied_stays_where_it_was(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_pipe *copy_reader;
	struct nonet_pipe *copy_writer;
	size_t copied = 0;

	(void)state;
	make_pipe(&reader, &writer);
	make_pipe(&copy_reader, &copy_writer);
	assert_int_equal(send_filled(writer, 9000, 5, NONET_NOW), 0);
	assert_int_equal(nonet_pipe_tee(reader, copy_writer, 100000, NONET_NOW, &copied), 0);
	assert_int_equal(copied, 9000 + 3 * 16 + 1);
	expect_filled(copy_reader, 9000, 5);
	expect_filled(reader, 9000, 5);
	assert_int_equal(nonet_pipe_tee(reader, writer, 1, NONET_NOW, &copied), -EINVAL);
	close_pair(reader, writer);
	close_pair(copy_reader, copy_writer);
}

static void pages_are_lent_to_the_pipe(void **state)
{
	enum {
		SIZE = 200000
	};
	uint8_t *bytes = new_filled(SIZE, 3);
	uint8_t *back = malloc(SIZE);
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	size_t done = 0;
	size_t got = 0;

	(void)state;
	make_pipe(&reader, &writer);
	while (nonet_pipe_vmsplice(writer, bytes, SIZE, NONET_NOW, &done) == -EAGAIN)
		(void)!nonet_pipe_read_exactly(reader, back, SIZE, NONET_NOW, &got);
	assert_int_equal(done, SIZE);
	assert_int_equal(nonet_pipe_read_exactly(reader, back, SIZE, NONET_NOW, &got), 0);
	assert_memory_equal(bytes, back, SIZE);
	done = SIZE + 1;
	assert_int_equal(nonet_pipe_vmsplice(writer, bytes, SIZE, NONET_NOW, &done), -EINVAL);
	assert_int_equal(nonet_pipe_vmsplice(writer, (void *)8, 100, NONET_NOW, NULL), -EFAULT);
	close_pair(reader, writer);
	free(bytes);
	free(back);
}

static void a_descriptor_that_could_block_is_refused(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	size_t moved = 77;
	int pipes[2];
	int sockets[2];
	int appending;
	int fd;

	(void)state;
	make_pipe(&reader, &writer);
	test_must(pipe(pipes));
	test_must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	test_check(write(pipes[1], "x", 1) == 1);
	assert_int_equal(nonet_pipe_write(writer, "abc", 3, NONET_NOW, NULL), 0);
	assert_int_equal(nonet_pipe_splice_from(writer, pipes[0], 1, NONET_NOW, &moved), -EINVAL);
	assert_int_equal(nonet_pipe_splice_to(reader, pipes[1], 1, NONET_NOW, &moved), -EINVAL);
	assert_int_equal(nonet_pipe_splice_from(writer, sockets[0], 1, NONET_FOREVER, &moved), -EINVAL);
	assert_int_equal(nonet_pipe_splice_to(reader, sockets[0], 1, NONET_FOREVER, &moved), -EINVAL);
	test_must(fcntl(sockets[0], F_SETFL, O_NONBLOCK));
	assert_int_equal(moved, 77);
	assert_int_equal(nonet_pipe_splice_to(reader, sockets[0], 1, NONET_NOW, &moved), 0);
	assert_int_equal(moved, 1);
	fd = new_file("", 0);
	appending = (int)test_must(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	test_must(fcntl(appending, F_SETFL, O_APPEND));
	assert_int_equal(nonet_pipe_splice_to(reader, appending, 1, NONET_NOW, &moved), -EINVAL);
	assert_int_equal(nonet_pipe_splice_from(writer, -1, 1, NONET_NOW, &moved), -EBADF);
	assert_int_equal(nonet_pipe_splice_to(reader, 1000, 1, NONET_NOW, &moved), -EBADF);
	test_must(close(appending));
	appending = (int)test_must(open("/proc/self/exe", O_RDONLY));
	assert_int_equal(nonet_pipe_splice_to(reader, appending, 1, NONET_NOW, &moved), -EBADF);
	for (int i = 0; i < 2; i++) {
		test_must(close(pipes[i]));
		test_must(close(sockets[i]));
	}
	test_must(close(appending));
	test_must(close(fd));
	close_pair(reader, writer);
}

static void a_reader_that_has_read_ahead_is_busy(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_error error;
	int file = new_file("", 0);
	size_t moved = 77;

	(void)state;
	make_pipe(&reader, &writer);
	assert_int_equal(send_filled(writer, 5, 1, NONET_NOW), 0);
	assert_int_equal(send_filled(writer, 5, 2, NONET_NOW), 0);
	expect_filled(reader, 5, 1);
	assert_int_equal(nonet_pipe_splice_to(reader, file, 1, NONET_NOW, &moved), -EBUSY);
	assert_int_equal(nonet_pipe_tee(reader, writer, 1, NONET_NOW, &moved), -EBUSY);
	assert_int_equal(moved, 77);
	nonet_pipe_explain(reader, -EBUSY, &error);
	assert_int_equal(error.code, -EBUSY);
	expect_filled(reader, 5, 2);
	close_pair(reader, writer);
	test_must(close(file));
}

static int pending_sigpipe(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGPIPE);
}

/* On either side of the move, and with the default disposition of SIGPIPE. */
static void who_has_gone_is_epipe_and_no_signal(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_pipe *lonely_reader;
	struct nonet_pipe *lonely_writer;
	int file = new_file("abc", 3);
	size_t moved = 77;
	int fds[2];

	(void)state;
	make_pipe(&reader, &writer);
	make_pipe(&lonely_reader, &lonely_writer);
	nonet_pipe_close(lonely_reader);
	assert_int_equal(nonet_pipe_write(writer, "abc", 3, NONET_NOW, NULL), 0);
	assert_int_equal(nonet_pipe_splice_from(lonely_writer, file, 3, NONET_FOREVER, &moved), -EPIPE);
	assert_int_equal(nonet_pipe_tee(reader, lonely_writer, 3, NONET_FOREVER, &moved), -ECONNRESET);
	test_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
	test_must(close(fds[1]));
	assert_int_equal(nonet_pipe_splice_to(reader, fds[0], 3, NONET_FOREVER, &moved), -ECONNRESET);
	test_must(close(fds[0]));
	writer = nonet_pipe_close(writer);
	assert_int_equal(nonet_pipe_splice_to(reader, file, 9, NONET_FOREVER, &moved), 0);
	assert_int_equal(moved, 3);
	assert_int_equal(nonet_pipe_splice_to(reader, file, 9, NONET_FOREVER, &moved), -EPIPE);
	assert_int_equal(nonet_pipe_tee(reader, lonely_writer, 3, NONET_FOREVER, &moved), -ECONNRESET);
	assert_false(pending_sigpipe());
	nonet_pipe_close(reader);
	nonet_pipe_close(lonely_writer);
	test_must(close(file));
}

/* Before its first writer a reader isn't at the end; after it, it is. */
static void an_early_reader_moves_what_its_first_writer_brings(void **state)
{
	const struct nonet_pipe_options early = {.size = sizeof(early), .flags = NONET_PIPE_EARLY};
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "fifo");
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_pipe *copy_reader;
	struct nonet_pipe *copy_writer;
	int file = new_file("", 0);
	size_t moved = 77;

	(void)state;
	make_pipe(&copy_reader, &copy_writer);
	assert_int_equal(nonet_pipe_create(path, 0, NULL), 0);
	for (int way = 0; way < 2; way++) {
		assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &reader, NULL), 0);
		assert_int_equal(nonet_pipe_splice_to(reader, file, 9, NONET_NOW, &moved), -EAGAIN);
		assert_int_equal(nonet_pipe_splice_to(reader, file, 9, nonet_after(NONET_MS(2)), &moved), -ETIMEDOUT);
		assert_int_equal(nonet_pipe_tee(reader, copy_writer, 9, nonet_after(NONET_MS(2)), &moved), -ETIMEDOUT);
		assert_int_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, NONET_NOW, &writer, NULL), 0);
		if (way == 0)
			assert_int_equal(nonet_pipe_write(writer, "abc", 3, NONET_NOW, NULL), 0);
		nonet_pipe_close(writer);
		if (way == 0) {
			assert_int_equal(nonet_pipe_tee(reader, copy_writer, 9, soon(), &moved), 0);
			assert_int_equal(nonet_pipe_splice_to(reader, file, 9, NONET_FOREVER, &moved), 0);
			assert_int_equal(moved, 3);
		}
		assert_int_equal(nonet_pipe_splice_to(reader, file, 9, NONET_NOW, &moved), -EPIPE);
		nonet_pipe_close(reader);
	}
	assert_int_equal(nonet_pipe_unlink(path, NULL), 0);
	test_directory_free(directory);
	test_must(close(file));
	close_pair(copy_reader, copy_writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_file_goes_through_and_comes_out_the_same),
		test_case(moving_waits_by_its_deadline),
		test_case(what_was_copied_stays_where_it_was),
		test_case(pages_are_lent_to_the_pipe),
		test_case(a_descriptor_that_could_block_is_refused),
		test_case(a_reader_that_has_read_ahead_is_busy),
		test_case(who_has_gone_is_epipe_and_no_signal),
		test_case(an_early_reader_moves_what_its_first_writer_brings),
	};

	return test_main(tests);
}
