/* SPDX-License-Identifier: Apache-2.0 */
#include "filelock/filelock.h"

static int flock_set(int fd, enum sys_lock_mode mode, const struct sys_lock_range *range, bool wait)
{
	(void)range;
	return sys_whole_lock(fd, mode, wait);
}

const struct filelock_carrier filelock_flock = {
	.scheme = "flock",
	.any_access = true,
	.drops_on_change = true,
	.set = flock_set,
};
