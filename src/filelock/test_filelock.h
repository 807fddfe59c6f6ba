/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILELOCK_TEST_FILELOCK_H
#define FILELOCK_TEST_FILELOCK_H

#include <nonet/filelock.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/test.h"

/* What the tests of file locks share: a directory with one file, and handles by scheme. */

#define SHARED    NONET_FILELOCK_SHARED
#define EXCLUSIVE NONET_FILELOCK_EXCLUSIVE

static const char *const schemes[] = {"ofdlock", "posixlock", "flock"};
#define SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

static const char *directory;
static const char *path;

static const struct nonet_filelock_options creates = {.size = sizeof(creates), .flags = NONET_FILELOCK_CREATE};
static const struct nonet_filelock_options reads = {.size = sizeof(reads), .flags = NONET_FILELOCK_READ_ONLY};

static inline int make_file(void **state)
{
	(void)state;
	directory = test_directory_new();
	path = test_path(directory, "lock");
	return close((int)test_must(open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600)));
}

static inline int remove_file(void **state)
{
	(void)state;
	(void)unlink(path);
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture with_file = {.setup = make_file, .teardown = remove_file};

static inline int try_open(const char *scheme, const char *name, const struct nonet_filelock_options *options,
			   struct nonet_filelock **ret_lock, struct nonet_error *reterr)
{
	char address[256];

	snprintf(address, sizeof(address), "%s:%s", scheme, name);
	return nonet_filelock_open(address, options, ret_lock, reterr);
}

static inline struct nonet_filelock *open_lock(const char *scheme, const struct nonet_filelock_options *options)
{
	struct nonet_filelock *lock = NULL;
	struct nonet_error error;

	if (try_open(scheme, path, options, &lock, &error) < 0)
		test_fail("%s", error.text);
	return lock;
}

/* Whether another process could lock the file exclusively, by its own means. */
static inline int lock_by_hand(struct test_child_side *side, void *argument)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = (int)test_must(open(argument, O_RDWR | O_CLOEXEC));

	(void)side;
	return fcntl(fd, F_SETLK, &range) == 0;
}

static inline bool others_can_lock(void)
{
	return test_child_join(test_child_start(lock_by_hand, (void *)path)) == 1;
}

#endif
