/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_CALL_LAYOUT_H
#define CALL_CALL_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Calls over the lanes of a channel (channel/channel_layout.h) that has @clients:
 *
 *   lane 0 to clients - 1            requests: each is the bytes of one message. A client publishes in one lane
 *   lane clients + N                 the replies to the client in lane N. The server publishes in it from its first
 *                                    reply on
 *   lane 2 * clients                 the server: its claim is his. No ring
 *
 * What a reply belongs to is told by the number of the request: the message's sequence in its lane, which the channel
 * counts through all lives of the lane's publishers, and which so never comes twice. A request that wasn't published
 * leaves its number to the next one; nobody has seen it.
 *
 * A new server reads the lanes of requests from their ends on. To whoever may have sent something before, it says from
 * which number on it gets his requests.
 */

enum call_kind {
	CALL_REPLY = 0,
	CALL_BEGINS = 1, /* a server is new: it gets requests from @number on, and none before */
};

/*
 * What each message in a lane of replies begins with.
 * offset  size
 *      0     8  number: of the request
 *      8     4  code: 0, or what the server says that went wrong
 *     12     4  kind: enum call_kind
 */
struct call_head {
	uint64_t number;
	int32_t code;
	uint32_t kind;
};
static_assert(offsetof(struct call_head, code) == 8, "layout");
static_assert(offsetof(struct call_head, kind) == 12, "layout");
static_assert(sizeof(struct call_head) == 16, "layout");

#endif
