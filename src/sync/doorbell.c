/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "domain/life.h"
#include "domain/thread.h"
#include "sync/doorbell_private.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/pipe.h"

/* The waiter's side: making a bell, entering it in an object's table, removing what the dead have left. */

#define DOORBELL_PREFIX ".bell-"

/* Names to try, should there be files of that name. */
#define TURNS 64

void doorbell_write_name(uint64_t name, char ret_file[DOORBELL_NAME_SIZE])
{
	snprintf(ret_file, DOORBELL_NAME_SIZE, DOORBELL_PREFIX "%u-%u-%u", claim_slot(name), claim_generation(name),
		 claim_state(name));
}

/* Whose bell a file is: 0, not a bell. */
static uint64_t doorbell_read_name(const char *file)
{
	unsigned slot, generation, number;
	char again[DOORBELL_NAME_SIZE];
	uint64_t name;

	if (sscanf(file, DOORBELL_PREFIX "%u-%u-%u", &slot, &generation, &number) != 3 || slot == 0 ||
	    slot >= DOMAIN_SLOTS || number > CLAIM_STATE)
		return 0;
	name = claim_owner(slot, generation) | number;
	doorbell_write_name(name, again);
	return strcmp(file, again) == 0 ? name : 0;
}

/* Of those that died, once in the life of a process in a domain. */
static void doorbell_sweep(const struct domain *domain, int directory)
{
	static _Atomic(const struct domain *) swept;
	struct sys_directory entries;
	unsigned char type;
	const char *file;

	if (atomic_exchange_explicit(&swept, domain, memory_order_relaxed) == domain ||
	    sys_directory_open(directory, ".", &entries) < 0)
		return;
	while (sys_directory_next(&entries, &file, &type) > 0) {
		const uint64_t name = doorbell_read_name(file);

		if (name != 0 && life_has_ended(domain, name))
			(void)sys_unlink_at(directory, file);
	}
	sys_directory_close(&entries);
}

/* Whoever may write into the directory may ring. */
static int doorbell_mode(int directory, mode_t *ret_mode)
{
	struct stat status;
	int error = sys_stat_fd(directory, &status);

	if (error < 0)
		return error;
	*ret_mode = 0600 | ((status.st_mode & 020) ? 0060 : 0);
	return 0;
}

/* Both ends, so that there is always a reader and a writer. */
static int doorbell_open_own(int directory, const char *file, mode_t mode, int *ret_fd)
{
	struct stat status;
	int error;
	int fd = sys_open_at(directory, file, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);

	if (fd < 0)
		return fd;
	error = sys_stat_fd(fd, &status);
	/* Somebody was quick to put another thing in its place. */
	if (error == 0 && !S_ISFIFO(status.st_mode))
		error = -EEXIST;
	if (error == 0)
		error = sys_chmod_fd(fd, mode);
	if (error < 0)
		sys_close(&fd);
	else
		*ret_fd = fd;
	return error;
}

static int doorbell_make(struct doorbell *bell)
{
	static _Atomic uint32_t numbers;
	char file[DOORBELL_NAME_SIZE];
	uint64_t owner;
	int directory;
	mode_t mode = 0600;
	int error = domain_process_owner(bell->object->domain, &owner);

	if (error == 0)
		error = domain_directory(bell->object->domain, &directory);
	if (error == 0)
		error = doorbell_mode(directory, &mode);
	if (error < 0)
		return error;
	doorbell_sweep(bell->object->domain, directory);
	error = -EEXIST;
	for (int turn = 0; turn < TURNS && error == -EEXIST; turn++) {
		bell->name = owner | (atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) & CLAIM_STATE);
		doorbell_write_name(bell->name, file);
		error = sys_make_fifo(directory, file, mode);
	}
	if (error < 0)
		return error;
	error = doorbell_open_own(directory, file, mode, &bell->fd);
	if (error == 0) {
		error = doorbell_keep(bell);
		if (error < 0)
			sys_close(&bell->fd);
	}
	if (error < 0)
		(void)sys_unlink_at(directory, file);
	return error;
}

void doorbell_init(struct doorbell *bell, const struct object *object, const struct doorbell_job *job, void *argument)
{
	*bell = (struct doorbell){.job = job, .argument = argument, .object = object, .fd = -1};
	pthread_mutex_init(&bell->starting, NULL);
	list_init(&bell->all);
	doorbell_ring_prepare();
}

int doorbell_start(struct doorbell *bell)
{
	int result;

	/* The lock may be one that another thread of the parent held. */
	if (bell->object->generation != sys_generation())
		return -ECHILD;
	pthread_mutex_lock(&bell->starting);
	result = bell->made ? 0 : doorbell_make(bell);
	if (result == 0) {
		bell->made = true;
		result = bell->fd;
	}
	pthread_mutex_unlock(&bell->starting);
	return result;
}

void doorbell_done(struct doorbell *bell)
{
	char file[DOORBELL_NAME_SIZE];
	int directory;

	if (bell->object->generation == sys_generation()) {
		if (bell->made) {
			doorbell_unkeep(bell);
			doorbell_write_name(bell->name, file);
			if (domain_directory(bell->object->domain, &directory) == 0)
				(void)sys_unlink_at(directory, file);
		}
		pthread_mutex_destroy(&bell->starting);
	}
	doorbell_ring_forget(bell->object);
	sys_close(&bell->fd);
}
