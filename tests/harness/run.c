/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/deadline.h"
#include "harness/process.h"

/* An output of the command, growing. */
struct capture {
	int fd;
	char *bytes;
	size_t size;
	size_t room;
};

struct feed {
	int fd;
	const char *bytes;
	size_t left;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Read what there is; closes at the end of file. */
static void capture_read(struct capture *capture)
{
	ssize_t size;

	for (;;) {
		if (capture->room - capture->size < 4096) {
			capture->room = capture->room ? 2 * capture->room : 8192;
			capture->bytes = realloc(capture->bytes, capture->room);
			if (!capture->bytes)
				abort();
		}
		size = read(capture->fd, capture->bytes + capture->size, capture->room - capture->size - 1);
		if (size > 0)
			capture->size += (size_t)size;
		else if (size == 0 || (errno != EINTR && errno != EAGAIN))
			break;
		else if (errno == EAGAIN)
			return;
	}
	close_fd(&capture->fd);
}

static void feed_write(struct feed *feed)
{
	sigset_t pipe_signal;
	sigset_t old;
	ssize_t size = 0;

	/* A command that doesn't read its input isn't an error; its SIGPIPE is taken out again. */
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &old);
	while (feed->left > 0 && ((size = write(feed->fd, feed->bytes, feed->left)) > 0 || errno == EINTR)) {
		feed->bytes += size > 0 ? size : 0;
		feed->left -= size > 0 ? (size_t)size : 0;
	}
	if (feed->left > 0 && errno == EAGAIN) {
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		return;
	}
	if (feed->left > 0 && errno == EPIPE && !sigismember(&old, SIGPIPE))
		sigtimedwait(&pipe_signal, NULL, &(struct timespec){0});
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close_fd(&feed->fd);
}

static _Noreturn void execute(pid_t parent, const char *const argv[], const int fds[3])
{
	sigset_t none;

	test_child_begin(parent, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	unsetenv("CMOCKA_TEST_ABORT");
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "can't execute %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Return: whether the command ended in time. */
static bool converse(int pidfd, struct feed *in, struct capture *out, struct capture *err, nonet_time deadline)
{
	struct pollfd fds[4];
	bool ended = false;

	while (!ended) {
		fds[0] = (struct pollfd){.fd = in->fd, .events = POLLOUT};
		fds[1] = (struct pollfd){.fd = out->fd, .events = POLLIN};
		fds[2] = (struct pollfd){.fd = err->fd, .events = POLLIN};
		fds[3] = (struct pollfd){.fd = pidfd, .events = POLLIN};
		if (test_poll(fds, 4, deadline) == 0)
			return false;
		/* Looked at before the pipes are read: what it wrote is all there then. */
		ended = fds[3].revents != 0;
		if (in->fd >= 0 && fds[0].revents)
			feed_write(in);
		if (out->fd >= 0)
			capture_read(out);
		if (err->fd >= 0)
			capture_read(err);
	}
	return true;
}

static void make_pipe(const char *file, int line, int ret_fds[2], int ours)
{
	if (pipe2(ret_fds, O_CLOEXEC) < 0)
		test_fail_at(file, line, "no pipe for a command: %s", strerror(errno));
	/* Ours alone: the other end's flags are the command's. */
	fcntl(ret_fds[ours], F_SETFL, O_NONBLOCK | fcntl(ret_fds[ours], F_GETFL));
	/* A descriptor below 3 would be overwritten before it is duplicated. */
	if (ret_fds[0] <= STDERR_FILENO || ret_fds[1] <= STDERR_FILENO)
		test_fail_at(file, line, "stdin, stdout or stderr is closed in the test");
}

static char *capture_take(struct capture *capture, size_t *ret_size)
{
	char *bytes = capture->bytes ? capture->bytes : calloc(1, 1);

	if (!bytes)
		abort();
	close_fd(&capture->fd);
	bytes[capture->size] = '\0';
	*ret_size = capture->size;
	return bytes;
}

void test_run_at(const char *file, int line, const char *const argv[], const void *input, size_t input_size,
		 nonet_time deadline, struct test_result *ret_result)
{
	struct feed in = {.bytes = input, .left = input_size};
	struct capture out = {0};
	struct capture err = {0};
	pid_t parent = getpid();
	int pipes[3][2];
	int pidfd;
	bool in_time;
	pid_t pid;

	make_pipe(file, line, pipes[0], 1);
	make_pipe(file, line, pipes[1], 0);
	make_pipe(file, line, pipes[2], 0);
	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid < 0)
		test_fail_at(file, line, "no process for %s: %s", argv[0], strerror(errno));
	if (pid == 0)
		execute(parent, argv, (const int[]){pipes[0][0], pipes[1][1], pipes[2][1]});
	pidfd = test_pidfd_open(pid);
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	in.fd = pipes[0][1];
	out.fd = pipes[1][0];
	err.fd = pipes[2][0];
	if (input_size == 0)
		close_fd(&in.fd);
	in_time = converse(pidfd, &in, &out, &err, deadline);
	if (!in_time) {
		test_describe_process(pid, stderr);
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	}
	close_fd(&in.fd);
	ret_result->status = test_reap(pidfd, pid);
	close(pidfd);
	ret_result->out = capture_take(&out, &ret_result->out_size);
	ret_result->err = capture_take(&err, &ret_result->err_size);
	if (!in_time) {
		fprintf(stderr, "%s wrote until then:\n%s%s", argv[0], ret_result->out, ret_result->err);
		test_run_free(ret_result);
		test_fail_at(file, line, "%s did not end by its deadline", argv[0]);
	}
}

void test_run_free(struct test_result *result)
{
	free(result->out);
	free(result->err);
	*result = (struct test_result){0};
}
