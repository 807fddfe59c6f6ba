/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row 18. Another user, who may not be a member: nothing is opened, nothing is written, and his traps aren't walked
 * into. Nor are those that lie where an object would be.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"
#include "rows/kind.h"

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

#define NO_SUCH_USER "not root: there is no other user"

struct attempt {
	const struct row_kind *kind;
	int descriptors[2]; /* that can only be read, as a careless member might pass them on: domain, object */
};

#define REFUSALS 12

static int try_as_another(struct test_child_side *side, void *argument)
{
	const struct attempt *attempt = argument;
	const struct row_kind *kind = attempt->kind;
	struct nonet_error error;
	char path[64];

	(void)side;
	become(OTHER);
	test_check_equal(row_open(kind, &error), -EACCES);
	test_check_equal(row_create(kind, &error), -EACCES);
	test_check_equal(create("mutex:another", &error), -EACCES);
	test_check_equal(row_unlink(kind, &error), -EACCES);
	for (int i = 0; i < 2; i++) {
		const int descriptor = attempt->descriptors[i];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
		test_check_equal(open(path, O_RDWR | O_CLOEXEC), -1);
		test_check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED);
		test_check_equal(write(descriptor, "x", 1), -1);
		test_check_equal(ftruncate(descriptor, 0), -1);
	}
	return 0;
}

/* NAME.KIND in the domain's directory. */
static const char *file_of(const struct row_kind *kind, const char *directory)
{
	static char path[512];
	const char *name = strchr(kind->address, ':') + 1;

	snprintf(path, sizeof(path), "%s/%s.%.*s", directory, name, (int)(name - 1 - kind->address), kind->address);
	return path;
}

static void try_all(const struct row_kind *kind, const char *directory)
{
	static const mode_t modes[] = {0700, 0711, 0755};
	struct attempt attempt = {.kind = kind};
	char path[512];

	row_close(row_reach(kind));
	snprintf(path, sizeof(path), "%s/.domain", directory);
	attempt.descriptors[0] = (int)test_must(open(path, O_RDONLY | O_CLOEXEC));
	attempt.descriptors[1] = (int)test_must(open(file_of(kind, directory), O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 3; i++) {
		test_must(chmod(directory, modes[i]));
		test_check_equal(test_child_join(test_child_start(try_as_another, &attempt)), 0);
	}
	close(attempt.descriptors[1]);
	close(attempt.descriptors[0]);
	test_prove(kind->name, 18, 3 * REFUSALS, 0);
}

DOMAIN_TEST(a_domain_is_its_owners)
{
	(void)side;
	row_begin();
	for
		ROW_EACH_KIND(kind)
		{
			if (kind->placed)
				continue;
			if (geteuid() == 0)
				try_all(kind, argument);
			else
				test_prove_not(kind->name, 18, NO_SUCH_USER);
		}
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
	if (geteuid() != 0) {
		test_prove_not("domain-join", 18, NO_SUCH_USER);
		return 0;
	}
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
	test_prove("domain-join", 18, TRAPS, 0);
	return 0;
}

/* What stands where the object would be: of the same user, or nobody could have put it there. */
enum stand_in {
	STAND_LINK,
	STAND_FIFO,
	STAND_DIRECTORY,
	STAND_EMPTY,
	STAND_TEXT,
	STAND_INS
};

static const char canary_text[] = "nobody may write here\n";

static void stand_in(enum stand_in what, const char *path, const char *canary)
{
	int fd = -1;

	switch (what) {
	case STAND_LINK:
		test_must(symlink(canary, path));
		break;
	case STAND_FIFO:
		test_must(mkfifo(path, 0600));
		break;
	case STAND_DIRECTORY:
		test_must(mkdir(path, 0700));
		break;
	case STAND_EMPTY:
	case STAND_TEXT:
	case STAND_INS:
		fd = (int)test_must(open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
		if (what == STAND_TEXT)
			test_check_equal(test_must(write(fd, canary_text, sizeof(canary_text))), sizeof(canary_text));
		close(fd);
		break;
	}
}

static void check_canary(const char *path)
{
	char text[sizeof(canary_text) + 1] = "";
	const int fd = (int)test_must(open(path, O_RDONLY | O_CLOEXEC));

	test_check_equal(test_must(read(fd, text, sizeof(text))), sizeof(canary_text));
	test_check(memcmp(text, canary_text, sizeof(canary_text)) == 0);
	close(fd);
}

DOMAIN_TEST(what_stands_in_for_an_object_is_refused)
{
	char canary[512];
	struct nonet_error error;

	(void)side;
	row_begin();
	snprintf(canary, sizeof(canary), "%s/canary", (const char *)argument);
	stand_in(STAND_TEXT, canary, NULL);
	test_check_equal(create("mutex:another", NULL), 0);
	for
		ROW_EACH_KIND(kind)
		{
			const char *path = file_of(kind, argument);

			if (kind->placed)
				continue;
			for (int what = 0; what < STAND_INS; what++) {
				stand_in((enum stand_in)what, path, canary);
				test_check_equal(row_create(kind, &error), -EEXIST);
				test_check(what == STAND_LINK ? row_open(kind, &error) == -ELOOP
							      : row_open(kind, &error) < 0);
				test_check(error.text[0] != '\0');
				if (what == STAND_TEXT)
					check_canary(path);
				if (unlink(path) < 0)
					test_must(rmdir(path));
			}
			test_prove(kind->name, 18, 2 * STAND_INS, 0);
		}
	check_canary(canary);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_domain_is_its_owners),
		test_case(what_was_laid_in_the_way_is_refused),
		test_case(what_stands_in_for_an_object_is_refused),
	};
	return test_main(tests);
}
