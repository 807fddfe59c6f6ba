/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIX_UNIX_H
#define UNIX_UNIX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <nonet/unix.h>

#include "base/list.h"
#include "stream/packet.h"
#include "stream/stream.h"
#include "sys/sockets.h"
#include "unix/unix_ancillary.h"
#include "waitable/waitable.h"

/* A path that this process bound, to be removed when the socket is closed. */
struct unix_path {
	int directory; /* -1: nothing to remove */
	char *name;    /* in it */
	dev_t device;
	ino_t inode;
	unsigned owner; /* sys_generation() of the process that made it */
};

/* What came beside a packet. */
struct unix_beside {
	struct unix_rights rights;
	struct sockaddr_un sender;
	socklen_t sender_size;
};

/*
 * How many sets of descriptors can be in hand: one of the message that is being received, and one of the message after
 * it, with whose first byte a read ends (recvmsg(2) never goes past bytes that came with descriptors).
 */
#define UNIX_SETS 2

struct nonet_unix {
	struct stream stream; /* first: the carrier finds its socket by it. Of all types: fd and message_size */
	struct nonet_waitable waitable;
	enum nonet_unix_type type;
	bool marks_packets; /* every packet comes with a time stamp, so that an empty one isn't the end */
	bool refused;       /* nobody has the datagram's name any more */
	struct unix_path path;

	const int *sending; /* go with the next write */
	size_t sending_count;

	struct unix_rights sets[UNIX_SETS + 1]; /* the last has room for one too many, to be closed */
	int sets_count;
	struct packet packet;
	struct unix_beside beside;
};

struct nonet_unix_listener {
	struct nonet_waitable waitable;
	int fd;
	enum nonet_unix_type type;
	uint32_t buffer_size;
	uint64_t message_size;
	struct unix_path path;
	char name[112];
};

/* Whether all of @options is known and within its limits; NULL is. */
int unix_check_options(const struct nonet_unix_options *options, struct nonet_error *reterr);

/* SOCK_*, or -EINVAL with a sentence. */
int unix_socket_type(enum nonet_unix_type type, struct nonet_error *reterr);

/*
 * Make a handle of a socket, in zeroed memory of the caller's or in memory of its own. On failure @fd stays the
 * caller's.
 * @ours: the socket is new, so it may be set up as we like
 */
int unix_init(struct nonet_unix *socket, int fd, enum nonet_unix_type type, bool ours, uint64_t message_size,
	      uint32_t buffer_size, struct nonet_error *reterr);
int unix_make(int fd, enum nonet_unix_type type, bool ours, uint64_t message_size, uint32_t buffer_size,
	      struct nonet_unix **ret_socket, struct nonet_error *reterr);

/* @name as the kernel wants it; @size 0: it ends with NUL. */
int unix_name_set(const char *name, size_t size, struct sockaddr_un *ret_address, socklen_t *ret_size,
		  struct nonet_error *reterr);

/* The other way: with a final NUL. Return: the size without it; 0 for no name. */
uint32_t unix_name_get(const struct sockaddr_un *address, socklen_t size, char ret_name[112]);

/* Remove the path if it is still the one that was bound here, by this process. Before the socket is closed. */
void unix_path_remove(struct unix_path *path);

/* Packets and datagrams. */
int unix_packet_send(struct nonet_unix *socket, const struct sockaddr_un *to, socklen_t to_size, const void *message,
		     size_t size, const int *descriptors, size_t count, nonet_time deadline);
int unix_packet_receive(struct nonet_unix *socket, void *buffer, size_t capacity, nonet_time deadline,
			struct nonet_unix_ancillary *ancillary, size_t *ret_size);
int unix_packet_peek(struct nonet_unix *socket, nonet_time deadline, size_t *ret_size);
void unix_packet_done(struct nonet_unix *socket);

/* Streams. */
/* The carrier's. */
ssize_t unix_stream_read(struct stream *stream, const struct iovec *vector, int count, unsigned how);
ssize_t unix_stream_write(struct stream *stream, const struct iovec *vector, int count, unsigned how);
void unix_stream_drop_set(struct stream *stream);

int unix_stream_receive(struct nonet_unix *socket, void *buffer, size_t capacity, nonet_time deadline,
			struct nonet_unix_ancillary *ancillary, size_t *ret_size);
void unix_stream_done(struct nonet_unix *socket);

#endif
