/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_LINK_H
#define CHANNEL_LINK_H

#include <stdatomic.h>
#include <stdbool.h>

#include <nonet/channel.h>

#include "sys/futex.h"

struct channel;

/*
 * A channel over a connected UNIX socket: link_layout.h says which memory of which side lies where. The calls on
 * publishers and subscribers are those of a channel in a domain; what a domain gives there, the link gives here:
 *
 *   who lives        the socket: its end is the other side's death, told by the kernel. Who leaves in order frees his
 *                    claim first, so that the other needn't ask the kernel
 *   the doorbell     the socket: one byte
 *   poisoning        our own word: nobody else has the channel
 *
 * Who sleeps does so by futex first, on a word of the other side's page, which can only be read; that takes half as
 * long as by the socket, but tells of no death. So after LINK_FUTEX he says that he waits by the socket too (polled,
 * wants_polled), and polls it. That bounds as well what a peer can do who takes our futex away (FUTEX_CMP_REQUEUE).
 */
struct channel_link {
	struct nonet_unix *socket;
	int fd; /* the socket's */
	bool polls;
	atomic_bool over;               /* the socket has ended */
	const _Atomic uint64_t *theirs; /* the other side's claim: of its lane, or its seat; NULL: not known yet */
};

#define LINK_FUTEX NONET_MS(10)

/* Whether the other side has gone, as far as is known. */
bool channel_link_is_over(const struct channel_link *link);

/* Drain what has rung, and ask the kernel: the same. */
bool channel_link_look(struct channel_link *link);

/* Ring: 0; -EPIPE: the other side has gone; -ENOBUFS: the kernel has no memory, nobody was rung. */
int channel_link_ring(struct channel_link *link);

/* Sleep, but not long: 0 to look again; -ETIMEDOUT, -ENOMEM, -EFAULT. */
int channel_link_sleep(struct channel_link *link, const struct sys_futex_word *word, nonet_time deadline);

/* Our claim was given back before: forked children have the socket too, which so ends with the last of them. */
void channel_link_close(struct channel *channel);

#endif
