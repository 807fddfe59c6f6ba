/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_CHANNEL_H
#define NONET_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/unix.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Channels: messages from publishers to all subscribers through shared memory. A message is written once, where all
 * read it; no call of the kernel is made as long as nobody sleeps.
 *
 *   channel:NAME, channel:DIR/NAME    in the default domain (nonet(7)), or that in a directory
 *
 * Each publisher has a lane of its own, a ring of bytes, in which its messages stay in order; subscribers read all
 * lanes. Messages are of 0 bytes to half a lane. What happens when a subscriber is slow is the channel's policy: its
 * publishers wait, or are refused, or overwrite the oldest messages, and the subscriber is told how many it has lost.
 *
 * A publisher may be killed at any instruction: what it published can be read, whole, and what it had not is not there.
 * A subscriber that is killed is waited for no more. Neither leaves anything that somebody has to put right.
 *
 * A publisher and a subscriber may each be used by one thread at a time; a process may have many. In a forked child
 * they are the parent's (-ECHILD); the child opens its own.
 */
struct nonet_publisher;
struct nonet_subscriber;

#define NONET_CHANNEL_PUBLISHERS  63u  /* at most, at once */
#define NONET_CHANNEL_SUBSCRIBERS 256u /* at most, at once */
#define NONET_CHANNEL_TAKEN       64u  /* messages of a lane that a subscriber may hold at once */

/* Flags of struct nonet_channel_options. */
#define NONET_CHANNEL_MAY_EXIST 1u /* create: one that is there stays as it is */
#define NONET_CHANNEL_HUGE      2u /* over a socket: the lane has huge pages, if there are any */
#define NONET_CHANNEL_HUGE_ONLY 4u /* over a socket: the lane has huge pages, or isn't made */
#define NONET_CHANNEL_CALLS     8u /* create: for a server and its clients, see nonet/call.h */

/* When a subscriber is slow. */
enum nonet_channel_policy {
	NONET_CHANNEL_BLOCK = 0,  /* publishers wait for it, until their deadline */
	NONET_CHANNEL_REFUSE = 1, /* publishers are refused at once (-EAGAIN) */
	NONET_CHANNEL_DROP = 2,   /* publishers overwrite the oldest messages, and never wait */
};

struct nonet_channel_options {
	uint32_t size;        /* sizeof(struct nonet_channel_options) */
	uint32_t flags;       /* NONET_CHANNEL_* */
	uint32_t mode;        /* permissions, to 0777, exact whatever the umask; 0: 0600 */
	uint32_t policy;      /* enum nonet_channel_policy; 0: NONET_CHANNEL_BLOCK */
	uint32_t publishers;  /* how many at once, 1 to NONET_CHANNEL_PUBLISHERS; 0: 1. For calls: clients; 0: 16 */
	uint32_t subscribers; /* how many at once, 1 to NONET_CHANNEL_SUBSCRIBERS; 0: 16. For calls: 0 */
	uint64_t lane;        /* bytes of a lane: a power of two from 64 KiB to 1 TiB; 0: 1 MiB */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_channel_create() - make a channel
 * @address: channel:NAME or channel:DIR/NAME
 * @options: or NULL
 * @reterr:  NULL, or where to put the sentence
 *
 * Nobody ever sees half a channel. A lane gets its memory when the first publisher opens it, and keeps it.
 *
 * Return: 0, or
 *   -EEXIST      there is one
 *   -EINVAL      not the address of a channel; bad @options
 *   others       as nonet_event_create()
 * On failure there is none that wasn't there before.
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_channel_create(const char *address, const struct nonet_channel_options *options,
						       struct nonet_error *reterr);

/**
 * nonet_channel_unlink() - remove a channel's name
 * @address: channel:NAME or channel:DIR/NAME
 * @reterr:  NULL, or where to put the sentence
 *
 * Who has it open goes on with it; who makes one of that name afterwards has another.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   others       as nonet_event_unlink()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_channel_unlink(const char *address, struct nonet_error *reterr);

/**
 * nonet_publisher_open() - become a publisher of a channel
 * @address:       channel:NAME or channel:DIR/NAME
 * @ret_publisher: closed with nonet_publisher_close()
 * @reterr:        NULL, or where to put the sentence
 *
 * It gets a lane that no living process has, behind what was published there before. The lane of a killed process is
 * free once that process is gone with all of its threads. In a process with several threads the first one takes some 15
 * ms, for membarrier(2); a process that opens it before it starts others doesn't pay that.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EUSERS      it has as many publishers as it was made for
 *   -ENOSPC, -EDQUOT, -ENOMEM, -EFBIG   no memory for the lane
 *   -EPROTO      it is for calls (NONET_CHANNEL_CALLS)
 *   -EINVAL, -EPERM, -EPROTO, -EXDEV, -EBADMSG, -ESTALE and others   as nonet_event_open()
 * Context: any thread; not in a signal handler.
 * Source: membarrier(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_publisher_open(const char *address, struct nonet_publisher **ret_publisher,
						       struct nonet_error *reterr);

/**
 * nonet_publisher_take_socket() - publish to the other side of a UNIX socket, which needn't be trusted
 * @socket:        connected, a stream or packets; on success the publisher's, and set to NULL
 * @options:       or NULL: policy and lane; flags NONET_CHANNEL_HUGE or NONET_CHANNEL_HUGE_ONLY; publishers and
 *                 subscribers 0 or 1; mode 0
 * @deadline:      when to give up waiting for the other side
 * @ret_publisher: closed with nonet_publisher_close()
 * @reterr:        NULL, or where to put the sentence
 *
 * A channel of one publisher and one subscriber, without a name or a domain: the other side calls
 * nonet_subscriber_take_socket(). Messages that were sent over the socket by nonet_unix_send() before have to be
 * received first; from now on it is the channel's alone. Each side gets memory of the other that it can only read: the
 * kernel refuses all else, however the descriptor was come by (F_SEAL_FUTURE_WRITE). Whatever the other side does, it
 * can falsify or withhold its own words, nothing else.
 *
 * That the subscriber has gone is seen at the socket, when a sixteenth of the lane is full, or while one waits: -EPIPE,
 * within 10 ms. A process that it forked has the socket too: killed, it is gone when those have ended, or closed their
 * handle, or exec'd.
 *
 * A lane of huge pages is rounded up to them. With NONET_CHANNEL_HUGE it has ordinary ones where the pool
 * (/proc/sys/vm/nr_hugepages) hasn't enough.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   the other side hasn't met us by @deadline
 *   -EPIPE, -ECONNRESET   it has gone
 *   -EBADMSG     what it sent isn't a subscriber's
 *   -EPROTO      its library is of another version
 *   -EOPNOTSUPP  datagrams; NONET_CHANNEL_HUGE_ONLY: the kernel has no huge pages
 *   -ENOSPC      NONET_CHANNEL_HUGE_ONLY: not enough of them
 *   -EINVAL      bad @options
 *   -ENOMEM, -EFBIG, -EMFILE, -ENFILE, -EACCES, -EPERM, -EIO, -EAGAIN, -ENODEV, -ENOBUFS, -ETOOMANYREFS, -EMSGSIZE
 *                as nonet_memory_new(), nonet_unix_send_descriptors()
 * On failure the socket is still the caller's, and good for being closed only.
 * Context: any thread; not in a signal handler.
 * Source: F_ADD_SEALS in fcntl(2), SCM_RIGHTS in unix(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_publisher_take_socket(struct nonet_unix **socket,
							      const struct nonet_channel_options *options,
							      nonet_time deadline,
							      struct nonet_publisher **ret_publisher,
							      struct nonet_error *reterr);

/**
 * nonet_publisher_close() - publish no more
 * @publisher: may be NULL. What was loaned or kept back isn't published
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_publisher *nonet_publisher_close(struct nonet_publisher *publisher);

/**
 * nonet_publisher_loan() - get room for a message, to be written in place
 * @publisher:  a handle
 * @size:       in bytes, at most nonet_publisher_limit()
 * @deadline:   when to give up waiting for slow subscribers; NONET_NOW: don't wait
 * @ret_buffer: room for @size bytes, aligned to 8, until it is published or aborted; the next loan or
 *              nonet_publisher_send() ends it too, also if that fails
 *
 * Return: 0, or
 *   -EAGAIN      no room, and @deadline is NONET_NOW or the policy NONET_CHANNEL_REFUSE; or nothing but messages that
 *                are kept back is in the way: publish them
 *   -ETIMEDOUT   no room before @deadline
 *   -EMSGSIZE    @size is over the limit
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged; this channel can't be used any more
 *   -ESTALE      the domain was removed: others may have another channel by this name
 *   -EPIPE       over a socket: the subscriber has gone
 *   -ENOMEM      no memory to wait
 * Context: one thread at a time; not in a signal handler. Without waiting it makes no system call; over a socket one
 * for each sixteenth of the lane.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_publisher_loan(struct nonet_publisher *publisher, size_t size,
						       nonet_time deadline, void **ret_buffer);

/* Flags of nonet_publisher_publish(). */
#define NONET_CHANNEL_MORE 1u /* others follow: all appear at once, with the first that doesn't have this flag */

/**
 * nonet_publisher_publish() - the loaned message can be read by all
 * @publisher: a handle with a loan
 * @size:      bytes that were written, at most those loaned
 * @flags:     0, or NONET_CHANNEL_MORE: keep it back, so that it appears with the next
 *
 * Once it returns 0, no death of any process loses the message. A kept-back one has room like any other, so that many
 * large ones may find none; they appear, or not, together.
 *
 * Return: 0, or
 *   -EINVAL      nothing is loaned; unknown @flags
 *   -EMSGSIZE    @size is more than was loaned: the loan stays
 *   -ECHILD, -EBADMSG   as nonet_publisher_loan()
 * Context: one thread at a time; not in a signal handler. It makes one system call if somebody sleeps, else none.
 */
NONET_PUBLIC int nonet_publisher_publish(struct nonet_publisher *publisher, size_t size, unsigned flags);

/**
 * nonet_publisher_abort() - give a loan back; messages that were kept back are published
 * @publisher: a handle
 *
 * Return: 0, or -ECHILD, -EBADMSG.
 */
NONET_PUBLIC int nonet_publisher_abort(struct nonet_publisher *publisher);

/**
 * nonet_publisher_send() - publish a copy of a message
 * @publisher: a handle
 * @message:   bytes; may be NULL only if @size is 0
 * @size:      in bytes, at most nonet_publisher_limit()
 * @deadline:  as nonet_publisher_loan()
 *
 * Return: as nonet_publisher_loan(). On failure nothing was published.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_publisher_send(struct nonet_publisher *publisher, const void *message,
						       size_t size, nonet_time deadline);

/** nonet_publisher_limit() - the largest message, in bytes: half a lane, less 64. */
NONET_PUBLIC size_t nonet_publisher_limit(const struct nonet_publisher *publisher);

/**
 * nonet_publisher_subscribers() - how many read the channel
 * @publisher: a handle
 *
 * Those who live, and have joined: what is published from then on they receive. Who only looks on isn't known. They may
 * leave, and others come, at any time.
 *
 * Return: how many, or -ECHILD, -EBADMSG as nonet_publisher_loan().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_publisher_subscribers(struct nonet_publisher *publisher);

/**
 * nonet_publisher_explain() - say in a sentence why a call failed
 * @publisher: the one that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_publisher_explain(struct nonet_publisher *publisher, int code, struct nonet_error *ret_error);

/* Flags of struct nonet_subscriber_options. */
#define NONET_SUBSCRIBER_HISTORY 1u /* also what was published before, as far as it is still there */
#define NONET_SUBSCRIBER_END     2u /* once no publisher is left and all is read: -EPIPE, instead of waiting for one */
#define NONET_SUBSCRIBER_POLL    4u /* never sleep, look all the time: takes a CPU, and the least time */
#define NONET_SUBSCRIBER_SLEEP   8u /* sleep at once, don't look some microseconds longer before */
#define NONET_SUBSCRIBER_TAP \
	16u /* only look on: nobody waits for it or knows of it, and whoever may read the channel may have it */

struct nonet_subscriber_options {
	uint32_t size;        /* sizeof(struct nonet_subscriber_options) */
	uint32_t flags;       /* NONET_SUBSCRIBER_* */
	uint64_t reserved[3]; /* zero */
};

/**
 * nonet_subscriber_open() - read a channel
 * @address:        channel:NAME or channel:DIR/NAME
 * @options:        or NULL
 * @ret_subscriber: closed with nonet_subscriber_close()
 * @reterr:         NULL, or where to put the sentence
 *
 * What is published once this returns is received, in each lane in order; and with NONET_SUBSCRIBER_HISTORY what is
 * there already.
 *
 * With NONET_SUBSCRIBER_TAP it takes none of the channel's places, writes nothing, and is no member of the domain. It
 * reads whatever the policy is as with NONET_CHANNEL_DROP: what it is too slow for is lost to it, and counted. Nobody
 * wakes it, so while there is nothing it looks again after 1 to 16 ms. With NONET_SUBSCRIBER_END it takes a killed
 * publisher to be there for good if it may not read the domain's file, which is for who may write in the directory.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EINVAL      not the address of a channel; bad @options
 *   -EUSERS      it has as many subscribers as it was made for
 *   -EPROTO      it is for calls (NONET_CHANNEL_CALLS)
 *   -EACCES      it may not be read and written; with NONET_SUBSCRIBER_TAP not even read
 *   -EPERM, -EPROTO, -EXDEV, -EBADMSG, -ESTALE, -ENOMEM and others   as nonet_event_open()
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_subscriber_open(const char *address,
							const struct nonet_subscriber_options *options,
							struct nonet_subscriber **ret_subscriber,
							struct nonet_error *reterr);

/**
 * nonet_subscriber_take_socket() - read what the other side of a UNIX socket publishes, which needn't be trusted
 * @socket:         connected, a stream or packets; on success the subscriber's, and set to NULL
 * @options:        or NULL
 * @deadline:       when to give up waiting for the other side
 * @ret_subscriber: closed with nonet_subscriber_close()
 * @reterr:         NULL, or where to put the sentence
 *
 * The other half of nonet_publisher_take_socket(). It gets all that is published, and -EPIPE at the end, with
 * NONET_SUBSCRIBER_HISTORY and NONET_SUBSCRIBER_END or without. The publisher's memory has to be whole and sealed; it
 * can still write what it likes into messages at any time, also while they are read.
 *
 * Return: as nonet_publisher_take_socket(), but for huge pages
 * On failure the socket is still the caller's, and good for being closed only.
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_subscriber_take_socket(struct nonet_unix **socket,
							       const struct nonet_subscriber_options *options,
							       nonet_time deadline,
							       struct nonet_subscriber **ret_subscriber,
							       struct nonet_error *reterr);

/**
 * nonet_subscriber_close() - read no more
 * @subscriber: may be NULL; messages that it holds are released; removed from its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_subscriber *nonet_subscriber_close(struct nonet_subscriber *subscriber);

/* A message, where it was written. */
struct nonet_message {
	const void *data;
	size_t size;
	uint64_t sequence;  /* its number in the lane, from 0 on */
	uint64_t lost;      /* messages of this lane before it that this subscriber has lost */
	uint64_t publisher; /* its number among all publishers that the channel ever had, from 1 on; 0: not known */
	uint32_t lane;
	uint32_t reserved;
	uint64_t position; /* the library's */
};

/**
 * nonet_subscriber_take() - get the next message, in place
 * @subscriber:  a handle
 * @deadline:    when to give up; NONET_NOW: only look
 * @ret_message: given back with nonet_subscriber_release()
 *
 * With NONET_CHANNEL_DROP, or NONET_SUBSCRIBER_TAP, a message can be overwritten while it is read, which
 * nonet_subscriber_release() tells: do nothing with what was read before. Else it stays as it is.
 *
 * Return: 0, or
 *   -EAGAIN      there is none, and @deadline is NONET_NOW
 *   -ETIMEDOUT   there was none before @deadline
 *   -EPIPE       NONET_SUBSCRIBER_END, or over a socket: no publisher is left, and all was read
 *   -ENOBUFS     there is a message only in lanes of which NONET_CHANNEL_TAKEN are held
 *   -ECHILD      the handle is the parent's
 *   -EBADMSG     the memory was damaged; this channel can't be used any more
 *   -ESTALE      the domain was removed, or the channel's descriptor closed by somebody else
 *   -ENOMEM, -EMFILE, -ENFILE   a new publisher's lane can't be mapped, or not slept on
 * Context: one thread at a time; not in a signal handler. While there are messages it makes no system call; over a
 * socket one each time that there is none and @deadline is NONET_NOW.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_subscriber_take(struct nonet_subscriber *subscriber, nonet_time deadline,
							struct nonet_message *ret_message);

/**
 * nonet_subscriber_release() - a message that was taken isn't needed any more
 * @subscriber: a handle
 * @message:    as it was taken. In any order
 *
 * Return: 0, or
 *   -ESTALE      NONET_CHANNEL_DROP, NONET_SUBSCRIBER_TAP: it was, or may have been, overwritten in the meantime. It
 *                is released
 *   -EINVAL      it isn't held
 *   -ECHILD, -EBADMSG   as nonet_subscriber_take()
 */
NONET_PUBLIC int nonet_subscriber_release(struct nonet_subscriber *subscriber, const struct nonet_message *message);

/**
 * nonet_subscriber_receive() - copy the next message
 * @subscriber:  a handle
 * @buffer:      where to
 * @size:        how many bytes fit
 * @deadline:    as nonet_subscriber_take()
 * @ret_message: NULL, or what is known of it; its data is @buffer. Nothing to release
 *
 * Never a torn one: one that is overwritten meanwhile is lost, and the next one copied; until the deadline (or, with
 * NONET_NOW, some times), if others publish faster than it copies.
 *
 * Return: its size in bytes (at most INT_MAX), or
 *   -EMSGSIZE    it is larger than @size: it stays the next one
 *   others       as nonet_subscriber_take()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_subscriber_receive(struct nonet_subscriber *subscriber, void *buffer,
							   size_t size, nonet_time deadline,
							   struct nonet_message *ret_message);

/**
 * nonet_subscriber_message_size() - how large the next message is
 * @subscriber: a handle
 * @deadline:   as nonet_subscriber_take()
 * @ret_size:   in bytes
 *
 * The message stays the next one of its lane. With NONET_CHANNEL_DROP it may be overwritten, and the next one larger.
 *
 * Return: 0, or as nonet_subscriber_take(), but never -ENOBUFS.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_subscriber_message_size(struct nonet_subscriber *subscriber,
								nonet_time deadline, size_t *ret_size);

/**
 * nonet_subscriber_fd() - a descriptor for poll(2): POLLIN once there may be a message
 * @subscriber: a handle
 *
 * As nonet_event_fd(), and with its errors.
 */
NONET_PUBLIC int nonet_subscriber_fd(struct nonet_subscriber *subscriber);

/**
 * nonet_subscriber_arm() - make ready to sleep on the descriptor
 * @subscriber: a handle
 *
 * Return: 1: there may be a message; 0: the descriptor will tell; or as nonet_event_fd().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_subscriber_arm(struct nonet_subscriber *subscriber);

/** nonet_subscriber_waitable() - what nonet_wait_set_add() wants. Owned by @subscriber. */
NONET_PUBLIC struct nonet_waitable *nonet_subscriber_waitable(struct nonet_subscriber *subscriber);

/**
 * nonet_subscriber_explain() - say in a sentence why a call failed
 * @subscriber: the one that it was made on
 * @code:       what it returned
 * @ret_error:  the sentence
 */
NONET_PUBLIC void nonet_subscriber_explain(struct nonet_subscriber *subscriber, int code,
					   struct nonet_error *ret_error);

NONET_END_DECLS

#endif
