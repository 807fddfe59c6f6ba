/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SOCKETS_H
#define SYS_SOCKETS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/*
 * Sockets. Each returns 0 or more, or -errno; EINTR is retried. Descriptors are CLOEXEC at birth, and blocking: what
 * may not wait says so in the call (MSG_DONTWAIT), so that nothing of an inherited socket is changed. MSG_NOSIGNAL
 * always.
 */

int sys_socket(int domain, int type);
/* IPPROTO_*, where the type alone doesn't say it. -EPERM: SOCK_RAW without CAP_NET_RAW. */
int sys_socket_of(int domain, int type, int protocol);
int sys_socketpair(int domain, int type, int ret_fds[2]);
int sys_bind(int fd, const struct sockaddr *address, socklen_t size);
int sys_listen(int fd, int backlog);

/*
 * Of a non-blocking socket: -EAGAIN while the backlog of a UNIX listener is full; -EINPROGRESS of TCP: poll for
 * POLLOUT, then make the call again, which tells how it went.
 */
int sys_connect(int fd, const struct sockaddr *address, socklen_t size);

/* The socket's own address, and its peer's. @size: in and out. */
int sys_local_name(int fd, struct sockaddr *ret_address, socklen_t *size);
int sys_peer_name(int fd, struct sockaddr *ret_address, socklen_t *size);

/* The new connection is blocking; @fd has to be non-blocking for -EAGAIN instead of waiting. */
int sys_accept(int fd);

/* @flags: MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, or 0 to wait for ever. MSG_CMSG_CLOEXEC is added. */
ssize_t sys_send(int fd, const struct msghdr *message, int flags);
ssize_t sys_receive(int fd, struct msghdr *message, int flags);

/*
 * Bytes alone, from and to one place: without a header, which the kernel would have to copy and check, a small send
 * costs a tenth less. What comes beside them the kernel drops.
 */
ssize_t sys_send_bytes(int fd, const void *bytes, size_t size, int flags);
ssize_t sys_receive_bytes(int fd, void *buffer, size_t size, int flags);

/*
 * The file that a UNIX socket is bound to, as an O_PATH descriptor: itself, whatever its name is now. -EPERM without
 * CAP_NET_ADMIN, -ENOENT if there is none (SIOCUNIXFILE, Linux 4.16).
 */
int sys_socket_file(int fd);

/*
 * Whether any UNIX socket is bound to the file behind an O_PATH descriptor, in whatever network namespace; nobody
 * notices the question.
 *
 * Return: 1, also where it can't be known: no permission to connect, no /proc; 0, or -EMFILE and the like.
 */
int sys_socket_is_bound(int file);

/* SHUT_RD, SHUT_WR, SHUT_RDWR. */
int sys_shutdown(int fd, int how);

int sys_get_option(int fd, int level, int option, void *ret_value, socklen_t *size);
int sys_set_option(int fd, int level, int option, const void *value, socklen_t size);

#endif
