/* SPDX-License-Identifier: Apache-2.0 */
/* Another user, who may not be a member: nothing is opened, nothing is written, and his traps aren't walked into. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"

/* Nobody's, as far as we know: not that of a user whose default domain could be in use. */
#define USER  1987654321u
#define OTHER 1987654322u

static void become(uid_t user)
{
	test_must(setgroups(0, NULL));
	test_must(setresgid(user, user, user));
	test_must(setresuid(user, user, user));
}

static int create(const char *address, struct nonet_error *ret_error)
{
	struct nonet_mutex *mutex = NULL;
	const int result = nonet_mutex_create(address, NULL, &mutex, ret_error);

	nonet_mutex_close(mutex);
	return result;
}

struct attempt {
	const char *directory;
	int descriptor;
};

static int try_as_another(struct test_child_side *side, void *argument)
{
	const struct attempt *attempt = argument;
	struct nonet_mutex *mutex = NULL;
	struct nonet_error error;
	char path[64];

	(void)side;
	become(OTHER);
	test_check_equal(nonet_mutex_open("mutex:m", &mutex, &error), -EACCES);
	test_check_equal(create("mutex:m", &error), -EACCES);
	test_check_equal(create("mutex:another", &error), -EACCES);
	test_check_equal(nonet_mutex_unlink("mutex:m", &error), -EACCES);
	/* A descriptor that can only be read, as a careless member might pass it on. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", attempt->descriptor);
	test_check_equal(open(path, O_RDWR | O_CLOEXEC), -1);
	test_check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, attempt->descriptor, 0) == MAP_FAILED);
	test_check_equal(write(attempt->descriptor, "x", 1), -1);
	test_check_equal(ftruncate(attempt->descriptor, 0), -1);
	return 0;
}

static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	test_note("not root: there is no other user, so this isn't tested");
	return false;
}

DOMAIN_TEST(a_domain_is_its_owners)
{
	struct attempt attempt = {.directory = argument};
	static const mode_t modes[] = {0700, 0711, 0755};
	char path[512];

	(void)side;
	if (!is_root())
		return 0;
	test_check_equal(create("mutex:m", NULL), 0);
	snprintf(path, sizeof(path), "%s/.domain", attempt.directory);
	attempt.descriptor = (int)test_must(open(path, O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 3; i++) {
		test_must(chmod(attempt.directory, modes[i]));
		test_check_equal(test_child_join(test_child_start(try_as_another, &attempt)), 0);
	}
	close(attempt.descriptor);
	test_prove("mutex", 18, 3 * 8, 0);
	return 0;
}

/* What somebody may put into /dev/shm before the user comes, where his default domain would be. */
enum trap {
	TRAP_LINK,
	TRAP_ANOTHERS,
	TRAP_OPEN,
	TRAP_FILE,
	TRAP_FIFO,
	TRAPS,
};

static void set_trap(enum trap trap, const char *path, const char *elsewhere)
{
	switch (trap) {
	case TRAP_LINK:
		test_must(symlink(elsewhere, path));
		break;
	case TRAP_ANOTHERS:
		test_must(mkdir(path, 0700));
		test_must(chown(path, OTHER, OTHER));
		break;
	case TRAP_OPEN:
		test_must(mkdir(path, 0700));
		test_must(chown(path, USER, USER));
		test_must(chmod(path, 0750));
		break;
	case TRAP_FILE:
		close((int)test_must(open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666)));
		break;
	case TRAP_FIFO:
	case TRAPS:
		test_must(mkfifo(path, 0666));
		break;
	}
}

static int walk_into_it(struct test_child_side *side, void *argument)
{
	const int *wanted = argument;
	struct nonet_error error;

	(void)side;
	test_must(unsetenv("NONET_DOMAIN"));
	become(USER);
	test_check_equal(create("mutex:m", &error), *wanted);
	test_check(error.text[0] != '\0');
	return 0;
}

DOMAIN_TEST(what_was_laid_in_the_way_is_refused)
{
	static const int wanted[TRAPS] = {[TRAP_LINK] = -ENOTDIR,
					  [TRAP_ANOTHERS] = -EPERM,
					  [TRAP_OPEN] = -EPERM,
					  [TRAP_FILE] = -ENOTDIR,
					  [TRAP_FIFO] = -ENOTDIR};
	struct stat before, after;
	char path[64];

	(void)side;
	if (!is_root())
		return 0;
	test_must(chown(argument, USER, USER));
	test_must(stat(argument, &before));
	snprintf(path, sizeof(path), "/dev/shm/nonet-%u", USER);
	for (int trap = 0; trap < TRAPS; trap++) {
		int code = wanted[trap];

		set_trap((enum trap)trap, path, argument);
		test_check_equal(test_child_join(test_child_start(walk_into_it, &code)), 0);
		if (unlink(path) < 0)
			test_must(rmdir(path));
	}
	/* Where the link led, nothing was made. */
	test_must(stat(argument, &after));
	test_check_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	test_check_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	test_prove("domain join", 18, TRAPS, 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_domain_is_its_owners),
		test_case(what_was_laid_in_the_way_is_refused),
	};
	return test_main(tests);
}
