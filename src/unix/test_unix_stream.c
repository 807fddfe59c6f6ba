/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "unix/test_unix.h"

static void bytes_go_over_streams_only(void **state)
{
	static uint8_t large[1000000];
	struct nonet_unix *a;
	struct nonet_unix *b;
	char buffer[16];
	size_t size = 77;
	size_t done = 0;
	size_t got = 0;

	(void)state;
	make_pair(NONET_UNIX_STREAM, &a, &b);
	assert_int_equal(nonet_unix_read(b, buffer, 16, NONET_NOW, &size), -EAGAIN);
	assert_int_equal(nonet_unix_read(b, buffer, 16, nonet_after(NONET_MS(1)), &size), -ETIMEDOUT);
	assert_int_equal(size, 77);
	assert_int_equal(nonet_unix_read(b, buffer, 0, NONET_NOW, &size), 0);
	assert_int_equal(nonet_unix_write(a, "hello", 5, NONET_FOREVER, NULL), 0);
	assert_int_equal(nonet_unix_read_exactly(b, buffer, 7, nonet_after(NONET_MS(1)), &got), -ETIMEDOUT);
	assert_int_equal(got, 5);
	assert_int_equal(nonet_unix_write(a, "you", 3, NONET_NOW, NULL), 0);
	assert_int_equal(nonet_unix_read_exactly(b, buffer, 7, NONET_FOREVER, &got), 0);
	assert_memory_equal(buffer, "helloyo", 7);
	got = 8;
	assert_int_equal(nonet_unix_read_exactly(b, buffer, 7, NONET_NOW, &got), -EINVAL);
	assert_int_equal(nonet_unix_write(a, buffer, 7, NONET_NOW, &got), -EINVAL);
	assert_int_equal(nonet_unix_read(b, buffer, 7, NONET_FOREVER, &size), 0);
	assert_int_equal(size, 1);
	assert_int_equal(nonet_unix_write(a, large, sizeof(large), NONET_NOW, &done), -EAGAIN);
	assert_in_range(done, 1, sizeof(large) - 1);
	assert_int_equal(nonet_unix_write(a, large, sizeof(large), nonet_after(NONET_MS(1)), &done), -ETIMEDOUT);
	a = nonet_unix_close(a);
	got = 0;
	assert_int_equal(nonet_unix_read_exactly(b, large, sizeof(large), NONET_FOREVER, &got), -EPIPE);
	assert_int_equal(got, done);
	assert_int_equal(nonet_unix_read(b, buffer, 1, NONET_NOW, &size), -EPIPE);
	done = 0;
	assert_int_equal(nonet_unix_write(b, "x", 1, NONET_NOW, &done), -EPIPE);
	nonet_unix_close(b);
	for (enum nonet_unix_type type = NONET_UNIX_SEQPACKET; type <= NONET_UNIX_DATAGRAM; type++) {
		make_pair(type, &a, &b);
		assert_int_equal(nonet_unix_read(a, buffer, 1, NONET_FOREVER, &size), -EOPNOTSUPP);
		assert_int_equal(nonet_unix_read_exactly(a, buffer, 1, NONET_FOREVER, NULL), -EOPNOTSUPP);
		assert_int_equal(nonet_unix_write(a, buffer, 1, NONET_FOREVER, NULL), -EOPNOTSUPP);
		close_pair(a, b);
	}
}

/* The buffer is full in the middle of a message's only chunk: what is owed ends with the word that it is void. */
static void a_message_cut_in_its_last_piece_is_never_seen(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	uint8_t *buffer = malloc(65536);
	unsigned sent;
	size_t size;

	(void)state;
	for (size_t each = 30000; each < 65535; each += 1777) {
		make_pair(NONET_UNIX_STREAM, &a, &b);
		for (sent = 0; send_filled(a, each, sent, NONET_NOW) == 0;)
			sent++;
		for (unsigned i = 0; i < sent; i++)
			expect_filled(b, each, i);
		assert_int_equal(nonet_unix_receive(b, buffer, 65536, NONET_NOW, &size), -EAGAIN);
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(send_filled(a, 5, 200 + i, NONET_NOW), 0);
		for (unsigned i = 0; i < 2; i++) {
			assert_int_equal(nonet_unix_receive(b, buffer, 65536, NONET_NOW, &size), 0);
			assert_int_equal(size, 5);
			assert_true(is_filled(buffer, 5, 200 + i));
		}
		close_pair(a, b);
	}
	free(buffer);
}

/* Given up in the middle, at every place that a full buffer happens to stop it: only whole messages are seen. */
static void an_abandoned_message_is_never_seen(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	uint8_t *buffer = malloc(1 << 20);
	size_t size;
	int error;

	(void)state;
	make_pair(NONET_UNIX_STREAM, &a, &b);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(send_filled(a, 100 * i, i, NONET_NOW), 0);
		assert_int_equal(send_filled(a, 1 << 20, 1, i % 2 ? NONET_NOW : nonet_after(NONET_US(200))),
				 i % 2 ? -EAGAIN : -ETIMEDOUT);
		expect_filled(b, 100 * i, i);
		if (i % 3)
			assert_int_equal(nonet_unix_receive(b, buffer, 1 << 20, NONET_NOW, &size), -EAGAIN);
		while ((error = send_filled(a, 5000 * i, 2, NONET_NOW)) == -EAGAIN)
			assert_int_equal(nonet_unix_receive(b, buffer, 1 << 20, NONET_NOW, &size), -EAGAIN);
		assert_int_equal(error, 0);
		/* A smaller buffer would be refused: that the message before was given up shows only at its end. */
		assert_int_equal(nonet_unix_receive(b, buffer, 1 << 20, soon(), &size), 0);
		assert_int_equal(size, 5000 * i);
		assert_true(is_filled(buffer, size, 2));
	}
	/* What is owed when the end comes can't be paid: the peer is told. */
	assert_int_equal(send_filled(a, 1 << 20, 1, NONET_NOW), -EAGAIN);
	assert_int_equal(nonet_unix_finish(a), -EBADMSG);
	assert_int_equal(nonet_unix_receive(b, buffer, 1 << 20, NONET_FOREVER, &size), -EBADMSG);
	assert_int_equal(nonet_unix_receive(b, buffer, 1 << 20, NONET_FOREVER, &size), -EPIPE);
	close_pair(a, b);
	free(buffer);
}

static int close_a_copy(struct test_child_side *side, void *argument)
{
	(void)side;
	nonet_unix_close(argument);
	return 0;
}

/* Its copy of the handle knows of the rest as well as the parent's does, which will send it. */
static void a_child_that_closes_its_copy_leaves_what_is_owed_to_the_parent(void **state)
{
	struct nonet_unix *a;
	struct nonet_unix *b;
	uint8_t *buffer = malloc(65536);
	unsigned sent = 0;
	size_t size;

	(void)state;
	make_pair(NONET_UNIX_STREAM, &a, &b);
	while (send_filled(a, 60000, sent, NONET_NOW) == 0)
		sent++;
	for (unsigned i = 0; i < sent; i++)
		expect_filled(b, 60000, i);
	assert_int_equal(test_child_join(test_child_start(close_a_copy, a)), 0);
	assert_int_equal(send_filled(a, 5, 200, NONET_NOW), 0);
	assert_int_equal(nonet_unix_receive(b, buffer, 65536, NONET_NOW, &size), 0);
	assert_int_equal(size, 5);
	assert_true(is_filled(buffer, 5, 200));
	close_pair(a, b);
	free(buffer);
}

#define DUPLEX_COUNT 3000

static void *send_many(void *socket)
{
	for (unsigned i = 0; i < DUPLEX_COUNT; i++)
		if (send_filled(socket, i * 37 % 20000, i, NONET_FOREVER) < 0)
			return socket;
	return NULL;
}

static void one_thread_sends_while_another_receives(void **state)
{
	struct nonet_unix *ends[2];
	pthread_t threads[2];
	void *failed;

	(void)state;
	for_each_type (type) {
		make_pair(type, &ends[0], &ends[1]);
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, send_many, ends[i]), 0);
		for (unsigned i = 0; i < DUPLEX_COUNT; i++)
			for (int end = 0; end < 2; end++)
				expect_filled(ends[end], i * 37 % 20000, i);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(pthread_join(threads[i], &failed), 0);
			assert_null(failed);
		}
		close_pair(ends[0], ends[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(bytes_go_over_streams_only),
		test_case(a_message_cut_in_its_last_piece_is_never_seen),
		test_case(an_abandoned_message_is_never_seen),
		test_case(a_child_that_closes_its_copy_leaves_what_is_owed_to_the_parent),
		test_case(one_thread_sends_while_another_receives),
	};

	return test_main(tests);
}
