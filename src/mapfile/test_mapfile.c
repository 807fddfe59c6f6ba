/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/storm.h"
#include "harness/test.h"

#define PAGE   4096
#define LENGTH 10000

/* A directory of its own for each test. */
static const char *directory;
static char path[100];

static int new_directory(void **state)
{
	(void)state;
	directory = test_directory_new();
	snprintf(path, sizeof(path), "%s/file", directory);
	return 0;
}

static int free_directory(void **state)
{
	(void)state;
	(void)unlink(path);
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture in_a_directory = {.setup = new_directory, .teardown = free_directory};

static struct nonet_mapfile_options options_of(uint64_t offset, uint64_t length, uint32_t flags)
{
	return (struct nonet_mapfile_options){
		.size = sizeof(struct nonet_mapfile_options), .flags = flags, .offset = offset, .length = length};
}

/* Bytes that differ from place to place, as a file. */
static void write_file(size_t size)
{
	FILE *file = fopen(path, "we");

	test_check(file != NULL);
	for (size_t i = 0; i < size; i++)
		fputc((int)(i * 31 + i / 251) & 0xff, file);
	test_must(fclose(file));
}

static uint8_t byte_at(size_t place)
{
	return (uint8_t)(place * 31 + place / 251);
}

static struct nonet_mapfile *create(uint64_t length)
{
	const struct nonet_mapfile_options options = options_of(0, length, 0);
	struct nonet_mapfile *mapfile;

	test_check_equal(nonet_mapfile_create(path, &options, &mapfile, NULL), 0);
	return mapfile;
}

static struct nonet_mapfile *map(uint64_t offset, uint64_t length, uint32_t flags)
{
	const struct nonet_mapfile_options options = options_of(offset, length, flags);
	struct nonet_mapfile *mapfile;

	test_check_equal(nonet_mapfile_open(path, &options, &mapfile, NULL), 0);
	return mapfile;
}

static void a_new_file_is_whole_and_has_its_mode(void **state)
{
	const mode_t before = umask(077);
	struct nonet_mapfile_options options = options_of(PAGE, LENGTH, 0);
	struct nonet_mapfile_info info;
	struct nonet_mapfile *mapfile;
	struct nonet_error error;
	struct stat status;

	(void)state;
	options.mode = 0664;
	assert_int_equal(nonet_mapfile_create(path, &options, &mapfile, NULL), 0);
	umask(before);
	test_must(stat(path, &status));
	assert_int_equal(status.st_mode & 07777, 0664);
	assert_int_equal(status.st_size, PAGE + LENGTH);
	assert_int_equal(nonet_mapfile_length(mapfile), LENGTH);
	assert_int_equal(nonet_mapfile_info(mapfile, &info), 0);
	assert_int_equal(info.file_size, PAGE + LENGTH);
	/* No holes: a full disk was found at creation. */
	assert_true(info.blocks >= info.file_size);
	assert_int_equal(info.offset, PAGE);
	assert_int_equal(info.mode, 0664);
	strcpy(nonet_mapfile_base(mapfile), "stored");
	nonet_mapfile_close(mapfile);
	assert_int_equal(nonet_mapfile_create(path, &options, &mapfile, &error), -EEXIST);
	options.flags = NONET_MAPFILE_EXISTING;
	assert_int_equal(nonet_mapfile_create(path, &options, &mapfile, NULL), 0);
	assert_string_equal(nonet_mapfile_base(mapfile), "stored");
	nonet_mapfile_close(mapfile);
}

static void a_region_is_where_it_was_asked_for(void **state)
{
	static const struct {
		uint64_t offset, length;
		size_t mapped;
	} regions[] = {
		{0, 0, 3 * PAGE + 7}, {0, 1, 1}, {PAGE, 0, 2 * PAGE + 7}, {PAGE, PAGE + 1, PAGE + 1}, {3 * PAGE, 7, 7}};

	(void)state;
	write_file(3 * PAGE + 7);
	for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
		struct nonet_mapfile *mapfile = map(regions[i].offset, regions[i].length, 0);
		const uint8_t *base = nonet_mapfile_base(mapfile);

		assert_int_equal(nonet_mapfile_length(mapfile), regions[i].mapped);
		for (size_t j = 0; j < regions[i].mapped; j++)
			assert_int_equal(base[j], byte_at(regions[i].offset + j));
		nonet_mapfile_close(mapfile);
	}
}

static void what_is_wrong_is_said(void **state)
{
	struct nonet_mapfile *mapfile = NULL;
	struct nonet_error error;
	static const struct {
		uint64_t offset, length;
		uint32_t flags;
		int code;
		const char *words;
	} wrong[] = {
		{100, 0, 0, -EINVAL, "look 100 bytes into it"},
		{0, 0, 0x100, -EINVAL, "unknown flags"},
		{PAGE, PAGE, 0, -ERANGE, "before the end of the region"},
		{3 * PAGE, 0, 0, -ENODATA, "there is nothing to map"},
		{UINT64_MAX - PAGE + 1, 1, 0, -EFBIG, "beyond the end of any file"},
	};

	(void)state;
	write_file(PAGE + 7);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const struct nonet_mapfile_options options =
			options_of(wrong[i].offset, wrong[i].length, wrong[i].flags);

		assert_int_equal(nonet_mapfile_open(path, &options, &mapfile, &error), wrong[i].code);
		if (!strstr(error.text, wrong[i].words))
			test_fail("\"%s\" doesn't say \"%s\"", error.text, wrong[i].words);
	}
	test_must(truncate(path, 0));
	assert_int_equal(nonet_mapfile_open(path, NULL, &mapfile, &error), -ENODATA);
	assert_int_equal(nonet_mapfile_open(directory, NULL, &mapfile, &error), -ENOTSUP);
	assert_int_equal(nonet_mapfile_open("/dev/null", NULL, &mapfile, &error), -ENOTSUP);
	assert_int_equal(nonet_mapfile_open(test_path(directory, "none"), NULL, &mapfile, &error), -ENOENT);
	assert_int_equal(nonet_mapfile_unlink(directory, &error), -ENOTSUP);
	test_must(unlink(path));
	test_must(mkfifo(path, 0600));
	/* Nor waited for. */
	assert_int_equal(nonet_mapfile_open(path, NULL, &mapfile, &error), -ENOTSUP);
	assert_int_equal(nonet_mapfile_unlink(path, &error), -ENOTSUP);
	assert_null(mapfile);
}

static void private_stores_stay_here(void **state)
{
	struct nonet_mapfile *ours;
	struct nonet_mapfile *theirs;

	(void)state;
	write_file(LENGTH);
	test_must(chmod(path, 0400));
	ours = map(0, 0, NONET_MAPFILE_PRIVATE);
	theirs = map(0, 0, NONET_MAPFILE_READ_ONLY);
	*(uint8_t *)nonet_mapfile_base(ours) = 99;
	assert_int_equal(*(uint8_t *)nonet_mapfile_base(theirs), byte_at(0));
	assert_int_equal(nonet_mapfile_grow(ours, 2 * LENGTH), -EPERM);
	assert_int_equal(nonet_mapfile_grow(theirs, 2 * LENGTH), -EPERM);
	assert_int_equal(nonet_mapfile_sync(ours, 0, 0, NONET_MAPFILE_WRITE), -EPERM);
	assert_int_equal(nonet_mapfile_advise(ours, 0, 0, NONET_MAPFILE_DONE), -EPERM);
	/* What was stored survives a remapping. */
	test_must(truncate(path, 64 * PAGE));
	assert_int_equal(nonet_mapfile_refresh(ours), 0);
	assert_int_equal(nonet_mapfile_length(ours), 64 * PAGE);
	assert_int_equal(*(uint8_t *)nonet_mapfile_base(ours), 99);
	nonet_mapfile_close(ours);
	nonet_mapfile_close(theirs);
}

static int store_to_read_only(struct test_child_side *side, void *argument)
{
	(void)side;
	*(uint8_t *)nonet_mapfile_base(argument) = 1;
	return 0;
}

static void read_only_is_enforced(void **state)
{
	struct nonet_mapfile *mapfile;

	(void)state;
	write_file(LENGTH);
	mapfile = map(0, 0, NONET_MAPFILE_READ_ONLY);
	assert_int_not_equal(test_child_join(test_child_start(store_to_read_only, mapfile)), 0);
	assert_int_equal(*(uint8_t *)nonet_mapfile_base(mapfile), byte_at(0));
	nonet_mapfile_close(mapfile);
}

static int count_up(struct test_child_side *side, void *argument)
{
	struct nonet_mapfile *mapfile = map(0, 0, 0);

	(void)side;
	(void)argument;
	for (int i = 0; i < 1000; i++)
		atomic_fetch_add((_Atomic uint32_t *)nonet_mapfile_base(mapfile), 1);
	nonet_mapfile_close(mapfile);
	return 0;
}

static void processes_share_it(void **state)
{
	struct nonet_mapfile *mapfile = create(LENGTH);
	struct test_child *children[4];
	uint32_t read_back;
	int fd;

	(void)state;
	for (int i = 0; i < 4; i++)
		children[i] = test_child_start(count_up, NULL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(test_child_join(children[i]), 0);
	nonet_mapfile_close(mapfile);
	/* And it is the file's. */
	fd = (int)test_must(open(path, O_RDONLY | O_CLOEXEC));
	assert_int_equal(read(fd, &read_back, sizeof(read_back)), sizeof(read_back));
	assert_int_equal(read_back, 4000);
	close(fd);
}

static void it_grows_with_what_is_in_it(void **state)
{
	struct nonet_mapfile *mapfile = create(100);
	struct nonet_mapfile *other = map(0, 0, 0);
	struct nonet_mapfile_info info;
	size_t last = 0;

	(void)state;
	for (size_t length = 100; length <= 4u << 20; length = length * 3 + 1) {
		assert_int_equal(nonet_mapfile_grow(mapfile, length), 0);
		assert_int_equal(nonet_mapfile_length(mapfile), length);
		((uint8_t *)nonet_mapfile_base(mapfile))[length - 1] = 7;
		assert_int_equal(nonet_mapfile_refresh(other), 0);
		assert_int_equal(nonet_mapfile_length(other), length);
		assert_int_equal(((uint8_t *)nonet_mapfile_base(other))[length - 1], 7);
		if (last > 0)
			assert_int_equal(((uint8_t *)nonet_mapfile_base(mapfile))[last - 1], 7);
		last = length;
	}
	assert_int_equal(nonet_mapfile_info(mapfile, &info), 0);
	assert_int_equal(info.file_size, last);
	assert_true(info.blocks >= last);
	assert_int_equal(nonet_mapfile_grow(mapfile, 1), 0);
	assert_int_equal(nonet_mapfile_length(mapfile), last);
	assert_true(nonet_mapfile_grow(mapfile, SIZE_MAX) < 0);
	nonet_mapfile_close(mapfile);
	nonet_mapfile_close(other);
}

/* A region at an offset grows where it is, and doesn't swallow the rest of the file. */
/* Advice for a part makes several mappings of one, which mremap(2) refuses. */
static void what_is_in_parts_grows_too(void **state)
{
	const enum nonet_mapfile_advice advices[] = {NONET_MAPFILE_SEQUENTIAL, NONET_MAPFILE_RANDOM};
	struct nonet_mapfile *mapfile = create(4 * PAGE);
	struct nonet_mapfile *private = map(0, 0, NONET_MAPFILE_PRIVATE);

	(void)state;
	strcpy(nonet_mapfile_base(mapfile), "stored");
	strcpy((char *)nonet_mapfile_base(mapfile) + 3 * PAGE, "at the end");
	strcpy((char *)nonet_mapfile_base(private) + PAGE, "private");
	for (size_t i = 0; i < 2; i++) {
		const size_t length = nonet_mapfile_length(mapfile) + 100 * PAGE;

		assert_int_equal(nonet_mapfile_advise(mapfile, PAGE, PAGE, advices[i]), 0);
		assert_int_equal(nonet_mapfile_advise(private, 2 * PAGE, PAGE, advices[i]), 0);
		assert_int_equal(nonet_mapfile_grow(mapfile, length), 0);
		assert_int_equal(nonet_mapfile_length(mapfile), length);
		((uint8_t *)nonet_mapfile_base(mapfile))[length - 1] = 1;
		assert_string_equal(nonet_mapfile_base(mapfile), "stored");
		assert_string_equal((char *)nonet_mapfile_base(mapfile) + 3 * PAGE, "at the end");
		assert_int_equal(nonet_mapfile_refresh(private), 0);
		assert_int_equal(nonet_mapfile_length(private), length);
		assert_string_equal((char *)nonet_mapfile_base(private) + PAGE, "private");
	}
	nonet_mapfile_close(private);
	nonet_mapfile_close(mapfile);
}

static void a_region_grows_as_far_as_it_was_told(void **state)
{
	struct nonet_mapfile *mapfile;

	(void)state;
	write_file(10 * PAGE);
	mapfile = map(PAGE, PAGE, 0);
	assert_int_equal(nonet_mapfile_grow(mapfile, 3 * PAGE), 0);
	assert_int_equal(nonet_mapfile_length(mapfile), 3 * PAGE);
	for (size_t i = 0; i < 3 * PAGE; i++)
		assert_int_equal(((uint8_t *)nonet_mapfile_base(mapfile))[i], byte_at(PAGE + i));
	nonet_mapfile_close(mapfile);
}

static void truncation_is_told_by_every_call(void **state)
{
	struct nonet_mapfile *mapfile = create(4 * PAGE);
	struct nonet_mapfile_info info;
	struct nonet_error error;

	(void)state;
	test_must(truncate(path, PAGE));
	/* Nobody touched it so far: the file's size tells. */
	assert_int_equal(nonet_mapfile_check(mapfile), 0);
	assert_int_equal(nonet_mapfile_grow(mapfile, 8 * PAGE), -EBADMSG);
	assert_int_equal(nonet_mapfile_check(mapfile), -EBADMSG);
	assert_int_equal(nonet_mapfile_refresh(mapfile), -EBADMSG);
	assert_int_equal(nonet_mapfile_sync(mapfile, 0, 0, NONET_MAPFILE_WRITE), -EBADMSG);
	assert_int_equal(nonet_mapfile_advise(mapfile, 0, 0, NONET_MAPFILE_SOON), -EBADMSG);
	assert_int_equal(nonet_mapfile_info(mapfile, &info), -EBADMSG);
	nonet_mapfile_explain(mapfile, -EBADMSG, &error);
	assert_non_null(strstr(error.text, path));
	nonet_mapfile_close(mapfile);
}

static void ranges_are_written_out(void **state)
{
	struct nonet_mapfile *mapfile = create(3 * PAGE + 7);

	(void)state;
	for (int how = NONET_MAPFILE_START; how <= NONET_MAPFILE_DURABLE; how++) {
		enum nonet_mapfile_sync sync = (enum nonet_mapfile_sync)how;

		memset(nonet_mapfile_base(mapfile), how, nonet_mapfile_length(mapfile));
		assert_int_equal(nonet_mapfile_sync(mapfile, 0, 0, sync), 0);
		assert_int_equal(nonet_mapfile_sync(mapfile, 100, 5000, sync), 0);
		assert_int_equal(nonet_mapfile_sync(mapfile, 3 * PAGE + 6, 1, sync), 0);
		assert_int_equal(nonet_mapfile_sync(mapfile, 3 * PAGE + 7, 0, sync), 0);
		assert_int_equal(nonet_mapfile_sync(mapfile, 3 * PAGE + 7, 1, sync), -EINVAL);
		assert_int_equal(nonet_mapfile_sync(mapfile, 1, SIZE_MAX, sync), -EINVAL);
	}
	assert_int_equal(nonet_mapfile_sync(mapfile, 0, 0, (enum nonet_mapfile_sync)9), -EINVAL);
	for (int advice = NONET_MAPFILE_NORMAL; advice <= NONET_MAPFILE_DONE; advice++)
		assert_int_equal(nonet_mapfile_advise(mapfile, 1, 5000, (enum nonet_mapfile_advice)advice), 0);
	assert_int_equal(nonet_mapfile_advise(mapfile, 0, 0, (enum nonet_mapfile_advice)9), -EINVAL);
	/* Nothing of it was lost. */
	for (size_t i = 0; i < nonet_mapfile_length(mapfile); i++)
		assert_int_equal(((uint8_t *)nonet_mapfile_base(mapfile))[i], NONET_MAPFILE_DURABLE);
	nonet_mapfile_close(mapfile);
}

static void changes_are_told(void **state)
{
	struct nonet_mapfile *mapfile = create(PAGE);
	const char *other = test_path(directory, "other");
	uint32_t changes = 77;
	int fd = (int)test_must(open(path, O_WRONLY | O_CLOEXEC));

	(void)state;
	assert_int_equal(nonet_mapfile_changed(mapfile, NONET_NOW, &changes), -EAGAIN);
	assert_int_equal(changes, 77);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_int_equal(nonet_mapfile_changed(mapfile, test_deadline(), &changes), 0);
	assert_int_equal(changes, NONET_MAPFILE_WRITTEN);
	assert_int_equal(pwrite(fd, "x", 1, PAGE), 1);
	assert_int_equal(nonet_mapfile_changed(mapfile, test_deadline(), &changes), 0);
	assert_int_equal(changes, NONET_MAPFILE_WRITTEN | NONET_MAPFILE_GREW);
	assert_int_equal(nonet_mapfile_refresh(mapfile), 0);
	/* Nothing that matters. */
	test_must(fchmod(fd, 0640));
	assert_int_equal(nonet_mapfile_changed(mapfile, NONET_NOW, &changes), -EAGAIN);
	/* As editors save. */
	test_must(close((int)test_must(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600))));
	test_must(rename(other, path));
	assert_int_equal(nonet_mapfile_changed(mapfile, test_deadline(), &changes), 0);
	assert_int_equal(changes, NONET_MAPFILE_REPLACED);
	test_must(ftruncate(fd, 10));
	assert_int_equal(nonet_mapfile_changed(mapfile, test_deadline(), &changes), 0);
	assert_int_equal(changes, NONET_MAPFILE_WRITTEN | NONET_MAPFILE_REPLACED | NONET_MAPFILE_SHRANK);
	close(fd);
	nonet_mapfile_close(mapfile);
}

static int write_later(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	test_await(side, "go");
	test_must(truncate(path, 2 * PAGE));
	return 0;
}

static void a_change_ends_a_wait(void **state)
{
	struct nonet_mapfile *mapfile = create(PAGE);
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct test_child *child;
	uint32_t changes;
	size_t count;

	(void)state;
	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	assert_int_equal(nonet_wait_set_add(set, nonet_mapfile_waitable(mapfile), NONET_WAIT_RECEIVE, mapfile), 0);
	child = test_child_until(write_later, NULL);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	test_child_tell(child, "go");
	assert_int_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	assert_ptr_equal(event.data, mapfile);
	assert_int_equal(nonet_mapfile_arm(mapfile), 0);
	assert_int_equal(nonet_mapfile_changed(mapfile, NONET_NOW, &changes), 0);
	assert_int_equal(changes, NONET_MAPFILE_WRITTEN | NONET_MAPFILE_GREW);
	assert_int_equal(test_child_join(child), 0);
	nonet_mapfile_close(mapfile);
	nonet_wait_set_free(set);
}

static void a_storm_of_signals_shows_nowhere(void **state)
{
	struct test_storm *storm;
	struct nonet_mapfile *mapfile;
	uint32_t changes;
	uint64_t sent;

	(void)state;
	test_storm_victim();
	storm = test_storm_start((pid_t[]){getpid()}, 1, NONET_S(30));
	for (int i = 0; i < 20; i++) {
		mapfile = create(8u << 20);
		assert_int_equal(nonet_mapfile_grow(mapfile, 16u << 20), 0);
		memset(nonet_mapfile_base(mapfile), i, 1u << 20);
		assert_int_equal(nonet_mapfile_sync(mapfile, 0, 0, NONET_MAPFILE_DURABLE), 0);
		assert_int_equal(nonet_mapfile_changed(mapfile, nonet_after(NONET_MS(5)), &changes), -ETIMEDOUT);
		nonet_mapfile_close(mapfile);
		test_must(unlink(path));
	}
	sent = test_storm_stop(storm);
	test_note("%llu signals", (unsigned long long)sent);
	assert_true(sent > 0 && test_storm_received() > 0);
}

#define IN_A_DIRECTORY(test) test_case_with(test, &in_a_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_DIRECTORY(a_new_file_is_whole_and_has_its_mode),
		IN_A_DIRECTORY(a_region_is_where_it_was_asked_for),
		IN_A_DIRECTORY(what_is_wrong_is_said),
		IN_A_DIRECTORY(private_stores_stay_here),
		IN_A_DIRECTORY(read_only_is_enforced),
		IN_A_DIRECTORY(processes_share_it),
		IN_A_DIRECTORY(it_grows_with_what_is_in_it),
		IN_A_DIRECTORY(what_is_in_parts_grows_too),
		IN_A_DIRECTORY(a_region_grows_as_far_as_it_was_told),
		IN_A_DIRECTORY(truncation_is_told_by_every_call),
		IN_A_DIRECTORY(ranges_are_written_out),
		IN_A_DIRECTORY(changes_are_told),
		IN_A_DIRECTORY(a_change_ends_a_wait),
		IN_A_DIRECTORY(a_storm_of_signals_shows_nowhere),
	};

	return test_main(tests);
}
