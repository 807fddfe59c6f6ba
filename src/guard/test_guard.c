/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "guard/test_guard.h"

/* Cmocka takes SIGBUS for itself around each test, so the handler is put over that by hand. */
static struct nonet_memory *new_guarded(size_t pages)
{
	test_check_equal(nonet_guard_install(NULL), 0);
	return new_memory(pages);
}

static void what_is_cut_off_reads_as_zeros(void **state)
{
	struct nonet_memory *memory = new_guarded(4);
	uint8_t *base = nonet_memory_base(memory);

	(void)state;
	truncate_memory(memory, 2);
	assert_int_equal(nonet_memory_check(memory), 0);
	assert_int_equal(touch(base + PAGE), 2);
	assert_int_equal(touch(base + 3 * PAGE), 0);
	assert_int_equal(nonet_memory_check(memory), -EBADMSG);
	/* What is there stays; what stands for the hole is memory like any other. */
	assert_int_equal(touch(base + PAGE), 2);
	store(base + 3 * PAGE + 1, 7);
	assert_int_equal(touch(base + 3 * PAGE + 1), 7);
	store(base + 2 * PAGE, 8);
	assert_int_equal(touch(base + 2 * PAGE), 8);
	nonet_memory_close(memory);
}

static void every_call_on_damaged_memory_says_so(void **state)
{
	struct nonet_memory *memory = new_guarded(2);
	struct nonet_memory_info info;
	struct nonet_error error;

	(void)state;
	truncate_memory(memory, 0);
	(void)touch(nonet_memory_base(memory));
	assert_int_equal(nonet_memory_grow(memory, 10 * PAGE), -EBADMSG);
	assert_int_equal(nonet_memory_refresh(memory), -EBADMSG);
	assert_int_equal(nonet_memory_info(memory, &info), -EBADMSG);
	assert_int_equal(nonet_memory_seal(memory, NONET_MEMORY_SEAL_SIZE), -EBADMSG);
	nonet_memory_explain(memory, -EBADMSG, &error);
	assert_non_null(strstr(error.text, "truncated"));
	nonet_memory_close(memory);
}

/* A system call that is given the hole says so itself; nobody's instruction faulted. */
static void a_system_call_on_a_hole_is_efault(void **state)
{
	struct nonet_memory *memory = new_guarded(1);
	int ends[2];

	(void)state;
	test_must(pipe2(ends, O_CLOEXEC));
	truncate_memory(memory, 0);
	assert_int_equal(write(ends[1], nonet_memory_base(memory), 1), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(nonet_memory_check(memory), 0);
	close(ends[0]);
	close(ends[1]);
	nonet_memory_close(memory);
}

static void errno_is_kept(void **state)
{
	struct nonet_memory *memory = new_guarded(1);

	(void)state;
	truncate_memory(memory, 0);
	errno = 12345;
	(void)touch(nonet_memory_base(memory));
	assert_int_equal(errno, 12345);
	nonet_memory_close(memory);
}

static void a_child_has_its_own_holes(void **state)
{
	struct nonet_memory *memory = new_guarded(2);
	pid_t child;
	int status;

	(void)state;
	truncate_memory(memory, 0);
	child = (pid_t)test_must(fork());
	if (child == 0) {
		(void)touch(nonet_memory_base(memory));
		_exit(nonet_memory_check(memory) == -EBADMSG ? 0 : 1);
	}
	test_must(waitpid(child, &status, 0));
	assert_int_equal(status, 0);
	assert_int_equal(nonet_memory_check(memory), 0);
	nonet_memory_close(memory);
}

/* Many at once. */

#define THREADS 8
#define PAGES   256

struct crowd {
	struct nonet_memory *memory;
	pthread_barrier_t barrier;
	atomic_uint wrong;
};

struct person {
	struct crowd *crowd;
	unsigned number;
	pthread_t thread;
};

/* Each has a byte of each page to itself; a page that is replaced twice would lose what the others stored. */
static void *store_everywhere(void *argument)
{
	struct person *person = argument;
	uint8_t *base = nonet_memory_base(person->crowd->memory);

	pthread_barrier_wait(&person->crowd->barrier);
	for (unsigned i = 0; i < PAGES; i++)
		store(base + (size_t)i * PAGE + person->number, (uint8_t)(i + person->number + 1));
	pthread_barrier_wait(&person->crowd->barrier);
	for (unsigned i = 0; i < PAGES; i++)
		if (touch(base + (size_t)i * PAGE + person->number) != (uint8_t)(i + person->number + 1))
			person->crowd->wrong++;
	return NULL;
}

static void many_threads_fault_at_once(void **state)
{
	struct person persons[THREADS];
	struct crowd crowd = {0};

	(void)state;
	for (uint64_t round = test_scaled(200); round > 0; round--) {
		test_watchdog_extend(NONET_S(20));
		crowd.memory = new_guarded(PAGES);
		pthread_barrier_init(&crowd.barrier, NULL, THREADS);
		truncate_memory(crowd.memory, 0);
		for (unsigned i = 0; i < THREADS; i++) {
			persons[i] = (struct person){.crowd = &crowd, .number = i};
			assert_int_equal(pthread_create(&persons[i].thread, NULL, store_everywhere, &persons[i]), 0);
		}
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(persons[i].thread, NULL);
		pthread_barrier_destroy(&crowd.barrier);
		nonet_memory_close(crowd.memory);
	}
	assert_int_equal(crowd.wrong, 0);
}

static void *map_and_fault_and_unmap(void *argument)
{
	struct person *person = argument;
	const uint64_t rounds = test_scaled(2000);

	pthread_barrier_wait(&person->crowd->barrier);
	for (uint64_t i = 0; i < rounds; i++) {
		struct nonet_memory *memory = new_guarded(4);
		uint8_t *base = nonet_memory_base(memory);

		if (i % 2)
			test_check_equal(nonet_memory_grow(memory, (16 + i % 64) * PAGE), 0);
		base = nonet_memory_base(memory);
		truncate_memory(memory, 1);
		if (touch(base) != 1 || touch(base + 3 * PAGE) != 0 || nonet_memory_check(memory) != -EBADMSG)
			person->crowd->wrong++;
		nonet_memory_close(memory);
	}
	return NULL;
}

/* Addresses are used again at once: a handler that lags behind would put its zeros into another's memory. */
static void regions_come_and_go_while_others_fault(void **state)
{
	struct person persons[THREADS];
	struct crowd crowd = {0};

	(void)state;
	test_watchdog_extend(NONET_S(100));
	pthread_barrier_init(&crowd.barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		persons[i] = (struct person){.crowd = &crowd, .number = i};
		assert_int_equal(pthread_create(&persons[i].thread, NULL, map_and_fault_and_unmap, &persons[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(persons[i].thread, NULL);
	pthread_barrier_destroy(&crowd.barrier);
	assert_int_equal(crowd.wrong, 0);
}

/* More regions than one piece of the table has. */
static void three_hundred_regions(void **state)
{
	static struct nonet_memory *memories[300];

	(void)state;
	for (size_t i = 0; i < 300; i++)
		memories[i] = new_guarded(1);
	for (size_t i = 0; i < 300; i += 7) {
		truncate_memory(memories[i], 0);
		assert_int_equal(touch(nonet_memory_base(memories[i])), 0);
	}
	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(nonet_memory_check(memories[i]), i % 7 ? 0 : -EBADMSG);
		nonet_memory_close(memories[i]);
	}
}

/* Every second page is a mapping of its own, until the process has as many as the kernel allows. */
static void more_holes_than_a_process_may_have_mappings(void **state)
{
	const size_t pages = 200000;
	struct nonet_mapfile_options options = {.size = sizeof(options)};
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "file");
	struct nonet_mapfile *mapfile;
	int fd = (int)test_must(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	uint8_t *base;

	(void)state;
	test_must(ftruncate(fd, (off_t)(pages * PAGE)));
	assert_int_equal(nonet_guard_install(NULL), 0);
	assert_int_equal(nonet_mapfile_open(path, &options, &mapfile, NULL), 0);
	test_must(ftruncate(fd, 0));
	base = nonet_mapfile_base(mapfile);
	for (size_t i = 0; i < pages; i += 2)
		assert_int_equal(touch(base + i * PAGE), 0);
	assert_int_equal(nonet_mapfile_check(mapfile), -EBADMSG);
	nonet_mapfile_close(mapfile);
	close(fd);
	unlink(path);
	test_directory_free(directory);
}

/* All of it at once is more than the kernel would promise. */
static void a_region_larger_than_the_machine(void **state)
{
	const size_t size = (size_t)1 << 40;
	int ours = (int)test_must(memfd_create("large", MFD_CLOEXEC));
	int fd = (int)test_must(dup(ours));
	struct nonet_memory *memory;
	uint8_t *base;

	(void)state;
	test_must(ftruncate(ours, (off_t)size));
	assert_int_equal(nonet_guard_install(NULL), 0);
	assert_int_equal(nonet_memory_take_fd(&fd, NULL, &memory, NULL), 0);
	test_must(ftruncate(ours, 0));
	base = nonet_memory_base(memory);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(touch(base + i * 2 * PAGE), 0);
	store(base + size - PAGE, 1);
	assert_int_equal(nonet_memory_check(memory), -EBADMSG);
	nonet_memory_close(memory);
	close(ours);
}

static int fault_behind_the_limit(struct test_child_side *side, void *argument)
{
	const struct rlimit none = {0};
	struct nonet_memory *memory = new_guarded(64);

	(void)side;
	(void)argument;
	test_must(setrlimit(RLIMIT_DATA, &none));
	truncate_memory(memory, 0);
	for (size_t i = 0; i < 64; i++)
		store((uint8_t *)nonet_memory_base(memory) + i * PAGE, 1);
	test_check_equal(nonet_memory_check(memory), -EBADMSG);
	nonet_memory_close(memory);
	return 0;
}

static void a_limit_of_private_memory_is_no_death(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_start(fault_behind_the_limit, NULL)), 0);
}

/* The storm's handler has holes of its own, from the region's end downwards. */
#define STORM_PAGES 512

static uint8_t *_Atomic storm_base;
static atomic_size_t storm_touched;

static void touch_next(int number)
{
	uint8_t *base = atomic_load(&storm_base);

	(void)number;
	if (base)
		(void)touch(base + (STORM_PAGES - 1 - atomic_fetch_add(&storm_touched, 1) % (STORM_PAGES / 2)) * PAGE);
}

/* A signal that comes while a hole is being mended has a handler that falls into the next one. */
static int fault_in_a_storm(struct test_child_side *side, void *argument)
{
	struct itimerval soon = {.it_value.tv_usec = 1};
	const struct itimerval never = {.it_value.tv_usec = 0};

	(void)side;
	(void)argument;
	test_check(signal(SIGALRM, touch_next) != SIG_ERR);
	while (atomic_load(&storm_touched) < 2000) {
		struct nonet_memory *memory = new_guarded(STORM_PAGES);

		truncate_memory(memory, 0);
		atomic_store(&storm_base, (uint8_t *)nonet_memory_base(memory));
		/* One signal a hole: a timer that repeats could leave a slow machine no time for anything else. */
		for (size_t i = 0; i < STORM_PAGES / 2; i++) {
			soon.it_value.tv_usec = 1 + (suseconds_t)(i % 20);
			test_must(setitimer(ITIMER_REAL, &soon, NULL));
			(void)touch((uint8_t *)nonet_memory_base(memory) + i * PAGE);
		}
		test_must(setitimer(ITIMER_REAL, &never, NULL));
		atomic_store(&storm_base, NULL);
		nonet_memory_close(memory);
	}
	return 0;
}

static void a_handler_faults_while_its_thread_mends(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_start(fault_in_a_storm, NULL)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_is_cut_off_reads_as_zeros),
		test_case(every_call_on_damaged_memory_says_so),
		test_case(a_system_call_on_a_hole_is_efault),
		test_case(errno_is_kept),
		test_case(a_child_has_its_own_holes),
		test_case(three_hundred_regions),
		test_case(many_threads_fault_at_once),
		test_case(regions_come_and_go_while_others_fault),
		test_case(more_holes_than_a_process_may_have_mappings),
		test_case(a_region_larger_than_the_machine),
		test_case(a_limit_of_private_memory_is_no_death),
		test_case(a_handler_faults_while_its_thread_mends),
	};

	return test_main(tests);
}
