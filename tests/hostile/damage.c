/* SPDX-License-Identifier: Apache-2.0 */
/* Truncating, punching, removing and replacing the files of a domain, under those who use them. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/domain_layout.h"
#include "harness/fail.h"
#include "hostile/hostile.h"

static void remove_whatever(int directory, const char *name)
{
	if (unlinkat(directory, name, 0) < 0)
		(void)unlinkat(directory, name, AT_REMOVEDIR);
}

static int file_of_size(int directory, const char *name, off_t size)
{
	const int fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)!ftruncate(fd, size);
	return fd;
}

/* Each may find that a victim was faster: then it does nothing. */
static void do_damage(const struct hostile_plan *plan, int directory, const char *name, struct test_random *random)
{
	int fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat status = {0};
	off_t page;

	if (fd >= 0)
		test_must(fstat(fd, &status));
	page = status.st_size >= 4096 ? (off_t)(test_random_next(random) % 8192 * 4096) % status.st_size : 0;
	switch (test_random_next(random) % 12) {
	case 0:
		(void)!ftruncate(fd, 0);
		break;
	case 1:
		(void)!ftruncate(fd, page);
		break;
	case 2: /* and back again: what was there are holes */
		if (ftruncate(fd, page) == 0)
			(void)!ftruncate(fd, status.st_size);
		break;
	case 3:
		(void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page, 4096);
		break;
	case 4:
		(void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				 status.st_size ? status.st_size : 1);
		break;
	case 5:
		(void)!ftruncate(fd, INT64_C(1) << (20 + test_random_next(random) % 30));
		break;
	case 6:
		remove_whatever(directory, name);
		break;
	case 7:
		remove_whatever(directory, name);
		(void)!mkfifoat(directory, name, 0600);
		break;
	case 8:
		remove_whatever(directory, name);
		(void)!symlinkat(plan->canary, directory, name);
		break;
	case 9:
		remove_whatever(directory, name);
		(void)!mkdirat(directory, name, 0700);
		break;
	case 10:
		remove_whatever(directory, name);
		if (fd >= 0)
			close(fd);
		fd = file_of_size(directory, name, test_random_next(random) % 2 ? (off_t)DOMAIN_SIZE : 12288);
		break;
	default: /* another's file under this name */
		if (test_random_next(random) % 2)
			(void)!renameat(directory, ".domain", directory, name);
		break;
	}
	if (fd >= 0)
		close(fd);
}

void hostile_damage(const struct hostile_plan *plan)
{
	struct test_random random = test_random_init(test_seed(), 78);
	const int directory = (int)test_must(open(plan->directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
	char object[64];

	snprintf(object, sizeof(object), "m.%s", plan->kind->scheme);
	while (!atomic_load(&plan->board->stop)) {
		const char *name = test_random_next(&random) % 2 ? object : ".domain";
		const uint64_t until = atomic_load(&plan->board->calls) + test_random_next(&random) % 100;

		do_damage(plan, directory, name, &random);
		atomic_fetch_add(&plan->board->written, 1);
		/* Victims get to use what is there now. */
		while (atomic_load(&plan->board->calls) < until && !atomic_load(&plan->board->stop))
			sched_yield();
		/* What isn't a file any more would be all that they see. */
		if (test_random_next(&random) % 2)
			remove_whatever(directory, name);
	}
	remove_whatever(directory, object);
	remove_whatever(directory, ".domain");
	close(directory);
}
