/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PIPE_H
#define SYS_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * Pipes. All of them non-blocking: -EAGAIN instead of waiting. EINTR is retried. None ever raises SIGPIPE: -EPIPE.
 *
 * How SIGPIPE is kept away: pwritev2(RWF_NOSIGNAL) from Linux 6.18 on. Where that flag isn't known, and for splice(2),
 * tee(2) and vmsplice(2) which have no such flag, the calling thread blocks SIGPIPE around the call and takes the one
 * that the call raised (write(2): it is sent to this thread) out of its pending set again. No disposition is touched.
 */

/* ret_fds[0] reads, ret_fds[1] writes; both O_NONBLOCK and CLOEXEC. */
int sys_pipe(int ret_fds[2]);

/* With @mode less the umask. */
int sys_make_fifo(int directory, const char *name, mode_t mode);

ssize_t sys_pipe_read(int fd, const struct iovec *vector, int count);
ssize_t sys_pipe_write(int fd, const struct iovec *vector, int count);

int sys_pipe_capacity(int fd);
int sys_pipe_set_capacity(int fd, int capacity);

ssize_t sys_splice(int from, int to, size_t size);
ssize_t sys_tee(int from, int to, size_t size);
ssize_t sys_vmsplice(int fd, const void *bytes, size_t size);

#endif
