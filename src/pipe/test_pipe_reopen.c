/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "pipe/test_pipe.h"

static const char *directory;
static const char *path;

static int make_fifo(void **state)
{
	(void)state;
	directory = test_directory_new();
	path = test_path(directory, "fifo");
	return nonet_pipe_create(path, 0, NULL);
}

static int remove_fifo(void **state)
{
	(void)state;
	(void)unlink(path);
	test_directory_free(directory);
	return 0;
}

static const struct test_fixture with_fifo = {.setup = make_fifo, .teardown = remove_fifo};
static const struct nonet_pipe_options early = {.size = sizeof(early), .flags = NONET_PIPE_EARLY};

static struct nonet_pipe *open_end(enum nonet_pipe_end end)
{
	struct nonet_pipe *pipe = NULL;

	test_check_equal(nonet_pipe_open(path, end, end == NONET_PIPE_READER ? &early : NULL, soon(), &pipe, NULL), 0);
	return pipe;
}

static void a_reader_waits_for_the_next_writer(void **state)
{
	struct nonet_pipe *reader = open_end(NONET_PIPE_READER);
	struct nonet_pipe *writer = open_end(NONET_PIPE_WRITER);
	const int fd = nonet_pipe_fd(reader);
	char buffer[8];
	size_t size;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(send_filled(writer, 5, i, NONET_NOW), 0);
		writer = nonet_pipe_close(writer);
		expect_filled(reader, 5, i);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_FOREVER, &size), -EPIPE);
		assert_int_equal(nonet_pipe_reopen(reader, NONET_NOW), -EAGAIN);
		assert_int_equal(nonet_pipe_reopen(reader, nonet_after(NONET_MS(3))), -ETIMEDOUT);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_FOREVER, &size), -EPIPE);
		writer = open_end(NONET_PIPE_WRITER);
		assert_int_equal(nonet_pipe_reopen(reader, NONET_NOW), 0);
		assert_int_equal(nonet_pipe_fd(reader), fd);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size), -EAGAIN);
	}
	close_pair(reader, writer);
}

/* "echo text > fifo" is over before anybody looks again: what it left there is to be read all the same. */
static void a_writer_that_came_and_went_is_noticed_by_what_it_left(void **state)
{
	struct nonet_pipe *reader = open_end(NONET_PIPE_READER);
	char buffer[8];
	size_t size;

	(void)state;
	nonet_pipe_close(open_end(NONET_PIPE_WRITER));
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_FOREVER, &size), -EPIPE);
	for (unsigned i = 0; i < 3; i++) {
		struct nonet_pipe *writer = open_end(NONET_PIPE_WRITER);

		assert_int_equal(send_filled(writer, 5, i, NONET_NOW), 0);
		nonet_pipe_close(writer);
		assert_int_equal(nonet_pipe_reopen(reader, i == 0 ? NONET_NOW : soon()), 0);
		expect_filled(reader, 5, i);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_FOREVER, &size), -EPIPE);
	}
	nonet_pipe_close(reader);
}

static int open_and_send(struct test_child_side *side, void *argument)
{
	struct nonet_pipe *writer;

	(void)argument;
	test_report(side, "ready");
	test_await(side, "open");
	writer = open_end(NONET_PIPE_WRITER);
	test_check_equal(send_filled(writer, 6, 6, NONET_NOW), 0);
	test_await(side, "close");
	nonet_pipe_close(writer);
	return 0;
}

static void both_ends_reopen_while_they_wait(void **state)
{
	struct nonet_pipe *reader = open_end(NONET_PIPE_READER);
	struct nonet_pipe *writer = open_end(NONET_PIPE_WRITER);
	struct test_child *child;
	char buffer[8];
	size_t size;

	(void)state;
	nonet_pipe_close(writer);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_FOREVER, &size), -EPIPE);
	child = test_child_until(open_and_send, NULL);
	test_child_tell(child, "open");
	assert_int_equal(nonet_pipe_reopen(reader, NONET_FOREVER), 0);
	expect_filled(reader, 6, 6);
	test_child_tell(child, "close");
	assert_int_equal(test_child_join(child), 0);

	writer = open_end(NONET_PIPE_WRITER);
	reader = nonet_pipe_close(reader);
	assert_int_equal(nonet_pipe_send(writer, "x", 1, NONET_FOREVER), -EPIPE);
	assert_int_equal(nonet_pipe_reopen(writer, NONET_NOW), -EAGAIN);
	assert_int_equal(nonet_pipe_reopen(writer, nonet_after(NONET_MS(3))), -ETIMEDOUT);
	reader = open_end(NONET_PIPE_READER);
	assert_int_equal(nonet_pipe_reopen(writer, NONET_FOREVER), 0);
	assert_int_equal(send_filled(writer, 7, 7, NONET_NOW), 0);
	expect_filled(reader, 7, 7);
	close_pair(reader, writer);
}

static void another_fifo_under_the_name_is_stale(void **state)
{
	struct nonet_pipe *reader = open_end(NONET_PIPE_READER);
	struct nonet_pipe *writer = open_end(NONET_PIPE_WRITER);
	struct nonet_error error;

	(void)state;
	assert_int_equal(nonet_pipe_unlink(path, NULL), 0);
	assert_int_equal(nonet_pipe_reopen(reader, NONET_FOREVER), -ENOENT);
	assert_int_equal(nonet_pipe_create(path, 0, NULL), 0);
	assert_int_equal(nonet_pipe_reopen(reader, NONET_FOREVER), -ESTALE);
	assert_int_equal(nonet_pipe_reopen(writer, NONET_FOREVER), -ESTALE);
	nonet_pipe_explain(reader, -ESTALE, &error);
	assert_non_null(strstr(error.text, path));
	/* The open ends go on. */
	assert_int_equal(send_filled(writer, 5, 5, NONET_NOW), 0);
	expect_filled(reader, 5, 5);
	close_pair(reader, writer);
}

/* Reopening may find the other side still there: then nothing that was received is lost. */
static void what_was_received_and_not_taken_stays(void **state)
{
	struct nonet_pipe *reader = open_end(NONET_PIPE_READER);
	struct nonet_pipe *writer = open_end(NONET_PIPE_WRITER);
	uint8_t buffer[8];
	size_t size;

	(void)state;
	assert_int_equal(send_filled(writer, 5, 1, NONET_NOW), 0);
	assert_int_equal(send_filled(writer, 20, 2, NONET_NOW), 0);
	assert_int_equal(send_filled(writer, 40000, 3, NONET_NOW), 0);
	assert_int_equal(send_filled(writer, 5, 4, NONET_NOW), 0);
	expect_filled(reader, 5, 1);
	assert_int_equal(nonet_pipe_reopen(reader, NONET_NOW), 0);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size), -EMSGSIZE);
	assert_int_equal(nonet_pipe_reopen(reader, NONET_NOW), 0);
	expect_filled(reader, 20, 2);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 8, NONET_NOW, &size), -EMSGSIZE);
	assert_int_equal(nonet_pipe_reopen(reader, NONET_NOW), 0);
	expect_filled(reader, 40000, 3);
	expect_filled(reader, 5, 4);
	close_pair(reader, writer);
}

static void a_torn_message_is_forgotten(void **state)
{
	struct nonet_pipe *reader = open_end(NONET_PIPE_READER);
	struct nonet_pipe *writer = open_end(NONET_PIPE_WRITER);
	uint8_t *buffer = malloc(200000);
	size_t size;

	(void)state;
	for (int way = 0; way < 2; way++) {
		assert_int_equal(send_filled(writer, 200000, 1, NONET_NOW), -EAGAIN);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EAGAIN);
		if (way == 0) {
			nonet_pipe_close(writer);
			assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EBADMSG);
			assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EPIPE);
			writer = open_end(NONET_PIPE_WRITER);
		}
		assert_int_equal(nonet_pipe_reopen(reader, soon()), 0);
		assert_int_equal(send_filled(writer, 50000, 2, NONET_NOW), 0);
		expect_filled(reader, 50000, 2);
	}
	free(buffer);
	close_pair(reader, writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(a_reader_waits_for_the_next_writer, &with_fifo),
		test_case_with(a_writer_that_came_and_went_is_noticed_by_what_it_left, &with_fifo),
		test_case_with(both_ends_reopen_while_they_wait, &with_fifo),
		test_case_with(another_fifo_under_the_name_is_stale, &with_fifo),
		test_case_with(what_was_received_and_not_taken_stays, &with_fifo),
		test_case_with(a_torn_message_is_forgotten, &with_fifo),
	};

	return test_main(tests);
}
