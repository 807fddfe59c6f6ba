/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_RESOLVE_H
#define SYS_RESOLVE_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include <nonet/time.h>

/* An address of the two families that we know, as the kernel wants it. */
union sys_address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/* More than that a host hasn't, or won't miss. */
#define SYS_ADDRESSES_MAX 16

/* As many look-ups that were given up may still be under way. */
#define SYS_RESOLVE_GIVEN_UP_MAX 64

struct sys_addresses {
	size_t count;
	union sys_address list[SYS_ADDRESSES_MAX];
};

/* "127.0.0.1", "::1", "fe80::1%eth0": 0 with one address, or -ENOENT if @host isn't numeric, or -ENOMEM. */
int sys_resolve_numeric(const char *host, struct sys_addresses *ret_addresses);

/*
 * All addresses of a host, in the order in which they should be tried; ports are 0. getaddrinfo(3) has no deadline, so
 * if there is one, a thread with all signals blocked makes the call. It shares the request with us, and who comes last
 * frees it: if we give up, the thread goes on until its call returns, and nobody waits for it.
 *
 * Who tries again and again while the name servers hang mustn't fill the process with such threads: once there are
 * SYS_RESOLVE_GIVEN_UP_MAX of them, it is -EREMOTEIO at once until one has ended.
 *
 * Return: 0, or -ENOENT (no such host), -EREMOTEIO (no answer from the name servers), -EAGAIN at once for NONET_NOW,
 * -ETIMEDOUT, -EMFILE, -ENFILE, -ENOMEM (also no thread).
 */
int sys_resolve(const char *host, nonet_time deadline, struct sys_addresses *ret_addresses);

#endif
