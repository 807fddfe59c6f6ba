/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/whole.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include <nonet/time.h>

#include "guard/room.h"
#include "sys/backing.h"
#include "sys/files.h"

/* As much as tmpfs clears between two signals of any storm. */
#define WHOLE_PIECE_LEAST (64 << 10)

int whole_reserve(int fd, uint64_t from, uint64_t to)
{
	uint64_t piece = to - from;
	int error = room_check_file(fd, piece);

	if (error < 0)
		return error;
	error = sys_allocate_file(fd, (off_t)from, (off_t)piece, false);

	/*
	 * On older kernels a signal undoes a whole call on tmpfs (shmem_fallocate() in 6.1; fallocate(2) allows it), so
	 * that under a storm of them a large one never ends. Shorter and shorter pieces do; the size changes with the
	 * last call alone, to which nothing is left to do.
	 */
	for (uint64_t at = from; error == -EINTR && at < to;) {
		if (piece > to - at)
			piece = to - at;
		error = sys_allocate_file(fd, (off_t)at, (off_t)piece, true);
		if (error == 0) {
			at += piece;
			error = -EINTR;
		} else if (error == -EINTR && piece > WHOLE_PIECE_LEAST) {
			piece /= 2;
		}
	}
	while (error == -EINTR) {
		piece = piece > 4096 ? 4096 : piece;
		error = sys_allocate_file(fd, (off_t)(to - piece), (off_t)piece, false);
	}
	return error;
}

static int whole_fill(int fd, uint64_t length, mode_t mode, bool must)
{
	int error = whole_reserve(fd, 0, length);

	if (error == -EOPNOTSUPP && !must)
		error = sys_truncate(fd, (off_t)length);
	return error < 0 ? error : sys_chmod_fd(fd, mode);
}

/* Without a name, or under one of its own where files can't be without. */
static int whole_begin(struct whole *whole)
{
	static _Atomic unsigned number;
	int fd = sys_create_unnamed(whole->directory);

	/* EISDIR: a file system, or a kernel, that takes O_TMPFILE for O_DIRECTORY (open(2)). */
	if (fd != -EOPNOTSUPP && fd != -EISDIR)
		return fd;
	snprintf(whole->own, sizeof(whole->own), ".nonet-%llx-%x", (unsigned long long)nonet_clock(),
		 atomic_fetch_add_explicit(&number, 1, memory_order_relaxed));
	fd = sys_create_at(whole->directory, whole->own);
	if (fd < 0)
		whole->own[0] = '\0';
	return fd;
}

int whole_make(struct whole *ret_whole, int directory, const char *name, uint64_t length, mode_t mode, bool must)
{
	struct whole whole = {.directory = directory, .fd = -1};
	struct stat status;
	int error = sys_stat_at(directory, name, &status);

	/* Known before room was made in vain; who comes between is refused by the last step. */
	if (error == 0)
		return -EEXIST;
	if (error != -ENOENT)
		return error;
	whole.fd = whole_begin(&whole);
	if (whole.fd < 0)
		return whole.fd;
	error = whole_fill(whole.fd, length, mode, must);
	if (error < 0) {
		whole_drop(&whole);
		return error;
	}
	*ret_whole = whole;
	return 0;
}

int whole_publish(struct whole *whole, const char *name)
{
	int error = whole->own[0] ? sys_rename_new(whole->directory, whole->own, name)
				  : sys_link_at(whole->fd, whole->directory, name);

	if (error < 0)
		return error;
	whole->fd = -1;
	whole->own[0] = '\0';
	return 0;
}

void whole_drop(struct whole *whole)
{
	if (whole->own[0])
		(void)sys_unlink_at(whole->directory, whole->own);
	sys_close(&whole->fd);
}
