/* SPDX-License-Identifier: Apache-2.0 */
/* Owners that dump core: the dump can take seconds, and the kernel marks nobody's death before it is over. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "domain/life.h"
#include "harness/domain.h"
#include "harness/process.h"
#include "harness/prove.h"
#include "harness/sanitizer.h"
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

struct dumping {
	const char *directory;
	size_t resident;
};

static int hold_and_dump(struct test_child_side *side, void *argument)
{
	const struct dumping *dumping = argument;
	struct rlimit limit;
	struct nonet_mutex *mutex = reach();
	unsigned char *memory =
		mmap(NULL, dumping->resident, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	test_check(memory != MAP_FAILED);
	for (size_t i = 0; i < dumping->resident; i += 4096)
		memory[i] = 1;
	test_must(getrlimit(RLIMIT_CORE, &limit));
	limit.rlim_cur = limit.rlim_max;
	test_must(setrlimit(RLIMIT_CORE, &limit));
	test_must(prctl(PR_SET_DUMPABLE, 1));
	signal(SIGABRT, SIG_DFL);
	/* "core" is a name in the working directory. */
	test_must(chdir(dumping->directory));
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static bool cores_are_files(void)
{
	struct rlimit limit;
	char pattern[128];

	/* Who may not raise it may have none. */
	test_must(getrlimit(RLIMIT_CORE, &limit));
	if (limit.rlim_max == 0)
		return false;
	test_read_file("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern));
	return strcmp(pattern, "core") == 0;
}

static int take_over(struct test_child_side *side, void *argument)
{
	_Atomic int64_t *taken_at = argument;
	struct nonet_mutex *mutex = reach();

	test_report(side, "ready");
	test_check_equal(nonet_mutex_lock(mutex, nonet_after(NONET_S(60))), -EOWNERDEAD);
	atomic_store(taken_at, nonet_clock());
	test_check_equal(nonet_mutex_recover(mutex), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(an_owner_that_dumps_core_is_taken_over_meanwhile)
{
	struct dumping dumping = {.directory = test_directory_new(), .resident = (size_t)512 << 20};
	const uint64_t turns = test_scaled(20);
	struct nonet_mutex *mutex = make();
	nonet_time latest = 0;
	uint64_t late = 0;
	_Atomic int64_t *taken_at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)side;
	(void)argument;
	test_check(taken_at != MAP_FAILED);
	if (!cores_are_files() || TEST_SANITIZED) {
		test_note("cores aren't files named core here, RLIMIT_CORE forbids them, or there is a sanitizer: this "
			  "isn't tested");
	} else {
		for (uint64_t i = 0; i < turns; i++) {
			struct test_child *owner = test_child_until(hold_and_dump, &dumping);
			struct test_child *sleeper = test_child_until(take_over, (void *)taken_at);
			nonet_time killed;

			test_child_wait_blocked(sleeper);
			killed = nonet_clock();
			test_must(kill(test_child_pid(owner), SIGABRT));
			test_check_equal(test_child_join(sleeper), 0);
			killed = *taken_at - killed;
			latest = killed > latest ? killed : latest;
			late += killed > NONET_MS(200);
			/* The dump isn't needed any more. */
			(void)kill(test_child_pid(owner), SIGKILL);
			(void)test_child_join(owner);
			(void)unlink(test_path(dumping.directory, "core"));
		}
		test_note("owners that dump 512 MiB: the next one had it after %lld us at most",
			  (long long)latest / 1000);
		test_prove("mutex-lock", 6, turns, late);
	}
	nonet_mutex_close(mutex);
	munmap((void *)taken_at, 4096);
	test_directory_free(dumping.directory);
	return 0;
}

#define BUFFER ((size_t)64 << 20)

struct reading {
	struct dumping dumping; /* first: hold_and_dump()'s argument */
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
	struct rlimit limit;
	struct reading *reading = argument;
	const nonet_time delay = test_random_next(&(struct test_random){.state = (uint64_t)getpid()}) % NONET_MS(5);
	nonet_time until;
	pthread_t thread;

	test_must(getrlimit(RLIMIT_CORE, &limit));
	limit.rlim_cur = limit.rlim_max;
	test_must(setrlimit(RLIMIT_CORE, &limit));
	test_must(chdir(reading->dumping.directory));
	signal(SIGABRT, SIG_DFL);
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
	(void)kill(test_child_pid(child), SIGKILL);
	(void)test_child_join(child);
	(void)unlink(test_path(reading->dumping.directory, "core"));
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EOWNERDEAD);
	test_check_equal(nonet_mutex_recover(mutex), 0);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	return written(reading->buffer) != seen;
}

DOMAIN_TEST(nothing_is_written_once_a_dump_is_taken_for_a_death)
{
	struct reading reading = {.dumping.directory = test_directory_new(),
				  .file = memfd_create("zeros", MFD_CLOEXEC)};
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
	if (!cores_are_files() || TEST_SANITIZED) {
		test_note("cores aren't files named core here, RLIMIT_CORE forbids them, or there is a sanitizer: this "
			  "isn't tested");
	} else {
		for (uint64_t i = 0; i < turns; i++)
			bad += dump_once(mutex, &reading);
		test_prove("mutex-lock", 6, turns, bad);
	}
	nonet_mutex_close(mutex);
	close(reading.file);
	munmap(reading.buffer, BUFFER + 4096);
	test_directory_free(reading.dumping.directory);
	return 0;
}

static const struct test_fixture long_one = {.time = NONET_S(240)};

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(an_owner_that_dumps_core_is_taken_over_meanwhile, &long_one),
		test_case_with(nothing_is_written_once_a_dump_is_taken_for_a_death, &long_one),
	};
	return test_main(tests);
}
