/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_BACKING_H
#define SYS_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Files as what backs memory. Each returns 0 or more, or -errno; EINTR is retried, but by sys_allocate_file(). */

/* An empty file in a directory, read-write, mode 0, that has no name yet: -EOPNOTSUPP, -EISDIR where there are none. */
int sys_create_unnamed(int directory);

/* A new file, read-write, mode 0: -EEXIST. For file systems without the above. */
int sys_create_at(int directory, const char *name);

/* Give the file its first name, or another: -EEXIST. Needs /proc, or a kernel of 6.10. */
int sys_link_at(int fd, int directory, const char *name);
/* Move a name over nothing: -EEXIST; -EINVAL where the file system can't. */
int sys_rename_new(int directory, const char *from, const char *to);

/*
 * Have room for @size bytes from @from on, and make the file that long unless @keep_size: -ENOSPC now rather than a
 * SIGBUS later. -EINTR, with all undone on tmpfs of older kernels: a shorter piece has to be tried. -EOPNOTSUPP: the
 * file system can't. -EFBIG, and no SIGXFSZ: it would end behind RLIMIT_FSIZE.
 */
int sys_allocate_file(int fd, off_t from, off_t size, bool keep_size);
/* Make it longer, with a hole: -EFBIG as above. */
int sys_truncate(int fd, off_t size);

/* What was written is on the device; with the file's times, or without. A directory's are its names. */
int sys_sync_file(int fd);
int sys_sync_data(int fd);

/* Begin to write a range out, and don't wait: msync(2) with MS_ASYNC does nothing on Linux. */
int sys_write_start(int fd, off_t from, off_t size);

/* Whether its pages are hugetlbfs's; their size. */
int sys_file_page_size(int fd, size_t *ret_size, bool *ret_huge);

/* Whether its pages are memory and swap, and nothing else (tmpfs, a memfd): 1 or 0. */
int sys_file_is_in_memory(int fd);

#endif
