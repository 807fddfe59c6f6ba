/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/semaphore.h>

#include "bare.h"

/* As the bare ones: two semaphores, one each way. */
struct pair_semaphore {
	struct nonet_semaphore *give;
	struct nonet_semaphore *take;
	uint32_t flags;
	pid_t owner; /* removes @whole */
	char whole[64];
};

static void pair_semaphore_close(void *end)
{
	struct pair_semaphore *own = end;

	if (!own)
		return;
	nonet_semaphore_close(own->give);
	nonet_semaphore_close(own->take);
	if (own->owner == getpid())
		(void)!nonet_semaphore_unlink(own->whole, NULL);
	free(own);
}

/* Both of one address each, opened twice. */
static int pair_semaphore_fill(struct pair_semaphore *a, struct pair_semaphore *b, const char *first,
			       const char *second)
{
	int error = nonet_semaphore_open(first, NULL, NONET_NOW, &a->give, NULL);

	if (!error)
		error = nonet_semaphore_open(first, NULL, NONET_NOW, &b->take, NULL);
	if (!error)
		error = nonet_semaphore_open(second, NULL, NONET_NOW, &a->take, NULL);
	if (!error)
		error = nonet_semaphore_open(second, NULL, NONET_NOW, &b->give, NULL);
	return error;
}

static int pair_posix_open(size_t size, void **ret_a, void **ret_b)
{
	struct pair_semaphore *a = calloc(1, sizeof(*a));
	struct pair_semaphore *b = calloc(1, sizeof(*b));
	struct nonet_semaphore *made[2] = {NULL, NULL};
	int error = a && b ? 0 : -ENOMEM;
	char names[2][64];

	(void)size;
	*ret_a = a;
	*ret_b = b;
	for (int i = 0; i < 2 && !error; i++) {
		snprintf(names[i], sizeof(names[i]), "posixsem:/nonet-bench-%d-%d", (int)getpid(), i);
		error = nonet_semaphore_create(names[i], NULL, NONET_NOW, &made[i], NULL);
	}
	if (!error)
		error = pair_semaphore_fill(a, b, names[0], names[1]);
	for (int i = 0; i < 2; i++) {
		if (made[i])
			(void)!nonet_semaphore_unlink(names[i], NULL);
		nonet_semaphore_close(made[i]);
	}
	return error;
}

static int pair_sysv_make(uint32_t flags, void **ret_a, void **ret_b)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .count = 2};
	struct pair_semaphore *a = calloc(1, sizeof(*a));
	struct pair_semaphore *b = calloc(1, sizeof(*b));
	struct nonet_semaphore *made = NULL;
	char second[80];
	int error;

	*ret_a = a;
	*ret_b = b;
	if (!a || !b)
		return -ENOMEM;
	snprintf(a->whole, sizeof(a->whole), "sysvsem:%d", 0x6e000000 | (int)getpid());
	snprintf(second, sizeof(second), "%s[1]", a->whole);
	a->flags = b->flags = flags;
	error = nonet_semaphore_create(a->whole, &options, NONET_NOW, &made, NULL);
	if (!error) {
		a->owner = getpid();
		error = pair_semaphore_fill(a, b, a->whole, second);
	}
	nonet_semaphore_close(made);
	return error;
}

static int pair_sysv_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_sysv_make(0, ret_a, ret_b);
}

static int pair_sysv_undo_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return pair_sysv_make(NONET_SEMAPHORE_UNDO, ret_a, ret_b);
}

static int pair_semaphore_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_semaphore *own = end;

	(void)message;
	(void)size;
	(void)deadline;
	return nonet_semaphore_post(own->give, 1, own->flags);
}

static int pair_semaphore_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_semaphore *own = end;

	(void)buffer;
	(void)size;
	return nonet_semaphore_wait(own->take, 1, own->flags, deadline);
}

static const struct bench_way nonet_posix = {pair_posix_open, pair_semaphore_put, pair_semaphore_take,
					     pair_semaphore_close};
static const struct bench_way nonet_sysv = {pair_sysv_open, pair_semaphore_put, pair_semaphore_take,
					    pair_semaphore_close};
static const struct bench_way nonet_sysv_undo = {pair_sysv_undo_open, pair_semaphore_put, pair_semaphore_take,
						 pair_semaphore_close};

/* A POSIX semaphore that is free is 52 instructions, and two calls into another library are 14 more (README.md). */
const struct bench_case semaphore_cases[] = {
	{.what = "semaphore, POSIX, post and wait",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL) | BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_LATENCY),
	 .ways = {&nonet_posix, &bare_posix_semaphore, &naked_posix_semaphore}},
	{.what = "semaphore, System V, post and wait",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL) | BIT(METRIC_LATENCY),
	 .judged = BIT(METRIC_CALL) | BIT(METRIC_LATENCY),
	 .ways = {&nonet_sysv, &bare_sysv_semaphore, &naked_sysv_semaphore}},
	{.what = "semaphore, System V, post and wait with undo",
	 .sizes = {1},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_sysv_undo, &bare_sysv_undo, &naked_sysv_undo}},
	{.what = NULL},
};
