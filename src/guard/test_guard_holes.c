/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer can do to memory, on each kind of it, met by each kind of access: nobody is killed by SIGBUS. Each case
 * in a child, on a tmpfs of its own that is small and full, where we may mount one.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guard/test_guard.h"

#define SMALL (1 << 20)

enum kind {
	POSIX,
	MEMFD,
	FILE_SHARED,
	FILE_READ_ONLY,
	FILE_PRIVATE,
	KINDS,
};
static const char *const kind_names[] = {"posixshm", "memfd", "file", "file, read-only", "file, private"};

enum damage {
	CUT_TO_NOTHING,
	CUT_IN_THE_MIDDLE,
	HOLE_ON_A_FULL_SYSTEM,
	DAMAGES,
};
static const char *const damage_names[] = {"cut to nothing", "cut in the middle", "a hole on a full file system"};

enum access {
	READ,
	WRITE,
	WRITE_LARGE,
	THREAD,
	CHILD,
	ACCESSES,
};
static const char *const access_names[] = {"read", "write", "memset", "another thread", "a forked child"};

struct hole_case {
	enum kind kind;
	enum damage damage;
	enum access access;
	const char *directory; /* on a tmpfs of SMALL bytes, if small */
	bool small;
};

#define CASE_PAGES 8

/* One of the two, and what peers have: a descriptor. */
struct object {
	struct nonet_memory *memory;
	struct nonet_mapfile *mapfile;
	uint8_t *base;
	int fd;
};

static char shm_address[100];

static struct object make_object(const struct hole_case *now, const char *path)
{
	struct nonet_memory_options memory = {.size = sizeof(memory), .length = CASE_PAGES * PAGE};
	struct nonet_mapfile_options mapfile = {.size = sizeof(mapfile), .length = CASE_PAGES * PAGE};
	struct object object = {.fd = -1};

	if (now->kind == POSIX) {
		test_check_equal(nonet_memory_create(shm_address, &memory, &object.memory, NULL), 0);
	} else if (now->kind == MEMFD) {
		test_check_equal(nonet_memory_new(&memory, &object.memory, NULL), 0);
	} else {
		test_check_equal(nonet_mapfile_create(path, &mapfile, &object.mapfile, NULL), 0);
		object.fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
		if (now->kind != FILE_SHARED) {
			nonet_mapfile_close(object.mapfile);
			mapfile.flags = now->kind == FILE_PRIVATE ? NONET_MAPFILE_PRIVATE : NONET_MAPFILE_READ_ONLY;
			test_check_equal(nonet_mapfile_open(path, &mapfile, &object.mapfile, NULL), 0);
		}
		object.base = nonet_mapfile_base(object.mapfile);
		return object;
	}
	object.fd = nonet_memory_descriptor(object.memory);
	object.base = nonet_memory_base(object.memory);
	return object;
}

static int check_object(const struct object *object)
{
	return object->memory ? nonet_memory_check(object->memory) : nonet_mapfile_check(object->mapfile);
}

/* Everything that is free on the file system, in one file. */
static void fill_up(const char *directory)
{
	static const char zeros[PAGE];
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/rest", directory);
	fd = (int)test_must(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	test_check_equal(errno, ENOSPC);
	close(fd);
}

static void damage_it(const struct hole_case *now, const struct object *object)
{
	switch (now->damage) {
	case CUT_TO_NOTHING:
		test_must(ftruncate(object->fd, 0));
		break;
	case CUT_IN_THE_MIDDLE:
		test_must(ftruncate(object->fd, 3 * PAGE + 100));
		break;
	default:
		test_must(fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * PAGE, 2 * PAGE));
		fill_up(now->directory);
		break;
	}
}

static void *read_it(void *argument)
{
	test_check_equal(touch(argument), 0);
	return NULL;
}

static void meet_it(enum access access, uint8_t *hole)
{
	pthread_t thread;
	pid_t child;

	switch (access) {
	case READ:
		read_it(hole);
		break;
	case WRITE:
		store(hole, 7);
		test_check_equal(touch(hole), 7);
		break;
	case WRITE_LARGE:
		memset(hole, 9, 2 * PAGE);
		test_check_equal(touch(hole + 2 * PAGE - 1), 9);
		break;
	case THREAD:
		test_check_equal(pthread_create(&thread, NULL, read_it, hole), 0);
		pthread_join(thread, NULL);
		break;
	default:
		child = (pid_t)test_must(fork());
		if (child == 0) {
			read_it(hole);
			_exit(0);
		}
		siginfo_t end;
		test_must(waitid(P_PID, (id_t)child, &end, WEXITED));
		test_check_equal(end.si_code, CLD_EXITED);
		test_check_equal(end.si_status, 0);
		/* Its hole was its own; ours is still to be met. */
		read_it(hole);
		break;
	}
}

/* In a chroot it needn't be, and then no mount of ours can be kept from others: no small tmpfs. */
static bool root_is_a_mount(void)
{
	struct statx status;

	return statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &status) == 0 &&
	       status.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static void mount_small(const char *directory)
{
	test_must(unshare(CLONE_NEWNS));
	test_must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	test_must(mount("small", directory, "tmpfs", 0, "size=1048576"));
}

static int run_case(struct test_child_side *side, void *argument)
{
	const struct hole_case *now = argument;
	struct object object;
	char path[200];

	(void)side;
	/* POSIX objects are in the one place that they can be in. */
	if (now->small)
		mount_small(now->directory);
	snprintf(path, sizeof(path), "%s/file", now->directory);
	object = make_object(now, path);
	damage_it(now, &object);
	test_check_equal(check_object(&object), 0);
	meet_it(now->access, object.base + 4 * PAGE);
	test_check_equal(check_object(&object), -EBADMSG);
	if (now->kind == POSIX)
		test_check_equal(nonet_memory_unlink(shm_address, NULL), 0);
	else if (now->kind != MEMFD)
		test_must(unlink(path));
	return 0;
}

/* Which of them there are. */
static bool exists(const struct hole_case *now)
{
	const bool store = now->access == WRITE || now->access == WRITE_LARGE;

	if (now->kind == FILE_READ_ONLY && store)
		return false;
	/* A memfd is on the kernel's own tmpfs, which is never full. */
	if (now->kind == MEMFD && now->damage == HOLE_ON_A_FULL_SYSTEM)
		return false;
	return now->damage != HOLE_ON_A_FULL_SYSTEM || now->small;
}

static void nobody_is_killed_by_sigbus(void **state)
{
	const bool root = geteuid() == 0 && root_is_a_mount();
	const char *directory = test_directory_new();
	unsigned cases = 0;
	unsigned killed = 0;

	(void)state;
	for (int i = 0; i < KINDS * DAMAGES * ACCESSES * 2; i++) {
		struct hole_case now = {
			.kind = (enum kind)(i / DAMAGES / ACCESSES / 2),
			.damage = (enum damage)(i / ACCESSES / 2 % DAMAGES),
			.access = (enum access)(i / 2 % ACCESSES),
			.small = i % 2,
		};
		int end;

		now.directory = now.small && now.kind == POSIX ? "/dev/shm" : directory;
		if (!exists(&now) || (now.small && !root))
			continue;
		test_watchdog_extend(NONET_S(20));
		end = test_child_join(test_child_start(run_case, &now));
		cases++;
		if (end == 0)
			continue;
		killed += end == -SIGBUS;
		test_note("%s, %s, %s%s: ended with %d", kind_names[now.kind], damage_names[now.damage],
			  access_names[now.access], now.small ? ", on a small tmpfs" : "", end);
	}
	test_note("%u cases, %u killed by SIGBUS", cases, killed);
	assert_int_equal(killed, 0);
	test_directory_free(directory);
	if (!root)
		test_note(
			"without root, or in a chroot, there is no small tmpfs: the cases of a full one were left out");
}

/* A full file system is an error of the call that wants room, and nothing is left. */
static int run_full(struct test_child_side *side, void *argument)
{
	const char *directory = argument;
	struct nonet_memory_options memory = {.size = sizeof(memory), .length = 2 * SMALL};
	struct nonet_mapfile_options mapfile = {.size = sizeof(mapfile), .length = 2 * SMALL};
	struct nonet_memory *made = NULL;
	struct nonet_mapfile *file = NULL;
	struct nonet_error error;
	char path[200];

	(void)side;
	mount_small(directory);
	test_must(mount("small", "/dev/shm", "tmpfs", 0, "size=1048576"));
	snprintf(path, sizeof(path), "%s/file", directory);
	test_check_equal(nonet_memory_create(shm_address, &memory, &made, &error), -ENOSPC);
	test_check(strstr(error.text, "no room for the 2097152 bytes of posixshm:/nonet-test-") != NULL);
	test_check_equal(nonet_memory_find(shm_address, &(struct nonet_memory_info){0}, NULL), -ENOENT);
	test_check_equal(nonet_mapfile_create(path, &mapfile, &file, &error), -ENOSPC);
	test_check(access(path, F_OK) < 0);
	/* Growing: as before, and good for less. */
	memory.length = SMALL / 2;
	test_check_equal(nonet_memory_create(shm_address, &memory, &made, NULL), 0);
	test_check_equal(nonet_memory_grow(made, 2 * SMALL), -ENOSPC);
	test_check_equal(nonet_memory_length(made), SMALL / 2);
	test_check_equal(nonet_memory_grow(made, SMALL / 2 + PAGE), 0);
	mapfile.length = SMALL / 2;
	test_check_equal(nonet_mapfile_create(path, &mapfile, &file, NULL), 0);
	test_check_equal(nonet_mapfile_grow(file, 2 * SMALL), -ENOSPC);
	test_check_equal(nonet_mapfile_length(file), SMALL / 2);
	/* Every byte that was promised is there, on a file system that is full to the last page. */
	fill_up(directory);
	fill_up("/dev/shm");
	memset(nonet_memory_base(made), 1, nonet_memory_length(made));
	memset(nonet_mapfile_base(file), 1, nonet_mapfile_length(file));
	test_check_equal(nonet_memory_check(made), 0);
	test_check_equal(nonet_mapfile_check(file), 0);
	return 0;
}

static void a_full_file_system_is_an_error_of_the_call(void **state)
{
	const char *directory;

	(void)state;
	test_skip_unless_root("to mount a small tmpfs");
	if (!root_is_a_mount())
		test_not_applicable("this is a chroot: a small tmpfs couldn't be kept from others");
	directory = test_directory_new();
	assert_int_equal(test_child_join(test_child_start(run_full, (void *)directory)), 0);
	test_directory_free(directory);
}

/*
 * RELIABILITY: seals don't keep a page there. A hole is punched into huge pages, and the pool has none left.
 */
static void write_number(const char *path, long number)
{
	char text[32];
	int fd = (int)test_must(open(path, O_WRONLY | O_CLOEXEC));
	int size = snprintf(text, sizeof(text), "%ld", number);

	test_check(write(fd, text, (size_t)size) == size);
	close(fd);
}

static long read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	(void)!read(fd, text, sizeof(text) - 1);
	close(fd);
	return strtol(text, NULL, 10);
}

#define POOL "/proc/sys/vm/nr_hugepages"

static int run_huge(struct test_child_side *side, void *argument)
{
	struct nonet_memory_options options = {.size = sizeof(options), .length = 2, .flags = NONET_MEMORY_HUGE_ONLY};
	struct nonet_memory_info info;
	struct nonet_memory *memory;
	struct nonet_memory *other;
	uint8_t *base;

	(void)side;
	(void)argument;
	test_check_equal(nonet_memory_new(&options, &memory, NULL), 0);
	test_check_equal(nonet_memory_info(memory, &info), 0);
	test_check_equal(info.flags & NONET_MEMORY_IS_HUGE, NONET_MEMORY_IS_HUGE);
	test_check_equal(nonet_memory_length(memory), info.page);
	test_check_equal(nonet_memory_grow(memory, 2 * info.page), 0);
	test_check_equal(nonet_memory_length(memory), 2 * info.page);
	base = nonet_memory_base(memory);
	store(base, 1);
	store(base + info.page, 2);
	test_check_equal(nonet_memory_seal(memory, NONET_MEMORY_SEAL_SIZE), 0);
	test_must(fallocate(nonet_memory_descriptor(memory), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			    (off_t)info.page));
	/* The pool has two pages: this takes the one that is free now. */
	test_check_equal(nonet_memory_new(&options, &other, NULL), 0);
	store(nonet_memory_base(other), 3);
	test_check_equal(touch(base + 12345), 0);
	test_check_equal(nonet_memory_check(memory), -EBADMSG);
	test_check_equal(touch(base + info.page), 2);
	nonet_memory_close(memory);
	nonet_memory_close(other);
	/* More than there are: refused, or of ordinary pages. */
	options.length = 16 * info.page;
	test_check_equal(nonet_memory_new(&options, &memory, NULL), -ENOSPC);
	options.flags = NONET_MEMORY_HUGE;
	test_check_equal(nonet_memory_new(&options, &memory, NULL), 0);
	test_check_equal(nonet_memory_info(memory, &info), 0);
	test_check_equal(info.flags & NONET_MEMORY_IS_HUGE, 0);
	nonet_memory_close(memory);
	return 0;
}

/* The pool is the machine's: one run of this test at a time, and given back however it ends. */
static int pool_lock = -1;
static bool pool_filled;

static int give_pool_back(void **state)
{
	(void)state;
	if (pool_filled)
		write_number(POOL, 0);
	pool_filled = false;
	if (pool_lock >= 0)
		close(pool_lock);
	pool_lock = -1;
	return 0;
}

static void a_hole_in_huge_pages_with_an_empty_pool(void **state)
{
	(void)state;
	test_skip_unless_root("to put huge pages into the pool");
	pool_lock = (int)test_must(open(POOL, O_RDONLY | O_CLOEXEC));
	test_must(flock(pool_lock, LOCK_EX));
	if (read_number(POOL) != 0)
		test_not_applicable("the pool of huge pages is in use, and stays as it is");
	pool_filled = true;
	write_number(POOL, 2);
	if (read_number(POOL) != 2)
		test_skip("hugetlb", "the machine gives no huge pages");
	assert_int_equal(test_child_join(test_child_start(run_huge, NULL)), 0);
}

int main(void)
{
	static const struct test_fixture long_one = {.time = NONET_S(100)};
	static const struct test_fixture huge_pages = {.teardown = give_pool_back};
	const struct CMUnitTest tests[] = {
		test_case_with(nobody_is_killed_by_sigbus, &long_one),
		test_case(a_full_file_system_is_an_error_of_the_call),
		test_case_with(a_hole_in_huge_pages_with_an_empty_pool, &huge_pages),
	};

	snprintf(shm_address, sizeof(shm_address), "posixshm:/%s", test_name("holes"));
	return test_main(tests);
}
