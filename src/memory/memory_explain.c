/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "guard/room.h"
#include "memory/memory.h"
#include "sys/mapping.h"

static void explain_refused(const struct nonet_memory *memory, int code, struct nonet_error *ret_error)
{
	const char *what = memory->text;

	if (!(memory->how & SYS_MAP_WRITE))
		error_set(ret_error, code, "%s is mapped for reading alone, or sealed", what);
	else
		error_set(ret_error, code,
			  "%s is sealed against that (nonet_memory_info() tells its seals), or not ours to change",
			  what);
}

void nonet_memory_explain(struct nonet_memory *memory, int code, struct nonet_error *ret_error)
{
	const char *what = memory->text;
	char left[ROOM_REASON_SIZE];

	switch (code) {
	case -EBADMSG:
		error_set(ret_error, code,
			  "somebody truncated %s, or punched a hole that couldn't be filled: zeros stand for what is "
			  "gone; close it, and open what is there now",
			  what);
		return;
	case -EOPNOTSUPP:
		if (memory->fd < 0)
			error_set(ret_error, code,
				  "%s is %s, which can't grow, has no descriptor, and of which the kernel tells no "
				  "changes; posixshm: and memfds can all three",
				  what, memory->carrier->noun);
		else
			error_set(ret_error, code, "%s is %s, which can't be sealed; what nonet_memory_new() makes can",
				  what, memory->carrier->noun);
		return;
	case -EPERM:
		explain_refused(memory, code, ret_error);
		return;
	case -EBUSY:
		error_set(ret_error, code,
			  "somebody else has %s mapped for writing, so that its content can't be sealed", what);
		return;
	case -EAGAIN:
		error_set(ret_error, code, "nothing happened to %s so far, or too much memory is locked", what);
		return;
	case -ETIMEDOUT:
		error_set(ret_error, code, "nothing happened to %s before the deadline", what);
		return;
	case -ECHILD:
		error_set(ret_error, code,
			  "the handle of %s is the parent's, and so is what it waits by: open it in this process",
			  what);
		return;
	case -EMFILE:
		error_set(ret_error, code,
			  "no descriptor to watch %s by: RLIMIT_NOFILE is reached, or "
			  "/proc/sys/fs/inotify/max_user_instances",
			  what);
		return;
	case -ENOSPC:
		error_set(ret_error, code,
			  "no room to make %s longer, or (for a wait) /proc/sys/fs/inotify/max_user_watches is reached",
			  what);
		return;
	case -ENOMEM:
		error_set(ret_error, code,
			  "no memory, or no address space, for %s as long as that; of memory there can be had now %s",
			  what, room_left(left));
		return;
	default:
		error_set(ret_error, code, "%s: %s", what, error_reason(code));
		return;
	}
}
