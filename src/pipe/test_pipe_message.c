/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "pipe/test_pipe.h"

static int send_each_size(struct test_child_side *side, void *argument)
{
	static const size_t sizes[] = {0,    1,    4078,  4079,  4080,   4081,     4095, 4096,
				       8159, 8160, 65535, 65536, 131072, 1u << 20, 0,    1};

	(void)side;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		test_check_equal(send_filled(argument, sizes[i], (unsigned)sizes[i], soon()), 0);
	return 0;
}

static void a_message_of_any_size_arrives_whole(void **state)
{
	static const size_t sizes[] = {0,    1,    4078,  4079,  4080,   4081,     4095, 4096,
				       8159, 8160, 65535, 65536, 131072, 1u << 20, 0,    1};
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct test_child *child;
	size_t size = 0;

	(void)state;
	make_pipe(&reader, &writer);
	child = test_child_start(send_each_size, writer);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(nonet_pipe_message_size(reader, soon(), &size), 0);
		assert_int_equal(size, sizes[i]);
		expect_filled(reader, sizes[i], (unsigned)sizes[i]);
	}
	assert_int_equal(test_child_join(child), 0);
	writer = nonet_pipe_close(writer);
	assert_int_equal(nonet_pipe_receive(reader, NULL, 0, NONET_FOREVER, &size), -EPIPE);
	assert_int_equal(nonet_pipe_message_size(reader, NONET_FOREVER, &size), -EPIPE);
	nonet_pipe_close(reader);
}

/* At most NONET_PIPE_ATOMIC bytes are one write: nothing of them is in the pipe unless all is. */
static void a_small_message_needs_room_for_all_of_it(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	size_t queued = 0;
	size_t before;

	(void)state;
	make_pipe(&reader, &writer);
	assert_int_equal(nonet_pipe_set_capacity(writer, 4096), 0);
	assert_int_equal(send_filled(writer, 100, 1, NONET_NOW), 0);
	assert_int_equal(nonet_pipe_queued(reader, &before), 0);
	assert_int_equal(send_filled(writer, NONET_PIPE_ATOMIC, 2, NONET_NOW), -EAGAIN);
	assert_int_equal(send_filled(writer, NONET_PIPE_ATOMIC, 2, nonet_after(NONET_MS(2))), -ETIMEDOUT);
	assert_int_equal(nonet_pipe_queued(reader, &queued), 0);
	assert_int_equal(queued, before);
	expect_filled(reader, 100, 1);
	assert_int_equal(send_filled(writer, NONET_PIPE_ATOMIC, 2, NONET_NOW), 0);
	expect_filled(reader, NONET_PIPE_ATOMIC, 2);
	close_pair(reader, writer);
}

static void the_limit_holds_at_both_ends(void **state)
{
	const struct nonet_pipe_options options = {.size = sizeof(options), .message_size = 5000};
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_pipe *strict;
	char buffer[8];
	size_t size;
	int fd;

	(void)state;
	assert_int_equal(nonet_pipe_new(&options, &reader, &writer, NULL), 0);
	assert_int_equal(send_filled(writer, 5001, 0, NONET_NOW), -EMSGSIZE);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(send_filled(writer, 5000, 9, NONET_NOW), 0);
	expect_filled(reader, 5000, 9);
	close_pair(reader, writer);

	/* A reader that takes less than the writer sends: it can't go on, as it can't hold what comes. */
	make_pipe(&reader, &writer);
	fd = (int)test_must(dup(nonet_pipe_fd(reader)));
	assert_int_equal(nonet_pipe_take_fd(&fd, &options, &strict, NULL), 0);
	assert_int_equal(send_filled(writer, 5001, 0, NONET_NOW), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(nonet_pipe_receive(strict, buffer, 8, NONET_FOREVER, &size), -EBADMSG);
		assert_int_equal(nonet_pipe_message_size(strict, NONET_FOREVER, &size), -EBADMSG);
	}
	nonet_pipe_close(strict);
	close_pair(reader, writer);
}

static void check_stays(struct nonet_pipe *reader, size_t expected)
{
	uint8_t buffer[64];
	size_t size = 55;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(nonet_pipe_receive(reader, buffer, i * 3u, NONET_NOW, &size), -EMSGSIZE);
		assert_int_equal(size, 55);
	}
	assert_int_equal(nonet_pipe_arm(reader), 1);
	assert_int_equal(nonet_pipe_message_size(reader, NONET_NOW, &size), 0);
	assert_int_equal(size, expected);
}

static void a_message_too_large_for_the_buffer_stays(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;

	(void)state;
	make_pipe(&reader, &writer);
	assert_int_equal(send_filled(writer, 10, 1, NONET_NOW), 0);
	assert_int_equal(send_filled(writer, 20000, 2, NONET_NOW), 0);
	assert_int_equal(send_filled(writer, 11, 3, NONET_NOW), 0);
	check_stays(reader, 10);
	expect_filled(reader, 10, 1);
	check_stays(reader, 20000);
	expect_filled(reader, 20000, 2);
	check_stays(reader, 11);
	expect_filled(reader, 11, 3);
	close_pair(reader, writer);
}

/* The beginning of a large message, the sender out of time: then others. The reader sees only whole ones. */
static void an_abandoned_message_is_never_seen(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	uint8_t *buffer = malloc(200000);
	size_t size;

	(void)state;
	make_pipe(&reader, &writer);
	for (unsigned i = 0; i < 6; i++) {
		const int taken_early = i % 2;

		assert_int_equal(send_filled(writer, 200000, i, i % 3 ? NONET_NOW : nonet_after(NONET_MS(1))),
				 i % 3 ? -EAGAIN : -ETIMEDOUT);
		if (taken_early)
			assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EAGAIN);
		/* Without room the next one can't be sent either, and the word that it has to say stays to be said. */
		if (!taken_early) {
			assert_int_equal(send_filled(writer, 5, 50 + i, NONET_NOW), -EAGAIN);
			assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EAGAIN);
		}
		if (i < 3) {
			assert_int_equal(send_filled(writer, 30, 100 + i, NONET_NOW), 0);
			expect_filled(reader, 30, 100 + i);
		}
		assert_int_equal(send_filled(writer, 30000, 200 + i, NONET_NOW), 0);
		expect_filled(reader, 30000, 200 + i);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EAGAIN);
	}
	close_pair(reader, writer);
	free(buffer);
}

static int send_a_large_one(struct test_child_side *side, void *argument)
{
	test_report(side, "ready");
	(void)!send_filled(argument, 500000, 1, NONET_FOREVER);
	return 0;
}

static void a_writer_killed_in_the_middle_is_told_once(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct test_child *child;
	uint8_t *buffer = malloc(500000);
	size_t size;

	(void)state;
	make_pipe(&reader, &writer);
	for (unsigned i = 0; i < 4; i++) {
		child = test_child_until(send_a_large_one, writer);
		test_child_wait_blocked(child);
		test_child_stop(child);
		if (i % 2)
			assert_int_equal(nonet_pipe_receive(reader, buffer, 500000, NONET_NOW, &size), -EAGAIN);
		test_kill(child);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 500000, NONET_NOW, &size), -EAGAIN);
		/* A small one passes; it doesn't show that the large one is dead. */
		assert_int_equal(send_filled(writer, 10, i, soon()), 0);
		expect_filled(reader, 10, i);
		assert_int_equal(send_filled(writer, 10000, i, soon()), 0);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 500000, soon(), &size), -EBADMSG);
		expect_filled(reader, 10000, i);
		assert_int_equal(send_filled(writer, 10, i, soon()), 0);
		expect_filled(reader, 10, i);
	}
	close_pair(reader, writer);
	free(buffer);
}

static void the_end_in_the_middle_of_a_message_is_told_once(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	uint8_t *buffer = malloc(200000);
	size_t size;

	(void)state;
	for (int way = 0; way < 3; way++) {
		make_pipe(&reader, &writer);
		assert_int_equal(send_filled(writer, 7, 7, NONET_NOW), 0);
		if (way == 0)
			assert_int_equal(send_filled(writer, 200000, 1, NONET_NOW), -EAGAIN);
		else /* cut within a payload, within a header */
			assert_int_equal(nonet_pipe_write(writer, "n\3\0\7\5\0\0\0\5\0\0\0\0\0\0\0ab",
							  way == 1 ? 18 : 5, NONET_NOW, NULL),
					 0);
		writer = nonet_pipe_close(writer);
		expect_filled(reader, 7, 7);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_FOREVER, &size), -EBADMSG);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_FOREVER, &size), -EPIPE);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EPIPE);
		nonet_pipe_close(reader);
	}
	free(buffer);
}

static void plain_bytes_are_refused_for_ever(void **state)
{
	static const char *const garbage[] = {"what a program prints\n", "nnnnnnnnnnnnnnnnnnnn",
					      "n\3\1\0\0\0\0\0\0\0\0\0\0\0\0\0\1",
					      "n\7\0\0\377\377\0\0\377\377\0\0\0\0\0\0"};
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_error error;
	uint8_t buffer[64];
	size_t size;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		make_pipe(&reader, &writer);
		assert_int_equal(send_filled(writer, 9, 1, NONET_NOW), 0);
		assert_int_equal(nonet_pipe_write(writer, garbage[i], 17, NONET_NOW, NULL), 0);
		assert_int_equal(send_filled(writer, 9, 1, NONET_NOW), 0);
		expect_filled(reader, 9, 1);
		for (int again = 0; again < 3; again++)
			assert_int_equal(nonet_pipe_receive(reader, buffer, 64, NONET_FOREVER, &size), -EBADMSG);
		nonet_pipe_explain(reader, -EBADMSG, &error);
		assert_non_null(strstr(error.text, "isn't a message"));
		close_pair(reader, writer);
	}
}

static bool is_readable(int epoll)
{
	struct epoll_event event;

	return test_must(epoll_wait(epoll, &event, 1, 0)) == 1;
}

/* What was read ahead the descriptor doesn't show: arm has to. What isn't a whole message yet must not wake for ever.
 */
static void arm_and_the_descriptor_lose_nothing(void **state)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	int epoll = (int)test_must(epoll_create1(0));
	uint8_t buffer[64];
	size_t size;

	(void)state;
	make_pipe(&reader, &writer);
	test_must(epoll_ctl(epoll, EPOLL_CTL_ADD, nonet_pipe_fd(reader), &event));
	assert_int_equal(nonet_pipe_arm(reader), 0);
	assert_false(is_readable(epoll));
	assert_int_equal(send_filled(writer, 5, 1, NONET_NOW), 0);
	assert_int_equal(send_filled(writer, 6, 2, NONET_NOW), 0);
	assert_true(nonet_pipe_arm(reader) || is_readable(epoll));
	expect_filled(reader, 5, 1);
	assert_false(is_readable(epoll));
	assert_int_equal(nonet_pipe_arm(reader), 1);
	expect_filled(reader, 6, 2);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 64, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(nonet_pipe_arm(reader), 0);

	assert_int_equal(nonet_pipe_write(writer, "n\3\0\7\2\0\0\0\2\0\0\0\0\0\0\0a", 17, NONET_NOW, NULL), 0);
	assert_true(is_readable(epoll));
	assert_int_equal(nonet_pipe_receive(reader, buffer, 64, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(nonet_pipe_arm(reader), 0);
	assert_false(is_readable(epoll));
	assert_int_equal(nonet_pipe_write(writer, "b\1", 2, NONET_NOW, NULL), 0);
	assert_true(is_readable(epoll));
	assert_int_equal(nonet_pipe_receive(reader, buffer, 64, NONET_NOW, &size), 0);
	assert_int_equal(size, 2);
	assert_memory_equal(buffer, "ab", 2);
	test_must(close(epoll));
	close_pair(reader, writer);
}

static void a_wait_set_sees_what_was_read_ahead(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct nonet_wait_set *set;
	struct nonet_wait_event event;
	size_t count;

	(void)state;
	make_pipe(&reader, &writer);
	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	assert_int_equal(nonet_wait_set_add(set, nonet_pipe_waitable(reader), NONET_WAIT_RECEIVE, reader), 0);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_filled(writer, 9, i, NONET_NOW), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(nonet_wait(set, &event, 1, soon(), &count), 0);
		assert_ptr_equal(event.data, reader);
		expect_filled(reader, 9, i);
	}
	assert_int_equal(nonet_pipe_receive(reader, NULL, 0, NONET_NOW, &count), -EAGAIN);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	/* Also by a call that no event led to. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_filled(writer, 9, i, NONET_NOW), 0);
	expect_filled(reader, 9, 0);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), 0);
	expect_filled(reader, 9, 1);
	expect_filled(reader, 9, 2);
	assert_int_equal(nonet_pipe_receive(reader, NULL, 0, NONET_NOW, &count), -EAGAIN);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	assert_int_equal(send_filled(writer, 9, 3, NONET_NOW), 0);
	assert_int_equal(nonet_pipe_message_size(reader, NONET_NOW, &count), 0);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), 0);
	expect_filled(reader, 9, 3);
	close_pair(reader, writer);
	nonet_wait_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_message_of_any_size_arrives_whole),
		test_case(a_small_message_needs_room_for_all_of_it),
		test_case(the_limit_holds_at_both_ends),
		test_case(a_message_too_large_for_the_buffer_stays),
		test_case(an_abandoned_message_is_never_seen),
		test_case(a_writer_killed_in_the_middle_is_told_once),
		test_case(the_end_in_the_middle_of_a_message_is_told_once),
		test_case(plain_bytes_are_refused_for_ever),
		test_case(arm_and_the_descriptor_lose_nothing),
		test_case(a_wait_set_sees_what_was_read_ahead),
	};

	return test_main(tests);
}
