/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ipc_key.h"

#include <errno.h>
#include <sys/ipc.h>

#include "sys/fault.h"

int sys_ipc_key(const char *path, int project, int32_t *ret_key)
{
	int error = sys_fault(SYS_CALL_STAT);
	key_t key;

	if (error < 0)
		return error;
	errno = 0;
	key = ftok(path, project);
	/* -1 is a key like any other, if stat(2) succeeded. */
	if (key == -1 && errno != 0)
		return -errno;
	*ret_key = key;
	return 0;
}
