/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include <nonet/endpoint.h>
#include <nonet/filelock.h>
#include <nonet/pipe.h>
#include <nonet/process.h>
#include <nonet/semaphore.h>

static int endpoint_open(struct target *target, struct nonet_error *ret_error)
{
	const struct nonet_endpoint_options options = {
		.size = sizeof(options),
		.flags = NONET_ENDPOINT_RECEIVE,
	};
	struct nonet_endpoint *endpoint;
	int r = nonet_endpoint_open(target->given, &options, NONET_NOW, &endpoint, ret_error);

	if (r == 0)
		target->object = endpoint;
	return r;
}

static struct nonet_waitable *endpoint_waitable(void *object)
{
	return nonet_endpoint_waitable(object);
}

static void endpoint_close(void *object)
{
	nonet_endpoint_close(object);
}

static const struct target_kind kind_endpoint = {
	.open = endpoint_open,
	.waitable = endpoint_waitable,
	.close = endpoint_close,
};

/*
 * A FIFO is opened without waiting for a writer, and stays open: to open it and close it again until one is there, as
 * an endpoint would have to, could kill a writer in between by SIGPIPE.
 */
static int fifo_open(struct target *target, struct nonet_error *ret_error)
{
	const struct nonet_pipe_options options = {.size = sizeof(options), .flags = NONET_PIPE_EARLY};
	struct nonet_pipe *fifo;
	int r = nonet_pipe_open(nonet_address_name(target->address, NULL), NONET_PIPE_READER, &options, NONET_NOW,
				&fifo, ret_error);

	if (r == 0)
		target->object = fifo;
	return r;
}

static struct nonet_waitable *fifo_waitable(void *object)
{
	return nonet_pipe_waitable(object);
}

static void fifo_close(void *object)
{
	nonet_pipe_close(object);
}

static const struct target_kind kind_fifo = {
	.open = fifo_open,
	.waitable = fifo_waitable,
	.close = fifo_close,
};

static int process_open(struct target *target, struct nonet_error *ret_error)
{
	struct nonet_process *process;
	int64_t pid = 0;
	int r;

	(void)!nonet_address_number(target->address, NONET_ADDRESS_PID, &pid);
	r = nonet_process_open((pid_t)pid, &process, ret_error);
	if (r == 0)
		target->object = process;
	return r;
}

static struct nonet_waitable *process_waitable(void *object)
{
	return nonet_process_waitable(object);
}

static void process_close(void *object)
{
	nonet_process_close(object);
}

static const struct target_kind kind_process = {
	.open = process_open,
	.waitable = process_waitable,
	.close = process_close,
};

/* A System V set that has no values yet has no permits: they are waited for. */
static int semaphore_open(struct target *target, struct nonet_error *ret_error)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options),
		.flags = NONET_SEMAPHORE_UNFINISHED,
	};
	struct nonet_semaphore *semaphore;
	int r = nonet_semaphore_open(target->given, &options, NONET_NOW, &semaphore, ret_error);

	if (r == 0)
		target->object = semaphore;
	return r;
}

static struct nonet_waitable *semaphore_waitable(void *object)
{
	return nonet_semaphore_waitable(object);
}

static int semaphore_is_ready(void *object, struct nonet_error *ret_error)
{
	uint32_t value;
	int r = nonet_semaphore_value(object, &value);

	if (r < 0)
		nonet_semaphore_explain(object, r, ret_error);
	return r < 0 ? r : value > 0;
}

static int semaphore_arm(void *object, struct nonet_error *ret_error)
{
	int r = nonet_semaphore_arm(object);

	if (r < 0)
		nonet_semaphore_explain(object, r, ret_error);
	return r;
}

static void semaphore_close(void *object)
{
	nonet_semaphore_close(object);
}

static const struct target_kind kind_semaphore = {
	.open = semaphore_open,
	.waitable = semaphore_waitable,
	.is_ready = semaphore_is_ready,
	.arm = semaphore_arm,
	.close = semaphore_close,
};

static int filelock_open(struct target *target, struct nonet_error *ret_error)
{
	const struct nonet_filelock_options options = {
		.size = sizeof(options),
		.flags = NONET_FILELOCK_CHECK_PATH,
	};
	struct nonet_filelock *lock;
	int r = nonet_filelock_open(target->given, &options, &lock, ret_error);

	if (r == 0)
		target->object = lock;
	return r;
}

static struct nonet_waitable *filelock_waitable(void *object)
{
	return nonet_filelock_waitable(object);
}

/* Only who has a lock knows that nobody else has: it is let go at once. Asked in vain, it is waited for from then on.
 */
static int filelock_is_ready(void *object, struct nonet_error *ret_error)
{
	int r = nonet_filelock_lock(object, NONET_FILELOCK_EXCLUSIVE, NONET_NOW);

	if (r == -EAGAIN)
		return 0;
	if (r == 0)
		r = nonet_filelock_unlock(object);
	if (r < 0)
		nonet_filelock_explain(object, r, ret_error);
	return r < 0 ? r : 1;
}

static void filelock_close(void *object)
{
	nonet_filelock_close(object);
}

static const struct target_kind kind_filelock = {
	.open = filelock_open,
	.waitable = filelock_waitable,
	.is_ready = filelock_is_ready,
	.close = filelock_close,
};

static const struct target_kind *kind_of(enum nonet_scheme scheme)
{
	switch (scheme) {
	case NONET_SCHEME_FIFO:
		return &kind_fifo;
	case NONET_SCHEME_PID:
		return &kind_process;
	case NONET_SCHEME_POSIXSEM:
	case NONET_SCHEME_SYSVSEM:
	case NONET_SCHEME_SEMAPHORE:
		return &kind_semaphore;
	case NONET_SCHEME_MUTEX:
		return &target_mutex;
	case NONET_SCHEME_RWLOCK:
		return &target_rwlock;
	case NONET_SCHEME_EVENT:
		return &target_event;
	case NONET_SCHEME_CHANNEL:
		return &target_channel;
	case NONET_SCHEME_OFDLOCK:
	case NONET_SCHEME_POSIXLOCK:
	case NONET_SCHEME_FLOCK:
		return &kind_filelock;
	case NONET_SCHEME_FD:
	case NONET_SCHEME_UNIX:
	case NONET_SCHEME_UNIX_SEQPACKET:
	case NONET_SCHEME_UNIX_DGRAM:
	case NONET_SCHEME_TCP:
	case NONET_SCHEME_UDP:
	case NONET_SCHEME_ICMP:
	case NONET_SCHEME_POSIXMQ:
	case NONET_SCHEME_SYSVMSG:
		return &kind_endpoint;
	default:
		return NULL;
	}
}

int target_open(struct target *target, struct nonet_error *ret_error)
{
	const enum nonet_scheme scheme = nonet_address_scheme(target->address);

	target->kind = kind_of(scheme);
	if (!target->kind) {
		*ret_error = (struct nonet_error){.code = -EOPNOTSUPP};
		snprintf(ret_error->text, sizeof(ret_error->text),
			 "nothing of %s: can be waited for; messages of fifo:, fd:, unix:, unix-seqpacket:, "
			 "unix-dgram:, "
			 "tcp:, udp:, posixmq:, sysvmsg: and channel: can, the end of pid:, permits of posixsem:, "
			 "sysvsem: and "
			 "semaphore:, event: to happen, and mutex:, rwlock:, flock:, ofdlock: and posixlock: to be "
			 "free",
			 nonet_scheme_name(scheme));
		return -EOPNOTSUPP;
	}
	return target->kind->open(target, ret_error);
}

struct nonet_waitable *target_waitable(const struct target *target)
{
	return target->kind->waitable(target->object);
}

int target_is_ready(const struct target *target, struct nonet_error *ret_error)
{
	const struct target_kind *kind = target->kind;
	int r = kind->is_ready ? kind->is_ready(target->object, ret_error) : 0;

	if (r == 0 && kind->arm) {
		r = kind->arm(target->object, ret_error);
		if (r > 0)
			r = kind->is_ready(target->object, ret_error);
	}
	return r;
}

int target_is_ready_now(const struct target *target, struct nonet_error *ret_error)
{
	return target->kind->is_ready ? target_is_ready(target, ret_error) : 1;
}

void target_close(struct target *target)
{
	if (target->object)
		target->kind->close(target->object);
	target->object = NULL;
}
