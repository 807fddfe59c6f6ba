/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/process.h>

#include "lock.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

/*
 * For what nobody gives back at a process's end, or what a command can lose without knowing it (a file lock, see
 * lock_filelock.c). Two processes, so that one can be killed: this command, which the
 * caller knows, and its child, the guard, which takes, runs the command, and gives back.
 *
 * Up one pipe come HELD or NOT_HELD, and then how it ended; if that doesn't come, the guard was killed, and what it had
 * taken is lost, unless the kernel gives it back. Down the other goes GO after HELD: from then on signals are the
 * command's, a byte each. If that pipe ends, the front has died: the guard kills the command, and gives back.
 */
#define HELD     'H'
#define NOT_HELD 'N'
#define GO       '\0'

struct ending {
	int status; /* as struct verb's run() returns it */
	int lost;   /* it was taken, and couldn't be given back */
};

/* So often the guard looks whether the front still lives while it waits. */
#define LOOK_INTERVAL NONET_MS(100)

/* The front's. Set before it catches signals, and once it holds. */
static volatile sig_atomic_t down_fd = -1;
static volatile sig_atomic_t holds;

static const int caught[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

static void on_signal(int number, siginfo_t *info, void *context)
{
	const char byte = (char)number;
	const int saved = errno;

	(void)context;
	if (!holds) {
		/* Nothing is locked: die of it, when the handler returns; the guard sees that. */
		signal(number, SIG_DFL);
		raise(number);
	} else if (info->si_code <= 0) {
		/* What a terminal sends the command has got by itself. */
		(void)!write(down_fd, &byte, 1);
	}
	errno = saved;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART}, old;
	size_t i;

	sigemptyset(&action.sa_mask);
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(caught[i], &action, NULL);
}

/* A message, whole or not at all. */
static int read_whole(int fd, void *ret_bytes, size_t size)
{
	ssize_t r;

	do
		r = read(fd, ret_bytes, size);
	while (r < 0 && errno == EINTR);
	return r == (ssize_t)size ? 0 : -EPIPE;
}

/* Whether the other end is closed, which is never written to without need. */
static int front_is_gone(int down)
{
	struct pollfd item = {.fd = down, .events = POLLIN};

	return poll(&item, 1, 0) > 0 && !(item.revents & POLLIN);
}

static int guard_take(const struct lock_kind *kind, const struct lock_request *request, int down)
{
	const nonet_time deadline = parse_deadline(request->timeout);
	struct nonet_error error;
	nonet_time look;
	int r;

	r = kind->open(request, deadline, &error);
	if (r < 0)
		return lock_failed(r, &error, r == -EINVAL ? request->address : NULL);
	for (;;) {
		look = nonet_after(LOOK_INTERVAL);
		r = kind->take(deadline < look ? deadline : look);
		if (r == 0)
			return 0;
		if (front_is_gone(down))
			return LOCK_FAILED;
		if (r == -ETIMEDOUT && nonet_clock() < deadline)
			continue;
		kind->explain(r, &error);
		return lock_failed(r, &error, NULL);
	}
}

/* Pass on what came down. Return: 0, or -EPIPE: the front has died. */
static int guard_pass_on(struct nonet_process *command, int down)
{
	char numbers[16];
	ssize_t size = read(down, numbers, sizeof(numbers)), i;

	for (i = 0; i < size; i++)
		(void)!nonet_process_signal(command, numbers[i], NULL);
	return size == 0 ? -EPIPE : 0;
}

/* Until it has ended, by force if the front dies. */
static int guard_wait(struct nonet_process *command, int down, struct nonet_process_status *ret_status)
{
	struct pollfd items[] = {{.fd = nonet_process_fd(command), .events = POLLIN}, {.fd = down, .events = POLLIN}};

	while (poll(items, 2, -1) >= 0 || errno == EINTR) {
		if (items[0].revents)
			break;
		if (!items[1].revents || guard_pass_on(command, down) == 0)
			continue;
		(void)!nonet_process_signal(command, SIGKILL, NULL);
		items[1].fd = -1;
	}
	return nonet_process_wait(command, NONET_FOREVER, ret_status);
}

static int guard_run(const struct lock_request *request, int down)
{
	/* Should the guard be killed, it holds no more; but nobody must run on without. */
	const struct nonet_process_options options = {.size = sizeof(options), .death_signal = SIGKILL};
	struct nonet_process_status status;
	struct nonet_process *command;
	struct nonet_error error;
	int r;

	r = nonet_process_spawn((const char *const *)request->command, &options, &command, &error);
	if (r < 0) {
		say_error(&error, NULL);
		return lock_not_run(r);
	}
	r = guard_wait(command, down, &status);
	if (r < 0)
		nonet_process_explain(command, r, &error);
	nonet_process_close(command);
	if (r < 0)
		return lock_failed(r, &error, NULL);
	return status.how == NONET_PROCESS_KILLED ? -status.code : status.code;
}

/* The guard's whole life. */
static void guard(const struct lock_kind *kind, const struct lock_request *request, int down, int up)
{
	struct ending ending = {0};
	struct nonet_error error;
	char first = NOT_HELD, go;
	sigset_t all;
	int r;

	/* A terminal's signals come to us too. The command's mask is empty all the same: nonet_process_spawn(3). */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (!verb_sigpipe_was_ignored)
		signal(SIGPIPE, SIG_DFL);
	ending.status = guard_take(kind, request, down);
	if (ending.status == 0) {
		first = HELD;
		/* SIGPIPE is blocked. */
		if (write(up, &first, 1) == 1 && read_whole(down, &go, sizeof(go)) == 0)
			ending.status = guard_run(request, down);
		r = kind->give(ending.status);
		ending.lost = r < 0;
		if (ending.lost) {
			kind->explain(r, &error);
			say_error(&error, NULL);
		}
	} else {
		(void)!write(up, &first, 1);
	}
	(void)!write(up, &ending, sizeof(ending));
}

static void say_lost(const struct lock_kind *kind, const struct lock_request *request, pid_t pid)
{
	if (kind->ends_with_guard)
		say_failure("its guard, process %d, was killed, so that %s is held no more, and the command is killed",
			    (int)pid, request->address);
	else
		say_failure(
			"its guard, process %d, was killed, and the permit is lost: \"nonet post %s\" gives it back",
			(int)pid, request->address);
}

static int front(const struct lock_kind *kind, const struct lock_request *request, pid_t pid, int up)
{
	const char go = GO;
	struct ending ending;
	char first = 0;
	int r;

	r = read_whole(up, &first, sizeof(first));
	holds = first == HELD;
	if (r == 0 && holds && write(down_fd, &go, sizeof(go)) != sizeof(go))
		r = -EPIPE;
	if (r == 0)
		r = read_whole(up, &ending, sizeof(ending));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r == 0)
		return ending.lost ? LOCK_FAILED : ending.status;
	if (holds)
		say_lost(kind, request, pid);
	else
		say_failure("its guard, process %d, was killed", (int)pid);
	return LOCK_FAILED;
}

int lock_guarded(const struct lock_kind *kind, const struct lock_request *request)
{
	int down[2], up[2], status;
	pid_t pid;

	if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0) {
		say_failure("can't make a pipe: %s", strerror(errno));
		return LOCK_FAILED;
	}
	pid = fork();
	if (pid < 0) {
		say_failure("can't start a process: %s", strerror(errno));
		return LOCK_FAILED;
	}
	if (pid == 0) {
		close(down[1]);
		close(up[0]);
		guard(kind, request, down[0], up[1]);
		_exit(STATUS_DONE);
	}
	close(down[0]);
	close(up[1]);
	down_fd = down[1];
	catch_signals();
	status = front(kind, request, pid, up[0]);
	close(up[0]);
	close(down[1]);
	return status;
}
