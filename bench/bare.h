/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "bench.h"

/*
 * The bare sequences: what one writes by hand on Linux to get the guarantees that nonet's calls give, and nothing else.
 * They are nonet's yardstick, so they have to be as good as we can make them. A call is tried first, and only if it
 * would wait a poll follows: that is the shortest where the other side keeps up, and costs one failed call where it
 * doesn't; polling first would cost a call for each message instead.
 *
 * All return 0 or a negative errno, and take deadlines as nonet does.
 */

extern const struct bench_way bare_pipe_bytes;
extern const struct bench_way bare_pipe_messages;
extern const struct bench_way bare_fifo_messages;
extern const struct bench_way bare_stream_bytes;
extern const struct bench_way bare_stream_messages;
extern const struct bench_way bare_stream_descriptors;
extern const struct bench_way bare_seqpacket;
extern const struct bench_way bare_seqpacket_descriptors;
extern const struct bench_way bare_datagram;
extern const struct bench_way bare_posixshm;
extern const struct bench_way bare_sysvshm;
extern const struct bench_way bare_mapfile;
extern const struct bench_way bare_mapfile_map;
extern const struct bench_way bare_mapfile_grow;
extern const struct bench_way bare_mapfile_sync;
extern const struct bench_way naked_mapfile_map;
extern const struct bench_way naked_mapfile_grow;
extern const struct bench_way bare_wait_ready;
extern const struct bench_way bare_wait_pipe;
extern const struct bench_way bare_timer;
extern const struct bench_way bare_connect;
extern const struct bench_way bare_signal;
extern const struct bench_way bare_signal_talk;
extern const struct bench_way bare_process;
extern const struct bench_way bare_posix_semaphore;
extern const struct bench_way bare_sysv_semaphore;
extern const struct bench_way bare_sysv_undo;
extern const struct bench_way naked_posix_semaphore;
extern const struct bench_way bare_rwlock_read;
extern const struct bench_way bare_rwlock_write;
extern const struct bench_way bare_eventfd;
extern const struct bench_way bare_condition;
extern const struct bench_way naked_condition;
extern const struct bench_way bare_condition_idle; /* nobody waits */
extern const struct bench_way naked_sysv_semaphore;
extern const struct bench_way naked_sysv_undo;
extern const struct bench_way bare_ofdlock;
extern const struct bench_way bare_posixlock;
extern const struct bench_way bare_flock;
extern const struct bench_way bare_tcp_bytes;
extern const struct bench_way bare_tcp_messages;
extern const struct bench_way bare_udp;
extern const struct bench_way bare_tcp_connect;
extern const struct bench_way bare_mqueue;
extern const struct bench_way bare_sysv_queue;

/* A file of zeros in /dev/shm: its room, its mode, a touch of its mapping, and then its name. */
int bare_whole_make(const char *name, size_t size);

/*
 * Open a file of /dev/shm to read and write it, but nothing else that may have its name (-ENOTSUP): neither a FIFO, at
 * whose other end it would be noticed, nor a device, whose driver would act. The one looked at is the one opened.
 */
int bare_open_regular(const char *path, int flags, struct stat *ret_status);

/* Room for the bytes from @from to @to of a file, or an error now, and no signal. */
int bare_reserve(int fd, size_t from, size_t to);

/* Two sockets of IPv4 that are connected with each other: SOCK_STREAM, SOCK_DGRAM. */
int bare_inet_pair(int type, int ret_fds[2]);

/* A listener at a port of its own. */
int bare_inet_listen(struct sockaddr_in *ret_address);

/* Close with a reset: no port stays in TIME_WAIT, of which there are too few for a benchmark. */
int bare_inet_hang_up(int fd);

/* Until @fd has one of @events (or an error, or the other side has gone): -EAGAIN for NONET_NOW, -ETIMEDOUT. */
int bare_wait(int fd, short events, nonet_time deadline);

/* What is left until @deadline, for a call that takes a relative time. */
struct timespec bare_left(nonet_time deadline);

/* The sender's part of a pipe that may be written to from several processes. See bare_pipe.c. */
ssize_t bare_write(int fd, const struct iovec *vector, int count);
int bare_write_all(int fd, const void *bytes, size_t size, nonet_time deadline);
int bare_read_all(int fd, void *buffer, size_t size, nonet_time deadline);

/* Room for all descriptors that one message can bring (SCM_MAX_FD), so that none is lost unseen. */
union bare_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(253 * sizeof(int))];
};

/* The first descriptor that came, others are closed: how many there were. */
int bare_descriptors(struct msghdr *message, int *ret_descriptor);

/*
 * What stands before a message. The numbers of both sides are of one machine, and need no byte order.
 *   BARE_FIRST  the first piece of a message    BARE_LAST  its last; a message in one piece has both
 */
#define BARE_MAGIC 0x62617265u
#define BARE_FIRST 1u
#define BARE_LAST  2u

struct bare_header {
	uint32_t magic;
	uint8_t flags;
	uint8_t descriptors; /* that come with the message */
	uint16_t reserved;
	uint32_t piece; /* bytes of it that follow */
	uint32_t total; /* bytes of the message */
};

/* Largest message: a header that says more is damaged. */
#define BARE_LIMIT (16u << 20)

#endif
