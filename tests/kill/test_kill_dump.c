/* SPDX-License-Identifier: Apache-2.0 */
/* Owners that dump core are taken for dead meanwhile (row_notice), but not before they have written their last. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "domain/life.h"
#include "harness/core.h"
#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "sync/mutex.h"

static struct nonet_mutex *make(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	return mutex;
}

static struct nonet_mutex *reach(void)
{
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	return mutex;
}

#define BUFFER ((size_t)64 << 20)

struct reading {
	const char *directory; /* for the core */
	unsigned char *buffer;
	int file;
	_Atomic int *reads;
};

static void *read_with_it(void *argument)
{
	const struct reading *reading = argument;
	struct nonet_mutex *mutex = reach();

	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	atomic_store(reading->reads, 1);
	test_check_equal(pread(reading->file, reading->buffer, BUFFER, 0), BUFFER);
	atomic_store(reading->reads, 2);
	return NULL;
}

/* One thread is the owner, inside a system call that writes to what the mutex guards; another has the accident. */
static int dump_beside_a_reader(struct test_child_side *side, void *argument)
{
	struct reading *reading = argument;
	const nonet_time delay = test_random_next(&(struct test_random){.state = (uint64_t)getpid()}) % NONET_MS(5);
	nonet_time until;
	pthread_t thread;

	test_core_in(reading->directory);
	test_check_equal(pthread_create(&thread, NULL, read_with_it, reading), 0);
	while (!atomic_load(reading->reads))
		sched_yield();
	test_report(side, "ready");
	until = nonet_clock() + delay;
	while (nonet_clock() < until)
		sched_yield();
	abort();
}

/* Where the zeros that are read end. */
static size_t written(const unsigned char *buffer)
{
	size_t page = 0;

	while (page < BUFFER / 4096 && buffer[page * 4096] == 0)
		page++;
	return page;
}

/* Return: 1, it was still written after the verdict. */
static uint64_t dump_once(struct nonet_mutex *mutex, struct reading *reading)
{
	struct test_child *child;
	uint64_t owner;
	size_t seen;
	int result;

	memset(reading->buffer, 0xff, BUFFER);
	atomic_store(reading->reads, 0);
	child = test_child_until(dump_beside_a_reader, reading);
	owner = atomic_load(&mutex->shared->claim);
	do
		result = life_look(mutex->object.domain, owner);
	while (result == 0);
	test_check_equal(result, 1);
	seen = written(reading->buffer);
	test_core_end(child, reading->directory);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EOWNERDEAD);
	test_check_equal(nonet_mutex_recover(mutex), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	return written(reading->buffer) != seen;
}

DOMAIN_TEST(nothing_is_written_once_a_dump_is_taken_for_a_death)
{
	struct reading reading = {.directory = test_directory_new(), .file = memfd_create("zeros", MFD_CLOEXEC)};
	const uint64_t turns = test_scaled(60);
	struct nonet_mutex *mutex = make();
	uint64_t bad = 0;

	(void)side;
	(void)argument;
	reading.buffer = mmap(NULL, BUFFER + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	test_check(reading.buffer != MAP_FAILED);
	reading.reads = (_Atomic int *)(reading.buffer + BUFFER);
	test_must(ftruncate(reading.file, (off_t)BUFFER));
	/* What is read into isn't what is to be dumped: that would only take time. */
	test_must(madvise(reading.buffer, BUFFER, MADV_DONTDUMP));
	if (test_cores_are_files()) {
		for (uint64_t i = 0; i < turns; i++)
			bad += dump_once(mutex, &reading);
		test_prove("mutex-lock", 6, turns, bad);
	} else {
		test_prove_not("mutex-lock", 6, TEST_NO_CORES);
	}
	nonet_mutex_close(mutex);
	close(reading.file);
	munmap(reading.buffer, BUFFER + 4096);
	test_directory_free(reading.directory);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(nothing_is_written_once_a_dump_is_taken_for_a_death, &long_one),
	};
	return test_main(tests);
}
