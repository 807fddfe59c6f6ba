/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "base/error.h"
#include "pipe/pipe.h"
#include "sys/clock.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "sys/pipe.h"
#include "sys/process.h"

/* Whether that can be the FIFO that was made just now: it has one name, and no bits that weren't asked for. */
static bool fifo_fits(const struct stat *status, mode_t mode)
{
	return S_ISFIFO(status->st_mode) && status->st_nlink == 1 && !(status->st_mode & 07777 & ~mode);
}

/*
 * The FIFO that was made just now: give it the bits that the umask took away. Whoever may write to the directory can
 * have put another file in its place meanwhile: only what fits and belongs to us is changed, or removed on failure. (On
 * a file system that gives root's files to somebody else, a FIFO that needs no change is good as it is.)
 */
static int fifo_set_mode(int directory, const char *name, mode_t mode)
{
	const uid_t us = sys_effective_user();
	struct stat status;
	int fd = sys_open_at(directory, name, O_PATH | O_NOFOLLOW);
	int error = fd < 0 ? fd : sys_stat_fd(fd, &status);

	if (error == 0 && !fifo_fits(&status, mode))
		error = -EEXIST;
	if (error == 0 && (status.st_mode & 07777) != mode)
		error = status.st_uid == us ? sys_chmod_path_fd(fd, mode) : -EEXIST;
	sys_close(&fd);
	if (error < 0 && sys_stat_at(directory, name, &status) == 0 && fifo_fits(&status, mode) && status.st_uid == us)
		(void)sys_unlink_at(directory, name);
	return error;
}

int nonet_pipe_create(const char *path, mode_t mode, struct nonet_error *reterr)
{
	const char *name;
	int directory;
	int error;

	if (mode & ~(mode_t)0777)
		return error_set(reterr, -EINVAL, "the mode %#o of a FIFO has more than permission bits",
				 (unsigned)mode);
	if (mode == 0)
		mode = 0600;
	directory = sys_open_parent(path, &name);
	error = directory < 0 ? directory : sys_make_fifo(directory, name, mode);
	if (error < 0) {
		sys_close(&directory);
		if (error == -EEXIST)
			return error_set_exists(reterr, path);
		return error_set(reterr, error, "can't make the FIFO %s: %s", path, error_reason(error));
	}
	error = fifo_set_mode(directory, name, mode);
	sys_close(&directory);
	if (error < 0)
		return error_set(reterr, error, "can't give the FIFO %s the mode %#o: %s", path, (unsigned)mode,
				 error_reason(error));
	return 0;
}

int nonet_pipe_unlink(const char *path, struct nonet_error *reterr)
{
	const char *name;
	struct stat status;
	int directory = sys_open_parent(path, &name);
	int error = directory < 0 ? directory : sys_stat_at(directory, name, &status);

	if (error == 0)
		error = S_ISFIFO(status.st_mode) ? sys_unlink_at(directory, name) : -ENOTSUP;
	sys_close(&directory);
	if (error == -ENOTSUP)
		return error_set(reterr, error, "%s isn't a FIFO, and stays", path);
	if (error < 0)
		return error_set(reterr, error, "can't remove the FIFO %s: %s", path, error_reason(error));
	return 0;
}

/*
 * Whether a writer has the FIFO open, or left bytes there, or (unless @past) was there since @fd was opened: 1, 0, or
 * an error.
 *
 * An empty pipe reads as nothing without a writer, and as -EAGAIN with one. tee(2) tells these apart as read(2) does,
 * and takes nothing if a byte has come meanwhile.
 */
static int fifo_has_writer(int fd, const int scratch[2], bool past)
{
	ssize_t copied = sys_tee(fd, scratch[1], 1);
	int ready;

	if (copied > 0 || copied == -EAGAIN)
		return 1;
	if (copied < 0)
		return (int)copied;
	if (past)
		return 0;
	ready = sys_poll_now(fd, POLLIN);
	return ready < 0 ? ready : (ready & POLLHUP) != 0;
}

/*
 * Wait for a writer. Bytes and hang-ups end the wait at once; for a writer that is silent the FIFO is looked at again.
 * @past: a writer that left before now doesn't count, and its hang-up stays on @fd: there is only the looking
 */
static int fifo_wait_writer(int fd, nonet_time deadline, bool past)
{
	struct sys_retry retry = {0};
	nonet_time look;
	int scratch[2];
	int result = sys_pipe(scratch);

	if (result < 0)
		return result;
	for (;;) {
		result = fifo_has_writer(fd, scratch, past);
		if (result != 0)
			break;
		if (past) {
			result = sys_retry_sleep(&retry, deadline);
		} else {
			look = nonet_after(sys_retry_next(&retry));
			result = sys_poll_one(fd, POLLIN, deadline < look ? deadline : look);
			if (result == -ETIMEDOUT && nonet_clock() < deadline)
				result = 0;
		}
		if (result < 0)
			break;
	}
	sys_close(&scratch[0]);
	sys_close(&scratch[1]);
	return result < 0 ? result : 0;
}

/* By name, and look afterwards whether it was the file meant: here a swapped-in device would be opened, if not used. */
static int fifo_open_checked(const char *path, int flags, const struct stat *meant)
{
	struct stat status;
	int fd = sys_open(path, flags);
	int error = fd < 0 ? fd : sys_stat_fd(fd, &status);

	if (error == 0 && (status.st_dev != meant->st_dev || status.st_ino != meant->st_ino))
		error = -ENOTSUP;
	if (error < 0)
		sys_close(&fd);
	return error < 0 ? error : fd;
}

/*
 * Open the FIFO that @path leads to now, and nothing else: opening a device has effects, and who may write to a
 * directory on the way could put a link to a file in the FIFO's place, which we would then read or overwrite. So what
 * is opened is what was looked at, not what has the name by then.
 */
static int fifo_open(const char *path, int flags)
{
	struct stat status;
	int place = sys_open(path, O_PATH);
	int fd = place < 0 ? place : sys_stat_fd(place, &status);

	if (fd == 0 && !S_ISFIFO(status.st_mode))
		fd = -ENOTSUP;
	if (fd == 0) {
		fd = sys_reopen(place, flags | O_NONBLOCK | O_NOCTTY);
		/* There is no /proc: a changed root mostly has none. */
		if (fd == -ENOENT)
			fd = fifo_open_checked(path, flags | O_NONBLOCK | O_NOCTTY, &status);
	}
	sys_close(&place);
	return fd;
}

static int fifo_open_reader(const char *path, const struct nonet_pipe_options *options, nonet_time deadline)
{
	int fd = fifo_open(path, O_RDONLY);
	int error;

	if (fd < 0 || (options && options->flags & NONET_PIPE_EARLY))
		return fd;
	error = fifo_wait_writer(fd, deadline, false);
	if (error < 0) {
		sys_close(&fd);
		return error;
	}
	return fd;
}

static int fifo_open_writer(const char *path, nonet_time deadline)
{
	struct sys_retry retry = {0};
	int error;
	int fd;

	/* O_NONBLOCK of a writer is ENXIO as long as there is no reader (fifo(7)). */
	for (;;) {
		fd = fifo_open(path, O_WRONLY);
		if (fd != -ENXIO)
			return fd;
		error = sys_retry_sleep(&retry, deadline);
		if (error < 0)
			return error;
	}
}

int nonet_pipe_open(const char *path, enum nonet_pipe_end end, const struct nonet_pipe_options *options,
		    nonet_time deadline, struct nonet_pipe **ret_pipe, struct nonet_error *reterr)
{
	const char *other = end == NONET_PIPE_READER ? "writer" : "reader";
	int error = pipe_check_options(options, reterr);
	int fd;

	if (error < 0)
		return error;
	if (end != NONET_PIPE_READER && end != NONET_PIPE_WRITER)
		return error_set(reterr, -EINVAL, "%d is no end of a pipe", (int)end);
	fd = end == NONET_PIPE_READER ? fifo_open_reader(path, options, deadline) : fifo_open_writer(path, deadline);
	if (fd == -EAGAIN || fd == -ETIMEDOUT)
		return error_set(reterr, fd, "no %s has opened the FIFO %s %s", other, path,
				 fd == -EAGAIN ? "yet" : "before the deadline");
	if (fd == -ENOTSUP)
		return error_set(reterr, fd, "%s isn't a FIFO", path);
	if (fd < 0)
		return error_set(reterr, fd, "can't open the FIFO %s: %s", path, error_reason(fd));
	error = pipe_make(fd, end, path, true, options, ret_pipe, reterr);
	if (error < 0)
		sys_close(&fd);
	return error;
}

static int fifo_wait_reader(int fd, nonet_time deadline)
{
	struct sys_retry retry = {0};
	int result;

	for (;;) {
		result = sys_poll_now(fd, POLLOUT);
		if (result < 0)
			return result;
		if (!(result & POLLERR))
			return 0;
		result = sys_retry_sleep(&retry, deadline);
		if (result < 0)
			return result;
	}
}

int nonet_pipe_reopen(struct nonet_pipe *pipe, nonet_time deadline)
{
	struct stat ours;
	struct stat named;
	int error;
	int fd;

	if (!pipe->path)
		return -EOPNOTSUPP;
	/* The open file description outlives the other side; what can be gone is the FIFO behind the name. */
	fd = sys_open(pipe->path, O_PATH);
	if (fd < 0)
		return fd;
	error = sys_stat_fd(fd, &named);
	sys_close(&fd);
	if (error == 0)
		error = sys_stat_fd(pipe->stream.fd, &ours);
	if (error < 0)
		return error;
	if (ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
		return -ESTALE;
	/*
	 * Of the streams nothing has to be forgotten: the receiver did so when it saw the end, and if it hasn't yet,
	 * what it holds may still be completed. That a message was abandoned can be said to a new reader too.
	 */
	if (pipe->end == NONET_PIPE_READER)
		return fifo_wait_writer(pipe->stream.fd, deadline, true);
	return fifo_wait_reader(pipe->stream.fd, deadline);
}

/*
 * An open file description of our own for the same pipe, under the same number: O_NONBLOCK on an inherited one would be
 * seen by all who share it, a shell's next command for example. Return: 0, or an error with @fd as it was.
 */
static int pipe_isolate(int fd, int mode)
{
	int own = sys_reopen(fd, mode | O_NONBLOCK | O_NOCTTY);
	int error;

	if (own < 0)
		return own;
	error = sys_replace(own, fd);
	sys_close(&own);
	return error;
}

int nonet_pipe_take_fd(int *fd, const struct nonet_pipe_options *options, struct nonet_pipe **ret_pipe,
		       struct nonet_error *reterr)
{
	struct nonet_pipe *pipe;
	struct stat status;
	int error = pipe_check_options(options, reterr);
	int flags;
	int mode;

	if (error < 0)
		return error;
	flags = sys_get_flags(*fd);
	error = flags < 0 ? flags : sys_stat_fd(*fd, &status);
	if (error < 0)
		return error_set(reterr, error, "can't use descriptor %d: %s", *fd, error_reason(error));
	mode = flags & O_ACCMODE;
	if (!S_ISFIFO(status.st_mode) || flags & O_PATH || (mode != O_RDONLY && mode != O_WRONLY))
		return error_set(reterr, -ENOTSUP, "descriptor %d isn't one end of a pipe", *fd);
	error = pipe_make(*fd, mode == O_RDONLY ? NONET_PIPE_READER : NONET_PIPE_WRITER, NULL, true, options, &pipe,
			  reterr);
	if (error < 0)
		return error;
	if (pipe_isolate(*fd, mode) < 0) {
		error = sys_set_cloexec(*fd);
		if (error == 0 && !(flags & O_NONBLOCK))
			error = sys_set_flags(*fd, flags | O_NONBLOCK);
		if (error < 0) {
			pipe->stream.fd = -1;
			nonet_pipe_close(pipe);
			return error_set(reterr, error, "can't make descriptor %d non-blocking: %s", *fd,
					 error_reason(error));
		}
	}
	/* Who made the pipe had a writer in mind; that it left before us is the end like any other. */
	pipe->writer_seen = true;
	*ret_pipe = pipe;
	*fd = -1;
	return 0;
}
