/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/domain.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/deadline.h"
#include "harness/names.h"

const char *test_domain_new(void)
{
	static char path[256];

	snprintf(path, sizeof(path), "/dev/shm/%s", test_name("domain"));
	test_check(mkdir(path, 0700) == 0);
	test_check(setenv("NONET_DOMAIN", path, 1) == 0);
	return path;
}

void test_domain_free_files(const char *directory)
{
	const struct dirent *entry;
	DIR *opened = opendir(directory);

	test_check(opened != NULL);
	while (opened && (entry = readdir(opened)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			test_check(unlinkat(dirfd(opened), entry->d_name, 0) == 0);
	if (opened)
		closedir(opened);
	test_check(rmdir(directory) == 0);
}

void test_domain_free(const char *directory)
{
	test_domain_free_files(directory);
	test_check(unsetenv("NONET_DOMAIN") == 0);
}

void test_domain_run_at(const char *file, int line, const char *name, test_child_function *function)
{
	const char *directory = test_domain_new();
	struct test_child *child = test_child_start_at(file, line, name, function, (void *)directory);
	struct pollfd ended = {.fd = test_child_pidfd(child), .events = POLLIN};
	int status;

	/* The test as a whole is the watchdog's to bound. */
	(void)test_poll(&ended, 1, NONET_FOREVER);
	/* First, since a child that failed ends the test here. */
	test_domain_free(directory);
	status = test_child_join_at(file, line, child);
	test_check_equal(status, 0);
}
