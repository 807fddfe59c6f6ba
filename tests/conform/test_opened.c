/* SPDX-License-Identifier: Apache-2.0 */
/* What lies where a file should be isn't opened: that alone lets the peer of a FIFO through, or rewinds a tape. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

static const char *directory; /* mapped files and locks */
static char path[150];
static char address[200];

static int set_up(void **state)
{
	(void)state;
	directory = test_directory_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture world = {.setup = set_up, .teardown = tear_down};

static void name_in_directory(const char *scheme)
{
	snprintf(path, sizeof(path), "%s", test_path(directory, "file"));
	snprintf(address, sizeof(address), "%s%s", scheme, path);
}

static void name_in_shm(const char *scheme, const char *prefix)
{
	const char *name = test_name("opened");

	snprintf(path, sizeof(path), "/dev/shm/%s%s", prefix, name);
	snprintf(address, sizeof(address), "%s/%s", scheme, name);
}

static int map(uint32_t flags)
{
	const struct nonet_mapfile_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_mapfile *mapfile = NULL;
	int error;

	name_in_directory("");
	error = nonet_mapfile_open(path, &options, &mapfile, NULL);
	nonet_mapfile_close(mapfile);
	return error;
}

static int map_to_read(void)
{
	return map(NONET_MAPFILE_READ_ONLY);
}

static int map_to_write(void)
{
	return map(0);
}

static int open_memory(uint32_t flags)
{
	const struct nonet_memory_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_memory *memory = NULL;
	int error = nonet_memory_open(address, &options, &memory, NULL);

	nonet_memory_close(memory);
	return error;
}

static int open_memory_to_read(void)
{
	return open_memory(NONET_MEMORY_READ_ONLY);
}

static int open_memory_to_write(void)
{
	return open_memory(0);
}

static int open_semaphore(void)
{
	struct nonet_semaphore *semaphore = NULL;
	int error = nonet_semaphore_open(address, NULL, NONET_NOW, &semaphore, NULL);

	nonet_semaphore_close(semaphore);
	return error;
}

static int open_lock(void)
{
	struct nonet_filelock *lock = NULL;
	int error = nonet_filelock_open(address, NULL, &lock, NULL);

	nonet_filelock_close(lock);
	return error;
}

static int list(void)
{
	struct nonet_inspect_list *found = NULL;
	int error = nonet_inspect_objects(NONET_INSPECT_ALL, NONET_FOREVER, &found, NULL);

	nonet_inspect_free(found);
	return error;
}

/* Each with the name that it would be found by. */
static const struct opener {
	const char *what;
	int (*open)(void);
	const char *scheme;
	const char *shm; /* what files in /dev/shm begin with; NULL: it is in the directory */
	int refused;
} openers[] = {
	{"a file to be mapped read-only", map_to_read, "", NULL, -ENOTSUP},
	{"a file to be mapped", map_to_write, "", NULL, -ENOTSUP},
	{"memory, read-only", open_memory_to_read, "posixshm:", "", -ENOTSUP},
	{"memory", open_memory_to_write, "posixshm:", "", -ENOTSUP},
	{"a semaphore", open_semaphore, "posixsem:", "sem.", -ENOTSUP},
	{"a locked file", open_lock, "ofdlock:", NULL, -ENOTSUP},
	{"all semaphores", list, "posixsem:", "sem.", 0},
};

static void name_it(const struct opener *opener)
{
	if (opener->shm)
		name_in_shm(opener->scheme, opener->shm);
	else
		name_in_directory(opener->scheme);
}

static int watch(void)
{
	int watcher = (int)test_must(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));

	test_must(inotify_add_watch(watcher, path, IN_OPEN));
	return watcher;
}

static bool was_opened(int watcher)
{
	struct inotify_event events[10];

	return read(watcher, events, sizeof(events)) > 0;
}

static void refuse_unopened(const struct opener *opener)
{
	int watcher = watch();

	test_check_equal(opener->open(), opener->refused);
	if (was_opened(watcher))
		test_fail("%s: %s was opened", opener->what, path);
	/* And the watch sees what it is to see. */
	close((int)test_must(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)));
	test_check(was_opened(watcher));
	close(watcher);
	test_must(unlink(path));
}

static void a_fifo_is_refused_unopened(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
		name_it(&openers[i]);
		test_must(mkfifo(path, 0600));
		refuse_unopened(&openers[i]);
	}
}

static void a_device_is_refused_unopened(void **state)
{
	const dev_t null = 1 << 8 | 3;

	(void)state;
	test_skip_unless_root("to make a device");
	for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
		name_it(&openers[i]);
		test_must(mknod(path, S_IFCHR | 0600, null));
		refuse_unopened(&openers[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_fifo_is_refused_unopened, &world),
		test_case_with(a_device_is_refused_unopened, &world),
	};

	return test_main(tests);
}
