/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOCKET_SOCKET_H
#define SOCKET_SOCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <nonet/socket.h>

#include "stream/packet.h"
#include "stream/stream.h"
#include "sys/resolve.h"
#include "sys/sockets.h"
#include "waitable/waitable.h"

/* A datagram's length is a number of 16 bits: it counts UDP's or ICMP's own header, over IPv4 also the one of IP. */
#define SOCKET_PACKET_IPV4 65507
#define SOCKET_PACKET_IPV6 65527

/* What comes before the payload at most: IPv4's header with all its options, and ICMP's. */
#define SOCKET_HEADERS_MAX 68

struct nonet_socket {
	struct stream stream; /* first: the carrier finds its socket by it. Of all types: fd and message_size */
	struct nonet_waitable waitable;
	enum nonet_socket_type type;
	sa_family_t family; /* AF_INET, AF_INET6 */
	bool connected;     /* of UDP: only the peer's datagrams come in */
	struct packet packet;
	union sys_address sender; /* of the packet; AF_UNSPEC: the peer */

	/* Of ICMP. */
	union sys_address host;      /* getpeername(2) tells no peer without a port */
	uint16_t identifier;         /* of our echo requests */
	_Atomic uint64_t unanswered; /* which of them are, see socket_icmp.c */
};

struct nonet_socket_listener {
	struct nonet_waitable waitable;
	int fd;
	sa_family_t family;
	uint64_t message_size;
	char name[96]; /* for sentences */
};

/* Whether all of @options is known and within its limits; NULL is. */
int socket_check_options(const struct nonet_socket_options *options, struct nonet_error *reterr);

/* What @options say of a socket; and with our own rules, before it is connected or bound. @options may be NULL. */
int socket_set_options(int fd, enum nonet_socket_type type, const struct nonet_socket_options *options);
int socket_set_up(int fd, enum nonet_socket_type type, const struct nonet_socket_options *options);

/*
 * Make a handle of a socket, in zeroed memory of the caller's or in memory of its own. On failure @fd stays the
 * caller's.
 */
void socket_init(struct nonet_socket *socket, int fd, enum nonet_socket_type type, sa_family_t family,
		 uint64_t message_size);
int socket_make(int fd, enum nonet_socket_type type, sa_family_t family, uint64_t message_size,
		struct nonet_socket **ret_socket, struct nonet_error *reterr);

/*
 * What the kernel says of the peer, or of the way to it, in the words that nonet/socket.h lists. Of UDP and ICMP
 * anybody can have it say so who can send us a packet.
 */
int socket_told(int error);

/* A decimal port from @least; -EINVAL with a sentence. */
int socket_port(const char *port, uint16_t least, uint16_t *ret_port, struct nonet_error *reterr);

/*
 * The addresses of a host, of the families that @options allow, with their port; NULL is every address of this machine.
 */
int socket_resolve(const char *host, uint16_t port, const struct nonet_socket_options *options, nonet_time deadline,
		   struct sys_addresses *ret_addresses, struct nonet_error *reterr);

/* "HOST:PORT" or "[V6]:PORT" for sentences; without a port if that is NULL, and "port PORT" without a host. */
void socket_describe(const char *host, const char *port, char *text, size_t capacity);

/* The size that the kernel wants to be told. */
socklen_t socket_name_size(const union sys_address *address);
void socket_name_show(const union sys_address *address, struct nonet_socket_name *ret_name);
/* -EINVAL, -EAFNOSUPPORT. @family: of the socket that sends to it. */
int socket_name_read(const struct nonet_socket_name *name, sa_family_t family, union sys_address *ret_address);
bool socket_name_is(const union sys_address *one, const union sys_address *other);
/* Every link has its own fe80::/10, so that the address alone says nothing: the kernel's word is -EINVAL. */
bool socket_name_lacks_zone(const union sys_address *address);
#define SOCKET_LACKS_ZONE "%s is an address of a link, and every link has its own: say which one, as in fe80::1%%eth0"

/* Datagrams of UDP, and what both kinds share. */
int socket_packet_send(struct nonet_socket *socket, const union sys_address *to, const void *message, size_t size,
		       nonet_time deadline);
int socket_packet_receive(struct nonet_socket *socket, void *buffer, size_t capacity, nonet_time deadline,
			  struct nonet_socket_name *ret_from, size_t *ret_size);
int socket_packet_peek(struct nonet_socket *socket, nonet_time deadline, size_t *ret_size);
/*
 * Wait for a datagram that wasn't there. -EPIPE: receiving was shut down (shutdown(2)) by us, or by somebody who has
 * the socket too; else the kernel would say for ever that something is ready, and then that nothing is there.
 */
int socket_packet_wait(struct nonet_socket *socket, nonet_time deadline);
/* The same of a call that slept in the kernel: it says nothing but that no byte came. 1, 0, or an error. */
int socket_packet_is_shut(struct nonet_socket *socket);

/* ICMP: only echo replies come in. */
int socket_icmp_set_up(int fd, sa_family_t family);
int socket_icmp_send(struct nonet_socket *socket, const void *message, size_t size, nonet_time deadline);
/* The next answer to one of our requests, to packet.bytes. */
int socket_icmp_take(struct nonet_socket *socket, nonet_time deadline);

#endif
