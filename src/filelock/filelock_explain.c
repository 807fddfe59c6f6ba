/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "filelock/filelock.h"

/* "process 17 has it"; what can be said without looking through all processes. */
static void filelock_who(const struct nonet_filelock *lock, char *text, size_t size)
{
	const enum sys_lock_mode mode = lock->file->read_only ? SYS_LOCK_SHARED : SYS_LOCK_EXCLUSIVE;
	pid_t pid = 0;
	int found = lock->carrier->in_way ? lock->carrier->in_way(lock->file->fd, mode, &lock->range, &pid) : 0;

	if (found == 1 && pid > 0)
		snprintf(text, size, "process %d has it, by a classic lock", (int)pid);
	else if (found == 1 && pid == 0)
		snprintf(text, size, "a process outside of this PID namespace has it, by a classic lock");
	else
		snprintf(text, size, "nonet_inspect_holders() tells who has it");
}

void nonet_filelock_explain(struct nonet_filelock *lock, int code, struct nonet_error *ret_error)
{
	const char *scheme = lock->carrier->scheme;
	const char *path = filelock_path(lock);
	char who[80];

	switch (code) {
	case -EAGAIN:
		filelock_who(lock, who, sizeof(who));
		error_set(ret_error, code, "the %s: on %s can't be had now: %s", scheme, path, who);
		return;
	case -ETIMEDOUT:
		filelock_who(lock, who, sizeof(who));
		error_set(ret_error, code, "the %s: on %s couldn't be had before the deadline: %s", scheme, path, who);
		return;
	case -EDEADLK:
		error_set(ret_error, code,
			  "waiting for the %s: on %s would never end: who has it waits for a lock that this process "
			  "has; unlock that first",
			  scheme, path);
		return;
	case -EBADF:
		error_set(ret_error, code,
			  "%s was opened read-only, so that it can only be locked shared by %s:; flock: could do it "
			  "exclusively",
			  path, scheme);
		return;
	case -EBUSY:
		error_set(ret_error, code, "a range of %s is locked by the handle: unlock it before choosing another",
			  path);
		return;
	case -EOPNOTSUPP:
		if (!lock->carrier->ranges)
			error_set(ret_error, code, "flock: locks the whole of %s; ofdlock: and posixlock: lock ranges",
				  path);
		else
			error_set(ret_error, code, "the file system of %s has no %s:", path, scheme);
		return;
	case -ESTALE:
		error_set(ret_error, code, "%s was removed while its lock was waited for, and there is no new one",
			  path);
		return;
	case -ECHILD:
		error_set(ret_error, code,
			  "the handle of the %s: on %s is the parent's, or its helper thread is: open one of your own",
			  scheme, path);
		return;
	case -ENOLCK:
		error_set(ret_error, code,
			  "the kernel can't keep another lock on %s: it has no memory for it, or a server of the file "
			  "system doesn't answer",
			  path);
		return;
	default:
		error_set(ret_error, code, "the %s: on %s: %s", scheme, path, error_reason(code));
		return;
	}
}
