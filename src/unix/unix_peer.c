/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/types.h>

#include "sys/process.h"
#include "sys/sockets.h"
#include "unix/unix.h"

/* Linux 6.5; older headers don't have it. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int nonet_unix_peer(struct nonet_unix *socket, struct nonet_unix_peer *ret_peer)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	int error = sys_get_option(socket->stream.fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size);

	if (error < 0)
		return error;
	/* A socket without a peer has the ids of nobody, which the kernel gives as -1. */
	if (credentials.pid == 0 && credentials.uid == (uid_t)-1)
		return -ENOTCONN;
	*ret_peer = (struct nonet_unix_peer){
		.pid = credentials.pid,
		.uid = credentials.uid,
		.gid = credentials.gid,
	};
	return 0;
}

int nonet_unix_peer_pidfd(struct nonet_unix *socket, int *ret_fd)
{
	struct nonet_unix_peer peer;
	socklen_t size;
	int error = nonet_unix_peer(socket, &peer);
	int fd;

	if (error < 0)
		return error;
	size = sizeof(fd);
	error = sys_get_option(socket->stream.fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &size);
	if (error == 0) {
		*ret_fd = fd;
		return 0;
	}
	/* Of a peer that was reaped some kernels say EINVAL, as pidfd_prepare() did; of one that never was, ENODATA. */
	if (error == -ENODATA || error == -EINVAL)
		return -ESRCH;
	/* Before Linux 6.5 there is only the number, which may have been given to another process since. */
	if (error != -ENOPROTOOPT)
		return error;
	if (peer.pid == 0)
		return -ESRCH;
	fd = sys_pidfd_open(peer.pid);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 1;
}
