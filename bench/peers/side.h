/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PEERS_SIDE_H
#define BENCH_PEERS_SIDE_H

#include "session.h"

/* What one of the two processes does, once it is forked: a asks and measures, b answers. */
struct side {
	const struct session_entry *entry;
	const struct session_options *options;
	const struct peer_session *session;
	struct session_shared *shared;
	int control; /* to the other one: a stream of packets */

	/* its own */
	const struct peer *peer;
	void *end;
	void *message;
	struct peer_reader reader;
	uint64_t words; /* the sum of a message's, but for its number */
};

/* Return: 0; or a negative errno, and why is in the outcome. */
int side_ask(struct side *side);
int side_answer(struct side *side);

#endif
