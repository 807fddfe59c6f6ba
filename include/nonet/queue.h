/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_QUEUE_H
#define NONET_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Message queues of the kernel. A message is whole, stays in the queue while nobody listens, and is given to one
 * receiver. The address chooses the carrier:
 *
 *   posixmq:/NAME     POSIX: messages have a priority, and the highest comes first; a fixed number of messages
 *   sysvmsg:KEY, sysvmsg:id=N, sysvmsg:PATH#PROJ
 *                     System V: messages have a type, and receivers choose by it; a fixed number of bytes
 *   queue:NAME        nonet's own, which isn't built yet: -EOPNOTSUPP
 *
 * What a carrier can't do is -EOPNOTSUPP, and nonet_queue_explain() says which one can. Programs that call mq_send(3),
 * msgrcv(2) and so on themselves share the queues.
 *
 * A queue has no sides: nobody is told that the other has died, or that nobody is there. Any thread may call; several
 * may send and receive at once. After fork() parent and child have handles of the same queue; but a descriptor of
 * sysvmsg:, which a helper thread of the parent's stands behind, isn't the child's: see nonet_queue_fd().
 */
struct nonet_queue;

/* Flags of struct nonet_queue_options. */
#define NONET_QUEUE_SEND    1u /* open to send */
#define NONET_QUEUE_RECEIVE 2u /* open to receive; neither: both */
#define NONET_QUEUE_REUSE   4u /* create: one that is there already is opened as it is */

/* Which message is meant. */
enum nonet_queue_which {
	NONET_QUEUE_FIRST = 0, /* sysvmsg: the oldest; posixmq: as NONET_QUEUE_HIGHEST */
	NONET_QUEUE_HIGHEST,   /* posixmq: the oldest of the highest priority */
	NONET_QUEUE_TYPE,      /* sysvmsg: the oldest of this type */
	NONET_QUEUE_LOWEST,    /* sysvmsg: the oldest of the lowest type, up to this one */
	NONET_QUEUE_EXCEPT,    /* sysvmsg: the oldest of any type but this one */
};

struct nonet_queue_select {
	uint32_t size;     /* sizeof(struct nonet_queue_select) */
	uint32_t which;    /* NONET_QUEUE_FIRST... */
	int64_t type;      /* above 0 where @which speaks of one, else 0 */
	uint64_t reserved; /* zero */
};

struct nonet_queue_options {
	uint32_t size;         /* sizeof(struct nonet_queue_options) */
	uint32_t flags;        /* NONET_QUEUE_* */
	uint32_t mode;         /* create: 0 to 0777, exact whatever the umask; 0: 0600 */
	uint32_t depth;        /* create: messages of message_size that it has room for; 0: as the system is set up */
	uint64_t message_size; /* create: of the largest message, in bytes; 0: as the system is set up */
	const struct nonet_queue_select *ready; /* what makes the descriptor readable; NULL: any message */
	uint64_t reserved[2];                   /* zero */
};

/* What a message is sent with. */
struct nonet_queue_label {
	uint32_t size;     /* sizeof(struct nonet_queue_label) */
	uint32_t priority; /* posixmq: 0 to 32767, and the highest is received first */
	int64_t type;      /* sysvmsg: above 0; 0: 1 */
	uint64_t reserved; /* zero */
};

/* What is told of a message beside its bytes. */
struct nonet_queue_message {
	uint64_t size;     /* in bytes */
	int64_t type;      /* sysvmsg: else 0 */
	uint32_t priority; /* posixmq: else 0 */
	uint32_t reserved0;
	uint64_t reserved[2];
};

struct nonet_queue_status {
	uint64_t messages;     /* that are in it */
	uint64_t bytes;        /* of all of them; UINT64_MAX: not told (posixmq: opened only to send) */
	uint64_t depth;        /* how many it has room for; sysvmsg: empty ones */
	uint64_t capacity;     /* how many bytes it has room for */
	uint64_t message_size; /* of the largest message that it takes */
	uint32_t mode;
	uint32_t uid; /* its owner */
	uint32_t gid;
	int32_t last_sender;   /* sysvmsg: the process that sent last, in our PID namespace; 0: none, or not known */
	int32_t last_receiver; /* sysvmsg: ... that received last */
	uint32_t reserved0;
	uint64_t reserved[2];
};

/**
 * nonet_queue_create() - make a queue
 * @address:   posixmq: or sysvmsg:, but not sysvmsg:id=N, which the kernel gives
 * @options:   or NULL
 * @ret_queue: opened; closed with nonet_queue_close()
 * @reterr:    NULL, or where to put the sentence
 *
 * It is made at once or not at all, and never open to anybody whom @options->mode keeps out. A POSIX queue lacks what
 * the umask takes away until the call returns, and for good if the process is killed in these microseconds. Depth and
 * size of messages of sysvmsg: make one number, its room in bytes: smaller messages find more room. Until the call
 * returns it has the room that kernel.msgmnb says.
 *
 * Return: 0, or
 *   -EEXIST      there is one (and no NONET_QUEUE_REUSE). Of PATH#PROJ it may be another file's: the key is made of 16
 *                bits of the file's number
 *   -EINVAL      bad @address or @options; depth or message_size is over what the system allows (fs.mqueue.msg_max,
 *                fs.mqueue.msgsize_max, kernel.msgmax)
 *   -EPERM       sysvmsg: the room is over kernel.msgmnb
 *   -ENOSPC      the system has as many queues as it may have (fs.mqueue.queues_max, kernel.msgmni)
 *   -EMFILE      posixmq: the user's queues would take more than RLIMIT_MSGQUEUE; or no descriptor is left
 *   -EOPNOTSUPP  @address names something that isn't a queue, or can't be one yet; the kernel was built without them
 *   -ENOENT, -ENOTDIR, -ELOOP, -EACCES, -ENAMETOOLONG, -ENFILE, -ENOMEM   as mq_open(3), msgget(2), ftok(3)
 *   -EIDRM       sysvmsg: somebody removed it before it was ready (and no NONET_QUEUE_REUSE)
 * The sentence names the limit, and the command that raises it. On failure nothing is left behind. All limits but how
 * many queues there may be, and what the user's other queues take, are looked at before the kernel is asked: looking at
 * those before would say -ENOSPC of a queue that is there. Who has CAP_SYS_RESOURCE may exceed msg_max, msgsize_max and
 * msgmnb, up to 65536 messages of 16 MiB; the others count for all. None counts for a queue that is there already, with
 * NONET_QUEUE_REUSE. Context: any thread; not in a signal handler. Source: mq_open(3), msgget(2), msgctl(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_create(const char *address, const struct nonet_queue_options *options,
						     struct nonet_queue **ret_queue, struct nonet_error *reterr);

/**
 * nonet_queue_open() - open a queue that is there
 * @address:   posixmq: or sysvmsg:
 * @options:   or NULL; mode, depth and message_size are 0
 * @ret_queue: closed with nonet_queue_close()
 * @reterr:    NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EACCES      its mode doesn't let us in. Of sysvmsg:id=N opened only to send, the first send says so
 *   -EINVAL, -EOPNOTSUPP, -EMFILE, -ENFILE, -ENOMEM, -ENOTDIR, -ELOOP, -ENAMETOOLONG   as nonet_queue_create()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_open(const char *address, const struct nonet_queue_options *options,
						   struct nonet_queue **ret_queue, struct nonet_error *reterr);

/**
 * nonet_queue_close() - close a queue
 * @queue: may be NULL; removed from its wait set. The queue stays, with what is in it, until nonet_queue_unlink()
 *
 * A message that this handle has in hand (see nonet_queue_receive() and nonet_queue_fd()) is put back, behind the
 * others of its priority or type. It is lost if there is no room for it now, or if the process is killed.
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_queue *nonet_queue_close(struct nonet_queue *queue);

/**
 * nonet_queue_unlink() - remove a queue
 * @address: posixmq: or sysvmsg:
 * @reterr:  NULL, or where to put the sentence
 *
 * posixmq: loses its name; who has it open goes on with it, and with the last of them it is gone. sysvmsg: is gone at
 * once with all that is in it: whoever waits for it is told -EIDRM.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EACCES, -EPERM   it belongs to somebody else
 *   -EINVAL, -EOPNOTSUPP, -ENOMEM, -ENOTDIR, -ELOOP, -ENAMETOOLONG   as nonet_queue_create()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_unlink(const char *address, struct nonet_error *reterr);

/**
 * nonet_queue_send() - put one message into a queue
 * @queue:    opened to send
 * @message:  bytes; may be NULL only if @size is 0
 * @size:     in bytes, at most the queue's message_size
 * @label:    priority or type; NULL: priority 0, type 1
 * @deadline: when to give up waiting for room
 *
 * The message appears whole or not at all. Once this returns 0, no death of a process that hasn't received it loses it.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   no room, until @deadline
 *   -EMSGSIZE    @size is over what the queue takes
 *   -EIDRM       sysvmsg: the queue was removed
 *   -EOPNOTSUPP  a type for posixmq:, a priority for sysvmsg:
 *   -EINVAL      bad @label
 *   -EBADF       not opened to send
 *   -EACCES      sysvmsg: its mode lets us send no more
 *   -ENOMEM
 * On failure the queue is as before the call.
 * Context: any thread, several at once too; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_send(struct nonet_queue *queue, const void *message, size_t size,
						   const struct nonet_queue_label *label, nonet_time deadline);

/**
 * nonet_queue_receive() - take one message
 * @queue:       opened to receive
 * @buffer:      where to put it; what it holds after a failure is undefined
 * @capacity:    of @buffer, in bytes
 * @select:      which; NULL: NONET_QUEUE_FIRST
 * @deadline:    when to give up
 * @ret_message: its size, and what it was sent with
 *
 * A message larger than @capacity stays. posixmq: gives messages only to buffers as large as the queue's message_size:
 * with a smaller one, a message that doesn't fit has been taken and is in this handle's hand, where the next receive
 * finds it, and others don't; if the process is killed it is lost. Another thread that waits on this handle already
 * isn't told of it, and waits for the next message. Bring message_size bytes, and nothing of that ever happens.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   no such message, until @deadline
 *   -EMSGSIZE    it is larger than @capacity; it stays, and nonet_queue_message_size() tells its size
 *   -EIDRM       sysvmsg: the queue was removed
 *   -EOPNOTSUPP  @select is what this carrier can't do
 *   -EINVAL      bad @select
 *   -EBADF       not opened to receive
 *   -EACCES      sysvmsg: its mode lets us receive no more
 *   -ENOMEM
 * Context: any thread, several at once too; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_receive(struct nonet_queue *queue, void *buffer, size_t capacity,
						      const struct nonet_queue_select *select, nonet_time deadline,
						      struct nonet_queue_message *ret_message);

/**
 * nonet_queue_message_size() - how large the next message is
 * @queue:    opened to receive
 * @select:   which; NULL: NONET_QUEUE_FIRST
 * @deadline: when to give up waiting for it; sysvmsg: is looked at again at intervals of at most 5 ms
 * @ret_size: in bytes
 *
 * posixmq: the message is in this handle's hand from then on, see nonet_queue_receive(). sysvmsg: it stays in the
 * queue, and another receiver may take it.
 *
 * Return: as nonet_queue_receive(); -EOPNOTSUPP also if the kernel can't peek, see nonet_queue_peek().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_message_size(struct nonet_queue *queue,
							   const struct nonet_queue_select *select, nonet_time deadline,
							   size_t *ret_size);

/**
 * nonet_queue_peek() - copy a message that stays
 * @queue:       opened to receive
 * @index:       which of those in the queue: 0 is the oldest
 * @buffer:      where to put it; what it holds after a failure is undefined
 * @capacity:    of @buffer, in bytes; what is over it is left out
 * @ret_message: the size of all of it, and what it was sent with
 *
 * Return: 0, or
 *   -EAGAIN      there are no so many messages
 *   -EOPNOTSUPP  posixmq: has no such thing; nor has a kernel without CONFIG_CHECKPOINT_RESTORE
 *   -EIDRM, -EBADF, -EACCES, -ENOMEM   as nonet_queue_receive()
 * Source: MSG_COPY in msgrcv(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_peek(struct nonet_queue *queue, uint64_t index, void *buffer,
						   size_t capacity, struct nonet_queue_message *ret_message);

/**
 * nonet_queue_drain() - throw away the messages that are there
 * @queue:     opened to receive
 * @ret_count: how many it were
 *
 * Those that come while it works may stay: a sender that is fast enough doesn't keep it.
 *
 * Return: 0, or -EIDRM, -EBADF, -EACCES, -ENOMEM as nonet_queue_receive().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_drain(struct nonet_queue *queue, uint64_t *ret_count);

/**
 * nonet_queue_status() - what a queue holds, and what it has room for
 * @queue:      a queue
 * @ret_status: as it is now
 *
 * Return: 0, or -EIDRM; -EACCES: sysvmsg: tells only whom it lets receive.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_status(struct nonet_queue *queue, struct nonet_queue_status *ret_status);

/**
 * nonet_queue_notify() - be sent a signal when a message comes to the empty queue, once
 * @queue:  posixmq:
 * @number: the signal; 0: no more
 * @value:  comes with it
 *
 * The kernel keeps one such request a queue, for all processes, and drops it when it has sent the signal, or when the
 * process that asked closes this handle. A receiver that waits in mq_receive(3) gets the message instead, and no signal
 * is sent. nonet/signal.h receives it as a message. To wait for a queue the descriptor is better: everybody has one.
 *
 * Return: 0, or
 *   -EBUSY       another process has asked; of ours, -EBUSY too
 *   -EINVAL      no such signal
 *   -EOPNOTSUPP  sysvmsg: has no such thing
 *   -ENOMEM
 * Source: mq_notify(3).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_notify(struct nonet_queue *queue, int number, int value);

/**
 * nonet_queue_fd() - the descriptor, for poll(2): POLLIN
 * @queue: opened to receive
 *
 * posixmq: it is the queue's own; POLLOUT tells of room, and it is there for who only sends.
 *
 * sysvmsg: has none, so from the first call on a helper thread of this process waits for the queue, as long as the
 * descriptor is armed, and tells of a message as soon as it is awake, some microseconds after it came. A message that
 * isn't empty stays in the queue meanwhile. An empty one is taken by the helper, as there is no other way to see it,
 * and is in this handle's hand: the next receive that selects what nonet_queue_options.ready says, or its very type,
 * gets it; if none comes for 100 ms, or one that selects otherwise, it is put back behind the others of its type. If
 * the process is killed in between it is lost. As long as the descriptor is armed and not readable, an empty message
 * that comes may be overtaken by the one after it. There is no event for room.
 *
 * Return: owned by @queue; -EOPNOTSUPP: sysvmsg: opened only to send; -ECHILD: sysvmsg: the helper is the parent's,
 * open your own; -EMFILE, -ENFILE, -ENOMEM.
 */
NONET_PUBLIC int nonet_queue_fd(struct nonet_queue *queue);

/**
 * nonet_queue_arm() - make ready to sleep on the descriptor
 * @queue: opened to receive
 *
 * Return: 1: a message may be there now; 0: the descriptor will tell; or as nonet_queue_fd().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_queue_arm(struct nonet_queue *queue);

/** nonet_queue_waitable() - what nonet_wait_set_add() wants, which fails as nonet_queue_fd(). Owned by @queue. */
NONET_PUBLIC struct nonet_waitable *nonet_queue_waitable(struct nonet_queue *queue);

/** nonet_queue_address() - the address in its canonical spelling. Owned by @queue. */
NONET_PUBLIC const char *nonet_queue_address(struct nonet_queue *queue);

/**
 * nonet_queue_explain() - say in a sentence why a call failed
 * @queue:     the queue that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_queue_explain(struct nonet_queue *queue, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
