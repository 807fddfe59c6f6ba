/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sockets.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "sys/fault.h"
#include "sys/files.h"

/* <linux/un.h> has it, and can't be included beside <sys/un.h>. */
#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE 0x89e0
#endif

int sys_socket(int domain, int type)
{
	return sys_socket_of(domain, type, 0);
}

int sys_socket_of(int domain, int type, int protocol)
{
	int fd = sys_fault(SYS_CALL_SOCKET);

	if (fd < 0)
		return fd;
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	return fd < 0 ? -errno : fd;
}

int sys_socketpair(int domain, int type, int ret_fds[2])
{
	int error = sys_fault(SYS_CALL_SOCKETPAIR);

	if (error < 0)
		return error;
	return socketpair(domain, type | SOCK_CLOEXEC, 0, ret_fds) < 0 ? -errno : 0;
}

int sys_bind(int fd, const struct sockaddr *address, socklen_t size)
{
	int error = sys_fault(SYS_CALL_BIND);

	if (error < 0)
		return error;
	return bind(fd, address, size) < 0 ? -errno : 0;
}

int sys_listen(int fd, int backlog)
{
	int error = sys_fault(SYS_CALL_LISTEN);

	if (error < 0)
		return error;
	return listen(fd, backlog) < 0 ? -errno : 0;
}

int sys_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int error = sys_fault(SYS_CALL_CONNECT);

	if (error < 0)
		return error;
	/*
	 * A UNIX socket isn't left connecting by a signal, and one of TCP that doesn't block isn't interrupted: the
	 * call is simply made again.
	 */
	do
		error = connect(fd, address, size);
	while (error < 0 && errno == EINTR);
	return error < 0 ? -errno : 0;
}

int sys_local_name(int fd, struct sockaddr *ret_address, socklen_t *size)
{
	int error = sys_fault(SYS_CALL_NAME);

	if (error < 0)
		return error;
	return getsockname(fd, ret_address, size) < 0 ? -errno : 0;
}

int sys_peer_name(int fd, struct sockaddr *ret_address, socklen_t *size)
{
	int error = sys_fault(SYS_CALL_NAME);

	if (error < 0)
		return error;
	return getpeername(fd, ret_address, size) < 0 ? -errno : 0;
}

int sys_accept(int fd)
{
	int connection = sys_fault(SYS_CALL_ACCEPT);

	if (connection < 0)
		return connection;
	do
		connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	while (connection < 0 && errno == EINTR);
	return connection < 0 ? -errno : connection;
}

ssize_t sys_send(int fd, const struct msghdr *message, int flags)
{
	ssize_t size = sys_fault(SYS_CALL_SEND);

	if (size < 0)
		return size;
	do
		size = sendmsg(fd, message, flags | MSG_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	return size < 0 ? -errno : size;
}

ssize_t sys_send_bytes(int fd, const void *bytes, size_t size, int flags)
{
	ssize_t sent = sys_fault(SYS_CALL_SEND);

	if (sent < 0)
		return sent;
	do
		sent = send(fd, bytes, size, flags | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

ssize_t sys_receive(int fd, struct msghdr *message, int flags)
{
	ssize_t size = sys_fault(SYS_CALL_RECEIVE);

	if (size < 0)
		return size;
	do
		size = recvmsg(fd, message, flags | MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	return size < 0 ? -errno : size;
}

ssize_t sys_receive_bytes(int fd, void *buffer, size_t size, int flags)
{
	ssize_t received = sys_fault(SYS_CALL_RECEIVE);

	if (received < 0)
		return received;
	do
		received = recv(fd, buffer, size, flags);
	while (received < 0 && errno == EINTR);
	return received < 0 ? -errno : received;
}

int sys_socket_file(int fd)
{
	int file = sys_fault(SYS_CALL_IOCTL);

	if (file < 0)
		return file;
	file = ioctl(fd, SIOCUNIXFILE);
	return file < 0 ? -errno : file;
}

int sys_shutdown(int fd, int how)
{
	int error = sys_fault(SYS_CALL_SHUTDOWN);

	if (error < 0)
		return error;
	return shutdown(fd, how) < 0 ? -errno : 0;
}

int sys_get_option(int fd, int level, int option, void *ret_value, socklen_t *size)
{
	int error = sys_fault(SYS_CALL_SOCKOPT);

	if (error < 0)
		return error;
	return getsockopt(fd, level, option, ret_value, size) < 0 ? -errno : 0;
}

int sys_set_option(int fd, int level, int option, const void *value, socklen_t size)
{
	int error = sys_fault(SYS_CALL_SOCKOPT);

	if (error < 0)
		return error;
	return setsockopt(fd, level, option, value, size) < 0 ? -errno : 0;
}

int sys_socket_is_bound(int file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int probe = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK);
	int error;

	if (probe < 0)
		return probe;
	sys_fd_path(file, address.sun_path);
	error = sys_connect(probe, (const struct sockaddr *)&address, sizeof(address));
	sys_close(&probe);
	/* Any other error comes of a socket that is there, or of one that can't be reached by us. */
	return error != -ECONNREFUSED;
}
