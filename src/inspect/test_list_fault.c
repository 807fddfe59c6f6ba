/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include <nonet/inspect.h>

#include "harness/fault.h"
#include "harness/test.h"

/*
 * Looking around, with every one of its system calls failing in turn. Not the names in directories and the descriptors
 * of processes: how many there are isn't the test's to say; a directory and the reading of a link are in it all the
 * same.
 */
#define KERNELS                                                                                     \
	(NONET_INSPECT_SCHEME(NONET_SCHEME_POSIXMQ) | NONET_INSPECT_SCHEME(NONET_SCHEME_POSIXSEM) | \
	 NONET_INSPECT_SCHEME(NONET_SCHEME_POSIXSHM) | NONET_INSPECT_SCHEME(NONET_SCHEME_SYSVMSG) | \
	 NONET_INSPECT_SCHEME(NONET_SCHEME_SYSVSEM) | NONET_INSPECT_SCHEME(NONET_SCHEME_SYSVSHM))

struct world {
	char name[64];
	int queue;
	mqd_t posix;
	sem_t *semaphore;
};

static int new_world(void **ret_state)
{
	/* Small, since they count against RLIMIT_MSGQUEUE of all processes of the user. */
	struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 16};
	struct world *world = calloc(1, sizeof(*world));

	test_check(world != NULL);
	strcpy(world->name, "/");
	strcat(world->name, test_name("fault"));
	world->queue = test_must(msgget(IPC_PRIVATE, 0600));
	world->posix = test_must(mq_open(world->name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes));
	world->semaphore = sem_open(world->name, O_CREAT | O_EXCL, 0600, 1);
	test_check(world->semaphore != SEM_FAILED);
	*ret_state = world;
	return 0;
}

static void free_world(void *state)
{
	struct world *world = state;

	test_must(msgctl(world->queue, IPC_RMID, NULL));
	test_must(mq_close(world->posix));
	test_must(mq_unlink(world->name));
	test_must(sem_close(world->semaphore));
	test_must(sem_unlink(world->name));
	free(world);
}

static int run_look(void *state, void *outputs)
{
	(void)state;
	return nonet_inspect_objects(KERNELS, NONET_FOREVER, outputs, NULL);
}

static void free_list(void *state, void *outputs)
{
	struct nonet_inspect_list **list = outputs;
	const struct nonet_inspect_coverage *coverage = nonet_inspect_get_coverage(*list);

	(void)state;
	/* What isn't shown is owned up to. */
	test_check(nonet_inspect_count(*list) >= 3 || coverage->places > 0 || coverage->no_queues);
	nonet_inspect_free(*list);
}

static void looking_fails_cleanly(void **state)
{
	/* Others come and go, so that another call than in the first run may be hit, and fail as that one does. */
	static const int allowed[] = {-ENOMEM, -EMFILE, -ENFILE, 0};

	(void)state;
	test_fault_sweep(&(struct test_operation){
		.name = "inspect objects",
		.setup = new_world,
		.run = run_look,
		.release = free_list,
		.teardown = free_world,
		.outputs_size = sizeof(struct nonet_inspect_list *),
		.allowed = allowed,
		.persistent = true,
	});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(looking_fails_cleanly),
	};
	return test_main(tests);
}
