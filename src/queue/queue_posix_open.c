/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "queue/queue.h"
#include "sys/files.h"
#include "sys/mqueue.h"
#include "sys/privilege.h"
#include "sys/setting.h"

#define MQUEUE_SETTINGS "/proc/sys/fs/mqueue/"

/* What the kernel takes where nothing is set up (mq_overview(7)). */
#define MQUEUE_DEPTH        10
#define MQUEUE_MESSAGE_SIZE 8192

/* Which nobody may exceed. */
#define MQUEUE_HARD_DEPTH        65536
#define MQUEUE_HARD_MESSAGE_SIZE (16 << 20)

/* What a message, and each of the priorities that may come to be, take beside the bytes, on 64 bits (getrlimit(2)). */
#define MQUEUE_MESSAGE_OVERHEAD  48
#define MQUEUE_PRIORITY_OVERHEAD 48
#define MQUEUE_PRIORITIES        32768

/* How often one that is there and is gone in turns is tried: each turn needs somebody who makes or removes it. */
#define MQUEUE_TURNS 100

static uint64_t mqueue_setting(const char *path, uint64_t otherwise)
{
	uint64_t value;

	return sys_setting_read(path, &value) < 0 ? otherwise : value;
}

static int posix_access(const struct nonet_queue *queue)
{
	if (queue->flags == NONET_QUEUE_SEND)
		return O_WRONLY;
	return queue->flags == NONET_QUEUE_RECEIVE ? O_RDONLY : O_RDWR;
}

/* What is common to opening, making and removing. @what is as it stands in a sentence: "open the queue". */
static int posix_failed(int error, const char *what, const char *address, struct nonet_error *reterr)
{
	switch (error) {
	case -ENOSYS:
		return error_set(reterr, -EOPNOTSUPP,
				 "can't %s %s: this kernel was built without POSIX message queues; sysvmsg: needs none",
				 what, address);
	case -ENOENT:
		return error_set(reterr, error, "can't %s %s: there is none", what, address);
	case -EACCES:
		return error_set(reterr, error, "can't %s %s: its owner and mode don't let this user", what, address);
	default:
		return error_set(reterr, error, "can't %s %s: %s", what, address, error_reason(error));
	}
}

/* As RLIMIT_MSGQUEUE counts it. */
static uint64_t posix_takes(const struct sys_mqueue_status *size)
{
	const uint64_t priorities = size->depth < MQUEUE_PRIORITIES ? size->depth : MQUEUE_PRIORITIES;

	return size->depth * (size->message_size + MQUEUE_MESSAGE_OVERHEAD) + priorities * MQUEUE_PRIORITY_OVERHEAD;
}

/* Which of the limits is exceeded that a process without CAP_SYS_RESOURCE has. 0: none, or none that can be read. */
static int posix_check_settings(const struct sys_mqueue_status *size, const char *address, struct nonet_error *reterr)
{
	const unsigned long long most = mqueue_setting(MQUEUE_SETTINGS "msg_max", UINT64_MAX);
	const unsigned long long largest = mqueue_setting(MQUEUE_SETTINGS "msgsize_max", UINT64_MAX);
	const unsigned long long depth = size->depth, message_size = size->message_size;

	if (depth > most)
		return error_set(
			reterr, -EINVAL,
			"can't make %s with room for %llu messages: this system allows %llu; raise it as root: "
			"sysctl -w fs.mqueue.msg_max=%llu",
			address, depth, most, depth);
	if (message_size > largest)
		return error_set(reterr, -EINVAL,
				 "can't make %s for messages of %llu bytes: this system allows %llu; raise it as root: "
				 "sysctl -w fs.mqueue.msgsize_max=%llu",
				 address, message_size, largest, message_size);
	return 0;
}

static int posix_refuse_size(const struct sys_mqueue_status *size, const char *address, struct nonet_error *reterr)
{
	return error_set(reterr, -EINVAL,
			 "can't make %s for %llu messages of %llu bytes: the kernel has at most %d messages of %d MiB, "
			 "whoever asks",
			 address, (unsigned long long)size->depth, (unsigned long long)size->message_size,
			 MQUEUE_HARD_DEPTH, MQUEUE_HARD_MESSAGE_SIZE >> 20);
}

static int posix_check_room(const struct sys_mqueue_status *size, const char *address, struct nonet_error *reterr)
{
	const unsigned long long limit = sys_mqueue_limit(), takes = posix_takes(size);

	if (takes <= limit)
		return 0;
	return error_set(reterr, -EMFILE,
			 "can't make %s: it takes %llu bytes, and all queues of this user may take %llu "
			 "(RLIMIT_MSGQUEUE); raise it: ulimit -q %llu, or make depth or message_size smaller",
			 address, takes, limit, takes);
}

/* What can be known before the kernel is asked. */
static int posix_check_limits(const struct sys_mqueue_status *size, const char *address, struct nonet_error *reterr)
{
	int error = 0;

	if (size->depth > MQUEUE_HARD_DEPTH || size->message_size > MQUEUE_HARD_MESSAGE_SIZE)
		return posix_refuse_size(size, address, reterr);
	if (!sys_may_exceed_limits())
		error = posix_check_settings(size, address, reterr);
	return error < 0 ? error : posix_check_room(size, address, reterr);
}

/* The kernel said no, although all was well before: a limit was lowered, or we aren't root where it counts. */
static int posix_refused_size(const struct sys_mqueue_status *size, const char *address, struct nonet_error *reterr)
{
	int error = posix_check_settings(size, address, reterr);

	return error < 0 ? error : posix_refuse_size(size, address, reterr);
}

/* The same for RLIMIT_MSGQUEUE: of what the user's other queues take nobody tells. */
static int posix_refused_room(const struct sys_mqueue_status *size, const char *address, struct nonet_error *reterr)
{
	int error = posix_check_room(size, address, reterr);

	if (error < 0)
		return error;
	return error_set(reterr, -EMFILE,
			 "can't make %s: it takes %llu bytes, and with it this user's queues would take more than %llu "
			 "(RLIMIT_MSGQUEUE: ulimit -q), or this process has no descriptor left (ulimit -n)",
			 address, (unsigned long long)posix_takes(size), (unsigned long long)sys_mqueue_limit());
}

static int posix_create_failed(int error, const struct sys_mqueue_status *size, const char *address,
			       struct nonet_error *reterr)
{
	switch (error) {
	case -EINVAL:
		return posix_refused_size(size, address, reterr);
	case -EMFILE:
		return posix_refused_room(size, address, reterr);
	case -ENOSPC:
		return error_set(reterr, error,
				 "can't make %s: this system has as many POSIX queues as it may have (%llu); remove "
				 "some, or raise it as root: sysctl -w fs.mqueue.queues_max=N",
				 address, (unsigned long long)mqueue_setting(MQUEUE_SETTINGS "queues_max", 256));
	case -EEXIST:
		return error_set_exists(reterr, address);
	default:
		return posix_failed(error, "make the queue", address, reterr);
	}
}

/* @fd stays the caller's on failure. */
static int posix_init(struct nonet_queue *queue, int fd)
{
	struct sys_mqueue_status status;
	int error = sys_mqueue_status(fd, &status);

	if (error < 0)
		return error;
	queue->carrier = &queue_posix_carrier;
	queue->message_size = status.message_size;
	queue->with.posix.fd = fd;
	waitable_init(&queue->waitable, fd, queue_posix_arm);
	return 0;
}

int queue_posix_open(struct nonet_queue *queue, const struct nonet_queue_options *options, struct nonet_error *reterr)
{
	int fd = sys_mqueue_open(nonet_address_name(queue->address, NULL), posix_access(queue));
	int error = fd < 0 ? fd : posix_init(queue, fd);

	(void)options;
	if (error < 0) {
		sys_close(&fd);
		return posix_failed(error, "open the queue", nonet_address_text(queue->address), reterr);
	}
	return 0;
}

/* The umask was taken off what was asked for. Nobody else can have made it, so it is ours to remove. */
static int posix_finish(struct nonet_queue *queue, int fd, const struct nonet_queue_options *options)
{
	int error = sys_chmod_fd(fd, (mode_t)options->mode);

	if (error == 0)
		error = posix_init(queue, fd);
	if (error < 0)
		(void)sys_mqueue_unlink(nonet_address_name(queue->address, NULL));
	return error;
}

/* What isn't said is as set up, which is never over the limit. */
static struct sys_mqueue_status posix_size(const struct nonet_queue_options *options)
{
	struct sys_mqueue_status size = {.depth = options->depth, .message_size = options->message_size};
	uint64_t limit;

	if (size.depth == 0) {
		limit = mqueue_setting(MQUEUE_SETTINGS "msg_max", MQUEUE_DEPTH);
		size.depth = mqueue_setting(MQUEUE_SETTINGS "msg_default", MQUEUE_DEPTH);
		size.depth = size.depth < limit ? size.depth : limit;
	}
	if (size.message_size == 0) {
		limit = mqueue_setting(MQUEUE_SETTINGS "msgsize_max", MQUEUE_MESSAGE_SIZE);
		size.message_size = mqueue_setting(MQUEUE_SETTINGS "msgsize_default", MQUEUE_MESSAGE_SIZE);
		size.message_size = size.message_size < limit ? size.message_size : limit;
	}
	return size;
}

int queue_posix_create(struct nonet_queue *queue, const struct nonet_queue_options *options, struct nonet_error *reterr)
{
	const bool as_set_up = !options->depth && !options->message_size;
	const bool reuse = options->flags & NONET_QUEUE_REUSE;
	const char *address = nonet_address_text(queue->address);
	const struct sys_mqueue_status size = posix_size(options);
	struct nonet_error why = {.position = -1};
	int refused = posix_check_limits(&size, address, &why);
	int error = -EEXIST;
	int fd = -1;

	if (refused < 0) {
		/* One that is there needs no room. */
		error = reuse ? queue_posix_open(queue, options, reterr) : -ENOENT;
		if (error == -ENOENT)
			*reterr = why;
		return error == -ENOENT ? refused : error;
	}
	for (int turn = 0; turn < MQUEUE_TURNS; turn++) {
		fd = sys_mqueue_create(nonet_address_name(queue->address, NULL), posix_access(queue),
				       (mode_t)options->mode, as_set_up ? NULL : &size);
		if (fd != -EEXIST || !reuse)
			break;
		error = queue_posix_open(queue, options, reterr);
		if (error != -ENOENT)
			return error;
	}
	error = fd < 0 ? fd : posix_finish(queue, fd, options);
	if (error < 0) {
		sys_close(&fd);
		return posix_create_failed(error, &size, address, reterr);
	}
	return 0;
}

int queue_posix_unlink(const struct nonet_address *address, struct nonet_error *reterr)
{
	int error = sys_mqueue_unlink(nonet_address_name(address, NULL));

	return error < 0 ? posix_failed(error, "remove the queue", nonet_address_text(address), reterr) : 0;
}
