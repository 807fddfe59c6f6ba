/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nonet/unix.h>

#include "bare.h"

/* An end is a struct nonet_unix itself. */

static int pair_stream_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return nonet_unix_pair(NONET_UNIX_STREAM, NULL, (struct nonet_unix **)ret_a, (struct nonet_unix **)ret_b, NULL);
}

static int pair_seqpacket_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return nonet_unix_pair(NONET_UNIX_SEQPACKET, NULL, (struct nonet_unix **)ret_a, (struct nonet_unix **)ret_b,
			       NULL);
}

/* Of descriptors that were made elsewhere, as an endpoint's. */
static int pair_taken_open(size_t size, void **ret_a, void **ret_b)
{
	int fds[2];

	(void)size;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		int error = nonet_unix_take_fd(&fds[i], NULL, (struct nonet_unix **)(i ? ret_b : ret_a), NULL);

		if (error < 0)
			return error;
	}
	return 0;
}

static int pair_datagram_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return nonet_unix_pair(NONET_UNIX_DATAGRAM, NULL, (struct nonet_unix **)ret_a, (struct nonet_unix **)ret_b,
			       NULL);
}

static void pair_close(void *end)
{
	nonet_unix_close(end);
}

static int pair_write(void *end, const void *message, size_t size, nonet_time deadline)
{
	return nonet_unix_write(end, message, size, deadline, NULL);
}

static int pair_read(void *end, void *buffer, size_t size, nonet_time deadline)
{
	return nonet_unix_read_exactly(end, buffer, size, deadline, NULL);
}

static int pair_send(void *end, const void *message, size_t size, nonet_time deadline)
{
	return nonet_unix_send(end, message, size, deadline);
}

static int pair_receive(void *end, void *buffer, size_t size, nonet_time deadline)
{
	size_t got;
	int error = nonet_unix_receive(end, buffer, size, deadline, &got);

	return error ? error : got == size ? 0 : -EPROTO;
}

static int pair_send_descriptor(void *end, const void *message, size_t size, nonet_time deadline)
{
	const int descriptor = STDERR_FILENO;

	return nonet_unix_send_descriptors(end, message, size, &descriptor, 1, deadline);
}

static int pair_receive_descriptor(void *end, void *buffer, size_t size, nonet_time deadline)
{
	int descriptor = -1;
	struct nonet_unix_ancillary ancillary = {
		.size = sizeof(ancillary), .descriptors_capacity = 1, .descriptors = &descriptor};
	size_t got;
	int error = nonet_unix_receive_with(end, buffer, size, &ancillary, deadline, &got);

	if (error < 0)
		return error;
	if (ancillary.descriptors_count != 1)
		return -EPROTO;
	close(descriptor);
	return got == size ? 0 : -EPROTO;
}

static const struct bench_way nonet_stream_bytes = {pair_stream_open, pair_write, pair_read, pair_close};
static const struct bench_way nonet_datagram_messages = {pair_datagram_open, pair_send, pair_receive, pair_close};
static const struct bench_way nonet_stream_descriptors = {pair_stream_open, pair_send_descriptor,
							  pair_receive_descriptor, pair_close};
static const struct bench_way nonet_seqpacket_descriptors = {pair_seqpacket_open, pair_send_descriptor,
							     pair_receive_descriptor, pair_close};
const struct bench_way nonet_stream_messages = {pair_stream_open, pair_send, pair_receive, pair_close};
static const struct bench_way nonet_seqpacket_messages = {pair_seqpacket_open, pair_send, pair_receive, pair_close};
const struct bench_way nonet_seqpacket_taken = {pair_taken_open, pair_send, pair_receive, pair_close};

const struct bench_case unix_cases[] = {
	{.what = "stream bytes",
	 .sizes = {64, 1024, 65536},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_stream_bytes, &bare_stream_bytes, &naked_stream}},
	{.what = "stream messages",
	 .sizes = {64, 1024, 65536},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_stream_messages, &bare_stream_messages, &naked_stream}},
	{.what = "seqpacket",
	 .sizes = {64, 1024, 65536},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_seqpacket_messages, &bare_seqpacket, &naked_seqpacket}},
	{.what = "datagram",
	 .sizes = {64, 1024, 65536},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_datagram_messages, &bare_datagram, &naked_datagram}},
	{.what = "descriptor, stream",
	 .sizes = {64},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_stream_descriptors, &bare_stream_descriptors, &naked_stream_descriptors}},
	{.what = "descriptor, seqpacket",
	 .sizes = {64},
	 .metrics = BENCH_ALL,
	 .judged = BENCH_JUDGED,
	 .ways = {&nonet_seqpacket_descriptors, &bare_seqpacket_descriptors, &naked_seqpacket_descriptors}},
	{.what = NULL},
};
