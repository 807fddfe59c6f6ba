/* SPDX-License-Identifier: Apache-2.0 */
#include "waitable/waitable.h"

#include <stddef.h>

/*
 * [WAIT-LINK]   A thread that finds @member set may call @hooks, which were written before it; one that finds it NULL
 *               may free the object, since whoever took it out of its set does nothing with the object afterwards.
 * [WAIT-QUEUED] We leave something read ahead, then set @queued; the set clears @queued, then asks @arm. Both are
 *               read-modify-writes of one word, hence in one order: if we find it still set, the set's clearing comes
 *               later and its @arm sees what we left; else we tell the set.
 */

void waitable_init(struct nonet_waitable *waitable, int fd, int (*arm)(struct nonet_waitable *waitable))
{
	*waitable = (struct nonet_waitable){.fd = fd, .arm = arm};
}

static bool waitable_is_member(struct nonet_waitable *waitable)
{
	return atomic_load_explicit(&waitable->member,
				    memory_order_acquire); /* [WAIT-LINK] pair: wait_link_set(), wait_link_clear() */
}

void waitable_done(struct nonet_waitable *waitable)
{
	if (waitable_is_member(waitable))
		waitable->hooks->closing(waitable);
	waitable->fd = -1;
}

void waitable_touch(struct nonet_waitable *waitable)
{
	if (!waitable_is_member(waitable))
		return;
	if (atomic_exchange_explicit(&waitable->queued, true, memory_order_acq_rel)) /* [WAIT-QUEUED] */
		return;
	waitable->hooks->touched(waitable);
}

int waitable_arm(struct nonet_waitable *waitable)
{
	return waitable->arm ? waitable->arm(waitable) : 0;
}
