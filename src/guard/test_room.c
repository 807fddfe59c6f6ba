/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "base/error.h"
#include "guard/room.h"
#include "harness/child.h"
#include "harness/fault.h"
#include "harness/test.h"

#define MIB ((uint64_t)1 << 20)

/* What the group of the tests may have; far more than a program of ours needs. */
#define GROUP_LIMIT (64 * MIB)

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd;

	test_check(snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path));
	fd = (int)test_must(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	test_check_equal(test_must(write(fd, text, strlen(text))), (long long)strlen(text));
	close(fd);
}

/* A control group of the test's own, as the kernel has it. */

struct group {
	char path[PATH_MAX];
	const char *name;  /* the path's end */
	const char *limit; /* the file's name */
};

/* Below our own of the older hierarchy: a line such as "4:memory:/path". */
static bool make_legacy_group(struct group *group)
{
	static const char field[] = ":memory:";
	char line[PATH_MAX / 2];
	FILE *file = fopen("/proc/thread-self/cgroup", "re");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		const char *at = strstr(line, field);

		line[strcspn(line, "\n")] = '\0';
		found = at != NULL;
		if (found)
			snprintf(group->path, sizeof(group->path), "/sys/fs/cgroup/memory%s/%s", at + strlen(field),
				 test_name("room"));
	}
	if (file)
		fclose(file);
	group->limit = "memory.limit_in_bytes";
	return found && mkdir(group->path, 0700) == 0;
}

/* Below the root, as no other group that has processes may hand controllers on. */
static bool make_unified_group(struct group *group)
{
	snprintf(group->path, sizeof(group->path), "/sys/fs/cgroup/%s", test_name("room"));
	group->limit = "memory.max";
	if (mkdir(group->path, 0700) < 0)
		return false;
	if (access(test_path(group->path, group->limit), W_OK) == 0)
		return true;
	rmdir(group->path);
	return false;
}

static void make_group(struct group *ret_group)
{
	char text[32];

	test_skip_unless_root("making a control group");
	if (!make_legacy_group(ret_group) && !make_unified_group(ret_group))
		test_skip("cgroup", "no control group with a limit of memory can be made here");
	ret_group->name = strrchr(ret_group->path, '/');
	snprintf(text, sizeof(text), "%" PRIu64, GROUP_LIMIT);
	write_file(ret_group->path, ret_group->limit, text);
}

/* The four that put their bytes into memory. */
enum kind {
	POSIX,
	MEMFD,
	SYSV,
	MAPFILE,
	KINDS
};

static char addresses[KINDS][200];

static void name_objects(void)
{
	snprintf(addresses[POSIX], sizeof(addresses[POSIX]), "posixshm:/%s", test_name("room"));
	snprintf(addresses[MEMFD], sizeof(addresses[MEMFD]), "bytes of memory");
	snprintf(addresses[SYSV], sizeof(addresses[SYSV]), "sysvshm:%#x", (unsigned)test_sysv_key());
	snprintf(addresses[MAPFILE], sizeof(addresses[MAPFILE]), "/dev/shm/%s", test_name("room-file"));
}

struct object {
	struct nonet_memory *memory;
	struct nonet_mapfile *mapfile;
};

static int make_object(enum kind kind, uint64_t length, uint32_t flags, struct object *ret_object,
		       struct nonet_error *reterr)
{
	const struct nonet_memory_options memory = {.size = sizeof(memory), .length = length, .flags = flags};
	const struct nonet_mapfile_options mapfile = {.size = sizeof(mapfile), .length = length};

	*ret_object = (struct object){NULL, NULL};
	if (kind == MAPFILE)
		return nonet_mapfile_create(addresses[kind], &mapfile, &ret_object->mapfile, reterr);
	if (kind == MEMFD)
		return nonet_memory_new(&memory, &ret_object->memory, reterr);
	return nonet_memory_create(addresses[kind], &memory, &ret_object->memory, reterr);
}

static void drop_object(enum kind kind, struct object *object)
{
	nonet_memory_close(object->memory);
	nonet_mapfile_close(object->mapfile);
	if (kind == MAPFILE)
		test_check_equal(nonet_mapfile_unlink(addresses[kind], NULL), 0);
	else if (kind != MEMFD)
		test_check_equal(nonet_memory_unlink(addresses[kind], NULL), 0);
}

static void check_refused(const struct group *group, enum kind kind)
{
	struct nonet_error error = {0};
	struct object object;

	test_check_equal(make_object(kind, 2 * GROUP_LIMIT, 0, &object, &error), -ENOMEM);
	/* Who asked for what, which group, which limit. */
	if (!strstr(error.text, addresses[kind]) || !strstr(error.text, "134217728") ||
	    !strstr(error.text, group->name) || !strstr(error.text, group->limit) || !strstr(error.text, "67108864"))
		test_fail("the sentence says too little: %s", error.text);
	/* Nothing was left behind, not even a name. */
	if (kind == POSIX || kind == SYSV)
		test_check_equal(nonet_memory_unlink(addresses[kind], NULL), -ENOENT);
}

static void check_grown(const struct group *group, enum kind kind)
{
	struct nonet_error error = {0};
	struct object object;
	int result;

	test_check_equal(make_object(kind, 16 * MIB, 0, &object, &error), 0);
	if (object.mapfile) {
		result = nonet_mapfile_grow(object.mapfile, 2 * GROUP_LIMIT);
		nonet_mapfile_explain(object.mapfile, result, &error);
	} else {
		result = nonet_memory_grow(object.memory, 2 * GROUP_LIMIT);
		nonet_memory_explain(object.memory, result, &error);
	}
	test_check_equal(result, kind == SYSV ? -EOPNOTSUPP : -ENOMEM);
	test_check(kind == SYSV || strstr(error.text, group->name));
	/* One that is there needs no memory, however little there is. */
	if (kind == POSIX || kind == SYSV) {
		struct object other;

		test_check_equal(make_object(kind, 2 * GROUP_LIMIT, NONET_MEMORY_EXISTING, &other, &error), -ERANGE);
		test_check_equal(make_object(kind, 2 * GROUP_LIMIT, 0, &other, &error), -EEXIST);
	}
	drop_object(kind, &object);
}

static int live_in_group(struct test_child_side *side, void *argument)
{
	const struct group *group = argument;

	(void)side;
	write_file(group->path, "cgroup.procs", "0");
	for (int kind = 0; kind < KINDS; kind++) {
		check_refused(group, (enum kind)kind);
		check_grown(group, (enum kind)kind);
	}
	return 0;
}

/* The kernel would kill who touches the first page too many. */
static void memory_beyond_the_limit_of_the_control_group_is_refused(void **state)
{
	struct group group;

	(void)state;
	make_group(&group);
	name_objects();
	assert_int_equal(test_child_join(test_child_start(live_in_group, &group)), 0);
	test_must(rmdir(group.path));
}

/* Each hierarchy in files of our own, which say what no host of ours does. */

struct tree {
	const char *cgroup;      /* /proc/thread-self/cgroup */
	const char *files[9][2]; /* below /sys/fs/cgroup */
	uint64_t bytes;          /* that there is room for, or 0: what the machine has */
	const char *group;
	uint64_t kept;
};

static const struct tree trees[] = {
	/* The limit, less what is used, but for pages of files. */
	{.cgroup = "0::/a\n",
	 .files = {{"a/memory.max", "8388608\n"},
		   {"a/memory.current", "5242880\n"},
		   {"a/memory.stat", "anon 1048576\nfile 9\ninactive_file 1048576\nactive_file 2097152\n"},
		   {"a/memory.swap.max", "0\n"}},
	 .bytes = 6 * MIB,
	 .group = "/a",
	 .kept = 2 * MIB},
	/* A parent is narrower. */
	{.cgroup = "1:name=systemd:/a/b/c\n0::/a/b/c\n",
	 .files = {{"a/b/c/memory.max", "max\n"},
		   {"a/b/c/memory.current", "1048576\n"},
		   {"a/b/memory.max", "8388608\n"},
		   {"a/b/memory.current", "1048576\n"},
		   {"a/b/memory.swap.max", "0\n"},
		   {"a/memory.max", "6291456\n"},
		   {"a/memory.current", "4194304\n"},
		   {"a/memory.swap.max", "0\n"}},
	 .bytes = 2 * MIB,
	 .group = "/a",
	 .kept = 4 * MIB},
	/* A parent is wider. */
	{.cgroup = "0::/a/b\n",
	 .files = {{"a/b/memory.max", "4194304\n"},
		   {"a/b/memory.current", "0\n"},
		   {"a/b/memory.swap.max", "0\n"},
		   {"a/memory.max", "6291456\n"},
		   {"a/memory.current", "0\n"}},
	 .bytes = 4 * MIB,
	 .group = "/a/b"},
	/* Used beyond the limit that was lowered. */
	{.cgroup = "0::/a\n",
	 .files = {{"a/memory.max", "1048576\n"}, {"a/memory.current", "2097152\n"}, {"a/memory.swap.max", "0\n"}},
	 .bytes = 0,
	 .group = "/a",
	 .kept = 2 * MIB},
	/* A container that sees the host's path and its own group: at the mount. */
	{.cgroup = "4:cpu,memory:/docker/0123\n0::/\n",
	 .files = {{"memory/memory.limit_in_bytes", "8388608\n"},
		   {"memory/memory.usage_in_bytes", "3145728\n"},
		   {"memory/memory.stat", "active_file 7\ntotal_active_file 1048576\n"},
		   {"memory/memory.memsw.limit_in_bytes", "8388608\n"},
		   {"memory/memory.memsw.usage_in_bytes", "3145728\n"}},
	 .bytes = 6 * MIB,
	 .group = "/",
	 .kept = 2 * MIB},
	/* Outside of our namespace: the root that we see. */
	{.cgroup = "0::/../x\n",
	 .files = {{"memory.max", "2097152\n"}, {"memory.current", "1048576\n"}, {"memory.swap.max", "0\n"}},
	 .bytes = MIB,
	 .group = "/",
	 .kept = MIB},
	/* No limit; no files; nonsense; no groups at all. */
	{.cgroup = "0::/a\n", .files = {{"a/memory.max", "max\n"}, {"a/memory.current", "0\n"}}, .bytes = UINT64_MAX},
	{.cgroup = "4:memory:/a\n",
	 .files = {{"memory/a/memory.limit_in_bytes", "9223372036854771712\n"},
		   {"memory/a/memory.usage_in_bytes", "0\n"}},
	 .bytes = UINT64_MAX},
	{.cgroup = "0::/gone\n", .bytes = UINT64_MAX},
	{.cgroup = "0::/a\n", .files = {{"a/memory.max", "?"}, {"a/memory.current", ""}}, .bytes = UINT64_MAX},
	{.cgroup = "memory\n:\n::\n0:memoryx,xmemory:/a\n", .files = {{"memory/x", "1"}}, .bytes = UINT64_MAX},
	{.cgroup = "", .bytes = UINT64_MAX},
};

static void build_tree(const struct tree *tree, const char *directory)
{
	char path[PATH_MAX];

	test_must(unshare(CLONE_NEWNS));
	test_must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	write_file(directory, "cgroup", tree->cgroup);
	test_must(mount(test_path(directory, "cgroup"), "/proc/thread-self/cgroup", NULL, MS_BIND, NULL));
	test_must(unlink(test_path(directory, "cgroup")));
	test_must(mount("tree", "/sys/fs/cgroup", "tmpfs", 0, NULL));
	for (const char *const(*file)[2] = tree->files; (*file)[0]; file++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", (*file)[0]);
		for (char *slash = path + sizeof("/sys/fs/cgroup"); (slash = strchr(slash, '/')); *slash++ = '/') {
			*slash = '\0';
			if (mkdir(path, 0700) < 0)
				test_check_equal(errno, EEXIST);
		}
		write_file("/sys/fs/cgroup", (*file)[0], (*file)[1]);
	}
}

struct tree_case {
	const struct tree *tree;
	const char *directory;
};

static int look_at_tree(struct test_child_side *side, void *argument)
{
	const struct tree_case *now = argument;
	const struct tree *tree = now->tree;
	char reason[ROOM_REASON_SIZE];
	struct room room;

	(void)side;
	build_tree(tree, now->directory);
	room = room_look();
	if (tree->bytes == UINT64_MAX) {
		test_check(room.group[0] == '\0');
		test_check_equal(room_check(2 * MIB), 0);
		return 0;
	}
	test_check(strcmp(room.group, tree->group) == 0);
	test_check_equal((long long)room.bytes, (long long)tree->bytes);
	test_check_equal((long long)room.kept, (long long)tree->kept);
	test_check_equal(room_check(tree->bytes + 1), tree->bytes < ROOM_LEAST - 1 ? 0 : -ENOMEM);
	test_check_equal(room_check(tree->bytes / 2), 0);
	test_check_equal(room_check(UINT64_MAX), -ENOMEM);
	test_check(strstr(room_reason(8 * MIB, -ENOMEM, reason), room.file));
	test_check(!strstr(room_reason(8 * MIB, -EIO, reason), room.file));
	test_check(strstr(room_left(reason), room.file));
	return 0;
}

static void the_narrowest_group_counts_in_both_hierarchies(void **state)
{
	struct tree_case now = {.directory = NULL};

	(void)state;
	test_skip_unless_root("mounting control groups of the test's own");
	now.directory = test_directory_new();
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		now.tree = &trees[i];
		test_note("tree %zu", i);
		assert_int_equal(test_child_join(test_child_start(look_at_tree, &now)), 0);
	}
	test_directory_free(now.directory);
}

static void the_machine_is_named_where_no_group_is_narrower(void **state)
{
	char reason[ROOM_REASON_SIZE];

	(void)state;
	assert_int_equal(room_check((uint64_t)1 << 62), -ENOMEM);
	assert_string_not_equal(room_reason((uint64_t)1 << 62, -ENOMEM, reason), error_reason(-ENOMEM));
	assert_true(strncmp(room_left(reason), "an unknown", strlen("an unknown")) != 0);
	/* Of so little it isn't known. */
	assert_string_equal(room_reason(1, -ENOMEM, reason), error_reason(-ENOMEM));
}

static int run_check(void *state, void *outputs)
{
	int *checked = outputs;
	int error = room_check(ROOM_LEAST);

	(void)state;
	if (error == 0)
		*checked = 1;
	return error;
}

/* What can't be read allows everything: no fault makes a refusal of its own. */
static void nothing_that_fails_refuses(void **state)
{
	struct test_sweep sweep;

	(void)state;
	test_fault_sweep_count(&(struct test_operation){.name = "room", .run = run_check, .outputs_size = sizeof(int)},
			       &sweep);
	assert_int_equal(sweep.absorbed, sweep.fired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(memory_beyond_the_limit_of_the_control_group_is_refused),
		test_case(the_narrowest_group_counts_in_both_hierarchies),
		test_case(the_machine_is_named_where_no_group_is_narrower),
		test_case(nothing_that_fails_refuses),
	};

	return test_main(tests);
}
