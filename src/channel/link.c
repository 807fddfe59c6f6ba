/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/link.h"

#include <errno.h>
#include <poll.h>

#include <nonet/unix.h>

#include "channel/channel.h"
#include "sys/event.h"
#include "sys/memory.h"
#include "sys/sockets.h"

/*
 * Waiting for the other side of a socket. It may be hostile: whatever it sends is thrown away, and however much that
 * is, a look takes LINK_READS of it, so that who waits sees his deadline.
 *
 * [CHANNEL-CLAIM]  Who left in order has released his claim: what he published before is there.
 */

#define LINK_READS 16

bool channel_link_is_over(const struct channel_link *link)
{
	return atomic_load_explicit(&link->over, memory_order_relaxed) ||
	       /* [CHANNEL-CLAIM] pair: channel_leave() */
	       (link->theirs && claim_is_free(atomic_load_explicit(link->theirs, memory_order_acquire)));
}

bool channel_link_look(struct channel_link *link)
{
	char bytes[256];

	for (int i = 0; i < LINK_READS && !atomic_load_explicit(&link->over, memory_order_relaxed); i++) {
		/* Descriptors that come beside it the kernel drops. */
		const ssize_t count = sys_receive_bytes(link->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		/* No memory to be told: another time. */
		if (count == -EAGAIN || count == -ENOMEM || count == -ENOBUFS)
			break;
		if (count <= 0)
			atomic_store_explicit(&link->over, true, memory_order_relaxed);
	}
	return channel_link_is_over(link);
}

int channel_link_ring(struct channel_link *link)
{
	const ssize_t count = sys_send_bytes(link->fd, "", 1, MSG_DONTWAIT);

	/* Full: so it is readable. */
	if (count >= 0 || count == -EAGAIN)
		return 0;
	if (count == -ENOMEM || count == -ENOBUFS)
		return -ENOBUFS;
	atomic_store_explicit(&link->over, true, memory_order_relaxed);
	return -EPIPE;
}

int channel_link_sleep(struct channel_link *link, const struct sys_futex_word *word, nonet_time deadline)
{
	const nonet_time most = nonet_after(link->polls ? DOMAIN_INTERVAL : LINK_FUTEX);
	const nonet_time until = most < deadline ? most : deadline;
	int result;

	if (link->polls) {
		result = sys_poll_one(link->fd, POLLIN, until);
		/* Before anybody says again what he waits for: a byte that is thrown away here was for the last time.
		 */
		if (result > 0)
			(void)channel_link_look(link);
	} else {
		result = sys_futex_wait(word->word, word->value, until);
	}
	if (result == -ETIMEDOUT && until < deadline) {
		link->polls = true;
		return 0;
	}
	return result < 0 ? result : 0;
}

void channel_link_close(struct channel *channel)
{
	nonet_unix_close(channel->link->socket);
	guard_map_done(&channel->object.map);
	channel->link = sys_free(channel->link);
}
