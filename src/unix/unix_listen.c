/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a name. A path has three owners that don't know of each other: the socket behind it, the file, and the
 * process. When the process is gone the file stays, and is in the way.
 *
 *  - Who takes a path holds the lock of its directory (flock(2)), so that two that find the same stale file can't both
 *    remove it, the second one removing the first one's new socket.
 *  - A file is stale if no socket is bound to it. connect(2) tells, without being noticed by whoever listens: from a
 *    datagram socket it succeeds, or fails with EPROTOTYPE, if any is bound, and with ECONNREFUSED if none is.
 *  - connect(2) says ECONNREFUSED of a regular file too. What isn't a socket is never removed.
 *  - bind(2) and connect(2) look the whole path up anew, and somebody who may write to a directory on the way can have
 *    put another in its place meanwhile. So connect(2) is given the very file that is going to be removed, and a file
 *    that was bound is changed, and later removed, only if it is known to be ours.
 *  - The file's mode is the socket's own mode (fchmod(2) before bind(2)) less the umask: never too much. What the umask
 *    took away is given back before listen(2), so that nobody is let in or turned away by a mode that isn't meant.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/process.h"
#include "unix/unix.h"

/* More than net.core.somaxconn ever allows, which the kernel cuts it down to. */
#define LISTEN_BACKLOG_MAX INT32_MAX

struct listen_request {
	char name[112]; /* for sentences; what was given needn't end with NUL */
	struct sockaddr_un address;
	socklen_t address_size;
	mode_t mode;
	bool keep;
	nonet_time deadline;
};

static int listen_lock(int directory, nonet_time deadline)
{
	struct sys_retry retry = {0};
	int error;

	for (;;) {
		error = sys_flock_try(directory);
		if (error != -EAGAIN)
			return error;
		error = sys_retry_sleep(&retry, deadline);
		if (error < 0)
			return error;
	}
}

/* The directory of a path, open; and the name in it, a part of @path. */
static int listen_directory(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	size_t size;
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (!slash) {
		memcpy(directory, ".", 2);
	} else {
		size = slash == path ? 1 : (size_t)(slash - path);
		memcpy(directory, path, size);
		directory[size] = 0;
	}
	fd = sys_open(directory, O_RDONLY | O_DIRECTORY);
	/* May be searched and written but not read: then it can't be locked either. */
	return fd == -EACCES ? sys_open(directory, O_PATH | O_DIRECTORY) : fd;
}

/* Whether the name still is that of a file that was looked at: 1, 0, or an error. */
static int listen_is_named(int directory, const char *name, const struct stat *file)
{
	struct stat status;
	int error = sys_stat_at(directory, name, &status);

	if (error < 0)
		return error == -ENOENT ? 0 : error;
	return status.st_dev == file->st_dev && status.st_ino == file->st_ino;
}

/* The name is taken by @file: remove it if nobody is behind it. */
static int listen_remove_stale(const struct listen_request *request, int directory, const char *name, int file,
			       bool locked, struct nonet_error *reterr)
{
	struct stat status;
	int bound;
	int error = sys_stat_fd(file, &status);

	if (error < 0)
		return error_set(reterr, error, "can't look at %s: %s", request->name, error_reason(error));
	if (!S_ISSOCK(status.st_mode))
		return error_set(reterr, -EADDRINUSE, "%s exists and isn't a socket: remove it, or take another name",
				 request->name);
	bound = sys_socket_is_bound(file);
	if (bound < 0)
		return error_set(reterr, bound, "can't find out whether %s is in use: %s", request->name,
				 error_reason(bound));
	if (bound)
		return error_set(reterr, -EADDRINUSE, "another process has a socket at %s", request->name);
	if (!locked)
		return error_set(
			reterr, -EADDRINUSE,
			"%s was left behind, but its directory can't be read, so it can't be taken over safely: "
			"remove it",
			request->name);
	error = listen_is_named(directory, name, &status);
	if (error == 0)
		return error_set(reterr, -EADDRINUSE, "somebody else is changing %s", request->name);
	if (error > 0)
		error = sys_unlink_at(directory, name);
	if (error < 0 && error != -ENOENT)
		return error_set(reterr, error, "%s was left behind, and can't be removed: %s", request->name,
				 error_reason(error));
	return 0;
}

static int listen_take_over(const struct listen_request *request, int directory, const char *name, bool locked,
			    struct nonet_error *reterr)
{
	int file = sys_open_at(directory, name, O_PATH | O_NOFOLLOW);
	int error;

	if (file == -ENOENT)
		return 0;
	if (file < 0)
		return error_set(reterr, file, "can't look at %s: %s", request->name, error_reason(file));
	error = listen_remove_stale(request, directory, name, file, locked, reterr);
	sys_close(&file);
	return error;
}

/* Whether the path still leads through the directory that is open: 1, 0, or an error. */
static int listen_is_same_directory(const struct listen_request *request, int directory)
{
	const char *name;
	struct stat ours;
	struct stat now;
	int fd = sys_open_parent(request->address.sun_path, &name);
	int error = fd < 0 ? fd : sys_stat_fd(fd, &now);

	sys_close(&fd);
	if (error == 0)
		error = sys_stat_fd(directory, &ours);
	return error < 0 ? error : ours.st_dev == now.st_dev && ours.st_ino == now.st_ino;
}

/* Whether that can be the file that was bound just now: it has one name, and no bits that weren't asked for. */
static bool listen_fits(const struct listen_request *request, const struct stat *status)
{
	return S_ISSOCK(status->st_mode) && status->st_nlink == 1 && !(status->st_mode & 0777 & ~request->mode);
}

/*
 * The file that @fd was bound to just now, as an O_PATH descriptor, and what it is. The kernel tells it exactly, but
 * not everybody; without that, what has the name has to fit. Return: the descriptor; -EADDRINUSE: what has the name
 * isn't ours; or another error.
 */
static int listen_bound_file(int fd, const struct listen_request *request, int directory, const char *name,
			     struct stat *ret_status)
{
	int file = sys_socket_file(fd);
	const bool exact = file >= 0;
	int ours;

	if (!exact)
		file = sys_open_at(directory, name, O_PATH | O_NOFOLLOW);
	if (file < 0)
		return file;
	ours = sys_stat_fd(file, ret_status);
	if (ours == 0 && exact)
		ours = listen_is_named(directory, name, ret_status);
	else if (ours == 0 && listen_fits(request, ret_status))
		ours = listen_is_same_directory(request, directory);
	if (ours <= 0)
		sys_close(&file);
	return ours > 0 ? file : ours < 0 ? ours : -EADDRINUSE;
}

/* The bound file: remember which it is, and give it its mode. On failure it is removed, if it is ours. */
static int listen_own(int fd, const struct listen_request *request, int directory, const char *name,
		      struct unix_path *ret_path, struct nonet_error *reterr)
{
	struct unix_path path = {.directory = -1, .owner = sys_generation()};
	const uid_t us = sys_effective_user();
	struct stat status;
	int file = listen_bound_file(fd, request, directory, name, &status);
	int error = file < 0 ? file : 0;

	if (error == -EADDRINUSE)
		return error_set(reterr, error, "somebody else is changing %s, or a directory on the way to it",
				 request->name);
	/* On a file system that gives root's files to somebody else, one that needs no change is good as it is. */
	if (error == 0 && (status.st_mode & 0777) != request->mode)
		error = status.st_uid == us ? sys_chmod_path_fd(file, request->mode) : -EPERM;
	sys_close(&file);
	if (error < 0) {
		error_set(reterr, error, "can't give %s the mode %#o: %s", request->name, request->mode,
			  error_reason(error));
	} else {
		path.device = status.st_dev;
		path.inode = status.st_ino;
		path.name = request->keep ? NULL : sys_copy_string(name);
		if (!request->keep && !path.name)
			error = error_set(reterr, -ENOMEM, "no memory for the name of %s", request->name);
	}
	if (error == 0)
		*ret_path = path;
	else if (sys_stat_at(directory, name, &status) == 0 && listen_fits(request, &status) && status.st_uid == us)
		(void)sys_unlink_at(directory, name);
	return error;
}

/* Not only closed: a process that another thread forked meanwhile has it open too, and with it the lock. */
static void listen_unlock(int *directory)
{
	sys_flock_release(*directory);
	sys_close(directory);
}

/* Remove the name if it is still that of the file that was bound. */
static void listen_unlink(int directory, const char *name, const struct unix_path *path)
{
	const struct stat bound = {.st_dev = path->device, .st_ino = path->inode};

	if (listen_is_named(directory, name, &bound) > 0)
		(void)sys_unlink_at(directory, name);
}

static int listen_bind_path(int fd, const struct listen_request *request, int directory, const char *name, bool locked,
			    struct unix_path *ret_path, struct nonet_error *reterr)
{
	const struct sockaddr *address = (const struct sockaddr *)&request->address;
	int error = sys_chmod_fd(fd, request->mode);

	if (error < 0)
		return error_set(reterr, error, "can't give a socket its mode: %s", error_reason(error));
	error = sys_bind(fd, address, request->address_size);
	if (error == -EADDRINUSE) {
		error = listen_take_over(request, directory, name, locked, reterr);
		if (error < 0)
			return error;
		error = sys_bind(fd, address, request->address_size);
	}
	if (error < 0)
		return error_set(reterr, error, "can't make the socket %s: %s", request->name, error_reason(error));
	return listen_own(fd, request, directory, name, ret_path, reterr);
}

/* Bind, and listen unless @backlog is -1. On failure nothing is left behind but @fd. */
static int listen_publish(int fd, const struct listen_request *request, int backlog, struct unix_path *ret_path,
			  struct nonet_error *reterr)
{
	struct unix_path path = {.directory = -1};
	const char *name = NULL;
	int directory = -1;
	int error;

	if (request->address.sun_path[0] == 0) {
		error = sys_bind(fd, (const struct sockaddr *)&request->address, request->address_size);
		if (error < 0)
			return error_set(reterr, error,
					 error == -EADDRINUSE ? "another process has a socket at %s"
							      : "can't take the name %s: %s",
					 request->name, error_reason(error));
	} else {
		directory = listen_directory(request->address.sun_path, &name);
		if (directory < 0)
			return error_set(reterr, directory, "can't open the directory of %s: %s", request->name,
					 error_reason(directory));
		error = listen_lock(directory, request->deadline);
		if (error == -EAGAIN || error == -ETIMEDOUT) {
			sys_close(&directory);
			return error_set(reterr, error, "another process is taking a name in the directory of %s%s",
					 request->name,
					 error == -EAGAIN ? " now" : ", and wasn't done by the deadline");
		}
		error = listen_bind_path(fd, request, directory, name, error == 0, &path, reterr);
		if (error < 0) {
			listen_unlock(&directory);
			return error;
		}
	}
	error = backlog < 0 ? 0 : sys_listen(fd, backlog);
	if (error < 0) {
		error_set(reterr, error, "can't listen on %s: %s", request->name, error_reason(error));
		if (directory >= 0)
			listen_unlink(directory, name, &path);
		path.name = sys_free(path.name);
	}
	if (error == 0 && path.name) {
		/* Kept for the removal: the path may mean something else by then, the directory doesn't. */
		sys_flock_release(directory);
		path.directory = directory;
	} else if (directory >= 0) {
		listen_unlock(&directory);
	}
	if (error == 0)
		*ret_path = path;
	return error;
}

void unix_path_remove(struct unix_path *path)
{
	if (path->directory < 0)
		return;
	/* As long as our socket is bound to it nobody takes the file over, so what is ours now is ours below. */
	if (path->owner == sys_generation())
		listen_unlink(path->directory, path->name, path);
	sys_close(&path->directory);
	path->name = sys_free(path->name);
}

static int listen_prepare(const char *name, const struct nonet_unix_options *options, nonet_time deadline,
			  struct listen_request *ret_request, struct nonet_error *reterr)
{
	struct listen_request request = {.deadline = deadline, .mode = 0600};
	int error = unix_check_options(options, reterr);

	if (error == 0)
		error = unix_name_set(name, options ? options->name_size : 0, &request.address, &request.address_size,
				      reterr);
	if (error < 0)
		return error;
	(void)unix_name_get(&request.address, request.address_size, request.name);
	if (options && options->mode)
		request.mode = options->mode;
	request.keep = options && options->flags & NONET_UNIX_KEEP_PATH;
	*ret_request = request;
	return 0;
}

int nonet_unix_listen(const char *name, enum nonet_unix_type type, const struct nonet_unix_options *options,
		      nonet_time deadline, struct nonet_unix_listener **ret_listener, struct nonet_error *reterr)
{
	const int backlog = options && options->backlog ? (int)options->backlog : LISTEN_BACKLOG_MAX;
	struct nonet_unix_listener *listener;
	struct listen_request request;
	int error = listen_prepare(name, options, deadline, &request, reterr);
	int kind = unix_socket_type(type, reterr);

	if (error < 0)
		return error;
	if (kind < 0)
		return kind;
	if (type == NONET_UNIX_DATAGRAM)
		return error_set(reterr, -EINVAL, "datagrams have no connections to listen for: bind %s instead",
				 request.name);
	listener = sys_allocate(sizeof(*listener));
	if (!listener)
		return error_set(reterr, -ENOMEM, "no memory for a listener's handle");
	listener->type = type;
	listener->buffer_size = options ? options->buffer_size : 0;
	listener->message_size = options ? options->message_size : 0;
	listener->path.directory = -1;
	memcpy(listener->name, request.name, sizeof(listener->name));
	listener->fd = sys_socket(AF_UNIX, kind | SOCK_NONBLOCK);
	waitable_init(&listener->waitable, listener->fd, NULL);
	if (listener->fd < 0)
		error = error_set(reterr, listener->fd, "can't make a UNIX socket: %s", error_reason(listener->fd));
	else
		error = listen_publish(listener->fd, &request, backlog, &listener->path, reterr);
	if (error < 0) {
		nonet_unix_listener_close(listener);
		return error;
	}
	*ret_listener = listener;
	return 0;
}

struct nonet_unix_listener *nonet_unix_listener_close(struct nonet_unix_listener *listener)
{
	if (!listener)
		return NULL;
	waitable_done(&listener->waitable);
	unix_path_remove(&listener->path);
	sys_close(&listener->fd);
	return sys_free(listener);
}

int nonet_unix_bind(const char *name, const struct nonet_unix_options *options, nonet_time deadline,
		    struct nonet_unix **ret_unix, struct nonet_error *reterr)
{
	struct nonet_unix *socket;
	struct listen_request request;
	int error = listen_prepare(name, options, deadline, &request, reterr);
	int fd;

	if (error < 0)
		return error;
	fd = sys_socket(AF_UNIX, SOCK_DGRAM);
	if (fd < 0)
		return error_set(reterr, fd, "can't make a UNIX socket: %s", error_reason(fd));
	error = unix_make(fd, NONET_UNIX_DATAGRAM, true, options ? options->message_size : 0,
			  options ? options->buffer_size : 0, &socket, reterr);
	if (error < 0) {
		sys_close(&fd);
		return error;
	}
	error = listen_publish(fd, &request, -1, &socket->path, reterr);
	if (error < 0) {
		nonet_unix_close(socket);
		return error;
	}
	*ret_unix = socket;
	return 0;
}
