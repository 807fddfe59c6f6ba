/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child shares our memory until its exec (CLONE_VM), on a stack of its own, and this thread waits for that
 * (CLONE_VFORK). So nothing is copied however large we are, and the child tells a failure by a plain store. In return:
 *
 * 1. All signals are blocked from before the clone: a handler of ours in the child would work on our memory. They are
 *    let through just before the exec, when every handler is gone.
 * 2. The child makes system calls, and writes to its stack, to struct spawn_child, and to errno and the fault plan of
 *    this thread, which waits. It takes no lock and asks for no memory: another thread may hold the allocator's lock,
 *    and goes on.
 * 3. Descriptors and dispositions are the child's own (no CLONE_FILES, no CLONE_SIGHAND).
 *
 * Under an emulator that makes a fork(2) of it (qemu-user) the store doesn't get here: a failing exec then shows as
 * exit status 127, as it does with posix_spawn(3).
 */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "sys/process.h"
#include "sys/signals.h"

/* Linux 5.11; older headers don't have it. */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

/* Ten times what the child needs in a build with sanitizers. */
#define SPAWN_STACK 65536

/* What PATH is where there is none, as execvp(3) has it. */
#define SPAWN_PATH "/bin:/usr/bin"

#define SPAWN_SHELL "/bin/sh"

#define SPAWN_FAILED 127

struct spawn_child {
	const struct sys_spawn *spawn;
	pid_t parent;
	char *const *environment;
	const char *path;                     /* to search; NULL: the name has a slash */
	char *candidate;                      /* room for any directory of it and the name */
	const char **script;                  /* room for what a script is run by */
	struct sys_spawn_descriptor *sources; /* room for the descriptors, where they are now */
	int error;
	enum sys_spawn_step step;
};

/* The memory of a spawn: first the stack, which grows down, then what struct spawn_child points to. */
static void *spawn_allocate(const struct sys_spawn *spawn, struct spawn_child *child, char **ret_stack)
{
	const char *name = spawn->arguments[0];
	const char *path = strchr(name, '/') ? NULL : getenv("PATH");
	size_t count = 0, script, sources, candidate, length;
	char *memory;

	while (spawn->arguments[count])
		count++;
	if (!path)
		path = SPAWN_PATH;
	length = strlen(path);
	script = (count + 2) * sizeof(*child->script);
	sources = spawn->descriptors_count * sizeof(*child->sources);
	candidate = length + 1 + strlen(name) + 1;
	memory = sys_allocate_buffer(SPAWN_STACK + script + sources + candidate + length + 1);
	if (!memory)
		return NULL;
	*ret_stack = memory + SPAWN_STACK;
	child->script = (void *)*ret_stack;
	child->sources = (void *)(*ret_stack + script);
	child->candidate = *ret_stack + script + sources;
	if (strchr(name, '/'))
		return memory;
	/* A copy: another thread may change the environment while the child searches. */
	memcpy(child->candidate + candidate, path, length);
	child->candidate[candidate + length] = 0;
	child->path = child->candidate + candidate;
	return memory;
}

/* In the child, until the end of spawn_run(). */

/* Handled signals get their default action, as exec would do it, but before they are let through. */
static void spawn_drop_handlers(void)
{
	struct sigaction action;

	for (int number = 1; number < NSIG; number++) {
		/* Those of the C library are refused here, and nobody sends them to us. */
		if (sigaction(number, NULL, &action) < 0 || action.sa_handler == SIG_DFL)
			continue;
		if (action.sa_handler == SIG_IGN && number != SIGPIPE)
			continue;
		action.sa_flags = 0;
		action.sa_handler = SIG_DFL;
		(void)sigaction(number, &action, NULL);
	}
}

static int spawn_set_death_signal(const struct spawn_child *child)
{
	int error = sys_fault(SYS_CALL_PRCTL);
	pid_t parent;

	if (error < 0)
		return error;
	if (prctl(PR_SET_PDEATHSIG, child->spawn->death_signal, 0, 0, 0) < 0)
		return -errno;
	/* It may have died before: then nothing will be sent, and nobody is left to be told. 0: it is outside our PID
	 * namespace. */
	parent = getppid();
	return parent != child->parent && parent != 0 ? -ESRCH : 0;
}

static int spawn_set_group(void)
{
	int error = sys_fault(SYS_CALL_SETPGID);

	if (error < 0)
		return error;
	return setpgid(0, 0) < 0 ? -errno : 0;
}

/* A duplicate numbered @least or above. */
static int spawn_duplicate(int fd, int least)
{
	int error = sys_fault(SYS_CALL_DUP);

	if (error < 0)
		return error;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, least);
	if (fd >= 0)
		return fd;
	/* What is over the limit is EINVAL here, and EBADF of dup2(2). */
	return errno == EINVAL ? -EBADF : -errno;
}

/* Whether a number is where another descriptor of ours than the @except-th is to be, and isn't yet. */
static bool spawn_is_target(const struct sys_spawn *spawn, int fd, size_t except)
{
	for (size_t i = 0; i < spawn->descriptors_count; i++)
		if (i != except && spawn->descriptors[i].to == fd && spawn->descriptors[i].from != fd)
			return true;
	return false;
}

/* A source that stands where another is to be is moved out of the way first, to a number where nothing is to be. */
static int spawn_move_sources(const struct spawn_child *child)
{
	const struct sys_spawn *spawn = child->spawn;

	/* Before a duplicate stands where one that isn't open should be. */
	for (size_t i = 0; i < spawn->descriptors_count; i++)
		if (fcntl(spawn->descriptors[i].from, F_GETFD) < 0)
			return -errno;
	for (size_t i = 0; i < spawn->descriptors_count; i++) {
		struct sys_spawn_descriptor one = spawn->descriptors[i];

		/* A duplicate at a target is closed when that is made, or at the exec: it is left where it is. */
		while (one.from >= 0 && spawn_is_target(spawn, one.from, i))
			one.from = spawn_duplicate(one.from, one.from + 1);
		if (one.from < 0)
			return one.from;
		child->sources[i] = one;
	}
	return 0;
}

static int spawn_set_descriptors(const struct spawn_child *child)
{
	int error = sys_fault(SYS_CALL_CLOSE_RANGE);

	if (error < 0)
		return error;
	if (syscall(SYS_close_range, STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	error = spawn_move_sources(child);
	for (size_t i = 0; i < child->spawn->descriptors_count && error == 0; i++) {
		const struct sys_spawn_descriptor one = child->sources[i];

		error = sys_fault(SYS_CALL_DUP);
		if (error < 0)
			break;
		/* Either way it isn't closed at the exec. */
		if (one.from == one.to)
			error = fcntl(one.to, F_SETFD, 0);
		else
			error = dup2(one.from, one.to);
		error = error < 0 ? -errno : 0;
	}
	return error;
}

static int spawn_change_directory(const char *directory)
{
	int error = sys_fault(SYS_CALL_CHDIR);

	if (error < 0)
		return error;
	return chdir(directory) < 0 ? -errno : 0;
}

/* Returns only on failure. */
static int spawn_execute_file(const struct spawn_child *child, const char *file)
{
	const char *const *arguments = child->spawn->arguments;
	int error = sys_fault(SYS_CALL_EXEC);
	size_t i;

	if (error < 0)
		return error;
	execve(file, (char *const *)arguments, child->environment);
	if (errno != ENOEXEC)
		return -errno;
	/* A script without #!, as shells take it, and execvp(3). */
	child->script[0] = SPAWN_SHELL;
	child->script[1] = file;
	for (i = 1; arguments[i]; i++)
		child->script[i + 1] = arguments[i];
	child->script[i + 1] = NULL;
	execve(SPAWN_SHELL, (char *const *)child->script, child->environment);
	return -errno;
}

/* As execvp(3): a directory where there is no such program is passed by, and so is one where it may not be run. */
static int spawn_execute(const struct spawn_child *child)
{
	const char *name = child->spawn->arguments[0];
	const char *at = child->path;
	bool denied = false;

	if (!at)
		return spawn_execute_file(child, name);
	/* Or the directories themselves would be tried. */
	if (!*name)
		return -ENOENT;
	for (;;) {
		const size_t length = strcspn(at, ":");
		int error;

		memcpy(child->candidate, at, length);
		/* An empty part is the directory where we are. */
		if (length > 0)
			child->candidate[length] = '/';
		strcpy(child->candidate + length + (length > 0), name);
		error = spawn_execute_file(child, child->candidate);
		switch (error) {
		case -EACCES:
			denied = true;
			break;
		case -ENOENT:
		case -ENOTDIR:
		case -ESTALE:
		case -ENODEV:
		case -ETIMEDOUT:
			break;
		default:
			return error;
		}
		if (!at[length])
			return denied ? -EACCES : -ENOENT;
		at += length + 1;
	}
}

static int spawn_prepare(struct spawn_child *child)
{
	const struct sys_spawn *spawn = child->spawn;
	int error = 0;

	spawn_drop_handlers();
	child->step = SYS_SPAWN_DEATH_SIGNAL;
	if (spawn->death_signal)
		error = spawn_set_death_signal(child);
	if (error == 0 && spawn->new_group) {
		child->step = SYS_SPAWN_GROUP;
		error = spawn_set_group();
	}
	if (error == 0) {
		child->step = SYS_SPAWN_DESCRIPTORS;
		error = spawn_set_descriptors(child);
	}
	if (error == 0 && spawn->directory) {
		child->step = SYS_SPAWN_DIRECTORY;
		error = spawn_change_directory(spawn->directory);
	}
	return error;
}

static int spawn_run(void *argument)
{
	struct spawn_child *child = argument;
	int error = spawn_prepare(child);

	if (error == 0) {
		child->step = SYS_SPAWN_EXECUTE;
		sys_signal_set_mask(0);
		error = spawn_execute(child);
	}
	child->error = error;
	return SPAWN_FAILED;
}

static int spawn_clone(struct spawn_child *child, char *stack, struct sys_spawned *ret_spawned)
{
	int error = sys_fault(SYS_CALL_CLONE);
	int pidfd = -1;
	pid_t pid;

	if (error < 0)
		return error;
	pid = clone(spawn_run, stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, child, &pidfd);
	if (pid < 0)
		return -errno;
	*ret_spawned = (struct sys_spawned){.pid = pid, .pidfd = pidfd};
	return 0;
}

int sys_spawn(const struct sys_spawn *spawn, struct sys_spawned *ret_spawned, enum sys_spawn_step *ret_step)
{
	struct spawn_child child = {
		.spawn = spawn, .parent = spawn->death_signal ? getpid() : 0, .environment = environ};
	struct sys_spawned spawned = {.pidfd = -1};
	uint64_t before = 0;
	char *stack;
	void *memory;
	int error;

	*ret_step = SYS_SPAWN_CLONE;
	if (spawn->environment)
		child.environment = (char *const *)spawn->environment;
	memory = spawn_allocate(spawn, &child, &stack);
	if (!memory)
		return -ENOMEM;
	error = sys_signal_block(UINT64_MAX, &before);
	if (error == 0) {
		error = spawn_clone(&child, stack, &spawned);
		if (error == 0 && child.error < 0) {
			error = child.error;
			*ret_step = child.step;
			/* It has ended; where SIGCHLD is ignored the kernel has reaped it. */
			(void)waitid(SYS_BY_PIDFD, (id_t)spawned.pidfd, NULL, WEXITED);
			sys_close(&spawned.pidfd);
		}
		sys_signal_set_mask(before);
	}
	sys_free(memory);
	if (error == 0)
		*ret_spawned = spawned;
	return error;
}
