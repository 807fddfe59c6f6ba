/* SPDX-License-Identifier: Apache-2.0 */
#include "filelock/filelock.h"

static int posix_in_way(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, pid_t *ret_pid)
{
	return sys_record_lock_in_way(fd, false, mode, range, ret_pid);
}

const struct filelock_carrier filelock_posix = {
	.scheme = "posixlock",
	.of_process = true,
	.ranges = true,
	.set = sys_posix_lock,
	.in_way = posix_in_way,
};
