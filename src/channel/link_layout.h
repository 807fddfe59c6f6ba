/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_LINK_LAYOUT_H
#define CHANNEL_LINK_LAYOUT_H

#include "channel/channel_layout.h"

/*
 * A channel over a connected UNIX socket has one lane and one seat. Its words are those of channel_layout.h, in two
 * pages that are mapped in a row. Each is a memfd of the side that writes it, which has sealed it when the other gets
 * it: no size can change, and nobody can write, but through the mappings that its maker had before
 * (F_SEAL_FUTURE_WRITE). So what one side may not write, the kernel keeps it from writing.
 *
 *   page 0, the publisher's    from LINK_PAYLOAD on struct channel_board, and struct channel_lane up to where its
 *                              subscribers' words begin: that is where the page ends
 *   page 1, the subscriber's   the lane's other words, struct channel_seat, struct channel_position
 *   the ring, the publisher's  a memfd of its own, which may have huge pages
 *
 * The two claims are LINK_CLAIM, or 0 once that side has left; who is who tells nobody.
 *
 * The two meet by one message each (docs/frame.md on a stream):
 *
 *   the publisher    struct link_hello, with the descriptors of page 0 and the ring
 *   the subscriber   struct link_hello, with the descriptor of page 1, in which his position is already
 *
 * After that each byte on the socket is a ring of the doorbell, and its end the other side's.
 */
#define LINK_PAGE    4096u
#define LINK_PAYLOAD (LINK_PAGE - sizeof(struct channel_board) - CHANNEL_LANE_THEIRS)
static_assert(LINK_PAYLOAD % 64 == 0, "layout");
static_assert(sizeof(struct channel_lane) - CHANNEL_LANE_THEIRS + sizeof(struct channel_seat) +
			      sizeof(struct channel_position) <=
		      LINK_PAGE,
	      "layout");

#define LINK_PUBLISHER  UINT64_C(0x73696c6275703a6e) /* "n:publis" */
#define LINK_SUBSCRIBER UINT64_C(0x63736275733a6e6e) /* "nn:subsc" */

/* A claim's slot is 1. */
#define LINK_CLAIM UINT64_C(0x10000)

/* Flags of struct link_hello. */
#define LINK_FENCED 1u /* he can't call membarrier(2): the publisher stays fenced */

/*
 * offset  size
 *      0     8  magic: LINK_PUBLISHER or LINK_SUBSCRIBER
 *      8     4  layout: CHANNEL_LAYOUT
 *     12     4  policy: enum channel_policy; of the subscriber 0
 *     16     8  lane: bytes of the ring; of the subscriber 0
 *     24     4  flags: LINK_FENCED, of the subscriber
 */
struct link_hello {
	uint64_t magic;
	uint32_t layout;
	uint32_t policy;
	uint64_t lane;
	uint32_t flags;
	uint32_t unused;
};
static_assert(offsetof(struct link_hello, layout) == 8, "layout");
static_assert(offsetof(struct link_hello, policy) == 12, "layout");
static_assert(offsetof(struct link_hello, lane) == 16, "layout");
static_assert(offsetof(struct link_hello, flags) == 24, "layout");
static_assert(sizeof(struct link_hello) == 32, "layout");

#endif
