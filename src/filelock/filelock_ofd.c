/* SPDX-License-Identifier: Apache-2.0 */
#include "filelock/filelock.h"

static int ofd_in_way(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, pid_t *ret_pid)
{
	return sys_record_lock_in_way(fd, true, mode, range, ret_pid);
}

const struct filelock_carrier filelock_ofd = {
	.scheme = "ofdlock",
	.ranges = true,
	.set = sys_ofd_lock,
	.in_way = ofd_in_way,
};
