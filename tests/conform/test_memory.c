/* SPDX-License-Identifier: Apache-2.0 */
/* One set of properties for shared memory, stamped per carrier: the first argument. */
#include "test_memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/nonet.h>

enum memory_carrier_kind memory_carrier;

const char *memory_new_address(void)
{
	static char text[100];
	static unsigned number;

	if (memory_carrier == MEMORY_POSIX)
		snprintf(text, sizeof(text), "posixshm:/%s", test_name("memory"));
	else
		/* Of this process alone, as far as a 32-bit key can be. */
		snprintf(text, sizeof(text), "sysvshm:0x%x",
			 0x4e000000u | ((unsigned)getpid() << 8 & 0xffff00) | number++);
	return text;
}

struct nonet_memory_options memory_options(uint64_t length)
{
	return (struct nonet_memory_options){.size = sizeof(struct nonet_memory_options), .length = length};
}

int memory_create(const char *address, uint64_t length, struct nonet_memory **ret_memory)
{
	const struct nonet_memory_options options = memory_options(length);

	if (memory_carrier == MEMORY_MEMFD)
		return nonet_memory_new(&options, ret_memory, NULL);
	return nonet_memory_create(address, &options, ret_memory, NULL);
}

int memory_open_again(const char *address, struct nonet_memory *memory, uint32_t flags,
		      struct nonet_memory **ret_memory)
{
	struct nonet_memory_options options = memory_options(0);
	int error;
	int fd;

	options.flags = flags;
	if (memory_carrier != MEMORY_MEMFD)
		return nonet_memory_open(address, &options, ret_memory, NULL);
	fd = (int)test_must(dup(nonet_memory_descriptor(memory)));
	error = nonet_memory_take_fd(&fd, &options, ret_memory, NULL);
	test_check_equal(fd == -1, error == 0);
	if (fd >= 0)
		close(fd);
	return error;
}

struct memory_object memory_make(uint64_t length)
{
	struct memory_object object;

	snprintf(object.address, sizeof(object.address), "%s", memory_new_address());
	test_check_equal(memory_create(object.address, length, &object.memory), 0);
	return object;
}

void memory_drop(struct memory_object *object)
{
	nonet_memory_close(object->memory);
	if (memory_carrier != MEMORY_MEMFD)
		test_check_equal(nonet_memory_unlink(object->address, NULL), 0);
}

void memory_named_only(void)
{
	if (memory_carrier == MEMORY_MEMFD)
		test_not_applicable("a memfd has no name");
}

void it_is_zeros_of_the_length_asked_for(void **state)
{
	struct memory_object object = memory_make(LENGTH);
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
	if (memory_carrier == MEMORY_SYSV) {
		assert_int_equal(info.attached, 1);
		assert_int_equal(info.creator, getpid());
	} else {
		assert_int_equal(info.attached, -1);
		assert_int_equal(info.id, -1);
	}
	assert_int_equal(nonet_memory_check(object.memory), 0);
	memory_drop(&object);
}

void its_mode_is_exact_whatever_the_umask(void **state)
{
	static const uint32_t modes[] = {0, 0600, 0666, 0640, 0777, 0400};
	const mode_t before = umask(077);

	(void)state;
	if (memory_carrier == MEMORY_MEMFD) {
		umask(before);
		memory_named_only();
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const char *address = memory_new_address();
		struct nonet_memory_options options = memory_options(LENGTH);
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

void there_is_one_of_a_name(void **state)
{
	struct nonet_memory_options options = memory_options(LENGTH);
	struct nonet_memory *second = NULL;
	struct nonet_error error;
	struct memory_object object;

	(void)state;
	memory_named_only();
	object = memory_make(LENGTH);
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
	memory_drop(&object);
}

void nothing_is_there_before_and_after(void **state)
{
	struct nonet_memory *memory = NULL;
	struct nonet_memory_info info;
	struct nonet_error error;
	struct memory_object object;

	(void)state;
	memory_named_only();
	object = memory_make(LENGTH);
	memory_drop(&object);
	assert_int_equal(nonet_memory_open(object.address, NULL, &memory, &error), -ENOENT);
	assert_int_equal(nonet_memory_unlink(object.address, &error), -ENOENT);
	assert_int_equal(nonet_memory_find(object.address, &info, &error), -ENOENT);
	assert_null(memory);
}

void it_grows_for_all_who_have_it(void **state)
{
	struct memory_object object = memory_make(LENGTH);
	struct nonet_memory *other;

	(void)state;
	if (memory_carrier == MEMORY_SYSV) {
		struct nonet_error error;

		assert_int_equal(nonet_memory_grow(object.memory, 2 * LENGTH), -EOPNOTSUPP);
		nonet_memory_explain(object.memory, -EOPNOTSUPP, &error);
		assert_non_null(strstr(error.text, "posixshm:"));
		assert_int_equal(nonet_memory_refresh(object.memory), 0);
		memory_drop(&object);
		return;
	}
	assert_int_equal(memory_open_again(object.address, object.memory, NONET_MEMORY_READ_ONLY, &other), 0);
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
	memory_drop(&object);
}

void who_has_it_keeps_it_when_its_name_goes(void **state)
{
	struct nonet_memory_info info;
	struct nonet_memory *second;
	struct memory_object object;

	(void)state;
	memory_named_only();
	object = memory_make(LENGTH);
	strcpy(nonet_memory_base(object.memory), "first");
	assert_int_equal(nonet_memory_unlink(object.address, NULL), 0);
	assert_int_equal(nonet_memory_info(object.memory, &info), 0);
	assert_int_equal(info.flags, NONET_MEMORY_IS_REMOVED);
	assert_string_equal(nonet_memory_base(object.memory), "first");
	/* The name is free for another. */
	assert_int_equal(memory_create(object.address, LENGTH, &second), 0);
	assert_int_equal(*(uint8_t *)nonet_memory_base(second), 0);
	nonet_memory_close(second);
	memory_drop(&object);
}

void what_is_wrong_is_said(void **state)
{
	const char *address = memory_new_address();
	struct nonet_memory_options options = memory_options(LENGTH);
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
		if (memory_carrier == MEMORY_MEMFD)
			assert_int_equal(nonet_memory_new(&options, &memory, &error), wrong[i].code);
		else
			assert_int_equal(nonet_memory_create(address, &options, &memory, &error), wrong[i].code);
		assert_int_equal(error.code, wrong[i].code);
		if (!strstr(error.text, wrong[i].words))
			test_fail("\"%s\" doesn't say \"%s\"", error.text, wrong[i].words);
	}
	/* A length that a machine could have, but this one hasn't. */
	options = memory_options(UINT64_C(1) << 46);
	if (memory_carrier == MEMORY_MEMFD)
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

#define MEMORY_CASE(name) test_case(name),

int main(int argc, char **argv)
{
	static const char *const carriers[] = {"posixshm", "sysvshm", "memfd"};
	static const struct test_fixture long_one = {.time = NONET_S(60)};
	const struct CMUnitTest tests[] = {
		MEMORY_PROPERTIES(MEMORY_CASE) test_case_with(a_storm_of_signals_shows_nowhere, &long_one),
	};

	for (memory_carrier = MEMORY_POSIX; argc == 2 && memory_carrier <= MEMORY_MEMFD; memory_carrier++)
		if (strcmp(argv[1], carriers[memory_carrier]) == 0)
			return test_main(tests);
	fprintf(stderr, "usage: %s posixshm|sysvshm|memfd\n", argv[0]);
	return 2;
}
