/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A FIFO's reader is killed at a random moment while its writer goes on. What the reader had taken is gone; the next
 * reader finds whole messages in order, however the old one was cut off.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/kill.h"
#include "harness/test.h"

#define KILLS 200

/* Sizes from one byte to several chunks; each byte tells its message. */
static size_t size_of(uint32_t number)
{
	return sizeof(number) + number * 7919 % 9000;
}

static int write_for_ever(struct test_child_side *side, void *argument)
{
	uint8_t bytes[16384];
	struct nonet_pipe *pipe;
	uint32_t number = 0;
	int error;

	test_check_equal(nonet_pipe_open(argument, NONET_PIPE_WRITER, NULL, test_deadline(), &pipe, NULL), 0);
	test_report(side, "ready");
	for (;;) {
		memset(bytes, (int)(number & 0xff), sizeof(bytes));
		memcpy(bytes, &number, sizeof(number));
		error = nonet_pipe_send(pipe, bytes, size_of(number), test_deadline());
		if (error == -EPIPE) {
			/* Between two readers. */
			test_check_equal(nonet_pipe_reopen(pipe, test_deadline()), 0);
			continue;
		}
		test_check_equal(error, 0);
		number++;
	}
	return 0;
}

/* Read for as long as it lives; the first messages are checked and reported. */
static int read_for_ever(struct test_child_side *side, void *argument)
{
	struct nonet_pipe *pipe = argument;
	uint8_t bytes[16384];
	uint32_t last = 0;
	uint32_t number;
	size_t size;
	int error;

	for (uint32_t i = 0;; i++) {
		error = nonet_pipe_receive(pipe, bytes, sizeof(bytes), test_deadline(), &size);
		/* The message that the old reader had the beginning of is lost, once. */
		if (i == 0 && error == -EBADMSG)
			error = nonet_pipe_receive(pipe, bytes, sizeof(bytes), test_deadline(), &size);
		test_check_equal(error, 0);
		memcpy(&number, bytes, sizeof(number));
		test_check_equal(size, size_of(number));
		for (size_t j = sizeof(number); j < size; j++)
			test_check_equal(bytes[j], number & 0xff);
		test_check(i == 0 || number == last + 1);
		last = number;
		if (i == 10)
			test_report(side, "reads");
	}
	return 0;
}

static void the_next_reader_finds_whole_messages(void **state)
{
	struct test_random random = test_random_init(test_seed(), 1);
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "fifo");
	const struct nonet_pipe_options early = {.size = sizeof(early), .flags = NONET_PIPE_EARLY};
	struct test_child *reader;
	struct test_child *writer;
	struct nonet_pipe *pipe;
	uint64_t kills = test_scaled(KILLS);

	(void)state;
	assert_int_equal(nonet_pipe_create(path, 0, NULL), 0);
	/* Held here too, so that the pipe, with what is in it, outlives each reader. */
	assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &pipe, NULL), 0);
	writer = test_child_until(write_for_ever, (void *)path);
	for (uint64_t i = 0; i < kills; i++) {
		test_watchdog_extend(NONET_S(20));
		reader = test_child_start(read_for_ever, pipe);
		test_child_wait_state(reader, "reads");
		test_kill_at_random(reader, 0, NONET_MS(2), &random);
	}
	test_note("%llu readers killed", (unsigned long long)kills);
	test_kill(writer);
	nonet_pipe_close(pipe);
	assert_int_equal(nonet_pipe_unlink(path, NULL), 0);
	test_directory_free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(the_next_reader_finds_whole_messages),
	};

	return test_main(tests);
}
