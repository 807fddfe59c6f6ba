/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/scene.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/deadline.h"

static struct prove_scene *scene_of(struct prove_run *run)
{
	return (struct prove_scene *)((char *)run - offsetof(struct prove_scene, run));
}

static void name_directory(char *ret_name, size_t size, pid_t worker, int number)
{
	snprintf(ret_name, size, "/dev/shm/nonet-prove-%d-%d", (int)worker, number);
}

void prove_scene_remove(pid_t worker, int number)
{
	char directory[64];

	name_directory(directory, sizeof(directory), worker, number);
	if (access(directory, F_OK) < 0)
		return;
	prove_shelf_empty(directory);
	rmdir(directory);
}

void prove_scene_init(struct prove_scene *scene, int number, nonet_time patience)
{
	struct prove_run *run = &scene->run;

	*scene = (struct prove_scene){.words_to_cast = -1, .number = number};
	run->patience = patience;
	run->role = PROVE_ROLES; /* the machine has none */
	run->shared = mmap(NULL, sizeof(*run->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run->shared == MAP_FAILED)
		prove_broken("no memory");
	name_directory(run->directory, sizeof(run->directory), getpid(), number);
	if (mkdir(run->directory, 0700) < 0)
		prove_broken("%s: %s", run->directory, strerror(errno));
}

static void cast_leaves(struct prove_scene *scene)
{
	prove_actor_kill(&scene->cast);
	if (scene->words_to_cast >= 0)
		close(scene->words_to_cast);
	scene->words_to_cast = -1;
	scene->shelf = prove_shelf_free(scene->shelf);
}

void prove_scene_done(struct prove_scene *scene)
{
	cast_leaves(scene);
	prove_scene_remove(getpid(), scene->number);
	munmap(scene->run.shared, sizeof(*scene->run.shared));
}

/* The cast's end of its socket, in the one moment in which it is forked. */
static int cast_socket = -1;

static void cast(struct prove_run *run)
{
	char word;

	run->operation->prepare(run);
	if (send(cast_socket, "p", 1, MSG_NOSIGNAL) < 0)
		return;
	while (recv(cast_socket, &word, 1, 0) == 1) {
		if (run->operation->release)
			run->operation->release(run);
		if (send(cast_socket, "d", 1, MSG_NOSIGNAL) < 0)
			return;
	}
}

/* The cast has done what it was told. */
static bool cast_answers(struct prove_scene *scene)
{
	struct pollfd fds[] = {{.fd = scene->words_to_cast, .events = POLLIN},
			       {.fd = scene->cast.pidfd, .events = POLLIN}};
	char word;

	if (test_poll(fds, 2, test_deadline()) > 0 && fds[0].revents & POLLIN &&
	    recv(scene->words_to_cast, &word, 1, 0) == 1)
		return true;
	prove_failed(&scene->run, "the cast of %s in state %s %s", scene->run.operation->name, scene->run.state,
		     fds[1].revents ? "ended" : "hangs");
	return false;
}

bool prove_scene_prepare(struct prove_scene *scene, const struct prove_operation *operation, const char *state)
{
	struct prove_run *run = &scene->run;
	int sockets[2];

	cast_leaves(scene);
	prove_shelf_empty(run->directory);
	run->operation = operation;
	run->state = state;
	prove_run_reset(run);
	for (size_t i = 0; i < PROVE_WORDS; i++)
		prove_store(run, i, 0);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		prove_broken("no socket pair: %s", strerror(errno));
	cast_socket = sockets[1];
	scene->words_to_cast = sockets[0];
	prove_actor_start(&scene->cast, run, PROVE_CAST, cast);
	close(sockets[1]);
	if (!cast_answers(scene))
		return false;
	for (size_t i = 0; i < PROVE_WORDS; i++)
		scene->words[i] = prove_load(run, i);
	scene->shelf = prove_shelf_new(run->directory);
	return true;
}

/* Companions whose parent was killed are the worker's: between two runs it has no other child than the cast. */
static void reap_strays(const struct prove_scene *scene)
{
	siginfo_t ended = {0};

	while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0 &&
	       ended.si_pid != scene->cast.pid) {
		waitpid(ended.si_pid, NULL, 0);
		ended.si_pid = 0;
	}
}

bool prove_scene_restore(struct prove_scene *scene)
{
	struct prove_run *run = &scene->run;

	reap_strays(scene);
	if (run->operation->fresh || !scene->shelf || !prove_shelf_restore(scene->shelf))
		return prove_scene_prepare(scene, run->operation, run->state);
	prove_run_reset(run);
	for (size_t i = 0; i < PROVE_WORDS; i++)
		prove_store(run, i, scene->words[i]);
	return true;
}

void prove_scene_let_go(struct prove_run *run)
{
	struct prove_scene *scene = scene_of(run);

	struct prove_side *side = &run->shared->sides[PROVE_CAST];

	if (!run->operation->release || atomic_load(&side->returned_at) != 0)
		return;
	if (send(scene->words_to_cast, "r", 1, MSG_NOSIGNAL) == 1)
		cast_answers(scene);
	atomic_store(&side->returned_at, test_clock());
	prove_tell(run);
}

uint64_t prove_scene_hash(const struct prove_scene *scene)
{
	return prove_shelf_hash(scene->run.directory);
}
