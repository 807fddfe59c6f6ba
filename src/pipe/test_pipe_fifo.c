/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pipe/test_pipe.h"

static const char *directory;

static int make_directory(void **state)
{
	(void)state;
	directory = test_directory_new();
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture in_directory = {.setup = make_directory, .teardown = remove_directory};

/* A path in the directory, for the test's life. */
static const char *at(const char *name)
{
	static char paths[32][80];
	static unsigned next;
	char *path = paths[next++ % 32];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static const char *new_fifo(const char *name)
{
	const char *path = at(name);

	test_check_equal(nonet_pipe_create(path, 0, NULL), 0);
	return path;
}

static void bind_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = (int)test_must(socket(AF_UNIX, SOCK_STREAM, 0));

	strcpy(address.sun_path, path);
	test_must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	test_must(close(fd));
}

static void a_fifo_has_the_mode_asked_for_under_any_umask(void **state)
{
	static const mode_t masks[] = {0, 022, 077, 0777, 0666, 0111};
	static const mode_t modes[] = {0, 0600, 0666, 0777, 0640, 0007, 0222};
	const char *path = at("fifo");
	const mode_t before = umask(0);
	struct stat status;

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		for (size_t j = 0; j < sizeof(modes) / sizeof(modes[0]); j++) {
			umask(masks[i]);
			assert_int_equal(nonet_pipe_create(path, modes[j], NULL), 0);
			test_must(stat(path, &status));
			assert_int_equal(status.st_mode, S_IFIFO | (modes[j] ? modes[j] : 0600));
			assert_int_equal(nonet_pipe_unlink(path, NULL), 0);
		}
	}
	umask(before);
}

static void create_refuses_what_it_must(void **state)
{
	struct nonet_error error = {0};
	const char *fifo = new_fifo("fifo");
	const char *file = at("file");
	struct stat status;

	(void)state;
	test_must(close((int)test_must(open(file, O_CREAT | O_WRONLY, 0640))));
	assert_int_equal(nonet_pipe_create(fifo, 0644, &error), -EEXIST);
	assert_non_null(strstr(error.text, fifo));
	test_must(stat(fifo, &status));
	assert_int_equal(status.st_mode, S_IFIFO | 0600);
	assert_int_equal(nonet_pipe_create(file, 0, NULL), -EEXIST);
	test_must(stat(file, &status));
	assert_int_equal(status.st_mode, S_IFREG | 0640);
	assert_int_equal(nonet_pipe_create(at("x"), 01000, &error), -EINVAL);
	assert_int_equal(error.code, -EINVAL);
	assert_int_equal(nonet_pipe_create(at("x"), S_IFIFO | 0600, NULL), -EINVAL);
	assert_int_equal(nonet_pipe_create(at("none/x"), 0, NULL), -ENOENT);
	assert_int_equal(nonet_pipe_create(at("file/x"), 0, NULL), -ENOTDIR);
	test_must(unlink(fifo));
	test_must(unlink(file));
}

static void unlink_removes_fifos_only(void **state)
{
	const char *file = at("file");
	const char *link = at("link");
	const char *bound = at("socket");
	const char *fifo = new_fifo("fifo");
	struct nonet_error error = {0};

	(void)state;
	test_must(close((int)test_must(open(file, O_CREAT | O_WRONLY, 0600))));
	test_must(symlink(fifo, link));
	bind_socket(bound);
	assert_int_equal(nonet_pipe_unlink(file, &error), -ENOTSUP);
	assert_int_equal(error.code, -ENOTSUP);
	assert_int_equal(nonet_pipe_unlink(link, NULL), -ENOTSUP);
	assert_int_equal(nonet_pipe_unlink(bound, NULL), -ENOTSUP);
	assert_int_equal(nonet_pipe_unlink(directory, NULL), -ENOTSUP);
	test_must(unlink(file));
	test_must(unlink(link));
	test_must(unlink(bound));
	assert_int_equal(nonet_pipe_unlink(fifo, NULL), 0);
	assert_int_equal(nonet_pipe_unlink(fifo, NULL), -ENOENT);
}

static void only_a_fifo_is_opened(void **state)
{
	const char *file = at("file");
	const char *bound = at("socket");
	struct nonet_pipe *pipe = NULL;
	struct nonet_error error = {0};

	(void)state;
	test_must(close((int)test_must(open(file, O_CREAT | O_WRONLY, 0600))));
	bind_socket(bound);
	for (enum nonet_pipe_end end = NONET_PIPE_READER; end <= NONET_PIPE_WRITER; end++) {
		assert_int_equal(nonet_pipe_open(file, end, NULL, NONET_FOREVER, &pipe, &error), -ENOTSUP);
		assert_non_null(strstr(error.text, file));
		assert_int_equal(nonet_pipe_open(bound, end, NULL, NONET_FOREVER, &pipe, NULL), -ENOTSUP);
		assert_int_equal(nonet_pipe_open(directory, end, NULL, NONET_FOREVER, &pipe, NULL), -ENOTSUP);
		assert_int_equal(nonet_pipe_open("/dev/null", end, NULL, NONET_FOREVER, &pipe, NULL), -ENOTSUP);
		assert_int_equal(nonet_pipe_open(at("file/x"), end, NULL, NONET_FOREVER, &pipe, NULL), -ENOTDIR);
		assert_int_equal(nonet_pipe_open(at("none"), end, NULL, NONET_FOREVER, &pipe, &error), -ENOENT);
		assert_int_equal(error.code, -ENOENT);
	}
	assert_int_equal(nonet_pipe_open(file, (enum nonet_pipe_end)0, NULL, NONET_NOW, &pipe, NULL), -EINVAL);
	assert_int_equal(nonet_pipe_open(file, (enum nonet_pipe_end)3, NULL, NONET_NOW, &pipe, NULL), -EINVAL);
	assert_null(pipe);
	test_must(unlink(file));
	test_must(unlink(bound));
}

static int open_plainly_to_write(struct test_child_side *side, void *argument)
{
	int fd;

	test_report(side, "ready");
	fd = (int)test_must(open(argument, O_WRONLY));
	test_check(write(fd, "plain", 5) == 5);
	test_await(side, "close");
	test_must(close(fd));
	return 0;
}

static int open_plainly_to_read(struct test_child_side *side, void *argument)
{
	char buffer[8] = "";
	int fd;

	test_report(side, "ready");
	fd = (int)test_must(open(argument, O_RDONLY));
	test_check(read(fd, buffer, 8) == 5 && strcmp(buffer, "plain") == 0);
	test_await(side, "close");
	test_must(close(fd));
	return 0;
}

/* On each side in turn: nobody is there; then a program that knows nothing of us, which blocks in open(2). */
static int open_writer_in_vain(struct test_child_side *side, void *argument)
{
	struct nonet_pipe *pipe = NULL;
	int error = nonet_pipe_open(argument, NONET_PIPE_WRITER, NULL, soon(), &pipe, NULL);

	(void)side;
	nonet_pipe_close(pipe);
	return -error;
}

/* Whoever may write to the directory has a link to a file put in the place of the FIFO while its reader is waited for.
 */
static void a_waiting_writer_opens_nothing_but_a_fifo(void **state)
{
	const char *path = new_fifo("fifo");
	const char *victim = at("victim");
	const char *other = at("other");
	struct test_child *child;

	(void)state;
	test_must(close((int)test_must(open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600))));
	child = test_child_start(open_writer_in_vain, (void *)path);
	test_child_wait_blocked(child);
	test_must(symlink(victim, other));
	test_must(rename(other, path));
	assert_int_equal(test_child_join(child), ENOTSUP);
	test_must(unlink(path));
	test_must(unlink(victim));
}

static void opening_waits_for_the_other_side_by_its_deadline(void **state)
{
	const char *path = new_fifo("fifo");
	struct nonet_pipe *pipe = NULL;
	struct nonet_error error = {0};
	struct test_child *child;
	nonet_time deadline;
	char buffer[8];
	size_t size;

	(void)state;
	for (enum nonet_pipe_end end = NONET_PIPE_READER; end <= NONET_PIPE_WRITER; end++) {
		assert_int_equal(nonet_pipe_open(path, end, NULL, NONET_NOW, &pipe, &error), -EAGAIN);
		assert_non_null(strstr(error.text, end == NONET_PIPE_READER ? "no writer" : "no reader"));
		deadline = nonet_after(NONET_MS(20));
		assert_int_equal(nonet_pipe_open(path, end, NULL, deadline, &pipe, &error), -ETIMEDOUT);
		assert_true(nonet_clock() >= deadline && nonet_clock() < deadline + test_slowness() * NONET_S(1));
		assert_int_equal(error.code, -ETIMEDOUT);
		assert_null(pipe);
	}
	for (int way = 0; way < 3; way++) {
		const nonet_time when = way == 0 ? NONET_NOW : way == 1 ? soon() : NONET_FOREVER;

		child = test_child_until(open_plainly_to_write, (void *)path);
		test_child_wait_blocked(child);
		assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, NULL, when, &pipe, NULL), 0);
		assert_int_equal(nonet_pipe_read_exactly(pipe, buffer, 5, soon(), NULL), 0);
		test_child_tell(child, "close");
		assert_int_equal(nonet_pipe_read(pipe, buffer, 5, NONET_FOREVER, &size), -EPIPE);
		assert_int_equal(test_child_join(child), 0);
		pipe = nonet_pipe_close(pipe);

		child = test_child_until(open_plainly_to_read, (void *)path);
		test_child_wait_blocked(child);
		assert_int_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, when, &pipe, NULL), 0);
		assert_int_equal(nonet_pipe_write(pipe, "plain", 5, soon(), NULL), 0);
		test_child_tell(child, "close");
		assert_int_equal(test_child_join(child), 0);
		assert_int_equal(nonet_pipe_write(pipe, "x", 1, soon(), NULL), -EPIPE);
		pipe = nonet_pipe_close(pipe);
	}
	test_must(unlink(path));
}

static int open_to_write(struct test_child_side *side, void *argument)
{
	struct nonet_pipe *pipe;

	test_report(side, "ready");
	test_await(side, "open");
	test_check_equal(nonet_pipe_open(argument, NONET_PIPE_WRITER, NULL, NONET_FOREVER, &pipe, NULL), 0);
	test_check_equal(nonet_pipe_send(pipe, "hello", 5, NONET_NOW), 0);
	nonet_pipe_close(pipe);
	return 0;
}

static void two_of_ours_find_each_other_whoever_comes_first(void **state)
{
	const char *path = new_fifo("fifo");
	const char *link = at("link");
	struct test_child *child;
	struct nonet_pipe *pipe;
	char buffer[8];
	size_t size;

	(void)state;
	test_must(symlink("fifo", link));
	for (int way = 0; way < 2; way++) {
		child = test_child_until(open_to_write, (void *)path);
		test_child_tell(child, "open");
		if (way == 0)
			test_child_wait_blocked(child);
		assert_int_equal(nonet_pipe_open(link, NONET_PIPE_READER, NULL, NONET_FOREVER, &pipe, NULL), 0);
		assert_true(fcntl(nonet_pipe_fd(pipe), F_GETFD) & FD_CLOEXEC);
		assert_int_equal(nonet_pipe_receive(pipe, buffer, 8, NONET_FOREVER, &size), 0);
		assert_int_equal(size, 5);
		assert_int_equal(nonet_pipe_receive(pipe, buffer, 8, NONET_FOREVER, &size), -EPIPE);
		nonet_pipe_close(pipe);
		assert_int_equal(test_child_join(child), 0);
	}
	test_must(unlink(link));
	test_must(unlink(path));
}

static const struct nonet_pipe_options early = {.size = sizeof(early), .flags = NONET_PIPE_EARLY};

/* Opened before any writer, a reader isn't at the end: it is at the beginning. */
static void an_early_reader_waits_for_its_first_writer_when_it_reads(void **state)
{
	const char *path = new_fifo("fifo");
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct test_child *child;
	char buffer[8];
	size_t size;

	(void)state;
	assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &reader, NULL), 0);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, nonet_after(NONET_MS(2)), &size), -ETIMEDOUT);
	assert_int_equal(nonet_pipe_message_size(reader, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(nonet_pipe_read(reader, buffer, 8, NONET_NOW, &size), -EAGAIN);
	child = test_child_until(open_to_write, (void *)path);
	test_child_tell(child, "open");
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_FOREVER, &size), 0);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_FOREVER, &size), -EPIPE);
	assert_int_equal(test_child_join(child), 0);
	nonet_pipe_close(reader);

	/* A writer that came and went in silence was a writer. */
	assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &reader, NULL), 0);
	assert_int_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, NONET_NOW, &writer, NULL), 0);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size), -EAGAIN);
	nonet_pipe_close(writer);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_FOREVER, &size), -EPIPE);
	nonet_pipe_close(reader);
	test_must(unlink(path));
}

/* As often as it is told: open, send, leave. */
static int come_and_go(struct test_child_side *side, void *argument)
{
	for (;;) {
		struct nonet_pipe *pipe;

		test_await(side, "go");
		test_check_equal(nonet_pipe_open(argument, NONET_PIPE_WRITER, NULL, soon(), &pipe, NULL), 0);
		test_check_equal(nonet_pipe_send(pipe, "hello", 5, soon()), 0);
		nonet_pipe_close(pipe);
		test_report(side, "gone");
	}
	return 0;
}

/* The end may not be told before the message, however the writer's coming and going falls between our calls. */
static void an_early_reader_misses_no_message_of_a_writer_that_leaves_at_once(void **state)
{
	const char *path = new_fifo("fifo");
	struct test_child *child;
	struct nonet_pipe *reader;
	char buffer[8];
	size_t size;

	(void)state;
	child = test_child_start(come_and_go, (void *)path);
	for (uint64_t i = 0; i < test_scaled(20000); i++) {
		int error;

		assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &reader, NULL), 0);
		test_child_tell(child, "go");
		/* Without sleeping, so that the writer comes between any two of our system calls. */
		do
			error = nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size);
		while (error == -EAGAIN);
		assert_int_equal(error, 0);
		assert_int_equal(size, 5);
		test_child_wait_state(child, "gone");
		nonet_pipe_close(reader);
	}
	test_kill(child);
	test_must(unlink(path));
}

static int be_refused(struct test_child_side *side, void *argument)
{
	struct nonet_pipe *pipe = NULL;

	(void)side;
	test_must(setresuid(65534, 65534, 65534));
	test_check_equal(nonet_pipe_open(argument, NONET_PIPE_READER, &early, NONET_NOW, &pipe, NULL), -EACCES);
	test_check_equal(nonet_pipe_open(argument, NONET_PIPE_WRITER, NULL, NONET_NOW, &pipe, NULL), -EACCES);
	test_check_equal(nonet_pipe_unlink(argument, NULL), -EACCES);
	return 0;
}

static void another_user_is_not_let_in_by_default(void **state)
{
	const char *path = new_fifo("fifo");

	(void)state;
	if (geteuid() == 0) {
		test_must(chmod(directory, 0711));
		assert_int_equal(test_child_join(test_child_start(be_refused, (void *)path)), 0);
	}
	test_must(unlink(path));
	test_skip_unless_root("becomes another user to be refused");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_fifo_has_the_mode_asked_for_under_any_umask, &in_directory),
		test_case_with(create_refuses_what_it_must, &in_directory),
		test_case_with(unlink_removes_fifos_only, &in_directory),
		test_case_with(only_a_fifo_is_opened, &in_directory),
		test_case_with(a_waiting_writer_opens_nothing_but_a_fifo, &in_directory),
		test_case_with(opening_waits_for_the_other_side_by_its_deadline, &in_directory),
		test_case_with(two_of_ours_find_each_other_whoever_comes_first, &in_directory),
		test_case_with(an_early_reader_waits_for_its_first_writer_when_it_reads, &in_directory),
		test_case_with(an_early_reader_misses_no_message_of_a_writer_that_leaves_at_once, &in_directory),
		test_case_with(another_user_is_not_let_in_by_default, &in_directory),
	};

	return test_main(tests);
}
