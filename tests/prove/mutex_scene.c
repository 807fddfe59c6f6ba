/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/mutex_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a file of the program's own, in the run's directory, so that its bytes are put back as well. */
static struct nonet_mutex *place(struct prove_run *run)
{
	struct nonet_mutex_options options = {.size = sizeof(options)};
	struct nonet_mutex *mutex = NULL;
	struct nonet_error error = {0};
	char path[128];
	void *memory;
	int fd;

	snprintf(path, sizeof(path), "%s/placed", prove_directory(run));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	prove_require(run, fd >= 0 && ftruncate(fd, NONET_MUTEX_PLACE_SIZE) == 0, "no file to place a mutex in");
	memory = mmap(NULL, NONET_MUTEX_PLACE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	prove_require(run, memory != MAP_FAILED, "no memory to place a mutex in");
	/* The cast is the first who comes. */
	options.flags = prove_role(run) == PROVE_CAST ? NONET_MUTEX_MAKE : 0;
	prove_require(run, nonet_mutex_place(memory, prove_directory(run), &options, &mutex, &error) == 0, "%s",
		      error.text);
	return mutex;
}

struct nonet_mutex *mutex_make(struct prove_run *run, const char *name)
{
	struct nonet_mutex_options options = {.size = sizeof(options), .flags = NONET_MUTEX_MAY_EXIST};
	const bool own = strcmp(name, "m") == 0;
	struct nonet_mutex *mutex = NULL;
	struct nonet_error error = {0};
	char text[128];

	if (own && prove_state_is(run, "placed"))
		return place(run);
	if (own && prove_state_is(run, "traced"))
		options.flags |= NONET_MUTEX_TRACE;
	if (own && prove_state_is(run, "recursive"))
		options.flags |= NONET_MUTEX_RECURSIVE;
	if (own && prove_state_is(run, "ranked"))
		options.rank = 1;
	snprintf(text, sizeof(text), "mutex:%s/%s", prove_directory(run), name);
	prove_require(run, nonet_mutex_create(text, &options, &mutex, &error) == 0, "%s", error.text);
	return mutex;
}

struct nonet_mutex *mutex_join(struct prove_run *run)
{
	struct nonet_mutex *warm = mutex_make(run, "warm");
	int result = nonet_mutex_lock(warm, NONET_NOW);

	/* Whoever is stopped here may have it; the slot is taken in any case. */
	if (result == 0 || result == -EOWNERDEAD) {
		/* Once more, in vain: whether spinning helps is asked for only once. */
		prove_require(run, nonet_mutex_lock(warm, NONET_NOW) == -EDEADLK, "locked what this thread has");
		prove_require(run, nonet_mutex_unlock(warm) == 0, "can't unlock the mutex to warm up with");
	}
	nonet_mutex_close(warm);
	return mutex_make(run, "m");
}

bool mutex_is_had(int64_t result)
{
	return result == 0 || result == -EOWNERDEAD;
}

static int self(const struct prove_run *run)
{
	return prove_role(run) + 1 + PROVE_ROLES * prove_companion(run);
}

void mutex_enter(struct prove_run *run, struct nonet_mutex *mutex, int result)
{
	prove_require(run, result == -EOWNERDEAD || prove_load(run, MUTEX_INSIDE) == 0,
		      "locked, while %d is inside and nobody said that it died",
		      (int)prove_load(run, MUTEX_INSIDE) - 1);
	prove_store(run, MUTEX_INSIDE, self(run));
	if (result == 0)
		return;
	prove_store(run, MUTEX_TOLD, prove_load(run, MUTEX_TOLD) + 1);
	prove_require(run, nonet_mutex_recover(mutex) == 0, "nonet_mutex_recover() fails");
}

void mutex_leave(struct prove_run *run, struct nonet_mutex *mutex)
{
	prove_require(run, prove_load(run, MUTEX_INSIDE) == self(run), "another came inside");
	prove_store(run, MUTEX_INSIDE, 0);
	prove_require(run, nonet_mutex_unlock(mutex) == 0, "nonet_mutex_unlock() fails");
}

void mutex_churn(struct prove_run *run)
{
	struct nonet_mutex *mutex = mutex_join(run);
	int result;

	for (;;) {
		result = nonet_mutex_lock(mutex, prove_deadline());
		prove_require(run, mutex_is_had(result), "nonet_mutex_lock() says %d", result);
		mutex_enter(run, mutex, result);
		mutex_leave(run, mutex);
	}
}

void mutex_die_with(struct prove_run *run)
{
	pid_t pid = fork();
	int status = 1;

	/* A name that is there is opened; one in the program's own memory isn't made again. */
	if (pid == 0)
		_exit(nonet_mutex_lock(mutex_make(run, "m"), prove_deadline()) != 0);
	prove_require(run, waitpid(pid, &status, 0) == pid && status == 0, "nobody died with the mutex");
}
