/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "harness/storm.h"
#include "pipe/test_pipe.h"

/* Several processes write messages to one FIFO at once: each arrives whole, and each writer's in order. */

enum {
	WRITERS = 4,
	LARGEST = 20000,
	PREFIX = 8
};

static const char *directory;
static const char *path;
static uint32_t per_writer;
static bool gives_up; /* now and then in the middle of a large one */

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

static size_t size_of(struct test_random *random)
{
	if (test_random_between(random, 0, 2) == 0)
		return test_random_between(random, NONET_PIPE_ATOMIC + 1, LARGEST);
	return test_random_between(random, PREFIX, NONET_PIPE_ATOMIC);
}

static int write_many(struct test_child_side *side, void *argument)
{
	const uint32_t me = (uint32_t)(uintptr_t)argument;
	struct test_random random = test_random_init(test_seed(), me);
	struct nonet_pipe *pipe;
	uint8_t *message = malloc(LARGEST);
	size_t size;

	test_check_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, soon(), &pipe, NULL), 0);
	test_report(side, "ready");
	test_await(side, "go");
	for (uint32_t number = 0; number < per_writer; number++) {
		size = size_of(&random);
		fill(message + PREFIX, size - PREFIX, me * 1000 + number);
		memcpy(message, &me, 4);
		memcpy(message + 4, &number, 4);
		/* What gives up must never be seen; the number goes out again, by the next call. */
		while (gives_up && test_random_between(&random, 0, 9) == 0) {
			int error = nonet_pipe_send(pipe, message, size, NONET_NOW);

			test_check(error == 0 || error == -EAGAIN);
			if (error == 0)
				goto sent;
		}
		test_check_equal(nonet_pipe_send(pipe, message, size, soon()), 0);
	sent:;
	}
	free(message);
	nonet_pipe_close(pipe);
	return 0;
}

/* Return: how often a loss was told. */
static unsigned read_all(struct nonet_pipe *reader)
{
	uint32_t next[WRITERS] = {0};
	uint8_t *message = malloc(LARGEST);
	unsigned lost = 0;
	size_t size;
	int error;

	for (;;) {
		uint32_t who;
		uint32_t number;

		error = nonet_pipe_receive(reader, message, LARGEST, soon(), &size);
		if (error == -EPIPE)
			break;
		if (error == -EBADMSG) {
			lost++;
			continue;
		}
		assert_int_equal(error, 0);
		assert_true(size >= PREFIX);
		memcpy(&who, message, 4);
		memcpy(&number, message + 4, 4);
		assert_true(who < WRITERS);
		assert_int_equal(number, next[who]);
		next[who]++;
		assert_true(is_filled(message + PREFIX, size - PREFIX, who * 1000 + number));
	}
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(next[i], per_writer);
	free(message);
	return lost;
}

static unsigned run(void)
{
	struct test_child *children[WRITERS];
	struct nonet_pipe *reader;
	unsigned lost;

	assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &reader, NULL), 0);
	for (uintptr_t i = 0; i < WRITERS; i++)
		children[i] = test_child_until(write_many, (void *)i);
	for (int i = 0; i < WRITERS; i++)
		test_child_tell(children[i], "go");
	lost = read_all(reader);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(test_child_join(children[i]), 0);
	nonet_pipe_close(reader);
	return lost;
}

static void four_writers_never_mix_their_messages(void **state)
{
	(void)state;
	per_writer = (uint32_t)test_scaled(50000);
	gives_up = false;
	assert_int_equal(run(), 0);
}

static void nor_do_they_when_some_give_up_in_the_middle(void **state)
{
	(void)state;
	per_writer = (uint32_t)test_scaled(20000);
	gives_up = true;
	test_note("%u losses told", run());
}

static void nor_in_a_storm_of_signals(void **state)
{
	struct test_storm *storm;
	pid_t self = getpid();

	(void)state;
	per_writer = (uint32_t)test_scaled(10000);
	gives_up = false;
	test_storm_victim();
	storm = test_storm_start(&self, 1, NONET_S(30));
	assert_int_equal(run(), 0);
	assert_true(test_storm_stop(storm) > 0);
	assert_true(test_storm_received() > 0);
}

static int hold_the_lock(struct test_child_side *side, void *argument)
{
	struct nonet_pipe *pipe;

	(void)argument;
	test_check_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, soon(), &pipe, NULL), 0);
	test_report(side, "ready");
	test_check_equal(send_filled(pipe, 200000, 1, NONET_FOREVER), 0);
	nonet_pipe_close(pipe);
	return 0;
}

/* While another is in the middle of a large message, small ones pass between its pieces, and large ones wait. */
static void a_large_message_waits_for_another_and_small_ones_do_not(void **state)
{
	struct test_child *child;
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	uint8_t *buffer = malloc(200000);
	size_t size;
	int error;

	(void)state;
	assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &reader, NULL), 0);
	assert_int_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, NONET_NOW, &writer, NULL), 0);
	child = test_child_until(hold_the_lock, NULL);
	test_child_wait_blocked(child);
	test_child_stop(child);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(send_filled(writer, 5000, 2, NONET_NOW), -EAGAIN);
	assert_int_equal(send_filled(writer, 5000, 2, nonet_after(NONET_MS(3))), -ETIMEDOUT);
	assert_int_equal(send_filled(writer, 4000, 3, NONET_NOW), 0);
	expect_filled(reader, 4000, 3);
	test_child_continue(child);
	expect_filled(reader, 200000, 1);
	assert_int_equal(test_child_join(child), 0);
	assert_int_equal(send_filled(writer, 5000, 2, NONET_NOW), 0);
	expect_filled(reader, 5000, 2);

	/* The lock of a dead writer is free; what it left is told once. */
	child = test_child_until(hold_the_lock, NULL);
	test_child_wait_blocked(child);
	test_kill(child);
	error = nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size);
	assert_int_equal(error, -EAGAIN);
	assert_int_equal(send_filled(writer, 5000, 4, NONET_NOW), 0);
	assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EBADMSG);
	expect_filled(reader, 5000, 4);
	nonet_pipe_close(reader);
	nonet_pipe_close(writer);
	free(buffer);
}

/* Unless it is the giver-up itself that sends the next large one, nobody but the reader can know that one is torn. */
static void a_message_given_up_is_told_if_the_next_is_anothers(void **state)
{
	struct nonet_pipe *writers[2];
	struct nonet_pipe *reader;
	uint8_t *buffer = malloc(200000);
	size_t size;

	(void)state;
	assert_int_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, NONET_NOW, &reader, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, NONET_NOW, &writers[i], NULL), 0);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(send_filled(writers[0], 200000, 1, NONET_NOW), -EAGAIN);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EAGAIN);
		assert_int_equal(send_filled(writers[1], 10000, 2, NONET_NOW), 0);
		assert_int_equal(send_filled(writers[0], 10000, 3, NONET_NOW), 0);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EBADMSG);
		expect_filled(reader, 10000, 2);
		expect_filled(reader, 10000, 3);
		assert_int_equal(nonet_pipe_receive(reader, buffer, 200000, NONET_NOW, &size), -EAGAIN);
	}
	for (int i = 0; i < 2; i++)
		nonet_pipe_close(writers[i]);
	nonet_pipe_close(reader);
	free(buffer);
}

/* The same end in parent and child: their large messages keep out of each other's, and the dead one's lock is free. */
static int send_shared(struct test_child_side *side, void *argument)
{
	struct nonet_pipe *writer = argument;

	(void)side;
	for (unsigned i = 0; i < 200; i++)
		test_check_equal(send_filled(writer, NONET_PIPE_ATOMIC + 7, 3, soon()), 0);
	return 0;
}

static int hold_only(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_report(side, "ready");
	test_await(side, "go");
	return 0;
}

static int send_without_end(struct test_child_side *side, void *argument)
{
	uint8_t *bytes = new_filled(1000000, 1);

	(void)side;
	/* Killed in the middle. */
	test_check_equal(nonet_pipe_send(argument, bytes, 1000000, NONET_FOREVER), 0);
	free(bytes);
	return 1;
}

static void a_forked_end_keeps_large_messages_apart(void **state)
{
	struct nonet_pipe *reader;
	struct nonet_pipe *writer;
	struct test_child *children[3];

	(void)state;
	test_check_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, soon(), &reader, NULL), 0);
	test_check_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, soon(), &writer, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		children[i] = test_child_start(send_shared, writer);
	for (unsigned i = 0; i < 600; i++)
		expect_filled(reader, NONET_PIPE_ATOMIC + 7, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(test_child_join(children[i]), 0);
	close_pair(reader, writer);
}

static void a_killed_writers_lock_is_free_though_another_has_the_end(void **state)
{
	struct nonet_pipe *reader;
	static uint8_t piece[1000000];
	struct nonet_pipe *shared;
	struct nonet_pipe *writer;
	struct test_child *holder;
	struct test_child *killed;
	size_t size;

	(void)state;
	test_check_equal(nonet_pipe_open(path, NONET_PIPE_READER, &early, soon(), &reader, NULL), 0);
	test_check_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, soon(), &shared, NULL), 0);
	test_check_equal(nonet_pipe_open(path, NONET_PIPE_WRITER, NULL, soon(), &writer, NULL), 0);
	holder = test_child_until(hold_only, NULL);
	killed = test_child_start(send_without_end, shared);
	test_child_wait_blocked(killed);
	assert_int_equal(send_filled(writer, 5000, 5, NONET_NOW), -EAGAIN);
	test_kill(killed);
	/* Its piece fills the pipe; what can be read of it makes room. */
	assert_int_equal(nonet_pipe_receive(reader, piece, sizeof(piece), NONET_NOW, &size), -EAGAIN);
	assert_int_equal(send_filled(writer, 5000, 5, soon()), 0);
	assert_int_equal(nonet_pipe_receive(reader, piece, sizeof(piece), soon(), &size), -EBADMSG);
	expect_filled(reader, 5000, 5);
	test_child_tell(holder, "go");
	assert_int_equal(test_child_join(holder), 0);
	close_pair(reader, writer);
	nonet_pipe_close(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(four_writers_never_mix_their_messages, &with_fifo),
		test_case_with(nor_do_they_when_some_give_up_in_the_middle, &with_fifo),
		test_case_with(nor_in_a_storm_of_signals, &with_fifo),
		test_case_with(a_large_message_waits_for_another_and_small_ones_do_not, &with_fifo),
		test_case_with(a_message_given_up_is_told_if_the_next_is_anothers, &with_fifo),
		test_case_with(a_forked_end_keeps_large_messages_apart, &with_fifo),
		test_case_with(a_killed_writers_lock_is_free_though_another_has_the_end, &with_fifo),
	};

	return test_main(tests);
}
