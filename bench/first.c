/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef BENCH_NEWBORN
#define BENCH_NEWBORN "nonet-bench-newborn"
#endif

/* It takes the time itself, so that its own start isn't in it. */
struct first {
	const struct lock_kind *kind;
	void *lock;
	enum first_what what;
};

int first_open(const struct lock_kind *kind, enum first_what what, void **ret_first)
{
	struct first *first = calloc(1, sizeof(*first));

	if (!first)
		return -ENOMEM;
	*ret_first = first;
	*first = (struct first){.kind = kind, .what = what};
	return kind->make(&first->lock);
}

void first_close(void *end)
{
	struct first *first = end;

	if (!first)
		return;
	first->kind->remove(first->lock);
	free(first);
}

static int first_spawn(struct first *first, int output, pid_t *ret_pid)
{
	char *const argv[] = {(char *)"nonet-bench-newborn", (char *)first->kind->address(first->lock), NULL};
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return -error;
	error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn(ret_pid, BENCH_NEWBORN, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

int first_slice(void *end, struct bench_slice *ret_slice)
{
	struct first *first = end;
	double times[FIRSTS];
	int output[2];
	pid_t pid;
	int error;

	if (pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	error = first_spawn(first, output[1], &pid);
	close(output[1]);
	if (!error && read(output[0], times, sizeof(times)) != sizeof(times))
		error = -EPROTO;
	close(output[0]);
	if (error != 0 && error != -EPROTO)
		return error;
	waitpid(pid, NULL, 0);
	if (!error)
		*ret_slice = (struct bench_slice){.each = times[first->what]};
	return error;
}
