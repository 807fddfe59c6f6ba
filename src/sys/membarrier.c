/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/membarrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"

static int membarrier_call(int command)
{
	int error = sys_fault(SYS_CALL_MEMBARRIER);

	if (error < 0)
		return error;
	return syscall(SYS_membarrier, command, 0, 0) < 0 ? -errno : 0;
}

int sys_membarrier_register(void)
{
	return membarrier_call(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
}

int sys_membarrier(void)
{
	return membarrier_call(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}
