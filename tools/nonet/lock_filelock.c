/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <nonet/filelock.h>
#include <nonet/inspect.h>

#include "lock.h"

/*
 * The guard has the lock, and the command doesn't inherit its descriptor. A command that did could lose the lock
 * without knowing it, by closing descriptors that it doesn't know (sudo(8) does), and of posixlock: by closing any
 * other of the file; and what it leaves running behind would hold the lock on.
 */
static struct nonet_filelock *lock;
static enum nonet_filelock_mode mode;
static const char *address;

/* How long to look for who has it. */
#define LOOK NONET_S(2)

/* So many holders are named. */
#define NAMED 3

static int filelock_open(const struct lock_request *request, nonet_time deadline, struct nonet_error *ret_error)
{
	struct nonet_filelock_options options = {
		.size = sizeof(options),
		.flags = NONET_FILELOCK_CREATE | NONET_FILELOCK_CHECK_PATH,
	};
	int r;

	(void)deadline;
	address = request->address;
	mode = request->shared ? NONET_FILELOCK_SHARED : NONET_FILELOCK_EXCLUSIVE;
	r = nonet_filelock_open(address, &options, &lock, ret_error);
	if (!request->shared || (r != -EACCES && r != -EPERM && r != -EROFS))
		return r;
	/* To share it, reading is enough. */
	options.flags = NONET_FILELOCK_READ_ONLY | NONET_FILELOCK_CHECK_PATH;
	return nonet_filelock_open(address, &options, &lock, ret_error);
}

static int filelock_take(nonet_time deadline)
{
	return nonet_filelock_lock(lock, mode, deadline);
}

static int filelock_give(int status)
{
	(void)status;
	return nonet_filelock_unlock(lock);
}

/* Room for @format, or what comes is cut off. */
static void append(struct nonet_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(struct nonet_error *error, const char *format, ...)
{
	const size_t used = strlen(error->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text + used, sizeof(error->text) - used, format, arguments);
	va_end(arguments);
}

static void append_holder(struct nonet_error *error, const struct nonet_inspect_holder *holder, size_t before)
{
	append(error, "%sprocess %" PRId32, before ? ", " : "", holder->pid);
	if (holder->name[0])
		append(error, " (%s)", holder->name);
}

/* Who has it, and thereby keeps us from it. */
static int is_in_way(const struct nonet_inspect_holder *holder)
{
	return !holder->waits && (mode == NONET_FILELOCK_EXCLUSIVE || holder->mode == NONET_FILELOCK_EXCLUSIVE);
}

static void append_holders(struct nonet_error *error, const struct nonet_inspect_holders *holders)
{
	const struct nonet_inspect_coverage *coverage = nonet_inspect_holders_coverage(holders);
	const struct nonet_inspect_holder *holder;
	size_t i, seen = 0, all = 0;

	for (i = 0; (holder = nonet_inspect_holders_get(holders, i)); i++) {
		if (!is_in_way(holder))
			continue;
		all++;
		if (holder->pid != 0 && seen < NAMED)
			append_holder(error, holder, seen++);
	}
	if (seen > 0 && all > seen)
		append(error, " and others have it");
	else if (seen > 0)
		append(error, seen == 1 ? " has it" : " have it");
	else if (all > 0 && coverage->hidden & NONET_INSPECT_HIDES_PROCESSES)
		append(error, "who has it can't be seen: /proc hides the processes of other users (hidepid)");
	else if (all > 0 && coverage->unreadable == 0 && coverage->hidden & NONET_INSPECT_HIDES_OUTSIDE)
		append(error, "who has it is outside of this PID namespace, and can't be seen from here");
	else if (all > 0)
		append(error, "who has it can't be seen: %" PRIu64 " of %" PRIu64 " processes couldn't be looked into",
		       coverage->unreadable, coverage->processes);
	else if (coverage->hidden & NONET_INSPECT_HIDES_OUTSIDE)
		append(error,
		       "who has it is outside of this PID namespace, and can't be seen from here, or has let go since");
	else
		append(error, "who had it has let go since");
}

static void filelock_explain(int code, struct nonet_error *ret_error)
{
	struct nonet_inspect_holders *holders;

	if ((code != -EAGAIN && code != -ETIMEDOUT) ||
	    nonet_inspect_holders(address, NULL, nonet_after(LOOK), &holders, NULL) < 0) {
		nonet_filelock_explain(lock, code, ret_error);
		return;
	}
	*ret_error = (struct nonet_error){.code = code, .position = -1};
	append(ret_error, "%s couldn't be had in time: ", address);
	append_holders(ret_error, holders);
	nonet_inspect_holders_free(holders);
}

const struct lock_kind lock_file = {
	.open = filelock_open,
	.take = filelock_take,
	.give = filelock_give,
	.explain = filelock_explain,
	.ends_with_guard = 1,
};
