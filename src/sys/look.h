/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_LOOK_H
#define SYS_LOOK_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Looking around: directories, links and small files. Each returns 0 or more, or -errno. EINTR is retried. */

/* Entries of a directory, one after the other; each look into the kernel brings many. */
struct sys_directory {
	int fd;
	long next, end;
	_Alignas(8) char entries[4096];
};

/* Relative to @at, or AT_FDCWD; a symbolic link at the end isn't followed. */
int sys_directory_open(int at, const char *name, struct sys_directory *ret_directory);
void sys_directory_close(struct sys_directory *directory);

/*
 * The next entry but . and ..; the name is good until the next call. *@ret_type is DT_FIFO and so on (readdir(3)).
 *
 * Return: 1, or 0 at the end.
 */
int sys_directory_next(struct sys_directory *directory, const char **ret_name, unsigned char *ret_type);

/* All of a small file, with a NUL behind it; freed with sys_free(). -EFBIG over 64 MiB. */
int sys_read_text(int at, const char *name, char **ret_text);

/* The lines of a file, without reading all of it; what is longer than @line is cut off. */
struct sys_lines {
	int fd;
	size_t next, end;
	char buffer[4096];
	char line[512];
};

int sys_lines_open(int at, const char *name, struct sys_lines *ret_lines);
/* Return: 1 with the next in @lines->line, without its end; 0 at the end. */
int sys_lines_next(struct sys_lines *lines);
void sys_lines_close(struct sys_lines *lines);

/* Of a line "KEY: VALUE" of that key its value, up to the line's end; or NULL. */
const char *sys_lines_value(const struct sys_lines *lines, const char *key);

/* At most @capacity - 1 bytes of what a link says, and a NUL. Return: how many. */
int sys_read_link(int at, const char *name, char *buffer, size_t capacity);

/* The next bytes of a file, at first the first: how many. */
int sys_read_begin(int fd, void *buffer, size_t size);

/* The bytes at @offset of a file that has such: how many, less than @size at its end. */
int sys_read_at(int fd, void *buffer, size_t size, off_t offset);

/* When a file was made, in nanoseconds of CLOCK_REALTIME; 0: the file system doesn't tell. */
int64_t sys_birth_time(int at, const char *name);

/*
 * The root of the IPC namespace's POSIX queues, without mounting it anywhere: -EPERM without CAP_SYS_ADMIN.
 */
int sys_queues_mount(void);

/* Of a queue, open as a file of such a mount: how many messages it may hold and holds. */
int sys_queue_look(int fd, uint64_t *ret_depth, uint64_t *ret_count);

#endif
