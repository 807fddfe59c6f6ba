/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_SOCKET_H
#define NONET_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Sockets over IPv4 and IPv6: TCP, UDP, and ICMP echo (ping). On TCP, messages are framed (docs/frame.md), or the bytes
 * are plain; don't mix the two on one connection. A UDP datagram is a message as it is, for programs that know nothing
 * of nonet too: the network may lose it, double it, or bring it late.
 *
 * A host is a numeric address ("127.0.0.1", "::1", "fe80::1%eth0") or a name; a port is a decimal number, "0" for any
 * that is free. Looking up a name has no deadline in the C library (getaddrinfo(3)), so unless it is NONET_FOREVER a
 * thread does it, with all signals blocked; if the deadline comes first, the call returns, and the thread ends when the
 * look-up does. Once 64 go on so, further ones aren't begun.
 *
 * One thread may send while another receives. After fork() parent and child share the connection as they share the
 * descriptor; one of them at a time reads messages from a TCP connection. A peer that has gone is -EPIPE or
 * -ECONNRESET, one whose host doesn't answer any more -EHOSTUNREACH; SIGPIPE is never raised.
 *
 * What is set of each socket: TCP_NODELAY, so that a small message doesn't wait for the answer to the last one (Nagle's
 * algorithm; NONET_SOCKET_DELAY leaves it on). SO_REUSEADDR on TCP listeners, so that a server can start again while
 * connections of the last one are still in TIME_WAIT; Linux refuses a second listener on a port all the same. Never on
 * UDP, where it would let another process take the port, and the datagrams. SO_REUSEPORT never.
 */
struct nonet_socket;
struct nonet_socket_listener;

enum nonet_socket_type {
	NONET_SOCKET_TCP = 1,
	NONET_SOCKET_UDP,
	NONET_SOCKET_ICMP,
};

/* Flags of struct nonet_socket_options. */
#define NONET_SOCKET_WAIT_LISTENER 1u /* connect, TCP: wait by the deadline until somebody listens there */
#define NONET_SOCKET_IPV4          2u /* only addresses of IPv4 */
#define NONET_SOCKET_IPV6          4u /* only addresses of IPv6; bound to "::", IPv4 isn't taken too */
#define NONET_SOCKET_DELAY         8u /* TCP: let small messages wait to be sent together (no TCP_NODELAY) */

struct nonet_socket_options {
	uint32_t size;             /* sizeof(struct nonet_socket_options) */
	uint32_t flags;            /* NONET_SOCKET_* */
	uint32_t backlog;          /* connections that may wait to be accepted; 0: the system's maximum */
	uint32_t send_buffer;      /* SO_SNDBUF in bytes; 0: the system's default */
	uint32_t receive_buffer;   /* SO_RCVBUF in bytes; 0: the system's default */
	uint32_t keepalive_count;  /* TCP: probes without an answer that end the connection; 0: the system's */
	uint64_t message_size;     /* largest message to send or receive, at most 1 GiB; 0: 16 MiB of TCP, else what a
				      datagram can be. Of UDP and ICMP no more than that */
	nonet_time keepalive_idle; /* TCP: nothing came for so long: probe the peer; 0: the system's (2 hours) */
	nonet_time keepalive_interval; /* TCP: between probes; 0: the system's. Both in nanoseconds, rounded up to
					  seconds. Probes are sent if one of the three isn't 0 */
	nonet_time user_timeout; /* TCP: what was sent may stay unanswered for so long, in nanoseconds, rounded up to
				    milliseconds; 0: the system's (minutes). Also ends probing */
	uint64_t reserved[2];    /* zero */
};

/* An address and port. A host is numeric; one of IPv4 has its own spelling on a socket of IPv6 too. */
struct nonet_socket_name {
	char host[64]; /* ends with NUL */
	uint16_t port; /* 0 for ICMP */
	uint16_t reserved[3];
};

/**
 * nonet_socket_listen() - wait for TCP connections
 * @host:         address or name of this machine; NULL: every address, of IPv6 and IPv4
 * @port:         decimal; "0": any that is free, which nonet_socket_listener_get_name() tells
 * @options:      or NULL
 * @deadline:     when to give up looking @host up
 * @ret_listener: closed with nonet_socket_listener_close()
 * @reterr:       NULL, or where to put the sentence
 *
 * Of a name with several addresses, the first that can be taken is. "::" takes IPv4 too, whatever the system's default,
 * unless NONET_SOCKET_IPV6 is given. Anybody who can reach the port may connect.
 *
 * Return: 0, or
 *   -EADDRINUSE  another socket has the port; of "0": none is free
 *   -EADDRNOTAVAIL   @host isn't an address of this machine
 *   -EACCES      ports below net.ipv4.ip_unprivileged_port_start (1024) take CAP_NET_BIND_SERVICE
 *   -ENOENT      no such host
 *   -EREMOTEIO   the name servers failed, or gave no answer, or 64 calls that gave up still wait for theirs
 *   -EAGAIN, -ETIMEDOUT   the name wasn't looked up by @deadline; NONET_NOW looks up none
 *   -EAFNOSUPPORT   @host has no address of the family that is asked for, or this machine doesn't have that family
 *   -EINVAL      bad @port or @options, an empty @host, or an address of a link without the link ("fe80::1")
 *   -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS, -EPERM   as socket(2), bind(2); a thread couldn't be made is -ENOMEM
 * On failure nothing is left behind.
 * Context: any thread; not in a signal handler.
 * Source: tcp(7), ip(7), ipv6(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_listen(const char *host, const char *port,
						      const struct nonet_socket_options *options, nonet_time deadline,
						      struct nonet_socket_listener **ret_listener,
						      struct nonet_error *reterr);

/**
 * nonet_socket_accept() - take a connection
 * @listener:   a listener
 * @deadline:   when to give up
 * @ret_socket: the connection, closed with nonet_socket_close(); has the listener's options
 *
 * A client that has gone before it was accepted is taken like any other, or passed over.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   nobody connected
 *   -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS   no room for it: the client stays in the queue, and the listener ready.
 *                Take it out of its wait set until something was closed, or the wait ends at once every time
 *   -EPERM       a firewall's rule
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_accept(struct nonet_socket_listener *listener, nonet_time deadline,
						      struct nonet_socket **ret_socket);

/**
 * nonet_socket_listener_close() - stop listening
 * @listener: may be NULL; removed from its wait set. Connections that were accepted stay; those that wait are reset
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_socket_listener *nonet_socket_listener_close(struct nonet_socket_listener *listener);

NONET_PUBLIC int nonet_socket_listener_fd(struct nonet_socket_listener *listener);  /* POLLIN; the listener's */
NONET_PUBLIC int nonet_socket_listener_arm(struct nonet_socket_listener *listener); /* always 0: the descriptor tells */
NONET_PUBLIC struct nonet_waitable *nonet_socket_listener_waitable(struct nonet_socket_listener *listener);

/**
 * nonet_socket_listener_get_name() - where it listens: which port, if any was asked for
 * @listener: a listener
 * @ret_name: address and port
 *
 * Return: 0, or -ENOBUFS.
 * Source: getsockname(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_listener_get_name(struct nonet_socket_listener *listener,
								 struct nonet_socket_name *ret_name);

/**
 * nonet_socket_connect() - connect to a host
 * @host:       address or name
 * @port:       decimal, 1 to 65535; NULL for ICMP
 * @type:       of the socket
 * @options:    or NULL
 * @deadline:   when to give up looking @host up and waiting for its answer, or, with NONET_SOCKET_WAIT_LISTENER, for
 *              somebody to listen
 * @ret_socket: the connection, closed with nonet_socket_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * All addresses of a name are tried in turn; none may take more than its share of what is left of the time. The
 * sentence tells the last one's failure, and how many were tried. With NONET_NOW a connection is made only if the
 * answer comes at once, as within this machine it does.
 *
 * A UDP socket only learns where to send, and takes what comes from there: nobody has to be there yet.
 *
 * An ICMP socket pings the host: what is sent goes out as an echo request, and what is received is what comes back in
 * the answer to one of the last 48 requests, each once; other ICMP is passed over. It takes CAP_NET_RAW.
 *
 * The kernel has no event for a listener's coming, so NONET_SOCKET_WAIT_LISTENER tries again at growing intervals of
 * at most 5 ms.
 *
 * Return: 0, or
 *   -ECONNREFUSED   nobody listens there
 *   -ENOENT      no such host
 *   -EREMOTEIO   the name servers failed, or gave no answer, or 64 calls that gave up still wait for theirs
 *   -EAGAIN, -ETIMEDOUT   no answer (or nobody listens yet), until @deadline; NONET_NOW looks up no name
 *   -EHOSTUNREACH   the host can't be reached, or the kernel gave up asking it before @deadline
 *   -ENETUNREACH, -EADDRNOTAVAIL   no way leads there from this machine, or it has no local port left
 *   -EPERM       ICMP without CAP_NET_RAW; or a firewall's rule
 *   -EACCES      a broadcast address, or a firewall's rule
 *   -EAFNOSUPPORT   @host has no address of the family that is asked for, or this machine doesn't have that family
 *   -EINVAL      bad @type, @port or @options, an empty @host, or an address of a link without the link ("fe80::1")
 *   -ECONNRESET, -ENETDOWN, -EMFILE, -ENFILE, -ENOMEM, -ENOBUFS   as connect(2); a thread couldn't be made is -ENOMEM
 * Context: any thread; not in a signal handler.
 * Source: tcp(7), udp(7), raw(7), icmp(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_connect(const char *host, const char *port, enum nonet_socket_type type,
						       const struct nonet_socket_options *options, nonet_time deadline,
						       struct nonet_socket **ret_socket, struct nonet_error *reterr);

/**
 * nonet_socket_bind() - receive UDP datagrams at a port
 * @host:       address or name of this machine; NULL: every address, of IPv6 and IPv4
 * @port:       decimal; "0": any that is free, which nonet_socket_get_name() tells
 * @options:    or NULL
 * @deadline:   when to give up looking @host up
 * @ret_socket: the socket, closed with nonet_socket_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * What is sent from a socket that has every address goes out from the one that the way there begins at. Where this
 * machine has several, that needn't be the one that was asked, and who connected a socket to that one doesn't hear the
 * answer: give the address that they use as @host.
 *
 * Return: as nonet_socket_listen().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_bind(const char *host, const char *port,
						    const struct nonet_socket_options *options, nonet_time deadline,
						    struct nonet_socket **ret_socket, struct nonet_error *reterr);

/**
 * nonet_socket_take_fd() - make a handle of a TCP connection, or a UDP socket, that was inherited or received
 * @fd:         on success the handle's, and set to -1
 * @options:    or NULL
 * @ret_socket: the socket, closed with nonet_socket_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * The descriptor is closed at exec from now on; nothing else of it is changed but what @options names: no O_NONBLOCK is
 * needed, and TCP_NODELAY stays as it is.
 *
 * Return: 0, or
 *   -EBADF       @fd isn't open
 *   -ENOTSUP     @fd isn't a socket of TCP or UDP, or it listens, or is to be connected yet
 *   -EINVAL, -ENOMEM, -ENOBUFS
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_take_fd(int *fd, const struct nonet_socket_options *options,
						       struct nonet_socket **ret_socket, struct nonet_error *reterr);

/**
 * nonet_socket_close() - close a socket
 * @socket: may be NULL; removed from its wait set. What was sent can still be received by the peer, unless something
 *          that it sent lies here unread: then TCP resets the connection, and what is under way may be lost
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_socket *nonet_socket_close(struct nonet_socket *socket);

/**
 * nonet_socket_send() - send one message
 * @socket:   connected
 * @message:  bytes; may be NULL only if @size is 0
 * @size:     in bytes, at most message_size
 * @deadline: when to give up waiting for room
 *
 * Over TCP the message arrives whole or not at all. If the deadline passes in the middle of it, the peer drops the
 * piece that it has; the rest of that piece goes out before the next message. 0 means that the kernel has it, not that
 * the peer does: who has to know asks for an answer.
 *
 * A datagram goes out whole, or not at all; whether it arrives isn't told, and the kernel waits for no receiver.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   no room, until @deadline
 *   -EPIPE       the peer has gone, or we have finished
 *   -ECONNRESET  the peer has gone without reading all that was sent to it; told once, then -EPIPE
 *   -EHOSTUNREACH, -ENETUNREACH, -ENETDOWN   the peer's host doesn't answer any more, or no way leads there
 *   -ECONNREFUSED   UDP: nobody was at the port for a datagram that was sent before; told once for each, and this one
 *                wasn't sent
 *   -ENOTCONN    a bound UDP socket: use nonet_socket_send_to()
 *   -EMSGSIZE    @size is over message_size, or over 65507 bytes of UDP over IPv4 (65527 over IPv6)
 *   -EPERM, -EACCES   a firewall's rule, or a broadcast address
 *   -ENOMEM, -ENOBUFS   no memory in the kernel
 * On failure the message is not received by anybody; but of TCP after -EPIPE, -ECONNRESET and -EHOSTUNREACH, messages
 * that were sent before may be lost too.
 * Context: one sending thread at a time; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_send(struct nonet_socket *socket, const void *message, size_t size,
						    nonet_time deadline);

/**
 * nonet_socket_send_to() - send one UDP datagram to an address
 * @socket:   a UDP socket
 * @to:       a numeric host, and a port; nothing is looked up
 * @message:  bytes; may be NULL only if @size is 0
 * @size:     in bytes
 * @deadline: when to give up waiting for room
 *
 * Return: as nonet_socket_send(), and
 *   -EINVAL      @to isn't a numeric host, an address of a link without the link, or port 0
 *   -EAFNOSUPPORT   an address of IPv6 and a socket of IPv4
 *   -EADDRNOTAVAIL   no local address leads there, or no local port is free
 *   -EOPNOTSUPP  @socket isn't a UDP socket
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_send_to(struct nonet_socket *socket, const struct nonet_socket_name *to,
						       const void *message, size_t size, nonet_time deadline);

/**
 * nonet_socket_receive() - receive one message
 * @socket:   a socket
 * @buffer:   where to put it; what it holds after a failure is undefined
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up
 * @ret_size: the message's size in bytes
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   no whole message, until @deadline; what came so far is kept
 *   -EPIPE       the peer has gone, and every message was taken; of datagrams only if somebody who has the descriptor
 *                shut it down (shutdown(2)) for receiving
 *   -ECONNRESET  the peer has gone without reading all that was sent to it; told once, then -EPIPE
 *   -EHOSTUNREACH, -ENETUNREACH, -ENETDOWN   the peer's host doesn't answer any more (keepalive_idle, user_timeout);
 *                told once, then -EPIPE
 *   -EACCES      a firewall on the way, of IPv6; told as those are
 *   -ECONNREFUSED   UDP, connected: nobody was at the port for a datagram that was sent; told once for each
 *   -EBADMSG     the peer died in the middle of a message, which is lost; or what came isn't nonet's framing, or
 *                announces a message over message_size: then every further call says -EBADMSG
 *   -EMSGSIZE    the message is larger than @capacity; it stays, and nonet_socket_message_size() tells its size. A
 *                datagram over message_size is dropped
 *   -ENOTCONN    a connection that was taken and isn't one any more
 *   -ENOMEM, -ENOBUFS   no memory
 * Context: one receiving thread at a time; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_receive(struct nonet_socket *socket, void *buffer, size_t capacity,
						       nonet_time deadline, size_t *ret_size);

/**
 * nonet_socket_receive_from() - receive one UDP datagram, and who sent it
 * @socket:   a UDP socket
 * @buffer:   where to put it; what it holds after a failure is undefined
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up
 * @ret_from: the sender, as nonet_socket_send_to() takes it
 * @ret_size: the datagram's size in bytes
 *
 * Return: as nonet_socket_receive(), and -EOPNOTSUPP (@socket isn't a UDP socket).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_receive_from(struct nonet_socket *socket, void *buffer, size_t capacity,
							    nonet_time deadline, struct nonet_socket_name *ret_from,
							    size_t *ret_size);

/**
 * nonet_socket_message_size() - how large the next message is
 * @socket:   a socket
 * @deadline: when to give up waiting for it
 * @ret_size: in bytes
 *
 * Return: as nonet_socket_receive(), -EMSGSIZE only where a datagram over message_size was dropped. The message stays.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_message_size(struct nonet_socket *socket, nonet_time deadline,
							    size_t *ret_size);

/**
 * nonet_socket_read() - take the bytes that are there from a TCP connection
 * @socket:   of TCP
 * @buffer:   where to put them
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up waiting for the first
 * @ret_size: how many came; 0 only if @capacity is 0
 *
 * Return: 0, or -EAGAIN, -ETIMEDOUT, -EPIPE (the end), -ECONNRESET, -EHOSTUNREACH, -ENETUNREACH, -ENETDOWN, -EACCES,
 *   -ENOTCONN, -ENOMEM, -ENOBUFS as nonet_socket_receive(), and
 *   -EOPNOTSUPP  @socket isn't of TCP
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_read(struct nonet_socket *socket, void *buffer, size_t capacity,
						    nonet_time deadline, size_t *ret_size);

/**
 * nonet_socket_read_exactly() - take exactly so many bytes from a TCP connection
 * @socket:   of TCP
 * @buffer:   where to put them
 * @size:     how many, in bytes
 * @deadline: when to give up
 * @done:     in and out: how many of @size are in @buffer. Start with 0; after -EAGAIN or -ETIMEDOUT call again with
 *            the same arguments to go on. NULL: start with 0, and don't tell
 *
 * Return: 0 once *@done is @size, or as nonet_socket_read(), and -EINVAL (*@done is over @size).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_read_exactly(struct nonet_socket *socket, void *buffer, size_t size,
							    nonet_time deadline, size_t *done);

/**
 * nonet_socket_write() - put exactly so many bytes into a TCP connection
 * @socket:   of TCP
 * @bytes:    what to write
 * @size:     how many, in bytes
 * @deadline: when to give up
 * @done:     in and out: how many of @size were written, as in nonet_socket_read_exactly()
 *
 * Return: 0 once all are written, or -EAGAIN, -ETIMEDOUT, -EPIPE, -ECONNRESET, -EHOSTUNREACH, -ENETUNREACH, -ENETDOWN,
 *   -EACCES, -ENOMEM, -ENOBUFS as nonet_socket_send(), -EOPNOTSUPP, -EINVAL.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_write(struct nonet_socket *socket, const void *bytes, size_t size,
						     nonet_time deadline, size_t *done);

/**
 * nonet_socket_finish() - tell the peer that nothing more will be sent; receiving goes on
 * @socket: of TCP
 *
 * Return: 0, or -ENOTCONN (the connection is over), -EOPNOTSUPP (datagrams have no end to tell), and -EBADMSG if an
 *   abandoned message's rest couldn't be sent any more.
 * Source: shutdown(2), SHUT_WR.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_finish(struct nonet_socket *socket);

/**
 * nonet_socket_peer() - who is on the other side
 * @socket:   connected
 * @ret_peer: address and port
 *
 * Return: 0, or -ENOTCONN, -ENOBUFS.
 * Source: getpeername(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_peer(struct nonet_socket *socket, struct nonet_socket_name *ret_peer);

/**
 * nonet_socket_get_name() - which address and port this side has
 * @socket:   a socket
 * @ret_name: address and port
 *
 * Return: 0, or -ENOBUFS.
 * Source: getsockname(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_get_name(struct nonet_socket *socket,
							struct nonet_socket_name *ret_name);

/** nonet_socket_get_type() - of which type a socket is. */
NONET_PUBLIC enum nonet_socket_type nonet_socket_get_type(struct nonet_socket *socket);

/**
 * nonet_socket_fd() - the socket's descriptor, for poll(2)
 * @socket: owns it; you may set O_NONBLOCK on it (splice(2) wants that), which changes nothing of its calls
 */
NONET_PUBLIC int nonet_socket_fd(struct nonet_socket *socket);

/**
 * nonet_socket_arm() - make ready to sleep on the descriptor
 * @socket: a socket
 *
 * Return: 1 if a message may be ready now (read ahead into the handle), 0 if the descriptor will tell.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_socket_arm(struct nonet_socket *socket);

/** nonet_socket_waitable() - what nonet_wait_set_add() wants. Owned by @socket. */
NONET_PUBLIC struct nonet_waitable *nonet_socket_waitable(struct nonet_socket *socket);

/**
 * nonet_socket_explain() - say in a sentence why a call failed
 * @socket:    the socket that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_socket_explain(struct nonet_socket *socket, int code, struct nonet_error *ret_error);

/** nonet_socket_listener_explain() - the same for a listener. */
NONET_PUBLIC void nonet_socket_listener_explain(struct nonet_socket_listener *listener, int code,
						struct nonet_error *ret_error);

NONET_END_DECLS

#endif
