/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that is cancelled leaves no call half done: none of these is a cancellation point. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

static char addresses[4][200];
static char path[150];
static const char *reached;

#define STEP(call)                  \
	do {                        \
		reached = #call;    \
		test_check((call)); \
	} while (0)

static nonet_time soon(void)
{
	return nonet_after(NONET_MS(2));
}

static void use_queue(const char *address)
{
	struct nonet_queue_message got;
	struct nonet_queue *queue;
	uint64_t count;
	char buffer[8192];

	STEP(nonet_queue_create(address, NULL, &queue, NULL) == 0);
	STEP(nonet_queue_send(queue, "x", 1, NULL, NONET_NOW) == 0);
	STEP(nonet_queue_arm(queue) >= 0);
	STEP(nonet_queue_receive(queue, buffer, sizeof(buffer), NULL, soon(), &got) == 0);
	STEP(nonet_queue_receive(queue, buffer, sizeof(buffer), NULL, NONET_NOW, &got) == -EAGAIN);
	STEP(nonet_queue_receive(queue, buffer, sizeof(buffer), NULL, soon(), &got) == -ETIMEDOUT);
	STEP(nonet_queue_drain(queue, &count) == 0);
	while (nonet_queue_send(queue, buffer, 4096, NULL, NONET_NOW) == 0)
		reached = "send";
	STEP(nonet_queue_send(queue, buffer, 4096, NULL, soon()) == -ETIMEDOUT);
	STEP(nonet_queue_unlink(address, NULL) == 0);
	STEP(nonet_queue_close(queue) == NULL);
}

static void use_semaphore(const char *address)
{
	struct nonet_semaphore *semaphore;

	STEP(nonet_semaphore_create(address, NULL, NONET_NOW, &semaphore, NULL) == 0);
	STEP(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW) == -EAGAIN);
	STEP(nonet_semaphore_wait(semaphore, 1, 0, soon()) == -ETIMEDOUT);
	STEP(nonet_semaphore_arm(semaphore) == 0);
	STEP(nonet_semaphore_post(semaphore, 1, 0) == 0);
	STEP(nonet_semaphore_wait(semaphore, 1, 0, soon()) == 0);
	STEP(nonet_semaphore_unlink(address, NULL) == 0);
	STEP(nonet_semaphore_close(semaphore) == NULL);
}

static void use_lock(const char *scheme)
{
	const struct nonet_filelock_options options = {.size = sizeof(options), .flags = NONET_FILELOCK_CREATE};
	struct nonet_filelock *lock, *other;
	char address[200];

	snprintf(address, sizeof(address), "%s%s", scheme, path);
	STEP(nonet_filelock_open(address, &options, &lock, NULL) == 0);
	STEP(nonet_filelock_open(address, &options, &other, NULL) == 0);
	STEP(nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, NONET_FOREVER) == 0);
	STEP(nonet_filelock_lock(other, NONET_FILELOCK_EXCLUSIVE, NONET_NOW) == -EAGAIN);
	STEP(nonet_filelock_lock(other, NONET_FILELOCK_EXCLUSIVE, soon()) == -ETIMEDOUT);
	STEP(nonet_filelock_unlock(lock) == 0);
	STEP(nonet_filelock_close(other) == NULL);
	STEP(nonet_filelock_close(lock) == NULL);
	test_must(unlink(path));
}

static void use_files(void)
{
	const struct nonet_mapfile_options options = {.size = sizeof(options), .length = 10000};
	const struct nonet_memory_options memory_options = {.size = sizeof(memory_options), .length = 20u << 20};
	struct nonet_mapfile *mapfile, *again;
	struct nonet_memory *memory;
	uint32_t changes;

	STEP(nonet_mapfile_create(path, &options, &mapfile, NULL) == 0);
	STEP(nonet_mapfile_open(path, NULL, &again, NULL) == 0);
	STEP(nonet_mapfile_changed(again, soon(), &changes) == -ETIMEDOUT);
	STEP(nonet_mapfile_grow(mapfile, 20000) == 0);
	STEP(nonet_mapfile_changed(again, soon(), &changes) == 0);
	for (int how = NONET_MAPFILE_START; how <= NONET_MAPFILE_DURABLE; how++)
		STEP(nonet_mapfile_sync(mapfile, 0, 0, (enum nonet_mapfile_sync)how) == 0);
	STEP(nonet_mapfile_close(again) == NULL);
	STEP(nonet_mapfile_close(mapfile) == NULL);
	STEP(nonet_mapfile_unlink(path, NULL) == 0);
	STEP(nonet_memory_new(&memory_options, &memory, NULL) == 0);
	STEP(nonet_memory_close(memory) == NULL);
}

static void *use_all(void *argument)
{
	bool *done = argument;

	pthread_cancel(pthread_self());
	use_queue(addresses[0]);
	use_queue(addresses[1]);
	use_semaphore(addresses[2]);
	use_semaphore(addresses[3]);
	use_lock("ofdlock:");
	use_lock("flock:");
	use_files();
	*done = true;
	pthread_testcancel();
	return NULL;
}

/* A process, whose C library may keep the stacks of its threads. */
static int cancel_a_thread(struct test_child_side *side, void *argument)
{
	pthread_t thread;
	bool done = false;
	void *result;

	(void)side;
	(void)argument;
	test_check_equal(pthread_create(&thread, NULL, use_all, &done), 0);
	pthread_join(thread, &result);
	if (!done)
		test_fail("the thread ended in %s", reached);
	test_check(result == PTHREAD_CANCELED);
	return 0;
}

static void a_cancelled_thread_finishes_what_it_began(void **state)
{
	const char *directory = test_directory_new();

	(void)state;
	snprintf(path, sizeof(path), "%s", test_path(directory, "file"));
	snprintf(addresses[0], sizeof(addresses[0]), "posixmq:/%s", test_name("cancel"));
	snprintf(addresses[1], sizeof(addresses[1]), "sysvmsg:%#x", (unsigned int)test_sysv_key());
	snprintf(addresses[2], sizeof(addresses[2]), "posixsem:/%s", test_name("cancel"));
	snprintf(addresses[3], sizeof(addresses[3]), "sysvsem:%#x", (unsigned int)test_sysv_key());
	test_check_equal(test_child_join(test_child_start(cancel_a_thread, NULL)), 0);
	test_directory_free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_cancelled_thread_finishes_what_it_began),
	};

	return test_main(tests);
}
