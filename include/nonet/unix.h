/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_UNIX_H
#define NONET_UNIX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * UNIX sockets. A name is a path, or @ and a name outside the file system (abstract). On a stream, messages are framed
 * (docs/frame.md), or the bytes are plain; don't mix the two on one connection. Packets and datagrams are messages
 * as the kernel keeps them, for programs that know nothing of nonet too.
 *
 * One thread may send while another receives. After fork() parent and child share the connection as they share the
 * descriptor; one of them at a time reads messages from a stream, and only the process that made a listener removes
 * its path. A peer that has gone is -EPIPE or -ECONNRESET; SIGPIPE is never raised.
 */
struct nonet_unix;
struct nonet_unix_listener;

enum nonet_unix_type {
	NONET_UNIX_STREAM = 1,
	NONET_UNIX_SEQPACKET,
	NONET_UNIX_DATAGRAM,
};

/* How many descriptors one message can carry (SCM_MAX_FD in the kernel). */
#define NONET_UNIX_DESCRIPTORS_MAX 253

/* Flags of struct nonet_unix_options. */
#define NONET_UNIX_WAIT_LISTENER 1u /* connect: wait by the deadline until somebody listens there */
#define NONET_UNIX_KEEP_PATH     2u /* listen, bind: don't remove the path when closed */

struct nonet_unix_options {
	uint32_t size;         /* sizeof(struct nonet_unix_options) */
	uint32_t flags;        /* NONET_UNIX_* */
	uint32_t name_size;    /* of the name in bytes, @ included, if it holds NUL bytes; 0: it ends with NUL */
	uint32_t mode;         /* of a path that is bound, 0 to 0777, exact whatever the umask; 0: 0600 */
	uint32_t backlog;      /* connections that may wait to be accepted; 0: the system's maximum */
	uint32_t buffer_size;  /* SO_SNDBUF in bytes, which bounds a packet; 0: the system's default */
	uint64_t message_size; /* largest message to send or receive, at most 1 GiB; 0: 16 MiB of a stream, else 256 KiB
				*/
	uint64_t reserved[2];  /* zero */
};

struct nonet_unix_peer {
	int32_t pid; /* in our PID namespace; 0 if it isn't in it */
	uint32_t uid;
	uint32_t gid;
	uint32_t reserved;
};

/* What can come with a message beside its bytes. The caller sets the first three fields. */
struct nonet_unix_ancillary {
	uint32_t size;                 /* sizeof(struct nonet_unix_ancillary) */
	uint32_t descriptors_capacity; /* of @descriptors; more is -EMSGSIZE */
	int *descriptors;              /* out: CLOEXEC, the caller's to close */
	uint32_t descriptors_count;    /* out */
	uint32_t sender_size;          /* out: of a datagram's sender in bytes; 0 if it has no name */
	char sender[112];              /* out: its name, @ first if abstract; ends with NUL */
};

/**
 * nonet_unix_pair() - make two sockets that are connected with each other
 * @type:    of the sockets
 * @options: or NULL
 * @ret_a:   one, closed with nonet_unix_close()
 * @ret_b:   the other
 * @reterr:  NULL, or where to put the sentence
 *
 * Return: 0, or -EINVAL, -EMFILE, -ENFILE, -ENOMEM.
 * Source: socketpair(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_pair(enum nonet_unix_type type, const struct nonet_unix_options *options,
						  struct nonet_unix **ret_a, struct nonet_unix **ret_b,
						  struct nonet_error *reterr);

/**
 * nonet_unix_listen() - wait for connections under a name
 * @name:         path, or @ and an abstract name
 * @type:         NONET_UNIX_STREAM or NONET_UNIX_SEQPACKET
 * @options:      or NULL
 * @deadline:     when to give up waiting for others that are taking a name in the same directory
 * @ret_listener: closed with nonet_unix_listener_close()
 * @reterr:       NULL, or where to put the sentence
 *
 * The path has its exact mode before anybody can connect. A path left behind by a process that is gone is taken over;
 * one that any socket is bound to, or that isn't a socket, never is. Processes that use nonet exclude each other here
 * by a lock on the directory (flock(2)), which anybody who may read the directory can take too, and so make this call
 * wait, until @deadline.
 * Abstract names have no permissions: anybody in the network namespace may connect.
 *
 * Return: 0, or
 *   -EADDRINUSE  somebody has a socket there, or what has the name isn't a socket
 *   -EAGAIN, -ETIMEDOUT   the directory's lock is taken, until @deadline
 *   -EINVAL      bad @type or @options, an empty @name
 *   -ENAMETOOLONG   the name is over 107 bytes
 *   -ENOENT, -ENOTDIR, -EACCES, -EPERM, -ELOOP, -EROFS, -ENOSPC, -EDQUOT, -EIO, -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS
 *                as bind(2), open(2)
 * On failure nothing is left behind.
 * Context: any thread; not in a signal handler.
 * Source: unix(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_listen(const char *name, enum nonet_unix_type type,
						    const struct nonet_unix_options *options, nonet_time deadline,
						    struct nonet_unix_listener **ret_listener,
						    struct nonet_error *reterr);

/**
 * nonet_unix_accept() - take a connection
 * @listener: a listener
 * @deadline: when to give up
 * @ret_unix: the connection, closed with nonet_unix_close(); has the listener's options
 *
 * A client that has gone before it was accepted is taken like any other: the first receive tells.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   nobody connected
 *   -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS   no room for it: the client stays in the queue, and the listener ready.
 *                Take it out of its wait set until something was closed, or the wait ends at once every time
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_accept(struct nonet_unix_listener *listener, nonet_time deadline,
						    struct nonet_unix **ret_unix);

/**
 * nonet_unix_listener_close() - stop listening, and remove the path if it is still ours
 * @listener: may be NULL; removed from its wait set. Connections that were accepted stay
 *
 * The path is left if NONET_UNIX_KEEP_PATH was given, or another process calls this after fork().
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_unix_listener *nonet_unix_listener_close(struct nonet_unix_listener *listener);

NONET_PUBLIC int nonet_unix_listener_fd(struct nonet_unix_listener *listener);  /* POLLIN; owned by the listener */
NONET_PUBLIC int nonet_unix_listener_arm(struct nonet_unix_listener *listener); /* always 0: the descriptor tells */
NONET_PUBLIC struct nonet_waitable *nonet_unix_listener_waitable(struct nonet_unix_listener *listener);

/**
 * nonet_unix_connect() - connect to whoever has a name
 * @name:     path, or @ and an abstract name
 * @type:     of the socket
 * @options:  or NULL
 * @deadline: when to give up waiting for room in the listener's backlog, or, with NONET_UNIX_WAIT_LISTENER, for the
 *            listener
 * @ret_unix: the connection, closed with nonet_unix_close()
 * @reterr:   NULL, or where to put the sentence
 *
 * The kernel has no event for room in a backlog, so the call tries again at growing intervals of at most 5 ms.
 *
 * Return: 0, or
 *   -ECONNREFUSED   nobody listens there
 *   -ENOENT      nothing has that name
 *   -EPROTOTYPE  a socket of another type has it
 *   -EAGAIN, -ETIMEDOUT   the backlog is full (or nobody listens yet), until @deadline
 *   -EACCES      no permission to write to the socket, or to search its path
 *   -EINVAL, -ENAMETOOLONG, -ENOTDIR, -ELOOP, -EPERM, -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS   as connect(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_connect(const char *name, enum nonet_unix_type type,
						     const struct nonet_unix_options *options, nonet_time deadline,
						     struct nonet_unix **ret_unix, struct nonet_error *reterr);

/**
 * nonet_unix_bind() - receive datagrams under a name
 * @name:     path, or @ and an abstract name
 * @options:  or NULL
 * @deadline: as for nonet_unix_listen()
 * @ret_unix: the socket, closed with nonet_unix_close(), which removes the path as nonet_unix_listener_close() does
 * @reterr:   NULL, or where to put the sentence
 *
 * Return: as nonet_unix_listen().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_bind(const char *name, const struct nonet_unix_options *options,
						  nonet_time deadline, struct nonet_unix **ret_unix,
						  struct nonet_error *reterr);

/**
 * nonet_unix_take_fd() - make a handle of a connected socket, or a datagram socket, that was inherited or received
 * @fd:       on success the handle's, and set to -1
 * @options:  or NULL
 * @ret_unix: the socket, closed with nonet_unix_close()
 * @reterr:   NULL, or where to put the sentence
 *
 * The descriptor is closed at exec from now on; nothing else of it is changed: no O_NONBLOCK is needed. Of an inherited
 * SOCK_SEQPACKET, an empty packet that is the last before the peer closes can't be told from the end.
 *
 * Return: 0, or
 *   -EBADF       @fd isn't open
 *   -ENOTSUP     @fd isn't a UNIX socket, or it listens, or is to be connected yet
 *   -EINVAL, -ENOMEM
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_take_fd(int *fd, const struct nonet_unix_options *options,
						     struct nonet_unix **ret_unix, struct nonet_error *reterr);

/**
 * nonet_unix_close() - close a socket
 * @socket: may be NULL; removed from its wait set. What was sent can still be received by the peer
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_unix *nonet_unix_close(struct nonet_unix *socket);

/**
 * nonet_unix_send() - send one message
 * @socket:   connected
 * @message:  bytes; may be NULL only if @size is 0
 * @size:     in bytes, at most message_size
 * @deadline: when to give up waiting for room
 *
 * The message arrives whole or not at all. If the deadline passes in the middle of a stream's message, the peer drops
 * the piece that it has; the rest of that piece goes out before the next message.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   no room, until @deadline
 *   -EPIPE       the peer has gone, or shut down its receiving side
 *   -ECONNRESET  the peer has gone without reading all that was sent to it
 *   -ECONNREFUSED   nobody has the datagram's name any more
 *   -ENOTCONN    a bound datagram socket that isn't connected: use nonet_unix_send_to()
 *   -EMSGSIZE    @size is over message_size, or over what buffer_size lets one packet or datagram be
 *   -ENOMEM, -ENOBUFS   no memory in the kernel
 * On failure the message is not received by anybody.
 * Context: one sending thread at a time; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_send(struct nonet_unix *socket, const void *message, size_t size,
						  nonet_time deadline);

/**
 * nonet_unix_send_descriptors() - send one message, and descriptors with it
 * @socket:      connected
 * @message:     bytes; may be NULL only if @size is 0
 * @size:        in bytes, at most message_size
 * @descriptors: stay the caller's; the receiver gets copies
 * @count:       0 to NONET_UNIX_DESCRIPTORS_MAX
 * @deadline:    when to give up waiting for room
 *
 * Return: as nonet_unix_send(), and
 *   -EINVAL      @count is over NONET_UNIX_DESCRIPTORS_MAX
 *   -EBADF       one of them isn't open
 *   -ETOOMANYREFS   more are under way than the user's RLIMIT_NOFILE
 * Source: SCM_RIGHTS in unix(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_send_descriptors(struct nonet_unix *socket, const void *message,
							      size_t size, const int *descriptors, size_t count,
							      nonet_time deadline);

/**
 * nonet_unix_send_to() - send one datagram to a name
 * @socket:    a datagram socket
 * @name:      path, or @ and an abstract name
 * @name_size: of the name in bytes; 0: it ends with NUL
 * @message:   bytes; may be NULL only if @size is 0
 * @size:      in bytes
 * @deadline:  when to give up waiting for room
 *
 * The kernel has no event for room at one of many receivers: the call tries again at intervals of at most 5 ms.
 *
 * Return: as nonet_unix_send(), and -ENOENT, -EACCES, -EPROTOTYPE, -ENAMETOOLONG, -EINVAL, -EOPNOTSUPP (@socket isn't a
 *   datagram socket).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_send_to(struct nonet_unix *socket, const char *name, size_t name_size,
						     const void *message, size_t size, nonet_time deadline);

/**
 * nonet_unix_receive() - receive one message
 * @socket:   a socket
 * @buffer:   where to put it; what it holds after a failure is undefined
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up
 * @ret_size: the message's size in bytes
 *
 * Descriptors that come with the message are closed; see nonet_unix_receive_with(). Those of a packet or datagram are
 * also if the call returns -EMSGSIZE: who wants them asks by nonet_unix_receive_with() from the start.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   no whole message, until @deadline; what came so far is kept
 *   -EPIPE       the peer has gone, and every message was taken; never of datagrams: the kernel doesn't tell
 *   -ECONNRESET  the peer has gone without reading all that was sent to it; told once, and of packets before those that
 *                still wait: receive on
 *   -EBADMSG     the peer died in the middle of a message, which is lost; or what came isn't nonet's framing, or
 *                announces a message over message_size: then every further call says -EBADMSG
 *   -EMSGSIZE    the message is larger than @capacity; it stays, and nonet_unix_message_size() tells its size. A packet
 *                or datagram over message_size is dropped
 *   -ENOMEM, -ENOBUFS   no memory
 * Context: one receiving thread at a time; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_receive(struct nonet_unix *socket, void *buffer, size_t capacity,
						     nonet_time deadline, size_t *ret_size);

/**
 * nonet_unix_receive_with() - receive one message with what came beside it
 * @socket:    a socket
 * @buffer:    where to put it; what it holds after a failure is undefined
 * @capacity:  of @buffer, in bytes
 * @ancillary: size, descriptors and descriptors_capacity set by the caller; the rest is filled on success
 * @deadline:  when to give up
 * @ret_size:  the message's size in bytes
 *
 * Return: as nonet_unix_receive(), and
 *   -EMFILE      this process has no room for the descriptors that came (MSG_CTRUNC): those that arrived were closed,
 *                and the message is lost
 *   -EMSGSIZE    also if more descriptors came than descriptors_capacity: they stay with the message on a stream; with
 *                a packet or datagram both are lost, and the descriptors closed
 *   -EINVAL      bad @ancillary
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_receive_with(struct nonet_unix *socket, void *buffer, size_t capacity,
							  struct nonet_unix_ancillary *ancillary, nonet_time deadline,
							  size_t *ret_size);

/**
 * nonet_unix_message_size() - how large the next message is
 * @socket:   a socket
 * @deadline: when to give up waiting for it
 * @ret_size: in bytes
 *
 * Return: as nonet_unix_receive(), -EMSGSIZE only where a packet or datagram over message_size was dropped. The message
 *   stays.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_message_size(struct nonet_unix *socket, nonet_time deadline,
							  size_t *ret_size);

/**
 * nonet_unix_read() - take the bytes that are there from a stream
 * @socket:   a stream
 * @buffer:   where to put them
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up waiting for the first
 * @ret_size: how many came; 0 only if @capacity is 0
 *
 * Return: 0, or -EAGAIN, -ETIMEDOUT, -EPIPE (the end), -ECONNRESET as nonet_unix_receive(), and
 *   -EOPNOTSUPP  @socket isn't a stream
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_read(struct nonet_unix *socket, void *buffer, size_t capacity,
						  nonet_time deadline, size_t *ret_size);

/**
 * nonet_unix_read_exactly() - take exactly so many bytes from a stream
 * @socket:   a stream
 * @buffer:   where to put them
 * @size:     how many, in bytes
 * @deadline: when to give up
 * @done:     in and out: how many of @size are in @buffer. Start with 0; after -EAGAIN or -ETIMEDOUT call again with
 *            the same arguments to go on. NULL: start with 0, and don't tell
 *
 * Return: 0 once *@done is @size, or as nonet_unix_read(), and -EINVAL (*@done is over @size).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_read_exactly(struct nonet_unix *socket, void *buffer, size_t size,
							  nonet_time deadline, size_t *done);

/**
 * nonet_unix_write() - put exactly so many bytes into a stream
 * @socket:   a stream
 * @bytes:    what to write
 * @size:     how many, in bytes
 * @deadline: when to give up
 * @done:     in and out: how many of @size were written, as in nonet_unix_read_exactly()
 *
 * Return: 0 once all are written, or -EAGAIN, -ETIMEDOUT, -EPIPE, -ECONNRESET as nonet_unix_send(), -EOPNOTSUPP,
 * -EINVAL.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_write(struct nonet_unix *socket, const void *bytes, size_t size,
						   nonet_time deadline, size_t *done);

/**
 * nonet_unix_finish() - tell the peer that nothing more will be sent; receiving goes on
 * @socket: connected
 *
 * Return: 0, or -ENOTCONN, -EOPNOTSUPP (datagrams have no end to tell), and -EBADMSG if an abandoned message's rest
 *   couldn't be sent any more.
 * Source: shutdown(2), SHUT_WR.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_finish(struct nonet_unix *socket);

/**
 * nonet_unix_peer() - who is on the other side
 * @socket:   connected
 * @ret_peer: the process that connected, or called listen(2) or socketpair(2), with its ids at that time
 *
 * Return: 0, or -ENOTCONN.
 * Source: SO_PEERCRED in unix(7). It names who made the connection, not who holds the descriptor now.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_peer(struct nonet_unix *socket, struct nonet_unix_peer *ret_peer);

/**
 * nonet_unix_peer_pidfd() - a pidfd of who is on the other side
 * @socket: connected
 * @ret_fd: the caller's to close, CLOEXEC
 *
 * Return: 0: exact, even if the process is gone and its number was given to another (SO_PEERPIDFD, Linux 6.5);
 *   1: of the process that has the peer's number now (pidfd_open(2) on an older kernel); or
 *   -ESRCH       the peer is gone (or isn't in our PID namespace), and the kernel can't name it any more
 *   -ENOTCONN, -EMFILE, -ENFILE, -ENOMEM
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_peer_pidfd(struct nonet_unix *socket, int *ret_fd);

/** nonet_unix_get_type() - of which type a socket is. */
NONET_PUBLIC enum nonet_unix_type nonet_unix_get_type(struct nonet_unix *socket);

/**
 * nonet_unix_fd() - the socket's descriptor, for poll(2)
 * @socket: owns it; you may set O_NONBLOCK on it (splice(2) wants that), which changes nothing of its calls
 */
NONET_PUBLIC int nonet_unix_fd(struct nonet_unix *socket);

/**
 * nonet_unix_arm() - make ready to sleep on the descriptor
 * @socket: a socket
 *
 * Return: 1 if a message may be ready now (read ahead into the handle), 0 if the descriptor will tell.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_unix_arm(struct nonet_unix *socket);

/** nonet_unix_waitable() - what nonet_wait_set_add() wants. Owned by @socket. */
NONET_PUBLIC struct nonet_waitable *nonet_unix_waitable(struct nonet_unix *socket);

/**
 * nonet_unix_explain() - say in a sentence why a call failed
 * @socket:    the socket that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_unix_explain(struct nonet_unix *socket, int code, struct nonet_error *ret_error);

/** nonet_unix_listener_explain() - the same for a listener. */
NONET_PUBLIC void nonet_unix_listener_explain(struct nonet_unix_listener *listener, int code,
					      struct nonet_error *ret_error);

NONET_END_DECLS

#endif
