/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/unix.h>

#include "bare.h"

/* put connects to the other end's listener and hangs up; take accepts the connection and closes it. */

struct pair_listener {
	struct nonet_unix_listener *listener;
	char other[64];
};

static void pair_listener_close(void *end)
{
	struct pair_listener *own = end;

	if (!own)
		return;
	nonet_unix_listener_close(own->listener);
	free(own);
}

static int pair_listener_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	for (int i = 0; i < 2; i++) {
		struct pair_listener *end = calloc(1, sizeof(*end));
		char name[64];
		int error;

		if (!end)
			return -ENOMEM;
		*(i ? ret_b : ret_a) = end;
		/* As long as the bare one's: the kernel hashes it. */
		snprintf(name, sizeof(name), "@none-bench-%08x-%c", (unsigned)getpid(), "ab"[i]);
		snprintf(end->other, sizeof(end->other), "@none-bench-%08x-%c", (unsigned)getpid(), "ba"[i]);
		error = nonet_unix_listen(name, NONET_UNIX_STREAM, NULL, NONET_NOW, &end->listener, NULL);
		if (error < 0)
			return error;
	}
	return 0;
}

static int pair_listener_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct nonet_unix *socket;
	int error = nonet_unix_connect(((struct pair_listener *)end)->other, NONET_UNIX_STREAM, NULL, deadline, &socket,
				       NULL);

	(void)message;
	(void)size;
	if (!error)
		nonet_unix_close(socket);
	return error;
}

static int pair_listener_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct nonet_unix *socket;
	int error = nonet_unix_accept(((struct pair_listener *)end)->listener, deadline, &socket);

	(void)buffer;
	(void)size;
	if (!error)
		nonet_unix_close(socket);
	return error;
}

static const struct bench_way nonet_connect = {pair_listener_open, pair_listener_put, pair_listener_take,
					       pair_listener_close};

const struct bench_case connect_cases[] = {
	{.what = "connect and accept",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL) | BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_LATENCY),
	 .ways = {&nonet_connect, &bare_connect, &naked_connect}},
	{.what = NULL},
};
