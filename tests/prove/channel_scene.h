/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_CHANNEL_SCENE_H
#define PROVE_CHANNEL_SCENE_H

#include <nonet/channel.h>

#include "prove/operations.h"

/*
 * A channel in a domain of the run's own. What must be true, whoever is killed where: messages that were acknowledged
 * are all there, each lane's in order, none missing but what was told as lost; the one, or the batch, that wasn't
 * acknowledged is there wholly, or not at all; who reads on is through, or told of the end, in time; a dead subscriber
 * keeps no publisher waiting, and a dead publisher's lane goes on with the next one.
 */

/* Words of the run: of each role, how many messages it began to publish, and how many before this operation. */
#define CHANNEL_BEGAN  0
#define CHANNEL_DONE   PROVE_ROLES
#define CHANNEL_BACK   10 /* when who published, or made room, was back */
#define CHANNEL_UNTIL  11 /* when they who meet give up, all at once */
#define CHANNEL_PASSED 12 /* the companion has read all */

#define CHANNEL_LANES 3
#define CHANNEL_LANE  65536u
/* Of messages that fill a lane, and of one that says who it is; others have up to 64 bytes. */
#define CHANNEL_LARGE 1000u
#define CHANNEL_LEAST 16u

/* The channel, made by whoever comes first: of the policy that the state names. */
void channel_make(struct prove_run *run);
struct nonet_publisher *channel_publish(struct prove_run *run);
/* @flags: NONET_SUBSCRIBER_*; it sleeps at once. */
struct nonet_subscriber *channel_subscribe(struct prove_run *run, uint32_t flags);

/* What the cast does in each state that has no process of its own. Returns its subscriber, who never reads, or NULL. */
struct nonet_subscriber *channel_prepare(struct prove_run *run);

/* Message @number of a stream: that of a role, or, in row 5, of a process. @size: at least CHANNEL_LEAST */
void channel_write(uint32_t stream, uint64_t number, size_t size, void *buffer);
/* Of this role's stream the message behind those that began, and @ahead more. Return: its size */
size_t channel_compose(const struct prove_run *run, uint64_t ahead, size_t size, void *buffer);
#define CHANNEL_SMALL(ahead) (24 + 8 * ((ahead) % 4))

/* Publish @count messages that nobody is killed in; or one of a size. */
void channel_send(struct prove_run *run, struct nonet_publisher *publisher, unsigned count);
void channel_send_sized(struct prove_run *run, struct nonet_publisher *publisher, size_t size);
/* The same, or -ETIMEDOUT. */
int channel_try_to_send(struct prove_run *run, struct nonet_publisher *publisher, size_t size, nonet_time deadline);
/* Around what publishes @count messages: all or none. */
void channel_begins(struct prove_run *run, unsigned count);
void channel_ends(struct prove_run *run, int result);

/* What one subscriber has seen: of each lane, and there of each role's stream, which number comes next. */
struct channel_next {
	bool any;
	uint64_t number;
};

struct channel_seen {
	struct channel_next lanes[CHANNEL_LANES];
	struct channel_next streams[CHANNEL_LANES][PROVE_ROLES];
};

/* A message that it has taken: whole, and the next of its lane and stream. */
void channel_look(struct prove_run *run, struct channel_seen *seen, const struct nonet_message *message);
/* Take, look, and give back until there is none: returns why not. */
int channel_read(struct prove_run *run, struct nonet_subscriber *subscriber, nonet_time deadline,
		 struct channel_seen *seen);
/* How many of a role's messages there were, from its first to the last that was seen. */
int64_t channel_count(const struct channel_seen *seen, size_t role);
/* All has been read, by one who was there from the beginning, or with the history. */
void channel_judge(struct prove_run *run, const struct channel_seen *seen);

/* Survivors. Reads to the end, takes over a lane, and reads what it has published there. */
prove_function channel_survivor_reads;
/* Publishes more than a lane holds, once it has read what is there. */
prove_function channel_survivor_publishes;

#endif
