/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PRIVILEGE_H
#define SYS_PRIVILEGE_H

#include <stdbool.h>

/*
 * Whether the calling thread may be let over the limits of message queues: it has CAP_SYS_RESOURCE. The kernel counts
 * it only in the first user namespace, so it may refuse all the same. true also where it can't be told.
 */
bool sys_may_exceed_limits(void);

#endif
