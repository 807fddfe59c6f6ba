/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nonet/error.h>
#include <nonet/mapfile.h>
#include <nonet/memory.h>
#include <nonet/semaphore.h>

/*
 * Memory that two processes share, be it without a name or a mapped file. The messages are in it, one ring each way;
 * semaphores tell that there are some, and that there is room.
 */
#define SLOTS 64

struct slot {
	uint64_t size;
	char bytes[PLAY_MESSAGE];
};

struct ring {
	struct slot slots[SLOTS];
};

/* One side's end of one of the rings. */
struct end {
	struct ring *ring;
	struct nonet_semaphore *filled, *room;
	size_t next; /* free-running */
};

struct region {
	struct ring *rings; /* there, back */
	struct nonet_semaphore *filled[2], *room[2];
	struct partner partner;
	struct nonet_memory *memory; /* of these two one */
	struct nonet_mapfile *mapfile;
	int fd; /* by which the partner cuts it off */
};

static int region_send(void *object, const void *message, size_t size, nonet_time deadline)
{
	struct end *end = object;
	struct slot *slot = &end->ring->slots[end->next % SLOTS];
	int r;

	r = nonet_semaphore_wait(end->room, 1, 0, deadline);
	if (r < 0)
		return r;
	memcpy(slot->bytes, message, size);
	slot->size = size;
	end->next++;
	return nonet_semaphore_post(end->filled, 1, 0);
}

static int region_receive(void *object, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	struct end *end = object;
	const struct slot *slot = &end->ring->slots[end->next % SLOTS];
	size_t size;
	int r;

	r = nonet_semaphore_wait(end->filled, 1, 0, deadline);
	if (r < 0)
		return r;
	/* Read once: the other side may write to it at any time. */
	size = (size_t)slot->size;
	if (size > capacity || size > sizeof(slot->bytes))
		return -EBADMSG;
	memcpy(buffer, slot->bytes, size);
	end->next++;
	*ret_size = size;
	return nonet_semaphore_post(end->room, 1, 0);
}

static struct end end_of(struct region *region, int way)
{
	return (struct end){&region->rings[way], region->filled[way], region->room[way], 0};
}

/* What no peer should be able to kill by: the memory is gone under the tour's feet. */
static int cut_off(void *data)
{
	struct region *region = data;

	if (ftruncate(region->fd, 0) < 0)
		return -errno;
	return nonet_semaphore_post(region->filled[1], 1, 0);
}

static void serve(void *data)
{
	struct region *region = data;
	struct end sender = end_of(region, 1), receiver = end_of(region, 0);
	struct link link = {region_send, region_receive, &sender, &receiver};

	play_serve(&link, cut_off, region);
}

/* Their names go at once, as those of play_semaphore.c. */
static int open_semaphore(const char *what, int way, uint32_t value, struct nonet_semaphore **ret_semaphore)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = value};
	char name[64];
	int r;

	snprintf(name, sizeof(name), "posixsem:/nonet-tour-%d-%s%d", (int)getpid(), what, way);
	r = nonet_semaphore_create(name, &options, NONET_NOW, ret_semaphore, NULL);
	if (r == 0)
		r = nonet_semaphore_unlink(name, NULL);
	return r;
}

static int check(struct region *region)
{
	return region->memory ? nonet_memory_check(region->memory) : nonet_mapfile_check(region->mapfile);
}

/* The partner truncates it; reading it isn't the end of the tour. */
static int show_truncation(struct region *region, struct link *link, struct score *score)
{
	const unsigned char *bytes = (const unsigned char *)region->rings;
	unsigned int sum = 0;
	size_t i;
	int r;

	r = play_request(link, PLAY_SPECIAL);
	if (r == 0)
		r = nonet_semaphore_wait(region->filled[1], 1, 0, nonet_after(PLAY_PATIENCE));
	if (r < 0)
		return play_failed(score, "having it truncated", r);
	for (i = 0; i < 2 * sizeof(struct ring); i++)
		sum += bytes[i];
	r = check(region);
	if (r != -EBADMSG || sum != 0)
		return play_failed(score, "reading what was truncated", r < 0 ? r : -EPROTO);
	PLAY_RULE(score, "peer truncates it: %s, no SIGBUS", nonet_error_name(r));
	return 0;
}

static int play_region(struct region *region, struct score *score)
{
	struct end sender, receiver;
	struct link link = {region_send, region_receive, &sender, &receiver};
	int way, r = 0;

	for (way = 0; way < 2 && r == 0; way++) {
		r = open_semaphore("filled", way, 0, &region->filled[way]);
		if (r == 0)
			r = open_semaphore("room", way, SLOTS, &region->room[way]);
	}
	if (r < 0)
		return play_failed(score, "making a semaphore", r);
	r = partner_start(&region->partner, serve, region);
	if (r < 0)
		return play_failed(score, "starting a process", r);
	sender = end_of(region, 0);
	receiver = end_of(region, 1);
	r = play_ping_pong(&link, score);
	if (r == 0)
		r = play_stream(&link, score);
	if (r == 0)
		r = play_deadline(&link, score);
	if (r == 0)
		r = show_truncation(region, &link, score);
	return r;
}

static void close_region(struct region *region)
{
	int way;

	partner_end(&region->partner);
	for (way = 0; way < 2; way++) {
		nonet_semaphore_close(region->filled[way]);
		nonet_semaphore_close(region->room[way]);
	}
	nonet_memory_close(region->memory);
	nonet_mapfile_close(region->mapfile);
}

int play_memory(struct score *score)
{
	const struct nonet_memory_options options = {.size = sizeof(options), .length = 2 * sizeof(struct ring)};
	struct region region = {.fd = -1};
	int r;

	r = nonet_memory_new(&options, &region.memory, NULL);
	if (r < 0) {
		play_failed(score, "making shared memory", r);
	} else {
		region.fd = nonet_memory_descriptor(region.memory);
		region.rings = nonet_memory_base(region.memory);
		r = play_region(&region, score);
	}
	close_region(&region);
	return r;
}

/* How long it takes until what was stored is on the disk. */
static int show_durable(struct region *region, struct score *score)
{
	nonet_time start = nonet_clock();
	int r;

	r = nonet_mapfile_sync(region->mapfile, 0, nonet_mapfile_length(region->mapfile), NONET_MAPFILE_DURABLE);
	if (r < 0)
		return play_failed(score, "writing it to the disk", r);
	PLAY_EXCHANGED(score, "durable on disk in %s", PLAY_DURATION(nonet_clock() - start));
	return 0;
}

static int play_mapped(struct region *region, struct score *score)
{
	char path[256];
	int r;

	region->fd = play_file(path, sizeof(path));
	if (region->fd < 0)
		return play_failed(score, "making a file", region->fd);
	r = ftruncate(region->fd, 2 * sizeof(struct ring)) < 0 ? -errno
							       : nonet_mapfile_open(path, NULL, &region->mapfile, NULL);
	if (r < 0) {
		unlink(path);
		return play_failed(score, "mapping a file", r);
	}
	region->rings = nonet_mapfile_base(region->mapfile);
	r = show_durable(region, score);
	unlink(path);
	return r < 0 ? r : play_region(region, score);
}

int play_mapfiles(struct score *score)
{
	struct region region = {.fd = -1};
	int r = play_mapped(&region, score);

	close_region(&region);
	if (region.fd >= 0)
		close(region.fd);
	return r;
}
