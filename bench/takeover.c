/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Three processes: we sleep for the lock that the victim has, and the killer watches us fall asleep (proc_pid_stat(5)),
 * reads the clock, and kills the victim.
 */
struct takeover {
	const struct lock_kind *kind;
	void *lock;
	size_t mib;
	pid_t killer;
	int orders[2];              /* from us to the killer: the victim's pid */
	_Atomic nonet_time *killed; /* shared with it */
};

static bool takeover_sleeps(int fd)
{
	char text[512];
	const ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
	const char *name;

	if (size <= 0)
		return false;
	text[size] = 0;
	name = strrchr(text, ')');
	return name && strncmp(name, ") S", 3) == 0;
}

static _Noreturn void takeover_kill(struct takeover *takeover, pid_t sleeper)
{
	char path[32];
	pid_t victim;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)sleeper);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	close(takeover->orders[1]);
	if (fd < 0)
		_exit(1);
	while (read(takeover->orders[0], &victim, sizeof(victim)) == sizeof(victim)) {
		while (!takeover_sleeps(fd))
			;
		atomic_store_explicit(takeover->killed, nonet_clock(), memory_order_relaxed);
		kill(victim, SIGKILL);
	}
	_exit(0);
}

/* With as much memory as is wanted, and the lock: then it says so, and does nothing more. */
static _Noreturn void takeover_be_victim(struct takeover *takeover, int ready)
{
	const size_t size = takeover->mib << 20;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	memset(memory, 1, size);
	if (takeover->kind->enter(takeover->lock) < 0 || takeover->kind->lock(takeover->lock) < 0)
		_exit(1);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t takeover_fork(void)
{
	const pid_t parent = getpid();
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

/* Return: once it has the lock. */
static int takeover_start_victim(struct takeover *takeover, pid_t *ret_victim)
{
	char byte;
	int ready[2];
	pid_t pid;
	bool is_ready;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid = takeover_fork();
	if (pid == 0) {
		close(ready[0]);
		takeover_be_victim(takeover, ready[1]);
	}
	close(ready[1]);
	is_ready = pid > 0 && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	if (pid > 0 && !is_ready)
		waitpid(pid, NULL, 0);
	*ret_victim = pid;
	return is_ready ? 0 : -ENOMEM;
}

int takeover_slice(void *end, struct bench_slice *ret_slice)
{
	struct takeover *takeover = end;
	nonet_time had;
	pid_t victim;
	int result = takeover_start_victim(takeover, &victim);

	if (result < 0)
		return result;
	if (write(takeover->orders[1], &victim, sizeof(victim)) != sizeof(victim)) {
		kill(victim, SIGKILL);
		waitpid(victim, NULL, 0);
		return -EPIPE;
	}
	result = takeover->kind->lock(takeover->lock);
	had = nonet_clock();
	waitpid(victim, NULL, 0);
	if (result != -EOWNERDEAD)
		return result < 0 ? result : -EPROTO;
	ret_slice->each = (double)(had - atomic_load_explicit(takeover->killed, memory_order_relaxed));
	ret_slice->least = 0;
	result = takeover->kind->recover(takeover->lock);
	return result < 0 ? result : takeover->kind->unlock(takeover->lock);
}

void takeover_close(void *end)
{
	struct takeover *takeover = end;

	if (!takeover)
		return;
	if (takeover->orders[0] >= 0) {
		close(takeover->orders[0]);
		close(takeover->orders[1]);
	}
	if (takeover->killer > 0) {
		kill(takeover->killer, SIGKILL);
		waitpid(takeover->killer, NULL, 0);
	}
	takeover->kind->remove(takeover->lock);
	if (takeover->killed)
		munmap(takeover->killed, sizeof(*takeover->killed));
	free(takeover);
}

int takeover_open(const struct lock_kind *kind, size_t mib, void **ret_takeover)
{
	struct takeover *takeover = calloc(1, sizeof(*takeover));
	const pid_t self = getpid();
	int error;

	if (!takeover)
		return -ENOMEM;
	*ret_takeover = takeover;
	*takeover = (struct takeover){.kind = kind, .mib = mib, .orders = {-1, -1}};
	takeover->killed =
		mmap(NULL, sizeof(*takeover->killed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (takeover->killed == MAP_FAILED) {
		takeover->killed = NULL;
		return -errno;
	}
	if (pipe2(takeover->orders, O_CLOEXEC) < 0) {
		takeover->orders[0] = -1;
		return -errno;
	}
	error = kind->make(&takeover->lock);
	/* So that the first of the slices doesn't pay for what is done once. */
	if (!error)
		error = kind->lock(takeover->lock);
	if (!error)
		error = kind->unlock(takeover->lock);
	if (error)
		return error;
	takeover->killer = takeover_fork();
	if (takeover->killer == 0)
		takeover_kill(takeover, self);
	return takeover->killer < 0 ? -errno : 0;
}
