/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "inspect/list.h"
#include "inspect/mounts.h"
#include "sys/files.h"
#include "sys/look.h"

/*
 * POSIX queues are files of mqueuefs (mq_overview(7)); named semaphores are /dev/shm/sem.NAME, and shared memory all
 * other files of /dev/shm (sem_overview(7), shm_overview(7)), each by a convention of the C library.
 */
#define SHARED_MEMORY    "/dev/shm"
#define SEMAPHORE_PREFIX "sem."

/* struct new_sem of glibc (nptl, 64 bits) begins with value | waiters << 32. An older or a 32-bit program has others.
 */
#define SEMAPHORE_SIZE 32
#define SEMAPHORE_MAX  0x7fffffff

/* One name in the directory. */
typedef int posix_look(struct look *look, int directory, const char *name);

static int posix_add(struct look *look, struct nonet_inspect_object *object, const char *name)
{
	char slash[NAME_MAX + 2];

	snprintf(slash, sizeof(slash), "/%s", name);
	return list_add_name(look->list, object, slash);
}

/* Whether it is still there. */
static bool posix_stat(struct look *look, int directory, const char *name, struct stat *ret_info)
{
	int error = sys_stat_at(directory, name, ret_info);

	look->list->coverage.places += error < 0 && error != -ENOENT;
	return error == 0;
}

static void posix_set(struct nonet_inspect_object *object, int directory, const char *name, const struct stat *info)
{
	object_set_stat(object, info);
	object->known |= NONET_INSPECT_CREATED;
	object->created = sys_birth_time(directory, name);
	if (object->created == 0)
		object->created = (int64_t)info->st_ctim.tv_sec * NONET_S(1) + info->st_ctim.tv_nsec;
}

static int look_at_queue(struct look *look, int directory, const char *name)
{
	struct nonet_inspect_object object = {.scheme = NONET_SCHEME_POSIXMQ};
	struct stat info;
	int queue;

	if (!posix_stat(look, directory, name, &info))
		return 0;
	object_set_stat(&object, &info);
	/* Sending and receiving change it, and nobody keeps when the queue was made. */
	object.known |= NONET_INSPECT_USED;
	object.used = (int64_t)info.st_ctim.tv_sec * NONET_S(1) + info.st_ctim.tv_nsec;
	queue = sys_open_at(directory, name, O_RDONLY | O_NONBLOCK);
	if (queue < 0 && !look_may_go_on(queue))
		return queue;
	if (queue >= 0) {
		uint64_t depth, count;

		/* Not its text, which has the bytes that are queued: reading it counts as use (mq_overview(7)). */
		if (sys_queue_look(queue, &depth, &count) == 0) {
			object.known |= NONET_INSPECT_ROOM | NONET_INSPECT_COUNT;
			object.room = depth;
			object.count = count;
		}
		sys_close(&queue);
	}
	return posix_add(look, &object, name);
}

static int look_at_semaphore(struct look *look, int directory, const char *name, const struct stat *info)
{
	struct nonet_inspect_object object = {.scheme = NONET_SCHEME_POSIXSEM};
	struct stat opened;
	uint32_t words[2];
	int file;

	posix_set(&object, directory, name, info);
	file = info->st_size == SEMAPHORE_SIZE ? sys_open_regular(directory, name, O_RDONLY | O_NOFOLLOW, &opened)
					       : -EACCES;
	if (file < 0 && !look_may_go_on(file))
		return file;
	if (file >= 0) {
		if (sys_read_begin(file, words, sizeof(words)) == sizeof(words) && words[0] <= SEMAPHORE_MAX) {
			object.known |= NONET_INSPECT_COUNT | NONET_INSPECT_WAITERS;
			object.count = words[0];
			object.waiters = words[1];
		}
		sys_close(&file);
	}
	return posix_add(look, &object, name + strlen(SEMAPHORE_PREFIX));
}

static int look_at_shared_file(struct look *look, int directory, const char *name)
{
	struct nonet_inspect_object object = {.scheme = NONET_SCHEME_POSIXSHM};
	struct stat info;

	if (!posix_stat(look, directory, name, &info) || !S_ISREG(info.st_mode))
		return 0;
	if (strncmp(name, SEMAPHORE_PREFIX, strlen(SEMAPHORE_PREFIX)) == 0)
		return look_wants(look, NONET_SCHEME_POSIXSEM) ? look_at_semaphore(look, directory, name, &info) : 0;
	if (!look_wants(look, NONET_SCHEME_POSIXSHM))
		return 0;
	posix_set(&object, directory, name, &info);
	object.known |= NONET_INSPECT_BYTES;
	object.bytes = (uint64_t)info.st_size;
	return posix_add(look, &object, name);
}

static int look_into(struct look *look, int at, const char *path, posix_look *look_at)
{
	struct sys_directory directory;
	const char *name;
	unsigned char type;
	int more = sys_directory_open(at, path, &directory);

	if (more < 0) {
		look->list->coverage.places += more != -ENOENT;
		return look_may_go_on(more) ? 0 : more;
	}
	while ((more = sys_directory_next(&directory, &name, &type)) > 0) {
		if (type != DT_REG && type != DT_UNKNOWN)
			continue;
		more = look_at(look, directory.fd, name);
		if (more < 0)
			break;
	}
	sys_directory_close(&directory);
	return more;
}

/* Where somebody has mounted the queues. */
static int queues_mounted(void)
{
	struct mounts mounts;
	int fd = mounts_read(&mounts);

	if (fd == 0)
		fd = mounts_open(&mounts, "mqueue");
	mounts_done(&mounts);
	return fd;
}

static int look_at_queues(struct look *look)
{
	/* What is mounted may be another namespace's; a mount of our own can't. */
	int root = sys_queues_mount();
	int error;

	if (root < 0 && look_may_go_on(root))
		root = queues_mounted();
	if (root < 0) {
		look->list->coverage.no_queues = 1;
		return look_may_go_on(root) ? 0 : root;
	}
	error = look_into(look, root, ".", look_at_queue);
	sys_close(&root);
	return error;
}

int look_at_posix(struct look *look)
{
	int error = 0;

	if (look_wants(look, NONET_SCHEME_POSIXMQ))
		error = look_at_queues(look);
	if (error == 0 && (look_wants(look, NONET_SCHEME_POSIXSEM) || look_wants(look, NONET_SCHEME_POSIXSHM)))
		error = look_into(look, AT_FDCWD, SHARED_MEMORY, look_at_shared_file);
	return error;
}
