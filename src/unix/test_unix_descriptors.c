/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unix/test_unix.h"

/* Descriptors that go with messages: those, all of them, closed at exec, and never one left behind. */

enum {
	MOST = NONET_UNIX_DESCRIPTORS_MAX
};

static int files[MOST + 1];

static int open_files(void **state)
{
	struct rlimit limit;

	(void)state;
	/* As many under way, and as many received, as one message can carry. */
	test_must(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur < 1024)
		limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
	test_must(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i <= MOST; i++)
		files[i] = (int)test_must(memfd_create("test", MFD_CLOEXEC));
	return 0;
}

static int close_files(void **state)
{
	(void)state;
	for (int i = 0; i <= MOST; i++)
		test_must(close(files[i]));
	return 0;
}

static const struct test_fixture with_files = {.setup = open_files, .teardown = close_files};

static int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	test_check(folder != NULL);
	while (readdir(folder))
		count++;
	test_must(closedir(folder));
	return count;
}

static int send_with(struct nonet_unix *socket, size_t size, unsigned seed, size_t count)
{
	uint8_t *bytes = malloc(size + 1);
	int error;

	fill(bytes, size, seed);
	error = nonet_unix_send_descriptors(socket, bytes, size, files + seed, count, soon());
	free(bytes);
	return error;
}

static int receive_with(struct nonet_unix *socket, size_t size, unsigned seed, size_t count, uint32_t capacity)
{
	int descriptors[MOST + 1];
	struct nonet_unix_ancillary ancillary = {
		.size = sizeof(ancillary),
		.descriptors_capacity = capacity,
		.descriptors = descriptors,
		.descriptors_count = 77,
		.sender_size = 77,
	};
	uint8_t *bytes = malloc(size + 1);
	size_t got = 0;
	int error = nonet_unix_receive_with(socket, bytes, size + 1, &ancillary, soon(), &got);
	struct stat theirs;
	struct stat ours;

	if (error == 0) {
		test_check_equal(got, size);
		test_check(is_filled(bytes, size, seed));
		test_check_equal(ancillary.descriptors_count, count);
		test_check_equal(ancillary.sender_size, 0);
		for (uint32_t i = 0; i < ancillary.descriptors_count; i++) {
			test_must(fstat(descriptors[i], &theirs));
			test_must(fstat(files[seed + i], &ours));
			test_check_equal(theirs.st_ino, ours.st_ino);
			test_check(fcntl(descriptors[i], F_GETFD) & FD_CLOEXEC);
			test_must(close(descriptors[i]));
		}
	} else {
		test_check_equal(ancillary.descriptors_count, 77);
	}
	free(bytes);
	return error;
}

static void as_many_as_the_kernel_allows_arrive_in_order(void **state)
{
	static const size_t counts[] = {0, 1, 2, MOST};
	struct nonet_unix *a;
	struct nonet_unix *b;

	(void)state;
	for_each_type(type)
	{
		make_pair(type, &a, &b);
		for (int i = 0; i < 4; i++) {
			assert_int_equal(send_with(a, 100, 0, counts[i]), 0);
			assert_int_equal(receive_with(b, 100, 0, counts[i], MOST), 0);
			assert_int_equal(send_with(a, 0, 0, counts[i]), 0);
			assert_int_equal(receive_with(b, 0, 0, counts[i], (uint32_t)counts[i]), 0);
		}
		assert_int_equal(send_with(a, 1, 0, MOST + 1), -EINVAL);
		assert_int_equal(nonet_unix_send_descriptors(a, "x", 1, (int[]){0, -1}, 2, soon()), -EBADF);
		assert_int_equal(nonet_unix_send_descriptors(a, "x", 1, (int[]){1023}, 1, soon()), -EBADF);
		assert_int_equal(send_with(a, 3, 3, 3), 0);
		assert_int_equal(receive_with(b, 3, 3, 3, MOST), 0);
		close_pair(a, b);
	}
}

static void bad_ancillary_is_refused(void **state)
{
	struct nonet_unix_ancillary ancillary = {.size = sizeof(ancillary), .descriptors_capacity = 1};
	struct nonet_unix *a;
	struct nonet_unix *b;
	char byte;
	size_t size;

	(void)state;
	for_each_type(type)
	{
		make_pair(type, &a, &b);
		assert_int_equal(nonet_unix_send(a, "x", 1, NONET_NOW), 0);
		assert_int_equal(nonet_unix_receive_with(b, &byte, 1, NULL, NONET_NOW, &size), -EINVAL);
		assert_int_equal(nonet_unix_receive_with(b, &byte, 1, &ancillary, NONET_NOW, &size), -EINVAL);
		ancillary.size = 8;
		ancillary.descriptors_capacity = 0;
		assert_int_equal(nonet_unix_receive_with(b, &byte, 1, &ancillary, NONET_NOW, &size), -EINVAL);
		ancillary.size = sizeof(ancillary);
		assert_int_equal(nonet_unix_receive_with(b, &byte, 1, &ancillary, NONET_NOW, &size), 0);
		assert_int_equal(ancillary.descriptors_count, 0);
		ancillary.descriptors_capacity = 1;
		close_pair(a, b);
	}
}

/* Several messages are in flight, large ones in many chunks among them: each has its own. */
/* A packet keeps its descriptors only for who asks for them from the start; a stream's message for everybody. */
static int find_too_large(struct nonet_unix *socket, enum nonet_unix_type type)
{
	struct nonet_unix_ancillary ancillary = {.size = sizeof(ancillary)};
	size_t size;

	if (type == NONET_UNIX_STREAM)
		return nonet_unix_receive(socket, NULL, 0, soon(), &size);
	return nonet_unix_receive_with(socket, NULL, 0, &ancillary, soon(), &size);
}

static void each_message_keeps_its_own(void **state)
{
	static const struct {
		size_t size;
		size_t count;
	} messages[] = {{5, 1}, {5, 2}, {5, 0}, {0, 3}, {70000, 4}, {5, 0}, {5, 5}, {66000, 0}, {1, 1}, {0, 0}, {9, 6}};
	const unsigned total = sizeof(messages) / sizeof(messages[0]);
	struct nonet_unix *a;
	struct nonet_unix *b;
	size_t size;
	int before;

	(void)state;
	for_each_type(type)
	{
		make_pair(type, &a, &b);
		before = count_descriptors();
		for (unsigned way = 0; way < 4; way++) {
			for (unsigned i = 0; i < total; i++)
				assert_int_equal(send_with(a, messages[i].size, i, messages[i].count), 0);
			for (unsigned i = 0; i < total; i++) {
				if (way == 1)
					assert_int_equal(nonet_unix_message_size(b, soon(), &size), 0);
				if (way == 2 && messages[i].size > 0)
					assert_int_equal(find_too_large(b, type), -EMSGSIZE);
				/* Who doesn't ask for them doesn't get them, and the next message's stay. */
				if (way == 3 && i % 2)
					expect_filled(b, messages[i].size, i);
				else
					assert_int_equal(receive_with(b, messages[i].size, i, messages[i].count, MOST),
							 0);
			}
			assert_int_equal(count_descriptors(), before);
		}
		close_pair(a, b);
	}
}

static int send_a_large_one(struct test_child_side *side, void *argument)
{
	(void)side;
	test_check_equal(send_with(argument, 3000000, 7, 3), 0);
	test_check_equal(send_with(argument, 3000000, 9, 2), 0);
	return 0;
}

static void a_message_of_many_chunks_brings_its_own(void **state)
{
	struct test_child *child;
	struct nonet_unix *a;
	struct nonet_unix *b;

	(void)state;
	make_pair(NONET_UNIX_STREAM, &a, &b);
	child = test_child_start(send_a_large_one, a);
	assert_int_equal(receive_with(b, 3000000, 7, 3, 3), 0);
	assert_int_equal(receive_with(b, 3000000, 9, 2, 3), 0);
	assert_int_equal(test_child_join(child), 0);
	close_pair(a, b);
}

static void too_little_room_for_them_is_emsgsize(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	int before;

	(void)state;
	for_each_type(type)
	{
		make_pair(type, &a, &b);
		before = count_descriptors();
		assert_int_equal(send_with(a, 10, 1, 4), 0);
		assert_int_equal(send_with(a, 10, 2, 1), 0);
		assert_int_equal(receive_with(b, 10, 1, 4, 3), -EMSGSIZE);
		if (type == NONET_UNIX_STREAM) {
			assert_int_equal(receive_with(b, 10, 1, 4, 0), -EMSGSIZE);
			assert_int_equal(receive_with(b, 10, 1, 4, 4), 0);
		}
		assert_int_equal(count_descriptors(), before);
		assert_int_equal(receive_with(b, 10, 2, 1, 1), 0);
		close_pair(a, b);
	}
}

/* What nobody took, whether it was received into the handle or not, goes with the handle. */
static void closing_closes_what_was_not_taken(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	size_t size;
	char byte;

	(void)state;
	for_each_type(type)
	{
		make_pair(type, &a, &b);
		assert_int_equal(send_with(a, 10, 1, 4), 0);
		assert_int_equal(send_with(a, 10, 1, 4), 0);
		assert_int_equal(send_with(a, 10, 1, 4), 0);
		assert_int_equal(nonet_unix_receive(b, &byte, 1, NONET_NOW, &size), -EMSGSIZE);
		nonet_unix_close(b);
		nonet_unix_close(a);
	}
	make_pair(NONET_UNIX_STREAM, &a, &b);
	assert_int_equal(send_with(a, 10, 1, 4), 0);
	assert_int_equal(nonet_unix_read(b, &byte, 1, NONET_NOW, &size), 0);
	close_pair(a, b);
}

/* Leave room for @left more descriptors. Return: the limit before. */
static struct rlimit squeeze(int left)
{
	struct rlimit before;
	struct rlimit limit;
	int next = (int)test_must(fcntl(files[0], F_DUPFD_CLOEXEC, 0));

	test_must(close(next));
	test_must(getrlimit(RLIMIT_NOFILE, &before));
	limit = before;
	limit.rlim_cur = (rlim_t)(next + left);
	test_must(setrlimit(RLIMIT_NOFILE, &limit));
	return before;
}

static void without_room_in_the_process_nothing_leaks(void **state)
{
	struct rlimit limit;
	struct nonet_error error;
	struct nonet_unix *a;
	struct nonet_unix *b;
	int before;

	(void)state;
	for_each_type(type)
	{
		make_pair(type, &a, &b);
		before = count_descriptors();
		for (int left = 0; left < 3; left++) {
			for (unsigned i = 0; i < 4; i++)
				assert_int_equal(send_with(a, 10 + i, i, i < 3 ? 4 : 0), 0);
			limit = squeeze(left);
			assert_int_equal(receive_with(b, 10, 0, 4, MOST), -EMFILE);
			/* Who doesn't want them isn't told that there was no room for them. */
			expect_filled(b, 11, 1);
			test_must(setrlimit(RLIMIT_NOFILE, &limit));
			assert_int_equal(receive_with(b, 12, 2, 4, MOST), 0);
			assert_int_equal(receive_with(b, 13, 3, 0, MOST), 0);
			assert_int_equal(count_descriptors(), before);
		}
		nonet_unix_explain(b, -EMFILE, &error);
		assert_non_null(strstr(error.text, "RLIMIT_NOFILE"));
		close_pair(a, b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(as_many_as_the_kernel_allows_arrive_in_order, &with_files),
		test_case_with(bad_ancillary_is_refused, &with_files),
		test_case_with(each_message_keeps_its_own, &with_files),
		test_case_with(a_message_of_many_chunks_brings_its_own, &with_files),
		test_case_with(too_little_room_for_them_is_emsgsize, &with_files),
		test_case_with(closing_closes_what_was_not_taken, &with_files),
		test_case_with(without_room_in_the_process_nothing_leaks, &with_files),
	};

	return test_main(tests);
}
