/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include "domain/life.h"
#include "sync/doorbell_private.h"
#include "sys/event.h"
#include "sys/files.h"

/*
 * The waker's side. What is in the table and in the directory was written by other members, who may be hostile: so a
 * name is only opened without following links and without waiting, and nothing but a FIFO is written to. A FIFO that is
 * open at both ends never raises SIGPIPE; one that is full is readable, which is all that a ring is for.
 *
 * Descriptors of bells that were rung are kept, a few, until the handle by which they were is closed. Before each use
 * the kernel is asked whether it still is that FIFO: the program may have closed what it didn't know (a daemon that
 * closes all), and been given the number for another file; or the bell was removed, and another has its name.
 */
#define RING_KEPT 8

struct ring {
	const struct object *object; /* of the handle; NULL: nothing */
	uint64_t name;
	int fd;
	dev_t device;
	ino_t inode;
};

/* Held while a descriptor is written to, so that nobody closes it meanwhile. */
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ring rings[RING_KEPT];
static unsigned ring_next; /* to be replaced */

static bool ring_is_bell(const struct stat *status)
{
	return S_ISFIFO(status->st_mode) && status->st_nlink > 0;
}

/* The thread that had the lock isn't in the child. */
static void rings_forked(void)
{
	pthread_mutex_init(&ring_lock, NULL);
}

static void rings_watch_for_forks(void)
{
	(void)pthread_atfork(NULL, NULL, rings_forked);
}

void doorbell_ring_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, rings_watch_for_forks);
}

static int ring_open(const struct object *object, uint64_t name, struct ring *ret_ring)
{
	char file[DOORBELL_NAME_SIZE];
	struct stat status;
	int directory;
	int fd;
	int error = domain_directory(object->domain, &directory);

	if (error < 0)
		return error;
	doorbell_write_name(name, file);
	fd = sys_open_at(directory, file, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return fd;
	error = sys_stat_fd(fd, &status);
	if (error == 0 && !ring_is_bell(&status))
		error = -EBADMSG;
	if (error < 0) {
		sys_close(&fd);
		return error;
	}
	*ret_ring = (struct ring){object, name, fd, status.st_dev, status.st_ino};
	return 0;
}

static bool ring_is_good(const struct ring *ring)
{
	struct stat status;

	return sys_stat_fd(ring->fd, &status) == 0 && ring_is_bell(&status) && status.st_dev == ring->device &&
	       status.st_ino == ring->inode;
}

/* Of a number that is somebody else's by now nothing is closed. */
static void ring_forget(struct ring *ring)
{
	struct stat status;

	if (ring->object && sys_stat_fd(ring->fd, &status) == 0 && status.st_dev == ring->device &&
	    status.st_ino == ring->inode)
		sys_close(&ring->fd);
	*ring = (struct ring){.fd = -1};
}

/* Under the lock. */
static struct ring *ring_find(const struct object *object, uint64_t name)
{
	struct ring *ring;

	for (unsigned i = 0; i < RING_KEPT; i++) {
		ring = &rings[i];
		if (ring->object != object || ring->name != name)
			continue;
		if (ring_is_good(ring))
			return ring;
		ring_forget(ring);
	}
	ring = &rings[ring_next++ % RING_KEPT];
	ring_forget(ring);
	return ring_open(object, name, ring) == 0 ? ring : NULL;
}

static void ring_one(const struct object *object, uint64_t name)
{
	struct ring own = {.fd = -1};
	struct ring *ring;

	if (pthread_mutex_trylock(&ring_lock) == 0) {
		ring = ring_find(object, name);
		if (ring)
			(void)sys_counter_write(ring->fd, 1);
		pthread_mutex_unlock(&ring_lock);
	} else if (ring_open(object, name, &own) == 0) {
		(void)sys_counter_write(own.fd, 1);
		sys_close(&own.fd);
	}
}

void doorbell_ring_forget(const struct object *object)
{
	pthread_mutex_lock(&ring_lock);
	for (unsigned i = 0; i < RING_KEPT; i++)
		if (rings[i].object == object)
			ring_forget(&rings[i]);
	pthread_mutex_unlock(&ring_lock);
}

static void ring_remove(struct domain *domain, uint64_t name)
{
	char file[DOORBELL_NAME_SIZE];
	int directory;

	doorbell_write_name(name, file);
	if (domain_directory(domain, &directory) == 0)
		(void)sys_unlink_at(directory, file);
}

void doorbell_ring(const struct object *object)
{
	struct object_bells *table = doorbell_table(object);
	uint32_t used = atomic_load_explicit(&table->used, memory_order_relaxed);

	if (used > DOORBELL_ENTRIES)
		used = DOORBELL_ENTRIES;
	for (uint32_t i = 0; i < used; i++) {
		uint64_t name = atomic_load_explicit(&table->armed[i], memory_order_relaxed);

		/* First it is out of the table, then it rings: else we might take out what was armed again since. */
		if (name == 0 || !atomic_compare_exchange_strong_explicit(&table->armed[i], &name, 0,
									  memory_order_relaxed, memory_order_relaxed))
			continue;
		name &= ~(uint64_t)CLAIM_WAITERS;
		if (life_has_ended(object->domain, name))
			ring_remove(object->domain, name);
		else
			ring_one(object, name);
	}
}
