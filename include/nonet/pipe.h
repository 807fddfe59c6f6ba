/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_PIPE_H
#define NONET_PIPE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Pipes, anonymous and named (FIFO). A handle is one end. The bytes that go through can be plain, for programs that
 * know nothing of nonet, or whole messages (docs/frame.md); don't mix the two on one pipe.
 *
 * An end is for one thread at a time. After fork() parent and child share it as they share the descriptor; one reader
 * at a time reads messages. Writers may be many: a message of at most NONET_PIPE_ATOMIC bytes is one atomic write, and
 * larger ones go through a FIFO one writer at a time (flock(2)), in pieces between which small ones may pass. Of an
 * anonymous pipe shared by fork() only one process at a time may send larger ones.
 *
 * A reader takes more than one message from the kernel at a time; what it had taken so is gone with it when it dies.
 * The next reader of a FIFO finds whole messages, unless the FIFO's capacity was raised over 64 KiB: then its first may
 * be -EBADMSG for good, and the FIFO has to be emptied by closing all of its ends.
 *
 * A reader that has gone is -EPIPE. SIGPIPE is never raised, and no signal disposition is ever changed.
 */
struct nonet_pipe;

enum nonet_pipe_end {
	NONET_PIPE_READER = 1,
	NONET_PIPE_WRITER,
};

/* The largest message that is a single atomic write: PIPE_BUF less the frame around it. */
#define NONET_PIPE_ATOMIC 4079

/* Flags of struct nonet_pipe_options. */
#define NONET_PIPE_EARLY 1u /* open a FIFO's reader at once: calls that read then wait for the first writer */

struct nonet_pipe_options {
	uint32_t size;         /* sizeof(struct nonet_pipe_options) */
	uint32_t flags;        /* NONET_PIPE_* */
	uint64_t capacity;     /* bytes the pipe should hold, rounded up by the kernel; 0: leave it (65536) */
	uint64_t message_size; /* largest message to send or receive, at most 1 GiB; 0: 16 MiB */
	uint64_t reserved[2];  /* zero */
};

/**
 * nonet_pipe_new() - make an anonymous pipe
 * @options:    or NULL
 * @ret_reader: one end, closed with nonet_pipe_close()
 * @ret_writer: the other
 * @reterr:     NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -EINVAL      bad @options
 *   -EMFILE, -ENFILE, -ENOMEM   no descriptors, no memory
 *   -EPERM       @options->capacity is over /proc/sys/fs/pipe-max-size or the user's pipe-user-pages
 * Context: any thread; not in a signal handler.
 * Source: pipe(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_new(const struct nonet_pipe_options *options,
						 struct nonet_pipe **ret_reader, struct nonet_pipe **ret_writer,
						 struct nonet_error *reterr);

/**
 * nonet_pipe_create() - make a FIFO in the file system
 * @path:   its name
 * @mode:   its permissions, 0 to 0777, exact whatever the umask; 0 means 0600
 * @reterr: NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -EEXIST      something has that name already
 *   -EINVAL      bad @mode
 *   -ENOENT, -ENOTDIR, -EACCES, -EPERM, -ELOOP, -ENAMETOOLONG, -EROFS, -ENOSPC, -EDQUOT, -EIO, -EMFILE, -ENFILE,
 *   -ENOMEM      as mkfifo(3), open(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_create(const char *path, mode_t mode, struct nonet_error *reterr);

/**
 * nonet_pipe_open() - open one end of a FIFO
 * @path:     its name
 * @end:      which end
 * @options:  or NULL
 * @deadline: when to give up waiting for the other side
 * @ret_pipe: the end, closed with nonet_pipe_close()
 * @reterr:   NULL, or where to put the sentence
 *
 * Returns once both sides have opened the FIFO, as open(2) does, but never hangs past @deadline; a reader with
 * NONET_PIPE_EARLY doesn't wait. The kernel has no event for a side that opens, so the end looks again at growing
 * intervals of at most 5 ms.
 *
 * Return: 0, or
 *   -EAGAIN      the other side isn't there, and @deadline is NONET_NOW
 *   -ETIMEDOUT   the other side didn't come before @deadline
 *   -EINVAL      bad @end or @options
 *   -ENOTSUP     @path isn't a FIFO
 *   -EPERM       @options->capacity is over the limit
 *   -EBUSY       more than @options->capacity is in the FIFO now
 *   -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM, -EIO   as open(2)
 * Context: any thread; not in a signal handler.
 * Source: fifo(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_open(const char *path, enum nonet_pipe_end end,
						  const struct nonet_pipe_options *options, nonet_time deadline,
						  struct nonet_pipe **ret_pipe, struct nonet_error *reterr);

/**
 * nonet_pipe_reopen() - wait for the other side of a FIFO to come back
 * @pipe:     an end made by nonet_pipe_open()
 * @deadline: when to give up
 *
 * For a reader after the last writer has gone, and a writer after -EPIPE. The descriptor stays the same. What was
 * received but not taken stays. A writer that came, wrote and left again is noticed by what it wrote. As with
 * nonet_pipe_open(), the FIFO is looked at every so often.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   as nonet_pipe_open(); the handle is as before
 *   -EOPNOTSUPP           @pipe has no name
 *   -ESTALE               the name leads to another FIFO now: close this end, and open that one
 *   -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -EMFILE, -ENFILE, -ENOMEM, -EIO   as open(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_reopen(struct nonet_pipe *pipe, nonet_time deadline);

/**
 * nonet_pipe_unlink() - remove a FIFO's name; open ends go on
 * @path:   its name
 * @reterr: NULL, or where to put the sentence
 *
 * Return: 0, or -ENOTSUP (@path isn't a FIFO: nothing else is ever removed), -ENOENT, -EACCES, -EPERM, -EROFS, -EBUSY,
 *   -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EIO, -ENOMEM as unlink(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_unlink(const char *path, struct nonet_error *reterr);

/**
 * nonet_pipe_take_fd() - make a handle of a descriptor that was inherited or received
 * @fd:       a pipe's or FIFO's end; on success the handle's, and set to -1
 * @options:  or NULL
 * @ret_pipe: the end, closed with nonet_pipe_close()
 * @reterr:   NULL, or where to put the sentence
 *
 * The end is opened anew through /proc/self/fd, so that it can be non-blocking without changing what other holders of
 * the descriptor see; the number stays, and is closed at exec from now on. Where that fails (no /proc, no permission),
 * O_NONBLOCK is set on the shared open file description.
 *
 * Return: 0, or
 *   -EBADF       @fd isn't open
 *   -ENOTSUP     @fd is no pipe, or open for both reading and writing
 *   -EBUSY       more than @options->capacity is in the pipe now
 *   -EINVAL, -EPERM, -EMFILE, -ENFILE, -ENOMEM   as nonet_pipe_new()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_take_fd(int *fd, const struct nonet_pipe_options *options,
						     struct nonet_pipe **ret_pipe, struct nonet_error *reterr);

/**
 * nonet_pipe_close() - close an end
 * @pipe: may be NULL; removed from its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_pipe *nonet_pipe_close(struct nonet_pipe *pipe);

/**
 * nonet_pipe_send() - put one message into a pipe
 * @pipe:     a writer
 * @message:  bytes; may be NULL only if @size is 0
 * @size:     in bytes, at most the end's message_size
 * @deadline: when to give up waiting for room
 *
 * The message arrives whole or not at all. If the deadline passes in the middle, or this process is killed there, the
 * reader drops the piece that it has, and goes on with the next message. It says so (-EBADMSG, once) unless the next
 * large message is from this end too.
 *
 * Return: 0, or
 *   -EAGAIN      no room, or another writer is in the middle of a large message, and @deadline is NONET_NOW
 *   -ETIMEDOUT   the same until @deadline
 *   -EPIPE       no reader is left
 *   -EMSGSIZE    @size is over the end's message_size
 *   -EBADF       @pipe is a reader
 *   -ENOLCK      the kernel has no room for the lock that a large message takes
 *   -ENOMEM      no memory in the kernel
 * On failure the message is not received by anybody.
 * Context: one thread at a time; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_send(struct nonet_pipe *pipe, const void *message, size_t size,
						  nonet_time deadline);

/**
 * nonet_pipe_receive() - take one message from a pipe
 * @pipe:     a reader
 * @buffer:   where to put it; what it holds after a failure is undefined
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up
 * @ret_size: the message's size in bytes
 *
 * Return: 0, or
 *   -EAGAIN      no whole message yet, and @deadline is NONET_NOW
 *   -ETIMEDOUT   no whole message before @deadline; what came so far is kept
 *   -EPIPE       no writer is left, and every message was taken
 *   -EBADMSG     a writer died in the middle of a message, which is lost: the next call goes on after it; or what came
 *                isn't nonet's framing, or announces a message over message_size: then every further call says -EBADMSG
 *   -EMSGSIZE    the message is larger than @capacity; it stays, and nonet_pipe_message_size() tells its size
 *   -ENOMEM      no memory to keep an unfinished message
 *   -EBADF       @pipe is a writer
 * Context: one thread at a time; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_receive(struct nonet_pipe *pipe, void *buffer, size_t capacity,
						     nonet_time deadline, size_t *ret_size);

/**
 * nonet_pipe_message_size() - how large the next message is
 * @pipe:     a reader
 * @deadline: when to give up waiting for its beginning
 * @ret_size: in bytes
 *
 * Return: as nonet_pipe_receive() without -EMSGSIZE. The message stays.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_message_size(struct nonet_pipe *pipe, nonet_time deadline,
							  size_t *ret_size);

/**
 * nonet_pipe_read() - take the bytes that are there
 * @pipe:     a reader
 * @buffer:   where to put them
 * @capacity: of @buffer, in bytes
 * @deadline: when to give up waiting for the first
 * @ret_size: how many came; 0 only if @capacity is 0
 *
 * Return: 0, or -EAGAIN, -ETIMEDOUT, -EBADF as nonet_pipe_receive(), and
 *   -EPIPE       no writer is left, and every byte was taken
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_read(struct nonet_pipe *pipe, void *buffer, size_t capacity,
						  nonet_time deadline, size_t *ret_size);

/**
 * nonet_pipe_read_exactly() - take exactly so many bytes
 * @pipe:     a reader
 * @buffer:   where to put them
 * @size:     how many, in bytes
 * @deadline: when to give up
 * @done:     in and out: how many of @size are in @buffer. Start with 0; after -EAGAIN or -ETIMEDOUT call again with
 *            the same arguments to go on. NULL: start with 0, and don't tell
 *
 * Return: 0 once *@done is @size, or
 *   -EPIPE       the last writer went before that
 *   -EINVAL      *@done is over @size
 *   -EAGAIN, -ETIMEDOUT, -EBADF   as nonet_pipe_receive()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_read_exactly(struct nonet_pipe *pipe, void *buffer, size_t size,
							  nonet_time deadline, size_t *done);

/**
 * nonet_pipe_write() - put exactly so many bytes into a pipe
 * @pipe:     a writer
 * @bytes:    what to write
 * @size:     how many, in bytes; at most PIPE_BUF go in atomically
 * @deadline: when to give up
 * @done:     in and out: how many of @size were written, as in nonet_pipe_read_exactly()
 *
 * Return: 0 once all are written, or
 *   -EPIPE       no reader is left
 *   -EINVAL      *@done is over @size
 *   -EAGAIN, -ETIMEDOUT, -EBADF, -ENOMEM   as nonet_pipe_send()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_write(struct nonet_pipe *pipe, const void *bytes, size_t size,
						   nonet_time deadline, size_t *done);

/**
 * nonet_pipe_capacity() - how many bytes a pipe can hold
 * @pipe:         either end
 * @ret_capacity: in bytes
 *
 * Return: 0.
 * Source: F_GETPIPE_SZ in fcntl(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_capacity(struct nonet_pipe *pipe, size_t *ret_capacity);

/**
 * nonet_pipe_set_capacity() - let a pipe hold more or fewer bytes
 * @pipe:         either end
 * @capacity:     in bytes; the kernel rounds it up to pages, to a power of two
 *
 * Return: 0, or
 *   -EBUSY       more than that is in the pipe now
 *   -EPERM       over /proc/sys/fs/pipe-max-size, or over the user's pipe-user-pages
 *   -EINVAL      0, or over 2 GiB
 *   -ENOMEM      no memory
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_set_capacity(struct nonet_pipe *pipe, size_t capacity);

/**
 * nonet_pipe_queued() - how many bytes wait in a pipe, frames included
 * @pipe:       either end
 * @ret_queued: in bytes; for a reader with what the handle has read ahead
 *
 * Return: 0.
 * Source: FIONREAD in pipe(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_queued(struct nonet_pipe *pipe, size_t *ret_queued);

/**
 * nonet_pipe_splice_from() - move bytes from a descriptor into a pipe, without copying where the kernel can
 * @pipe:      a writer
 * @fd:        a regular file, or a pipe or socket with O_NONBLOCK
 * @size:      how many bytes at most
 * @deadline:  when to give up
 * @ret_moved: how many were moved, at least 1; 0 at the end of @fd
 *
 * Return: 0, or
 *   -EINVAL      @fd can't be spliced, or would block (set O_NONBLOCK), or is open with O_APPEND
 *   -EPIPE       no reader is left
 *   -ECONNRESET  @fd is a socket whose other side has gone without reading all that was sent to it
 *   -EBADF       @pipe is a reader, or @fd isn't open for reading
 *   -EAGAIN, -ETIMEDOUT, -ENOMEM, -EIO
 * Source: splice(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_splice_from(struct nonet_pipe *pipe, int fd, size_t size,
							 nonet_time deadline, size_t *ret_moved);

/**
 * nonet_pipe_splice_to() - move bytes from a pipe to a descriptor, without copying where the kernel can
 * @pipe:      a reader that hasn't read ahead (it has if it received messages)
 * @fd:        a regular file, or a pipe or socket with O_NONBLOCK
 * @size:      how many bytes at most
 * @deadline:  when to give up
 * @ret_moved: how many were moved, at least 1
 *
 * Return: 0, or
 *   -EPIPE       no writer is left, and every byte was taken
 *   -ECONNRESET  nobody reads @fd any more: what is in @pipe stays
 *   -EINVAL      as nonet_pipe_splice_from()
 *   -EBUSY       @pipe has read ahead
 *   -EBADF       @pipe is a writer, or @fd isn't open for writing
 *   -EAGAIN, -ETIMEDOUT, -ENOMEM, -ENOSPC, -EDQUOT, -EFBIG, -EIO
 * Source: splice(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_splice_to(struct nonet_pipe *pipe, int fd, size_t size,
						       nonet_time deadline, size_t *ret_moved);

/**
 * nonet_pipe_tee() - copy what is in one pipe into another, and leave it there
 * @from:       a reader that hasn't read ahead
 * @to:         a writer of another pipe
 * @size:       how many bytes at most
 * @deadline:   when to give up
 * @ret_copied: how many were copied, at least 1
 *
 * Return: 0, or -EPIPE (the end of @from), -ECONNRESET (nobody reads @to), -EINVAL (both are one pipe), -EBUSY, -EBADF,
 * -EAGAIN, -ETIMEDOUT, -ENOMEM as above. Source: tee(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_tee(struct nonet_pipe *from, struct nonet_pipe *to, size_t size,
						 nonet_time deadline, size_t *ret_copied);

/**
 * nonet_pipe_vmsplice() - put pages of memory into a pipe without copying
 * @pipe:     a writer
 * @bytes:    what to put; must not be changed until the reader has taken it
 * @size:     in bytes
 * @deadline: when to give up
 * @done:     in and out, as in nonet_pipe_write()
 *
 * Return: as nonet_pipe_write(), and -ENOMEM, -EFAULT.
 * Source: vmsplice(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_vmsplice(struct nonet_pipe *pipe, const void *bytes, size_t size,
						      nonet_time deadline, size_t *done);

/** nonet_pipe_get_end() - which end a handle is. */
NONET_PUBLIC enum nonet_pipe_end nonet_pipe_get_end(struct nonet_pipe *pipe);

/** nonet_pipe_fd() - the end's descriptor, for poll(2): POLLIN of a reader, POLLOUT of a writer. Owned by @pipe. */
NONET_PUBLIC int nonet_pipe_fd(struct nonet_pipe *pipe);

/**
 * nonet_pipe_arm() - make ready to sleep on the descriptor
 * @pipe: a reader
 *
 * Return: 1 if a message may be ready now (read ahead into the handle), 0 if the descriptor will tell.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_pipe_arm(struct nonet_pipe *pipe);

/** nonet_pipe_waitable() - what nonet_wait_set_add() wants. Owned by @pipe. */
NONET_PUBLIC struct nonet_waitable *nonet_pipe_waitable(struct nonet_pipe *pipe);

/**
 * nonet_pipe_explain() - say in a sentence why a call failed
 * @pipe:      the end that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_pipe_explain(struct nonet_pipe *pipe, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
