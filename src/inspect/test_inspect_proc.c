/* SPDX-License-Identifier: Apache-2.0 */
/* What comes of texts that the kernel may write, in a /proc that is made for it. */
#include "inspect/test_inspect_proc.h"
#include "inspect/inspect_lock.h"

/* Found as "PID has|waits SCHEME MODE START+LENGTH NAME", one after the other. */
static void finds(const char *scheme, const char *const *expected)
{
	static const char *const scheme_words[] = {
		[NONET_SCHEME_OFDLOCK] = "ofd", [NONET_SCHEME_POSIXLOCK] = "posix", [NONET_SCHEME_FLOCK] = "flock"};
	struct nonet_inspect_holders *holders = NULL;
	struct nonet_error error;
	size_t count = 0;

	if (proc_look(scheme, &holders, &error) < 0)
		test_fail("%s", error.text);
	for (; expected[count]; count++) {
		const struct nonet_inspect_holder *holder = nonet_inspect_holders_get(holders, count);
		char text[128] = "nobody";

		if (holder)
			snprintf(text, sizeof(text), "%d %s %s %s %lld+%lld %s", holder->pid,
				 holder->waits ? "waits" : "has", scheme_words[holder->scheme],
				 holder->mode == NONET_FILELOCK_SHARED ? "shared" : "exclusive",
				 (long long)holder->start, (long long)holder->length, holder->name);
		if (strcmp(text, expected[count]) != 0)
			test_fail("number %zu is \"%s\", not \"%s\"", count, text, expected[count]);
	}
	test_check_equal(nonet_inspect_holders_count(holders), count);
	nonet_inspect_holders_free(holders);
}

#define FINDS(scheme, ...) finds((scheme), (const char *const[]){__VA_ARGS__, NULL})

static void what_is_no_line_is_passed_over(void **state)
{
	static const char *const texts[] = {
		"",
		"1:",
		"1: ",
		"x: POSIX  ADVISORY  WRITE 1 00:2a:77 0 EOF",
		"1: LEASE  ACTIVE    READ  1 00:2a:77 0 EOF",
		"1: POSIX  ADVISORY  UNLCK 1 00:2a:77 0 EOF",
		"1: POSIX  ADVISORY  WRITE 1 00:2a 0 EOF",
		"1: POSIX  ADVISORY  WRITE 1 <none>:0 0 EOF",
		"1: POSIX  ADVISORY  WRITE 1 00:2a:77 5 4",
		"1: POSIX  ADVISORY  WRITE 1 00:2a:77 -5 4",
		"1: POSIX  ADVISORY  WRITE 1 00:2a:77 0",
		"1: POSIX  ADVISORY  WRITE 1 00:2a:77 0 x",
		"1: POSIXPOSIXPOSIX ADVISORY  WRITE 1 00:2a:77 0 EOF",
	};
	struct inspect_lock lock;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (inspect_lock_read(texts[i], &lock))
			test_fail("\"%s\" was taken for a lock", texts[i]);
	assert_true(inspect_lock_read("17:   -> OFDLCK ADVISORY  READ -1 103:01:18446744073709551615 7 7", &lock));
	assert_true(lock.waits);
	assert_int_equal(lock.scheme, NONET_SCHEME_OFDLOCK);
	assert_int_equal(lock.mode, SYS_LOCK_SHARED);
	assert_int_equal(lock.taker, -1);
	assert_int_equal(lock.file.major, 0x103);
	assert_int_equal(lock.file.minor, 1);
	assert_true(lock.file.inode == UINT64_MAX);
	assert_int_equal(lock.range.start, 7);
	assert_int_equal(lock.range.length, 1);
	assert_true(inspect_lock_read("1: FLOCK  ADVISORY  WRITE 9 0:2a:77 0 9223372036854775807", &lock));
	assert_int_equal(lock.range.length, 0);
}

static void ranges_overlap_where_they_have_a_byte(void **state)
{
	static const struct {
		struct sys_lock_range a, b;
		bool overlap;
	} cases[] = {
		{{0, 0}, {0, 0}, true},
		{{0, 1}, {1, 1}, false},
		{{0, 2}, {1, 1}, true},
		{{5, 0}, {0, 5}, false},
		{{5, 0}, {0, 6}, true},
		{{INT64_MAX, 1}, {0, 0}, true},
		{{INT64_MAX, 1}, {0, INT64_MAX}, false},
		{{INT64_MAX, INT64_MAX}, {INT64_MAX, 0}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(inspect_ranges_overlap(&cases[i].a, &cases[i].b), cases[i].overlap);
		assert_int_equal(inspect_ranges_overlap(&cases[i].b, &cases[i].a), cases[i].overlap);
	}
}

/* The same inode's number on another device, and the reverse, are other files. */
static void a_file_is_its_device_and_its_number(void **state)
{
	(void)state;
	proc_write("locks",
		   "1: POSIX  ADVISORY  WRITE 100 00:2a:78 0 EOF\n2: POSIX  ADVISORY  WRITE 100 00:2b:77 0 EOF\n"
		   "3: POSIX  ADVISORY  READ 100 00:2a:77 0 9\n");
	proc_process(100, "one\n",
		     "lock:\t1: POSIX  ADVISORY  WRITE 100 00:2b:77 0 EOF\n"
		     "lock:\t2: POSIX  ADVISORY  READ 100 00:2a:77 0 9\n");
	FINDS("posixlock", "100 has posix shared 0+10 one");
	FINDS("ofdlock", "100 has posix shared 0+10 one");
	finds("flock", (const char *const[]){NULL});
}

static void who_is_met_nowhere_is_unknown_or_named_by_the_kernel(void **state)
{
	(void)state;
	/* Two of the same, of which one is met; one that nobody has; and a waiter whose process isn't there. */
	proc_write("locks",
		   "1: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n2: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n"
		   "3: POSIX  ADVISORY  READ 100 00:2a:77 0 EOF\n3: -> POSIX  ADVISORY  WRITE 101 00:2a:77 0 EOF\n"
		   "3: -> OFDLCK  ADVISORY  WRITE -1 00:2a:77 0 EOF\n");
	proc_process(100, "one\n", "lock:\t1: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n");
	/* 100 can be looked into, and doesn't have lock 3 (any more). */
	FINDS("ofdlock", "0 has ofd shared 0+0 ", "0 has posix shared 0+0 ", "100 has ofd shared 0+0 one",
	      "0 waits ofd exclusive 0+0 ", "101 waits posix exclusive 0+0 ");
}

static void a_flock_is_its_heirs_where_the_taker_has_none(void **state)
{
	(void)state;
	proc_process(100, "taker\n", "");
	proc_process(101, "heir\n", "lock:\t1: FLOCK  ADVISORY  WRITE 100 00:2a:77 0 EOF\n");
	proc_write("locks", "1: FLOCK  ADVISORY  WRITE 100 00:2a:77 0 EOF\n");
	FINDS("flock", "101 has flock exclusive 0+0 heir");
	/* Hidden from our PID namespace, when the taker has ended. */
	proc_write("locks", "");
	FINDS("flock", "101 has flock exclusive 0+0 heir");
}

/* A name that is longer, or has no end, or is missing; and folders with odd names. */
static void what_is_odd_is_no_trouble(void **state)
{
	const char *const lock = "lock:\t1: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n";
	char path[256];

	(void)state;
	proc_write("locks", "\n\nnonsense\n1: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n");
	proc_process(100, "a name that is longer than names are\n", lock);
	proc_process(101, "endless", lock);
	proc_process(102, "", lock);
	snprintf(path, sizeof(path), "%s/102/comm", proc);
	test_must(unlink(path));
	proc_mkdir("103x");
	proc_mkdir("0");
	proc_mkdir("104");
	FINDS("ofdlock", "100 has ofd shared 0+0 a name that is ", "101 has ofd shared 0+0 endless",
	      "102 has ofd shared 0+0 ");
}

static void without_a_proc_it_says_so(void **state)
{
	struct nonet_inspect_holders *holders;
	struct nonet_error error;

	(void)state;
	test_check_equal(inspect_holders_in("/nonexistent", "flock:/", NULL, NONET_FOREVER, &holders, &error), -ENOENT);
	test_check(strstr(error.text, "/nonexistent"));
}

/* As of a file in a chroot: then a watch on it tells the device, in the kernel's own dev_t. */
static void a_mount_that_is_not_in_our_tree_is_asked_for_by_a_watch(void **state)
{
	struct nonet_inspect_holders *holders;
	struct nonet_error error;

	(void)state;
	proc_write("thread-self/mountinfo", "8 1 0:5 / / rw - x y z\n");
	test_check_equal(proc_look("flock", &holders, &error), -ENOENT);
	test_check(strstr(error.text, "mountinfo") && strstr(error.text, "kernel doesn't tell"));
	/* Of another inode. */
	proc_descriptors("mnt_id:\t9\nino:\t77\ninotify wd:1 ino:77 sdev:2a mask:fce ignored_mask:0\n");
	test_check_equal(proc_look("flock", &holders, &error), -ENOENT);
	proc_descriptors("mnt_id:\t9\nino:\t77\ninotify wd:1 ino:4d sdev:2a mask:fce ignored_mask:0\n");
	proc_write("locks",
		   "1: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n2: OFDLCK ADVISORY  READ -1 103:01:77 0 EOF\n");
	proc_process(100, "one\n", "lock:\t1: OFDLCK ADVISORY  READ -1 00:2a:77 0 EOF\n");
	proc_process(101, "two\n", "lock:\t2: OFDLCK ADVISORY  READ -1 103:01:77 0 EOF\n");
	FINDS("ofdlock", "100 has ofd shared 0+0 one");
	/* The device in 12 bits and 20. */
	proc_descriptors("mnt_id:\t9\nino:\t77\ninotify wd:1 ino:4d sdev:10300001 mask:fce ignored_mask:0\n");
	FINDS("ofdlock", "101 has ofd shared 0+0 two");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_is_no_line_is_passed_over),
		test_case(ranges_overlap_where_they_have_a_byte),
		test_case_with(a_file_is_its_device_and_its_number, &with_proc),
		test_case_with(who_is_met_nowhere_is_unknown_or_named_by_the_kernel, &with_proc),
		test_case_with(a_flock_is_its_heirs_where_the_taker_has_none, &with_proc),
		test_case_with(what_is_odd_is_no_trouble, &with_proc),
		test_case_with(without_a_proc_it_says_so, &with_proc),
		test_case_with(a_mount_that_is_not_in_our_tree_is_asked_for_by_a_watch, &with_proc),
	};

	return test_main(tests);
}
