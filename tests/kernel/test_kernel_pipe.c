/* SPDX-License-Identifier: Apache-2.0 */
/* What the library assumes of pipes and FIFOs. None of nonet's own code is called. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness/test.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif

#define PAGE 4096

static void pipe_open(int ret_fds[2])
{
	test_must(pipe2(ret_fds, O_CLOEXEC | O_NONBLOCK));
}

static void pipe_done(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* @pages of 4096 bytes in one call, as the library sends them: a header and a payload each. */
static ssize_t write_pages(int fd, int pages)
{
	static const uint8_t bytes[PAGE];
	struct iovec vector[64];

	for (int i = 0; i < pages; i++) {
		vector[2 * i] = (struct iovec){.iov_base = (void *)bytes, .iov_len = 12};
		vector[2 * i + 1] = (struct iovec){.iov_base = (void *)bytes, .iov_len = PAGE - 12};
	}
	return writev(fd, vector, 2 * pages);
}

static void check_cut(int fd, int pages)
{
	const ssize_t size = write_pages(fd, pages);

	if (size < 0)
		test_check_equal(errno, EAGAIN);
	else if (size % PAGE != 0 || size == 0)
		test_fail("a write of %d pages was cut after %zd bytes", pages, size);
}

static void a_write_of_pages_is_cut_only_between_two(void **state)
{
	static uint8_t bytes[16 * PAGE];
	int fds[2];

	(void)state;
	if (sysconf(_SC_PAGESIZE) != PAGE)
		test_not_applicable("a page isn't 4096 bytes here: the library then sends one chunk at a time");
	/* Short writes before it leave a page that is begun, which a write of pages must not go on with. */
	for (int pages = 1; pages <= 32; pages++) {
		for (int shorts = 0; shorts <= 17; shorts++) {
			pipe_open(fds);
			for (int i = 0; i < shorts; i++)
				(void)!write(fds[1], bytes, (size_t)(1 + 997 * i % PAGE));
			check_cut(fds[1], pages);
			check_cut(fds[1], pages);
			pipe_done(fds);
		}
	}
}

static void a_write_of_pages_is_cut_only_between_two_whatever_was_read(void **state)
{
	struct test_random random = test_random_init(test_seed(), 1);
	static uint8_t bytes[16 * PAGE];
	int fds[2];

	(void)state;
	if (sysconf(_SC_PAGESIZE) != PAGE)
		test_not_applicable("a page isn't 4096 bytes here: the library then sends one chunk at a time");
	pipe_open(fds);
	for (uint64_t i = test_scaled(200000); i > 0; i--) {
		switch (test_random_between(&random, 0, 3)) {
		case 0:
			(void)!read(fds[0], bytes, test_random_between(&random, 1, sizeof(bytes)));
			break;
		case 1:
			(void)!write(fds[1], bytes, test_random_between(&random, 1, PIPE_BUF));
			break;
		default:
			check_cut(fds[1], (int)test_random_between(&random, 1, 32));
			break;
		}
	}
	pipe_done(fds);
}

static void up_to_pipe_buf_a_write_goes_whole_or_not_at_all(void **state)
{
	struct test_random random = test_random_init(test_seed(), 2);
	static uint8_t bytes[16 * PAGE];
	ssize_t written;
	size_t size;
	int fds[2];

	(void)state;
	pipe_open(fds);
	for (uint64_t i = test_scaled(200000); i > 0; i--) {
		size = test_random_between(&random, 1, PIPE_BUF);
		written = write(fds[1], bytes, size);
		test_check(written < 0 ? errno == EAGAIN : written == (ssize_t)size);
		if (written < 0)
			(void)!read(fds[0], bytes, test_random_between(&random, 1, sizeof(bytes)));
	}
	pipe_done(fds);
}

/* A FIFO's reader without a writer, in a directory of its own. */
struct fifo {
	const char *directory;
	const char *path;
	int reader;
};

static struct fifo fifo_new(void)
{
	struct fifo fifo = {.directory = test_directory_new()};

	fifo.path = test_path(fifo.directory, "fifo");
	test_must(mkfifo(fifo.path, 0600));
	fifo.reader = (int)test_must(open(fifo.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	return fifo;
}

static void fifo_free(const struct fifo *fifo)
{
	close(fifo->reader);
	unlink(fifo->path);
	test_directory_free(fifo->directory);
}

static int events_of(int fd, short events)
{
	struct pollfd item = {.fd = fd, .events = events};

	test_must(poll(&item, 1, 0));
	return item.revents;
}

static void a_fifo_hangs_up_only_after_a_writer_was_there(void **state)
{
	struct fifo fifo = fifo_new();
	char byte;
	int writer;

	(void)state;
	for (int i = 0; i < 2; i++) {
		test_check_equal(events_of(fifo.reader, POLLIN), i ? POLLHUP : 0);
		test_check_equal(read(fifo.reader, &byte, 1), 0);
		writer = (int)test_must(open(fifo.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
		/* It takes the hang-up of the one before back. */
		test_check_equal(events_of(fifo.reader, POLLIN), 0);
		test_check(read(fifo.reader, &byte, 1) < 0 && errno == EAGAIN);
		test_check_equal(write(writer, "a", 1), 1);
		close(writer);
		test_check_equal(events_of(fifo.reader, POLLIN), POLLIN | POLLHUP);
		test_check_equal(read(fifo.reader, &byte, 1), 1);
	}
	/* Who opens it now doesn't see those that were there before. */
	writer = (int)test_must(open(fifo.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	test_check_equal(events_of(writer, POLLIN), 0);
	close(writer);
	fifo_free(&fifo);
}

static void tee_tells_a_silent_writer_from_none(void **state)
{
	struct fifo fifo = fifo_new();
	int scratch[2];
	char byte;
	int writer;

	(void)state;
	pipe_open(scratch);
	test_check_equal(tee(fifo.reader, scratch[1], 1, SPLICE_F_NONBLOCK), 0);
	writer = (int)test_must(open(fifo.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	test_check(tee(fifo.reader, scratch[1], 1, SPLICE_F_NONBLOCK) < 0 && errno == EAGAIN);
	test_check_equal(write(writer, "a", 1), 1);
	test_check_equal(tee(fifo.reader, scratch[1], 1, SPLICE_F_NONBLOCK), 1);
	/* It took nothing. */
	test_check_equal(read(fifo.reader, &byte, 1), 1);
	close(writer);
	test_check_equal(tee(fifo.reader, scratch[1], 1, SPLICE_F_NONBLOCK), 0);
	pipe_done(scratch);
	fifo_free(&fifo);
}

static void a_writer_without_a_reader_gets_enxio(void **state)
{
	struct fifo fifo = fifo_new();
	int writer;

	(void)state;
	writer = (int)test_must(open(fifo.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	close(writer);
	close(fifo.reader);
	test_check(open(fifo.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) < 0 && errno == ENXIO);
	fifo.reader = -1;
	fifo_free(&fifo);
}

static void a_pipe_opened_anew_through_proc_has_flags_of_its_own(void **state)
{
	char link[64];
	int fds[2];
	int own;

	(void)state;
	test_must(pipe2(fds, O_CLOEXEC));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fds[0]);
	own = (int)test_must(open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	test_check(!(test_must(fcntl(fds[0], F_GETFL)) & O_NONBLOCK));
	test_check_equal(write(fds[1], "ab", 2), 2);
	test_check_equal(read(own, link, 1), 1);
	test_check_equal(read(fds[0], link + 1, 1), 1);
	test_check(memcmp(link, "ab", 2) == 0);
	close(own);
	pipe_done(fds);
}

static void flock_keeps_two_that_opened_one_fifo_apart(void **state)
{
	struct fifo fifo = fifo_new();
	const int one = (int)test_must(open(fifo.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	const int other = (int)test_must(open(fifo.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));

	(void)state;
	test_must(flock(one, LOCK_EX | LOCK_NB));
	test_check(flock(other, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	close(one);
	test_must(flock(other, LOCK_EX | LOCK_NB));
	close(other);
	fifo_free(&fifo);
}

static void rwf_nosignal_keeps_sigpipe_away(void **state)
{
	char byte = 0;
	struct iovec vector = {.iov_base = &byte, .iov_len = 1};
	sigset_t pipe;
	sigset_t old;
	sigset_t waiting;
	ssize_t size;
	int error;
	int fds[2];

	(void)state;
	pipe_open(fds);
	close(fds[0]);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigprocmask(SIG_BLOCK, &pipe, &old);
	size = pwritev2(fds[1], &vector, 1, -1, RWF_NOSIGNAL);
	error = errno;
	sigpending(&waiting);
	close(fds[1]);
	if (!sigismember(&waiting, SIGPIPE))
		sigprocmask(SIG_SETMASK, &old, NULL);
	test_check(size < 0);
	test_check(!sigismember(&waiting, SIGPIPE));
	if (error == EOPNOTSUPP)
		test_not_applicable("pwritev2() knows RWF_NOSIGNAL from Linux 6.18 on; SIGPIPE is masked instead");
	test_check_equal(error, EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_write_of_pages_is_cut_only_between_two),
		test_case(a_write_of_pages_is_cut_only_between_two_whatever_was_read),
		test_case(up_to_pipe_buf_a_write_goes_whole_or_not_at_all),
		test_case(a_fifo_hangs_up_only_after_a_writer_was_there),
		test_case(tee_tells_a_silent_writer_from_none),
		test_case(a_writer_without_a_reader_gets_enxio),
		test_case(a_pipe_opened_anew_through_proc_has_flags_of_its_own),
		test_case(flock_keeps_two_that_opened_one_fifo_apart),
		test_case(rwf_nosignal_keeps_sigpipe_away),
	};

	return test_main(tests);
}
