/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/memory.h>

#include "bare.h"

/* put makes an object, touches and closes it; take opens, touches and removes it. Once mapped there are no calls. */

struct pair_memory {
	char address[64];
};

static void pair_memory_close(void *end)
{
	free(end);
}

static int pair_memory_open(bool posix, void **ret_a, void **ret_b)
{
	struct pair_memory *end = calloc(1, sizeof(*end));

	if (!end)
		return -ENOMEM;
	if (posix)
		snprintf(end->address, sizeof(end->address), "posixshm:/none-bench-%08x", (unsigned)getpid());
	else
		snprintf(end->address, sizeof(end->address), "sysvshm:0x%x", 0x4b000000u | (unsigned)getpid());
	*ret_a = end;
	*ret_b = end;
	return 0;
}

static int pair_posix_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_memory_open(true, ret_a, ret_b);
}

static int pair_sysv_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_memory_open(false, ret_a, ret_b);
}

static int pair_memory_touch(struct nonet_memory *memory)
{
	int error;

	((uint8_t *)nonet_memory_base(memory))[0]++;
	error = nonet_memory_check(memory);
	nonet_memory_close(memory);
	return error;
}

static int pair_memory_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct nonet_memory_options options = {.size = sizeof(options), .length = size};
	struct nonet_memory *memory;
	int error = nonet_memory_create(((struct pair_memory *)end)->address, &options, &memory, NULL);

	(void)message;
	(void)deadline;
	return error < 0 ? error : pair_memory_touch(memory);
}

static int pair_memory_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const char *address = ((struct pair_memory *)end)->address;
	struct nonet_memory *memory;
	int error = nonet_memory_open(address, NULL, &memory, NULL);

	(void)buffer;
	(void)size;
	(void)deadline;
	if (error == 0)
		error = pair_memory_touch(memory);
	return error < 0 ? error : nonet_memory_unlink(address, NULL);
}

static const struct bench_way nonet_posixshm = {pair_posix_open, pair_memory_put, pair_memory_take, pair_memory_close};
static const struct bench_way nonet_sysvshm = {pair_sysv_open, pair_memory_put, pair_memory_take, pair_memory_close};

/* Not judged: made and opened once in an object's life, and then used without a call (README.md). */
const struct bench_case memory_cases[] = {
	{.what = "memory posixshm",
	 .sizes = {4096, 1 << 20},
	 .metrics = BIT(METRIC_CALL),
	 .ways = {&nonet_posixshm, &bare_posixshm, &bare_posixshm}},
	{.what = "memory sysvshm",
	 .sizes = {4096, 1 << 20},
	 .metrics = BIT(METRIC_CALL),
	 .ways = {&nonet_sysvshm, &bare_sysvshm, &bare_sysvshm}},
	{.what = NULL},
};
