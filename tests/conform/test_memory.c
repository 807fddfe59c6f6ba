/* SPDX-License-Identifier: Apache-2.0 */
/* One set of properties for shared memory, stamped per carrier: the first argument. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/storm.h"
#include "harness/test.h"

#define PAGE   4096
#define LENGTH 10000
#define NOBODY 65534

enum carrier {
	POSIX,
	SYSV,
	MEMFD,
};
static enum carrier carrier;

static const char *new_address(void)
{
	static char text[100];
	static unsigned number;

	if (carrier == POSIX)
		snprintf(text, sizeof(text), "posixshm:/%s", test_name("memory"));
	else
		/* Of this process alone, as far as a 32-bit key can be. */
		snprintf(text, sizeof(text), "sysvshm:0x%x",
			 0x4e000000u | ((unsigned)getpid() << 8 & 0xffff00) | number++);
	return text;
}

static struct nonet_memory_options options_of(uint64_t length)
{
	return (struct nonet_memory_options){.size = sizeof(struct nonet_memory_options), .length = length};
}

static int create(const char *address, uint64_t length, struct nonet_memory **ret_memory)
{
	const struct nonet_memory_options options = options_of(length);

	if (carrier == MEMFD)
		return nonet_memory_new(&options, ret_memory, NULL);
	return nonet_memory_create(address, &options, ret_memory, NULL);
}

static int open_again(const char *address, struct nonet_memory *memory, uint32_t flags,
		      struct nonet_memory **ret_memory)
{
	struct nonet_memory_options options = options_of(0);
	int error;
	int fd;

	options.flags = flags;
	if (carrier != MEMFD)
		return nonet_memory_open(address, &options, ret_memory, NULL);
	fd = (int)test_must(dup(nonet_memory_descriptor(memory)));
	error = nonet_memory_take_fd(&fd, &options, ret_memory, NULL);
	test_check_equal(fd == -1, error == 0);
	if (fd >= 0)
		close(fd);
	return error;
}

/* The object and its address. */
struct object {
	char address[100];
	struct nonet_memory *memory;
};

static struct object make(uint64_t length)
{
	struct object object;

	snprintf(object.address, sizeof(object.address), "%s", new_address());
	test_check_equal(create(object.address, length, &object.memory), 0);
	return object;
}

static void drop(struct object *object)
{
	nonet_memory_close(object->memory);
	if (carrier != MEMFD)
		test_check_equal(nonet_memory_unlink(object->address, NULL), 0);
}

static void named_only(void)
{
	if (carrier == MEMFD)
		test_not_applicable("a memfd has no name");
}

static void it_is_zeros_of_the_length_asked_for(void **state)
{
	struct object object = make(LENGTH);
	const uint8_t *base = nonet_memory_base(object.memory);
	struct nonet_memory_info info;

	(void)state;
	assert_int_equal(nonet_memory_length(object.memory), LENGTH);
	assert_int_equal((uintptr_t)base % PAGE, 0);
	for (size_t i = 0; i < LENGTH; i++)
		assert_int_equal(base[i], 0);
	assert_int_equal(nonet_memory_info(object.memory, &info), 0);
	assert_int_equal(info.length, LENGTH);
	assert_int_equal(info.uid, geteuid());
	assert_int_equal(info.flags, 0);
	if (carrier == SYSV) {
		assert_int_equal(info.attached, 1);
		assert_int_equal(info.creator, getpid());
	} else {
		assert_int_equal(info.attached, -1);
		assert_int_equal(info.id, -1);
	}
	assert_int_equal(nonet_memory_check(object.memory), 0);
	drop(&object);
}

static void its_mode_is_exact_whatever_the_umask(void **state)
{
	static const uint32_t modes[] = {0, 0600, 0666, 0640, 0777, 0400};
	const mode_t before = umask(077);

	(void)state;
	if (carrier == MEMFD) {
		umask(before);
		named_only();
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const char *address = new_address();
		struct nonet_memory_options options = options_of(LENGTH);
		struct nonet_memory_info info;
		struct nonet_memory *memory;

		options.mode = modes[i];
		assert_int_equal(nonet_memory_create(address, &options, &memory, NULL), 0);
		assert_int_equal(nonet_memory_find(address, &info, NULL), 0);
		assert_int_equal(info.mode, modes[i] ? modes[i] : 0600);
		assert_int_equal(info.length, LENGTH);
		nonet_memory_close(memory);
		assert_int_equal(nonet_memory_unlink(address, NULL), 0);
	}
	umask(before);
}

static void there_is_one_of_a_name(void **state)
{
	struct nonet_memory_options options = options_of(LENGTH);
	struct nonet_memory *second = NULL;
	struct nonet_error error;
	struct object object;

	(void)state;
	named_only();
	object = make(LENGTH);
	assert_int_equal(nonet_memory_create(object.address, &options, &second, &error), -EEXIST);
	assert_non_null(strstr(error.text, "is there already"));
	assert_null(second);
	options.flags = NONET_MEMORY_EXISTING;
	assert_int_equal(nonet_memory_create(object.address, &options, &second, NULL), 0);
	strcpy(nonet_memory_base(object.memory), "one");
	assert_string_equal(nonet_memory_base(second), "one");
	nonet_memory_close(second);
	/* A larger one was wanted than there is. */
	options.length = LENGTH + 1;
	assert_int_equal(nonet_memory_create(object.address, &options, &second, &error), -ERANGE);
	drop(&object);
}

static void nothing_is_there_before_and_after(void **state)
{
	struct nonet_memory *memory = NULL;
	struct nonet_memory_info info;
	struct nonet_error error;
	struct object object;

	(void)state;
	named_only();
	object = make(LENGTH);
	drop(&object);
	assert_int_equal(nonet_memory_open(object.address, NULL, &memory, &error), -ENOENT);
	assert_int_equal(nonet_memory_unlink(object.address, &error), -ENOENT);
	assert_int_equal(nonet_memory_find(object.address, &info, &error), -ENOENT);
	assert_null(memory);
}

static int add_one(struct test_child_side *side, void *argument)
{
	struct object *object = argument;
	struct nonet_memory *memory;
	_Atomic uint32_t *counter;

	(void)side;
	test_check_equal(open_again(object->address, object->memory, 0, &memory), 0);
	counter = nonet_memory_base(memory);
	for (int i = 0; i < 1000; i++)
		atomic_fetch_add(counter, 1);
	nonet_memory_close(memory);
	return 0;
}

static void processes_share_it(void **state)
{
	struct object object = make(LENGTH);
	struct test_child *children[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		children[i] = test_child_start(add_one, &object);
	for (int i = 0; i < 4; i++)
		assert_int_equal(test_child_join(children[i]), 0);
	assert_int_equal(atomic_load((_Atomic uint32_t *)nonet_memory_base(object.memory)), 4000);
	drop(&object);
}

/* The handle works on in a child; what waits doesn't. */
static int use_the_parents(struct test_child_side *side, void *argument)
{
	struct nonet_memory *memory = argument;
	uint32_t changes;

	(void)side;
	atomic_fetch_add((_Atomic uint32_t *)nonet_memory_base(memory), 1);
	test_check_equal(nonet_memory_check(memory), 0);
	test_check_equal(nonet_memory_refresh(memory), 0);
	test_check_equal(nonet_memory_changed(memory, NONET_NOW, &changes), carrier == SYSV ? -EOPNOTSUPP : -ECHILD);
	test_check_equal(nonet_memory_fd(memory), carrier == SYSV ? -EOPNOTSUPP : -ECHILD);
	test_check(nonet_memory_waitable(memory) == NULL);
	nonet_memory_close(memory);
	return 0;
}

static void a_forked_child_shares_it(void **state)
{
	struct object object = make(LENGTH);

	(void)state;
	(void)!nonet_memory_fd(object.memory);
	assert_int_equal(test_child_join(test_child_start(use_the_parents, object.memory)), 0);
	assert_int_equal(*(uint32_t *)nonet_memory_base(object.memory), 1);
	drop(&object);
}

static int store_to_read_only(struct test_child_side *side, void *argument)
{
	struct object *object = argument;
	struct nonet_memory *memory;

	(void)side;
	test_check_equal(open_again(object->address, object->memory, NONET_MEMORY_READ_ONLY, &memory), 0);
	test_check_equal(*(uint8_t *)nonet_memory_base(memory), 5);
	test_check_equal(nonet_memory_grow(memory, 2 * LENGTH), carrier == SYSV ? -EOPNOTSUPP : -EPERM);
	*(uint8_t *)nonet_memory_base(memory) = 6;
	return 0;
}

static void read_only_is_enforced(void **state)
{
	struct object object = make(LENGTH);

	(void)state;
	*(uint8_t *)nonet_memory_base(object.memory) = 5;
	if (getenv("ASAN_OPTIONS") || test_slowness() > 1)
		test_note("a sanitizer may end the child by itself");
	assert_int_not_equal(test_child_join(test_child_start(store_to_read_only, &object)), 0);
	assert_int_equal(*(uint8_t *)nonet_memory_base(object.memory), 5);
	drop(&object);
}

static void it_grows_for_all_who_have_it(void **state)
{
	struct object object = make(LENGTH);
	struct nonet_memory *other;

	(void)state;
	if (carrier == SYSV) {
		struct nonet_error error;

		assert_int_equal(nonet_memory_grow(object.memory, 2 * LENGTH), -EOPNOTSUPP);
		nonet_memory_explain(object.memory, -EOPNOTSUPP, &error);
		assert_non_null(strstr(error.text, "posixshm:"));
		assert_int_equal(nonet_memory_refresh(object.memory), 0);
		drop(&object);
		return;
	}
	assert_int_equal(open_again(object.address, object.memory, NONET_MEMORY_READ_ONLY, &other), 0);
	strcpy(nonet_memory_base(object.memory), "kept");
	for (size_t length = LENGTH; length < 64u << 20; length *= 4) {
		assert_int_equal(nonet_memory_grow(object.memory, length), 0);
		assert_int_equal(nonet_memory_length(object.memory), length);
		assert_string_equal(nonet_memory_base(object.memory), "kept");
		((uint8_t *)nonet_memory_base(object.memory))[length - 1] = 9;
		assert_int_equal(nonet_memory_refresh(other), 0);
		assert_int_equal(nonet_memory_length(other), length);
		assert_string_equal(nonet_memory_base(other), "kept");
		assert_int_equal(((uint8_t *)nonet_memory_base(other))[length - 1], 9);
	}
	/* Never shorter. */
	assert_int_equal(nonet_memory_grow(object.memory, 1), 0);
	assert_true(nonet_memory_length(object.memory) > LENGTH);
	nonet_memory_close(other);
	drop(&object);
}

static void who_has_it_keeps_it_when_its_name_goes(void **state)
{
	struct nonet_memory_info info;
	struct nonet_memory *second;
	struct object object;

	(void)state;
	named_only();
	object = make(LENGTH);
	strcpy(nonet_memory_base(object.memory), "first");
	assert_int_equal(nonet_memory_unlink(object.address, NULL), 0);
	assert_int_equal(nonet_memory_info(object.memory, &info), 0);
	assert_int_equal(info.flags, NONET_MEMORY_IS_REMOVED);
	assert_string_equal(nonet_memory_base(object.memory), "first");
	/* The name is free for another. */
	assert_int_equal(create(object.address, LENGTH, &second), 0);
	assert_int_equal(*(uint8_t *)nonet_memory_base(second), 0);
	nonet_memory_close(second);
	drop(&object);
}

static int be_somebody_else(struct test_child_side *side, void *argument)
{
	const struct object *object = argument;
	struct nonet_memory *memory = NULL;
	struct nonet_memory_options options = options_of(0);
	struct nonet_error error;

	(void)side;
	test_must(setgid(NOBODY));
	test_must(setuid(NOBODY));
	test_check_equal(nonet_memory_open(object->address, NULL, &memory, &error), -EACCES);
	test_check(strstr(error.text, "permission denied") != NULL);
	options.flags = NONET_MEMORY_READ_ONLY;
	test_check_equal(nonet_memory_open(object->address, &options, &memory, NULL), -EACCES);
	test_check(nonet_memory_unlink(object->address, NULL) < 0);
	options.flags = NONET_MEMORY_EXISTING;
	options.length = LENGTH;
	test_check_equal(nonet_memory_create(object->address, &options, &memory, NULL), -EACCES);
	return 0;
}

static void somebody_else_is_refused(void **state)
{
	struct object object;

	(void)state;
	named_only();
	test_skip_unless_root("to become another user");
	object = make(LENGTH);
	assert_int_equal(test_child_join(test_child_start(be_somebody_else, &object)), 0);
	drop(&object);
}

static void what_is_wrong_is_said(void **state)
{
	const char *address = new_address();
	struct nonet_memory_options options = options_of(LENGTH);
	struct nonet_memory *memory = NULL;
	struct nonet_error error;
	static const struct {
		uint32_t size, flags;
		uint64_t length;
		uint32_t mode;
		uint64_t reserved;
		int code;
		const char *words;
	} wrong[] = {
		{0, 0, LENGTH, 0, 0, -EINVAL, "size is 0"},
		{sizeof(options), 0x100, LENGTH, 0, 0, -EINVAL, "unknown flags"},
		{sizeof(options), 0, 0, 0, 0, -EINVAL, "no length"},
		{sizeof(options), 0, LENGTH, 01777, 0, -EINVAL, "permission bits"},
		{sizeof(options), 0, LENGTH, 0, 1, -EINVAL, "reserved"},
		{sizeof(options), 0, UINT64_MAX, 0, 0, -EFBIG, "any address space"},
		{sizeof(options), 0, INT64_MAX, 0, 0, -EFBIG, "any address space"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		options.size = wrong[i].size;
		options.flags = wrong[i].flags;
		options.length = wrong[i].length;
		options.mode = wrong[i].mode;
		options.reserved[1] = wrong[i].reserved;
		if (carrier == MEMFD)
			assert_int_equal(nonet_memory_new(&options, &memory, &error), wrong[i].code);
		else
			assert_int_equal(nonet_memory_create(address, &options, &memory, &error), wrong[i].code);
		assert_int_equal(error.code, wrong[i].code);
		if (!strstr(error.text, wrong[i].words))
			test_fail("\"%s\" doesn't say \"%s\"", error.text, wrong[i].words);
	}
	/* A length that a machine could have, but this one hasn't. */
	options = options_of(UINT64_C(1) << 46);
	if (carrier == MEMFD)
		assert_true(nonet_memory_new(&options, &memory, &error) < 0);
	else
		assert_true(nonet_memory_create(address, &options, &memory, &error) < 0);
	assert_true(error.code == -ENOSPC || error.code == -ENOMEM || error.code == -EFBIG);
	assert_null(memory);
	/* Other mechanisms' addresses. */
	assert_int_equal(nonet_memory_open("fifo:/tmp/x", NULL, &memory, &error), -EOPNOTSUPP);
	assert_int_equal(nonet_memory_unlink("file:/etc/passwd", &error), -EOPNOTSUPP);
	assert_int_equal(nonet_memory_open("posixshm:", NULL, &memory, &error), -EINVAL);
}

static int change_it(struct test_child_side *side, void *argument)
{
	struct object *object = argument;
	struct nonet_memory *memory;

	test_check_equal(open_again(object->address, object->memory, 0, &memory), 0);
	test_report(side, "ready");
	test_await(side, "grow");
	test_check_equal(nonet_memory_grow(memory, 3 * LENGTH), 0);
	test_await(side, "cut");
	test_must(ftruncate(nonet_memory_descriptor(memory), 0));
	test_await(side, "end");
	nonet_memory_close(memory);
	return 0;
}

static void changes_end_a_wait(void **state)
{
	struct object object = make(LENGTH);
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct test_child *child;
	uint32_t changes = 0;
	size_t count;

	(void)state;
	if (carrier == SYSV) {
		assert_int_equal(nonet_memory_changed(object.memory, NONET_NOW, &changes), -EOPNOTSUPP);
		assert_int_equal(nonet_memory_fd(object.memory), -EOPNOTSUPP);
		assert_null(nonet_memory_waitable(object.memory));
		assert_int_equal(nonet_memory_descriptor(object.memory), -EOPNOTSUPP);
		drop(&object);
		return;
	}
	assert_int_equal(nonet_memory_changed(object.memory, NONET_NOW, &changes), -EAGAIN);
	assert_int_equal(nonet_memory_changed(object.memory, nonet_after(NONET_MS(1)), &changes), -ETIMEDOUT);
	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	assert_int_equal(nonet_wait_set_add(set, nonet_memory_waitable(object.memory), NONET_WAIT_RECEIVE, NULL), 0);
	assert_int_equal(nonet_memory_arm(object.memory), 0);
	child = test_child_until(change_it, &object);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	test_child_tell(child, "grow");
	assert_int_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	assert_int_equal(nonet_memory_changed(object.memory, test_deadline(), &changes), 0);
	assert_int_equal(changes & ~NONET_MEMORY_WRITTEN, NONET_MEMORY_GREW);
	assert_int_equal(nonet_memory_refresh(object.memory), 0);
	test_child_tell(child, "cut");
	assert_int_equal(nonet_memory_changed(object.memory, test_deadline(), &changes), 0);
	assert_int_equal(changes, NONET_MEMORY_WRITTEN | NONET_MEMORY_SHRANK);
	assert_int_equal(nonet_memory_refresh(object.memory), -EBADMSG);
	assert_int_equal(nonet_memory_check(object.memory), -EBADMSG);
	test_child_tell(child, "end");
	assert_int_equal(test_child_join(child), 0);
	nonet_wait_set_free(set);
	drop(&object);
}

static void its_name_going_ends_a_wait(void **state)
{
	struct nonet_memory *second;
	uint32_t changes = 0;
	struct object object;

	(void)state;
	named_only();
	if (carrier == SYSV)
		test_not_applicable("the kernel tells nothing of System V segments");
	object = make(LENGTH);
	assert_int_equal(nonet_memory_arm(object.memory), 0);
	assert_int_equal(nonet_memory_unlink(object.address, NULL), 0);
	assert_int_equal(nonet_memory_changed(object.memory, test_deadline(), &changes), 0);
	assert_int_equal(changes, NONET_MEMORY_REMOVED);
	assert_int_equal(create(object.address, LENGTH, &second), 0);
	/* Something else that is told, after which the name is looked at. */
	test_must(ftruncate(nonet_memory_descriptor(object.memory), LENGTH));
	assert_int_equal(nonet_memory_changed(object.memory, test_deadline(), &changes), 0);
	assert_int_equal(changes & NONET_MEMORY_REPLACED, NONET_MEMORY_REPLACED);
	nonet_memory_close(second);
	drop(&object);
}

static int create_in_a_race(struct test_child_side *side, void *argument)
{
	const char *address = argument;
	struct nonet_memory_options options = options_of(256 * PAGE);
	struct nonet_memory *memory;

	options.flags = NONET_MEMORY_EXISTING;
	test_report(side, "ready");
	test_await(side, "go");
	test_check_equal(nonet_memory_create(address, &options, &memory, NULL), 0);
	/* Whole, whoever made it. */
	test_check_equal(nonet_memory_length(memory), 256 * PAGE);
	atomic_fetch_add((_Atomic uint32_t *)nonet_memory_base(memory), 1);
	nonet_memory_close(memory);
	return 0;
}

static void many_who_create_it_get_one(void **state)
{
	struct test_child *children[8];

	(void)state;
	named_only();
	for (uint64_t round = test_scaled(50); round > 0; round--) {
		const char *address = new_address();
		struct nonet_memory *memory;

		test_watchdog_extend(NONET_S(20));
		for (int i = 0; i < 8; i++)
			children[i] = test_child_until(create_in_a_race, (void *)address);
		for (int i = 0; i < 8; i++)
			test_child_tell(children[i], "go");
		for (int i = 0; i < 8; i++)
			assert_int_equal(test_child_join(children[i]), 0);
		assert_int_equal(nonet_memory_open(address, NULL, &memory, NULL), 0);
		assert_int_equal(*(uint32_t *)nonet_memory_base(memory), 8);
		nonet_memory_close(memory);
		assert_int_equal(nonet_memory_unlink(address, NULL), 0);
	}
}

/* A large allocation on tmpfs is undone by each signal: tried as a whole it would never end. */
static void a_storm_of_signals_shows_nowhere(void **state)
{
	struct test_storm *storm;
	struct object object;
	uint32_t changes;
	uint64_t sent;

	(void)state;
	test_storm_victim();
	storm = test_storm_start((pid_t[]){getpid()}, 1, NONET_S(30));
	for (int i = 0; i < 10; i++) {
		object = make(32u << 20);
		if (carrier != SYSV) {
			assert_int_equal(nonet_memory_grow(object.memory, 64u << 20), 0);
			assert_int_equal(nonet_memory_length(object.memory), 64u << 20);
			/* What the growth said of itself. */
			while (nonet_memory_changed(object.memory, NONET_NOW, &changes) == 0)
				;
			assert_int_equal(nonet_memory_changed(object.memory, nonet_after(NONET_MS(20)), &changes),
					 -ETIMEDOUT);
		}
		drop(&object);
	}
	sent = test_storm_stop(storm);
	test_note("%llu signals", (unsigned long long)sent);
	assert_true(sent > 0 && test_storm_received() > 0);
}

/* A program that knows nothing of nonet, on the other side: the C library's own calls. */
static int plain_side(struct test_child_side *side, void *argument)
{
	const struct object *object = argument;
	const char *name = strchr(object->address, ':') + 1;
	char *base;
	int id;
	int fd;

	(void)side;
	if (carrier == POSIX) {
		fd = (int)test_must(shm_open(name, O_RDWR, 0));
		base = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		test_check(base != MAP_FAILED);
		close(fd);
	} else {
		id = (int)test_must(shmget((key_t)strtoul(name, NULL, 0), LENGTH, 0));
		base = shmat(id, NULL, 0);
		test_check((intptr_t)base != -1);
	}
	test_check_equal(strcmp(base, "from nonet"), 0);
	strcpy(base, "to nonet");
	return 0;
}

static void plain_programs_open_ours(void **state)
{
	struct object object;

	(void)state;
	named_only();
	object = make(LENGTH);
	strcpy(nonet_memory_base(object.memory), "from nonet");
	assert_int_equal(test_child_join(test_child_start(plain_side, &object)), 0);
	assert_string_equal(nonet_memory_base(object.memory), "to nonet");
	drop(&object);
}

static void we_open_plain_programs(void **state)
{
	const char *address = new_address();
	const char *name = strchr(address, ':') + 1;
	struct nonet_memory *memory;
	char *base;
	int fd;

	(void)state;
	named_only();
	if (carrier == POSIX) {
		fd = (int)test_must(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
		/* Made, but not yet given a length. */
		assert_int_equal(nonet_memory_open(address, NULL, &memory, NULL), -ENODATA);
		test_must(ftruncate(fd, LENGTH));
		base = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	} else {
		fd = (int)test_must(shmget((key_t)strtoul(name, NULL, 0), LENGTH, IPC_CREAT | IPC_EXCL | 0600));
		base = shmat(fd, NULL, 0);
	}
	strcpy(base, "plain");
	assert_int_equal(nonet_memory_open(address, NULL, &memory, NULL), 0);
	assert_int_equal(nonet_memory_length(memory), LENGTH);
	assert_string_equal(nonet_memory_base(memory), "plain");
	strcpy(nonet_memory_base(memory), "ours");
	assert_string_equal(base, "ours");
	nonet_memory_close(memory);
	if (carrier == POSIX)
		munmap(base, LENGTH);
	else
		shmdt(base);
	assert_int_equal(nonet_memory_unlink(address, NULL), 0);
}

int main(int argc, char **argv)
{
	static const char *const carriers[] = {"posixshm", "sysvshm", "memfd"};
	static const struct test_fixture long_one = {.time = NONET_S(60)};
	const struct CMUnitTest tests[] = {
		test_case(it_is_zeros_of_the_length_asked_for),
		test_case(its_mode_is_exact_whatever_the_umask),
		test_case(there_is_one_of_a_name),
		test_case(nothing_is_there_before_and_after),
		test_case(processes_share_it),
		test_case(a_forked_child_shares_it),
		test_case(read_only_is_enforced),
		test_case(it_grows_for_all_who_have_it),
		test_case(who_has_it_keeps_it_when_its_name_goes),
		test_case(somebody_else_is_refused),
		test_case(what_is_wrong_is_said),
		test_case(changes_end_a_wait),
		test_case(its_name_going_ends_a_wait),
		test_case(many_who_create_it_get_one),
		test_case_with(a_storm_of_signals_shows_nowhere, &long_one),
		test_case(plain_programs_open_ours),
		test_case(we_open_plain_programs),
	};

	for (carrier = POSIX; argc == 2 && carrier <= MEMFD; carrier++)
		if (strcmp(argv[1], carriers[carrier]) == 0)
			return test_main(tests);
	fprintf(stderr, "usage: %s posixshm|sysvshm|memfd\n", argv[0]);
	return 2;
}
