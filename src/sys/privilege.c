/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/privilege.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fault.h"

bool sys_may_exceed_limits(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	/* The C library has no function for it. */
	if (sys_fault(SYS_CALL_CAPGET) < 0 || syscall(SYS_capget, &header, data) < 0)
		return true;
	return data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective & CAP_TO_MASK(CAP_SYS_RESOURCE);
}
