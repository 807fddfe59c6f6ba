/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_FILES_H
#define SYS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Files and descriptors. Each returns 0 or more, or -errno. EINTR is retried, but of close() (the descriptor is gone
 * all the same, close(2)) and of sys_flock_try(), which can't wait.
 */

/* O_CLOEXEC is added. */
int sys_open(const char *path, int flags);
int sys_open_at(int directory, const char *name, int flags);

/*
 * A new open file description of the very file behind a descriptor, O_PATH too, whatever its name is now. Needs /proc:
 * -ENOENT without it.
 */
int sys_reopen(int fd, int flags);

/*
 * Open a file if it is a regular one: -ENOTSUP, and nothing else is opened, which could let a FIFO's peer through, or
 * rewind a tape. The kernel has no flag for that. Without /proc what has the name may be replaced in between; it is
 * closed again then. @flags: O_NOFOLLOW too: a link is -ELOOP.
 */
int sys_open_regular(int directory, const char *name, int flags, struct stat *ret_status);

/* The path in /proc that leads to that file, for what takes no descriptor. */
#define SYS_FD_PATH_SIZE 32
void sys_fd_path(int fd, char ret_path[SYS_FD_PATH_SIZE]);

/*
 * The directory that a path's last part is in, as an O_PATH descriptor, and that part, which points into @path. What is
 * done by the two happens in one directory, whoever puts another in its place meanwhile.
 */
int sys_open_parent(const char *path, const char **ret_name);

/* Closes *fd unless it is -1, and makes it -1. Never fails in a way that a caller could act on. */
void sys_close(int *fd);

/*
 * Whose files mustn't be closed now asks to be told: from then on sys_close() asks @keeper first, for each descriptor
 * of a regular file that isn't O_PATH. true: the keeper has the descriptor from here on, and sys_close_now()s it some
 * day.
 */
typedef bool sys_close_keeper(int fd, dev_t device, ino_t inode);
void sys_set_close_keeper(sys_close_keeper *keeper);
void sys_close_now(int *fd);

int sys_stat_fd(int fd, struct stat *ret_stat);
/* Doesn't follow a symbolic link at the end. */
int sys_stat_at(int directory, const char *name, struct stat *ret_stat);

int sys_chmod_fd(int fd, mode_t mode);
/* The file that an O_PATH descriptor stands for. Needs /proc. */
int sys_chmod_path_fd(int fd, mode_t mode);

int sys_unlink_at(int directory, const char *name);

/* A directory with exactly that mode: -EEXIST. */
int sys_make_directory(const char *path, mode_t mode);

/* Take an exclusive flock(2) without waiting: 0, or -EAGAIN. */
int sys_flock_try(int fd);
/* Can't fail on a descriptor that is open. */
void sys_flock_release(int fd);

/* F_GETFL and F_SETFL. */
int sys_get_flags(int fd);
int sys_set_flags(int fd, int flags);
int sys_set_cloexec(int fd);

/* A new descriptor for the same open file description, CLOEXEC. */
int sys_duplicate(int fd);
/* @to becomes a CLOEXEC duplicate of @from, atomically. */
int sys_replace(int from, int to);

/* Bytes that wait to be read (FIONREAD). */
int sys_queued(int fd, size_t *ret_size);

#endif
