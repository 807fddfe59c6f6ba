/* SPDX-License-Identifier: Apache-2.0 */
#include "waitable/waitable.h"

#include <stddef.h>

void waitable_init(struct nonet_waitable *waitable, int fd, int (*arm)(struct nonet_waitable *waitable))
{
	*waitable = (struct nonet_waitable){.fd = fd, .arm = arm};
}

void waitable_done(struct nonet_waitable *waitable)
{
	if (waitable->member)
		waitable->closing(waitable->member);
	waitable->fd = -1;
}

void waitable_touch(struct nonet_waitable *waitable)
{
	if (waitable->member)
		waitable->touched(waitable->member);
}

int waitable_arm(struct nonet_waitable *waitable)
{
	return waitable->arm ? waitable->arm(waitable) : 0;
}
