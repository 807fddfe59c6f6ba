/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer who writes what he chose, where he chose: sizes and numbers in the files of objects, before they are opened,
 * and between the look at them and their use. The others of this suite write at random.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/mutex.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>

#include "domain/object_layout.h"
#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "semaphore/semaphore_layout.h"
#include "sync/rwlock.h"
#include "sys/files.h"

#define PERMITS 3

/* An object's file, as the peer has it. */
struct file {
	int fd;
	ino_t number;
	size_t size;
	uint8_t *base;
};

static struct file file_of(const char *directory, const char *name)
{
	struct file file;
	struct stat status;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file.fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
	test_must(fstat(file.fd, &status));
	file.number = status.st_ino;
	file.size = (size_t)status.st_size;
	file.base = mmap(NULL, file.size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
	test_check(file.base != MAP_FAILED);
	return file;
}

static void file_done(struct file *file)
{
	munmap(file->base, file->size);
	close(file->fd);
}

static int open_mutex(void)
{
	struct nonet_mutex *mutex = NULL;
	const int result = nonet_mutex_open("mutex:m", &mutex, NULL);

	nonet_mutex_close(mutex);
	return result;
}

static int open_rwlock(void)
{
	struct nonet_rwlock *rwlock = NULL;
	const int result = nonet_rwlock_open("rwlock:r", &rwlock, NULL);

	nonet_rwlock_close(rwlock);
	return result;
}

static int open_semaphore(void)
{
	struct nonet_semaphore *semaphore = NULL;
	const int result = nonet_semaphore_open("semaphore:s", NULL, NONET_NOW, &semaphore, NULL);

	nonet_semaphore_close(semaphore);
	return result;
}

static const struct kind {
	const char *name;
	const char *file;
	int (*open)(void);
} kinds[] = {
	{"mutex", "m.mutex", open_mutex},
	{"rwlock", "r.rwlock", open_rwlock},
	{"semaphore", "s.semaphore", open_semaphore},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void make_all(void)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = PERMITS};
	struct nonet_mutex *mutex = NULL;
	struct nonet_rwlock *rwlock = NULL;
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	test_check_equal(nonet_rwlock_create("rwlock:r", NULL, &rwlock, NULL), 0);
	test_check_equal(nonet_semaphore_create("semaphore:s", &options, NONET_NOW, &semaphore, NULL), 0);
	nonet_mutex_close(mutex);
	nonet_rwlock_close(rwlock);
	nonet_semaphore_close(semaphore);
}

DOMAIN_TEST(a_size_that_isnt_the_files_is_refused)
{
	uint64_t points = 0;

	(void)side;
	make_all();
	for (size_t i = 0; i < KINDS; i++) {
		struct file file = file_of(argument, kinds[i].file);
		struct object_header *header = (struct object_header *)file.base;
		const uint64_t size = header->size;
		const uint64_t sizes[] = {0,        1,          size - 8,   size + 8,
					  2 * size, UINT32_MAX, UINT64_MAX, UINT64_MAX - 8191};

		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			header->size = sizes[j];
			test_check_equal(kinds[i].open(), -EPROTO);
		}
		header->size = size;
		test_check_equal(kinds[i].open(), 0);
		/* And the file another than it says. */
		test_must(ftruncate(file.fd, (off_t)(file.size + 4096)));
		test_check_equal(kinds[i].open(), -EPROTO);
		test_must(ftruncate(file.fd, (off_t)OBJECT_PAYLOAD));
		test_check_equal(kinds[i].open(), -EPROTO);
		file_done(&file);
		points += sizeof(sizes) / sizeof(sizes[0]) + 2;
	}
	test_prove("object open", 8, points, 0);
	return 0;
}

DOMAIN_TEST(a_number_for_which_there_is_no_room_is_refused)
{
	static const uint32_t permits[] = {0, PERMITS - 1, PERMITS + 1, SEMAPHORE_PERMITS, SEMAPHORE_COUNT, UINT32_MAX};
	struct file file;
	struct semaphore_shared *semaphore;
	struct rwlock_shared *rwlock;
	uint32_t number;

	(void)side;
	make_all();
	file = file_of(argument, "s.semaphore");
	semaphore = (struct semaphore_shared *)(file.base + OBJECT_PAYLOAD);
	for (size_t i = 0; i < sizeof(permits) / sizeof(permits[0]); i++) {
		semaphore->maximum = permits[i];
		test_check_equal(open_semaphore(), -EBADMSG);
	}
	semaphore->maximum = PERMITS;
	semaphore->flags = SEMAPHORE_SIGNALS;
	test_check_equal(open_semaphore(), -EBADMSG);
	semaphore->flags = 0;
	test_check_equal(open_semaphore(), 0);
	file_done(&file);

	file = file_of(argument, "r.rwlock");
	rwlock = (struct rwlock_shared *)(file.base + OBJECT_PAYLOAD);
	number = rwlock->number;
	{
		const uint32_t places[] = {0, 1, number / 2, number - 1, number * 2, UINT32_MAX};

		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			rwlock->number = places[i];
			test_check_equal(open_rwlock(), -EBADMSG);
		}
	}
	rwlock->number = number;
	test_check_equal(open_rwlock(), 0);
	file_done(&file);
	test_prove("object open", 8, sizeof(permits) / sizeof(permits[0]) + 1 + 6, 0);
	return 0;
}

/* What the peer does as soon as a file of his has been looked at, and is closed: what follows is read by then. */
static struct file watched;
static uint32_t *target;
static uint32_t written;

static bool write_now(int fd, dev_t device, ino_t number)
{
	(void)fd;
	(void)device;
	if (number == watched.number)
		*target = written;
	return false;
}

DOMAIN_TEST(what_is_changed_after_the_look_is_no_bound)
{
	static const uint32_t numbers[] = {0, 1, PERMITS + 1, 4096, SEMAPHORE_PERMITS, UINT32_MAX};
	struct nonet_semaphore_info info;
	struct rwlock_shared *rwlock_shared;
	uint32_t number;

	(void)side;
	make_all();
	watched = file_of(argument, "s.semaphore");
	target = &((struct semaphore_shared *)(watched.base + OBJECT_PAYLOAD))->maximum;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct nonet_semaphore *semaphore = NULL;

		written = numbers[i];
		sys_set_close_keeper(write_now);
		test_check_equal(nonet_semaphore_open("semaphore:s", NULL, NONET_NOW, &semaphore, NULL), 0);
		sys_set_close_keeper(NULL);
		/* It was written. */
		test_check_equal(*target, numbers[i]);
		test_check_equal(nonet_semaphore_look(semaphore, &info), 0);
		test_check_equal(info.maximum, PERMITS);
		test_check_equal(info.value, PERMITS);
		test_check_equal(nonet_semaphore_wait(semaphore, PERMITS, 0, NONET_NOW), 0);
		test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), -EAGAIN);
		test_check_equal(nonet_semaphore_post(semaphore, PERMITS, 0), 0);
		nonet_semaphore_close(semaphore);
		*target = PERMITS;
	}
	file_done(&watched);

	watched = file_of(argument, "r.rwlock");
	rwlock_shared = (struct rwlock_shared *)(watched.base + OBJECT_PAYLOAD);
	target = &rwlock_shared->number;
	number = rwlock_shared->number;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct nonet_rwlock *rwlock = NULL;
		int result;

		written = numbers[i];
		sys_set_close_keeper(write_now);
		result = nonet_rwlock_open("rwlock:r", &rwlock, NULL);
		sys_set_close_keeper(NULL);
		test_check_equal(*target, numbers[i]);
		test_check(result == -EBADMSG || (result == 0 && rwlock->number == number));
		nonet_rwlock_close(rwlock);
		rwlock_shared->number = number;
	}
	file_done(&watched);
	test_prove("object open", 8, 2 * sizeof(numbers) / sizeof(numbers[0]), 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_size_that_isnt_the_files_is_refused),
		test_case(a_number_for_which_there_is_no_room_is_refused),
		test_case(what_is_changed_after_the_look_is_no_bound),
	};
	return test_main(tests);
}
