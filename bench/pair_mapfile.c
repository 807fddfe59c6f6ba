/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/mapfile.h>

#include "bare.h"

/* As bare_mapfile.c: a file in /dev/shm is made and removed; mapped; made longer; written back. */

struct pair_mapfile {
	char path[64];
	struct nonet_mapfile *mapfile;
};

/* As the bare one's. */
#define PAIR_MAPFILE_STEPS 32

static void pair_mapfile_close(void *end)
{
	struct pair_mapfile *own = end;

	if (!own)
		return;
	nonet_mapfile_close(own->mapfile);
	unlink(own->path);
	free(own);
}

/* Only a name. */
static int pair_mapfile_open(size_t size, void **ret_a, void **ret_b)
{
	struct pair_mapfile *own = calloc(1, sizeof(*own));

	(void)size;
	*ret_a = *ret_b = own;
	if (!own)
		return -ENOMEM;
	snprintf(own->path, sizeof(own->path), "/dev/shm/none-file-%08x", (unsigned)getpid());
	return 0;
}

/* A file that is mapped. */
static int pair_mapfile_open_mapped(size_t size, void **ret_a, void **ret_b)
{
	const struct nonet_mapfile_options options = {.size = sizeof(options), .length = size};
	struct pair_mapfile *own;
	int error = pair_mapfile_open(size, ret_a, ret_b);

	if (error < 0)
		return error;
	own = *ret_a;
	return nonet_mapfile_create(own->path, &options, &own->mapfile, NULL);
}

/* A file. */
static int pair_mapfile_open_file(size_t size, void **ret_a, void **ret_b)
{
	int error = pair_mapfile_open_mapped(size, ret_a, ret_b);
	struct pair_mapfile *own = *ret_a;

	if (error == 0)
		own->mapfile = nonet_mapfile_close(own->mapfile);
	return error;
}

static int pair_mapfile_touch(struct nonet_mapfile *mapfile)
{
	int error;

	((uint8_t *)nonet_mapfile_base(mapfile))[0]++;
	error = nonet_mapfile_check(mapfile);
	nonet_mapfile_close(mapfile);
	return error;
}

static int pair_mapfile_map_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct pair_mapfile *own = end;
	struct nonet_mapfile *mapfile;
	int error = nonet_mapfile_open(own->path, NULL, &mapfile, NULL);

	(void)message;
	(void)size;
	(void)deadline;
	return error < 0 ? error : pair_mapfile_touch(mapfile);
}

static int pair_mapfile_nothing(void *end, void *buffer, size_t size, nonet_time deadline)
{
	(void)end;
	(void)buffer;
	(void)size;
	(void)deadline;
	return 0;
}

static int pair_mapfile_make_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct nonet_mapfile_options options = {.size = sizeof(options), .length = size};
	const struct pair_mapfile *own = end;
	struct nonet_mapfile *mapfile;
	int error = nonet_mapfile_create(own->path, &options, &mapfile, NULL);

	(void)message;
	(void)deadline;
	return error < 0 ? error : pair_mapfile_touch(mapfile);
}

static int pair_mapfile_make_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	int error = pair_mapfile_map_put(end, NULL, size, deadline);

	(void)buffer;
	return error < 0 ? error : nonet_mapfile_unlink(((struct pair_mapfile *)end)->path, NULL);
}

static int pair_mapfile_grow_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_mapfile *own = end;

	(void)message;
	(void)deadline;
	return nonet_mapfile_grow(own->mapfile, nonet_mapfile_length(own->mapfile) + size);
}

static int pair_mapfile_grow_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_mapfile *own = end;

	(void)buffer;
	(void)deadline;
	if (nonet_mapfile_length(own->mapfile) < size * PAIR_MAPFILE_STEPS)
		return 0;
	own->mapfile = nonet_mapfile_close(own->mapfile);
	return truncate(own->path, (off_t)size) < 0 ? -errno : nonet_mapfile_open(own->path, NULL, &own->mapfile, NULL);
}

static int pair_mapfile_sync_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	struct pair_mapfile *own = end;

	(void)message;
	(void)deadline;
	((uint8_t *)nonet_mapfile_base(own->mapfile))[0]++;
	return nonet_mapfile_sync(own->mapfile, 0, size, NONET_MAPFILE_WRITE);
}

static int pair_mapfile_sync_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	struct pair_mapfile *own = end;

	(void)buffer;
	(void)deadline;
	return nonet_mapfile_sync(own->mapfile, 0, size, NONET_MAPFILE_DURABLE);
}

static const struct bench_way nonet_mapfile_whole = {pair_mapfile_open, pair_mapfile_make_put, pair_mapfile_make_take,
						     pair_mapfile_close};
static const struct bench_way nonet_mapfile_map = {pair_mapfile_open_file, pair_mapfile_map_put, pair_mapfile_nothing,
						   pair_mapfile_close};
static const struct bench_way nonet_mapfile_growing = {pair_mapfile_open_mapped, pair_mapfile_grow_put,
						       pair_mapfile_grow_take, pair_mapfile_close};
static const struct bench_way nonet_mapfile_syncing = {pair_mapfile_open_mapped, pair_mapfile_sync_put,
						       pair_mapfile_sync_take, pair_mapfile_close};

/* Making and mapping aren't judged, as with other memory: once in an object's life. */
const struct bench_case mapfile_cases[] = {
	{.what = "mapped file, create and open",
	 .sizes = {4096, 1 << 20},
	 .metrics = BIT(METRIC_CALL),
	 .ways = {&nonet_mapfile_whole, &bare_mapfile, &bare_mapfile}},
	{.what = "mapped file, map and unmap",
	 .sizes = {4096, 1 << 20},
	 .metrics = BIT(METRIC_CALL),
	 .ways = {&nonet_mapfile_map, &bare_mapfile_map, &naked_mapfile_map}},
	{.what = "mapped file, grow by a page",
	 .sizes = {4096},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_mapfile_growing, &bare_mapfile_grow, &naked_mapfile_grow}},
	{.what = "mapped file, sync",
	 .sizes = {4096},
	 .metrics = BIT(METRIC_CALL),
	 .judged = BIT(METRIC_CALL),
	 .ways = {&nonet_mapfile_syncing, &bare_mapfile_sync, &bare_mapfile_sync}},
	{.what = NULL},
};
