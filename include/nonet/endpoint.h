/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_ENDPOINT_H
#define NONET_ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/queue.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Messages over whatever an address names: fifo: unix: unix-seqpacket: unix-dgram: tcp: udp: icmp: posixmq:
 * sysvmsg: channel: fd:. One conversation with one other side (a bound datagram address, a queue, a channel: with
 * anybody). A program that wants several clients uses nonet/unix.h or nonet/socket.h.
 */
struct nonet_endpoint;

/* Flags of struct nonet_endpoint_options. */
#define NONET_ENDPOINT_SEND    1u /* to send; a FIFO must have this or RECEIVE, others may have both */
#define NONET_ENDPOINT_RECEIVE 2u /* to receive */
#define NONET_ENDPOINT_LISTEN \
	4u /* be the side that makes the name: create the FIFO (if it isn't there), bind, accept */
#define NONET_ENDPOINT_WAIT    8u  /* wait by the deadline until the name exists and somebody listens there */
#define NONET_ENDPOINT_HISTORY 16u /* channel: receive also what was sent before, as far as it is still there */
#define NONET_ENDPOINT_END     32u /* channel: once nobody is left who sends and all is received, that is the end */

struct nonet_endpoint_options {
	uint32_t size;  /* sizeof(struct nonet_endpoint_options) */
	uint32_t flags; /* NONET_ENDPOINT_*; 0 with NULL options: SEND and RECEIVE as the carrier can */
	uint32_t mode;  /* of a name that is made, 0 to 0777, exact whatever the umask; 0: 0600. A port has none: 0 */
	uint32_t priority;     /* posixmq: that messages are sent with, 0 to 32767; else 0 */
	uint64_t message_size; /* largest message to send or receive, at most 1 GiB; 0: as the carrier has it (16 MiB;
				  packets 256 KiB). Of a queue that is made: its own; one that is there has its own */
	int64_t type;      /* sysvmsg: that messages are sent with (0: 1), and that is received (0: any; below 0: the
			      lowest up to -type); else 0 */
	uint64_t reserved; /* zero */
};

/**
 * nonet_endpoint_open() - open what an address names
 * @address:      as in nonet(7)
 * @options:      or NULL
 * @deadline:     when to give up waiting for the other side
 * @ret_endpoint: closed with nonet_endpoint_close()
 * @reterr:       NULL, or where to put the sentence
 *
 * Returns once the other side is there: a FIFO is open at both ends, a connection made or accepted. fd:N is duplicated
 * and stays open.
 *
 * A FIFO made by NONET_ENDPOINT_LISTEN stays when the endpoint is closed, a socket's path doesn't. Over udp: it takes
 * datagrams of anybody, without it sends to the address and takes what comes back. icmp: pings: each message that is
 * sent comes back from the host.
 *
 * A channel is made by NONET_ENDPOINT_LISTEN if it isn't there, as nonet_channel_create() makes it by default, with
 * lanes that message_size fits, and stays. Who sends waits for nobody who receives, but with NONET_ENDPOINT_WAIT for
 * the first; and nobody is told that the other side has gone, but with NONET_ENDPOINT_END. With NONET_ENDPOINT_WAIT one
 * waits for a place in it too.
 *
 * A queue is made by NONET_ENDPOINT_LISTEN if it isn't there, and stays; nobody waits for another side, nor is told
 * that it has gone. Opened both ways it gives us what we send ourselves.
 *
 * Return: 0, or
 *   -EINVAL      @address or @options are wrong (the sentence points at the byte)
 *   -EOPNOTSUPP  the address names something that can't carry messages this way, or not yet
 *   -EAGAIN, -ETIMEDOUT   the other side isn't there, until @deadline
 *   else         as nonet_pipe_create(), nonet_pipe_open(), nonet_pipe_take_fd(), nonet_unix_listen(),
 *                nonet_unix_connect(), nonet_unix_bind(), nonet_unix_take_fd(), nonet_socket_listen(),
 *                nonet_socket_accept(), nonet_socket_connect(), nonet_socket_bind(), nonet_socket_take_fd(),
 *                nonet_queue_create(), nonet_queue_open(), nonet_channel_create(), nonet_publisher_open(),
 *                nonet_subscriber_open()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_open(const char *address, const struct nonet_endpoint_options *options,
						      nonet_time deadline, struct nonet_endpoint **ret_endpoint,
						      struct nonet_error *reterr);

/**
 * nonet_endpoint_close() - close an endpoint
 * @endpoint: may be NULL; removed from its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_endpoint *nonet_endpoint_close(struct nonet_endpoint *endpoint);

/**
 * nonet_endpoint_send() - send one message
 * @endpoint: opened for sending
 * @message:  bytes; may be NULL only if @size is 0
 * @size:     in bytes, at most message_size
 * @deadline: when to give up waiting for room
 *
 * The message arrives whole or not at all.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   no room, until @deadline
 *   -EPIPE       the other side has gone
 *   -ECONNRESET  it has gone without reading all that was sent to it
 *   -ECONNREFUSED   nobody has the datagram's name any more; over udp: nobody was there for the last one
 *   -ENOTCONN    a bound datagram address: it only receives
 *   -EHOSTUNREACH, -ENETUNREACH, -ENETDOWN   tcp: udp: icmp: the host doesn't answer, or can't be reached
 *   -EPERM, -EACCES   tcp: udp: icmp: a firewall's rule, or a broadcast address
 *   -EMSGSIZE    @size is over what this carrier can take in one message
 *   -EBADF       not opened for sending
 *   -EIDRM       sysvmsg: the queue was removed
 *   -ECHILD, -ESTALE, -EBADMSG   channel: as nonet_publisher_loan()
 *   -ENOMEM, -ENOBUFS   no memory
 * On failure the message is not received by anybody.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_send(struct nonet_endpoint *endpoint, const void *message, size_t size,
						      nonet_time deadline);

/**
 * nonet_endpoint_receive() - receive one message
 * @endpoint: opened for receiving
 * @buffer:   where to put it; what it holds after a failure is undefined
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up
 * @ret_size: the message's size in bytes
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   no whole message, until @deadline; what came so far is kept
 *   -EPIPE       the other side has gone, and every message was taken (never on a bound datagram address; of a
 *                channel only with NONET_ENDPOINT_END)
 *   -ECONNRESET  it has gone without reading all that was sent to it
 *   -ECONNREFUSED   over udp: nobody was there for a datagram that was sent
 *   -EHOSTUNREACH, -ENETUNREACH, -ENETDOWN   tcp: udp: icmp: the host doesn't answer, or can't be reached
 *   -EACCES      tcp: udp: icmp: a firewall on the way, of IPv6
 *   -ENOTCONN    fd: a TCP connection that isn't one any more
 *   -EBADMSG     the other side died in the middle of a message, or what came isn't nonet's framing
 *   -EMSGSIZE    larger than @capacity; it stays, and nonet_endpoint_message_size() tells its size
 *   -EBADF       not opened for receiving
 *   -EIDRM       sysvmsg: the queue was removed
 *   -ECHILD, -ESTALE   channel: as nonet_subscriber_take(), and -EBADMSG also
 *   -ENOMEM, -ENOBUFS, -EMFILE, -ENFILE   no memory, no descriptors
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_receive(struct nonet_endpoint *endpoint, void *buffer, size_t capacity,
							 nonet_time deadline, size_t *ret_size);

/**
 * nonet_endpoint_receive_message() - receive one message, and what a queue tells of it
 * @endpoint:    opened for receiving
 * @buffer:      where to put it; what it holds after a failure is undefined
 * @capacity:    of @buffer, in bytes
 * @deadline:    when to give up
 * @ret_message: its size; over posixmq: its priority, over sysvmsg: its type. These are 0 over all others
 *
 * Return: as nonet_endpoint_receive().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_receive_message(struct nonet_endpoint *endpoint, void *buffer,
								 size_t capacity, nonet_time deadline,
								 struct nonet_queue_message *ret_message);

/**
 * nonet_endpoint_message_size() - how large the next message is
 * @endpoint: opened for receiving
 * @deadline: when to give up waiting for it
 * @ret_size: in bytes
 *
 * Return: as nonet_endpoint_receive(), -EMSGSIZE only where a packet or datagram over message_size was dropped;
 *   -EOPNOTSUPP as nonet_queue_message_size(). The message stays.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_message_size(struct nonet_endpoint *endpoint, nonet_time deadline,
							      size_t *ret_size);

/**
 * nonet_endpoint_lost() - how many messages were sent that it was too slow for
 * @endpoint: opened for receiving
 *
 * Return: how many since it was opened, of those before the last one that it received. Only a channel loses any, by its
 * policy.
 */
NONET_PUBLIC uint64_t nonet_endpoint_lost(const struct nonet_endpoint *endpoint);

/**
 * nonet_endpoint_read() - take the bytes that are there, unframed: for a peer that isn't nonet
 * @endpoint: opened for receiving
 * @buffer:   where to put them
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up waiting for the first
 * @ret_size: how many came; of a packet, datagram, or message of a queue or channel: all of it
 *
 * Return: as nonet_endpoint_receive(). The end of the stream is -EPIPE.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_read(struct nonet_endpoint *endpoint, void *buffer, size_t capacity,
						      nonet_time deadline, size_t *ret_size);

/**
 * nonet_endpoint_write() - put exactly so many bytes, unframed: for a peer that isn't nonet
 * @endpoint: opened for sending
 * @bytes:    what to write
 * @size:     how many, in bytes; of a packet or datagram: one of them
 * @deadline: when to give up
 * @done:     in and out: how many of @size were written. Start with 0; after -EAGAIN or -ETIMEDOUT call again with the
 *            same arguments to go on. NULL: start with 0, and don't tell
 *
 * Return: as nonet_endpoint_send(), and -EINVAL (*@done is over @size).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_write(struct nonet_endpoint *endpoint, const void *bytes, size_t size,
						       nonet_time deadline, size_t *done);

/**
 * nonet_endpoint_finish() - tell the other side that nothing more will be sent; receiving goes on
 * @endpoint: opened for sending
 *
 * A FIFO's or pipe's writer is finished only by closing it: -EOPNOTSUPP, as for datagrams, queues and channels.
 *
 * Return: 0, or -EOPNOTSUPP, -ENOTCONN, -EBADF, -EBADMSG as nonet_unix_finish(), nonet_socket_finish().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_finish(struct nonet_endpoint *endpoint);

/**
 * nonet_endpoint_fd() - the descriptor, for poll(2). Owned by @endpoint. Of sysvmsg: it may fail as nonet_queue_fd(),
 * of channel: as nonet_subscriber_fd(); -EOPNOTSUPP of one that only sends.
 */
NONET_PUBLIC int nonet_endpoint_fd(struct nonet_endpoint *endpoint);

/** nonet_endpoint_arm() - 1 if a message may be ready now, 0 if the descriptor will tell. */
NONET_PUBLIC NONET_MUST_CHECK int nonet_endpoint_arm(struct nonet_endpoint *endpoint);

/** nonet_endpoint_waitable() - what nonet_wait_set_add() wants. Owned by @endpoint. */
NONET_PUBLIC struct nonet_waitable *nonet_endpoint_waitable(struct nonet_endpoint *endpoint);

/** nonet_endpoint_address() - the address in its canonical spelling. Owned by @endpoint. */
NONET_PUBLIC const char *nonet_endpoint_address(struct nonet_endpoint *endpoint);

/**
 * nonet_endpoint_explain() - say in a sentence why a call failed
 * @endpoint:  the endpoint that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_endpoint_explain(struct nonet_endpoint *endpoint, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
