/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "harness/deadline.h"
#include "prove/channel_scene.h"

/* Publishing. */

/* The cast's, for release(). */
static struct nonet_subscriber *subscriber_of_cast;

/*
 * "empty": nobody has published; "one": something is there, and this publisher has begun;
 * "wrapped": its record goes over the ring's end; "read": the lane is full of what nobody needs; "drop": so it is,
 * overwritten whoever needs it; "refuse": somebody needs it, and publishers are told; "dead-subscriber": he who needed
 * it is dead; "dead-publisher": one died with half a message written; "unfenced", "unfencing": 1,000 messages have
 * passed without a sleeper, or pass with this one.
 */
static void prepare(struct prove_run *run)
{
	subscriber_of_cast = channel_prepare(run);
}

/* By functions of their own where pairs with the others make no sense. */
static void prepare_waiting(struct prove_run *run)
{
	prepare(run);
}

static void prepare_opening(struct prove_run *run)
{
	prepare(run);
}

static void prepare_named(struct prove_run *run)
{
	prepare(run);
}

static void prepare_none(struct prove_run *run)
{
	struct nonet_publisher *none = NULL;
	char text[128];

	/* The domain is there. */
	snprintf(text, sizeof(text), "channel:%s/none", prove_directory(run));
	prove_require(run, nonet_publisher_open(text, &none, NULL) == -ENOENT, "there is a channel");
}

static void passed(struct prove_run *run)
{
	prove_store(run, CHANNEL_PASSED, 1);
}

/* Of a companion: to the end, asleep, or by the descriptor. */
static void read_asleep(struct prove_run *run)
{
	struct nonet_subscriber *subscriber = channel_subscribe(run, NONET_SUBSCRIBER_HISTORY | NONET_SUBSCRIBER_END);
	struct channel_seen seen = {0};
	int result = channel_read(run, subscriber, prove_deadline(), &seen);

	prove_require(run, result == -EPIPE, "reading to the end says %d", result);
	channel_judge(run, &seen);
	nonet_subscriber_close(subscriber);
	passed(run);
}

static void read_by_bell(struct prove_run *run)
{
	struct nonet_subscriber *subscriber = channel_subscribe(run, NONET_SUBSCRIBER_HISTORY | NONET_SUBSCRIBER_END);
	struct pollfd fd = {.fd = nonet_subscriber_fd(subscriber), .events = POLLIN};
	struct channel_seen seen = {0};
	int result;

	prove_require(run, fd.fd >= 0, "nonet_subscriber_fd() says %d", fd.fd);
	while ((result = channel_read(run, subscriber, NONET_NOW, &seen)) == -EAGAIN) {
		result = nonet_subscriber_arm(subscriber);
		prove_require(run, result >= 0, "nonet_subscriber_arm() says %d", result);
		if (result == 0)
			prove_require(run, test_poll(&fd, 1, prove_deadline()) > 0, "nobody rings");
	}
	prove_require(run, result == -EPIPE, "reading to the end says %d", result);
	channel_judge(run, &seen);
	nonet_subscriber_close(subscriber);
	passed(run);
}

/* It sleeps, as nobody publishes. It can't be put back. */
static void prepare_crowd(struct prove_run *run)
{
	channel_make(run);
	prove_accompany(run, prove_state_is(run, "bell") ? read_by_bell : read_asleep);
}

/* What is in the way of a publisher that waits is read, and its reader ends. */
static void release(struct prove_run *run)
{
	struct channel_seen seen = {0};
	int result = channel_read(run, subscriber_of_cast, NONET_NOW, &seen);

	prove_require(run, result == -EAGAIN, "reading says %d", result);
	subscriber_of_cast = nonet_subscriber_close(subscriber_of_cast);
}

/* The handle that a fork of the victim inherits. */
static struct nonet_publisher *parents;

static void pass_quietly(struct prove_run *run, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		channel_send_sized(run, parents, CHANNEL_LEAST);
}

/* One that has got as far as the state says. */
static void become(struct prove_run *run)
{
	parents = channel_publish(run);
	if (prove_state_is(run, "one") || prove_state_is(run, "wrapped"))
		channel_send(run, parents, 1);
	/* With the note, which is a record too. Those of two publishers, one behind the other, fit into the lane. */
	if (prove_state_is(run, "unfencing"))
		pass_quietly(run, 998);
	if (prove_state_is(run, "unfenced"))
		pass_quietly(run, 1000);
}

static void send_it(struct prove_run *run)
{
	unsigned char buffer[64];
	const size_t size = channel_compose(run, 0, CHANNEL_SMALL(1), buffer);
	int result;

	channel_begins(run, 1);
	result = nonet_publisher_send(parents, buffer, size, prove_deadline());
	channel_ends(run, result);
	prove_require(run, result == (prove_state_is(run, "refuse") ? -EAGAIN : 0), "nonet_publisher_send() says %d",
		      result);
}

static void send(struct prove_run *run)
{
	become(run);
	send_it(run);
}

static void loan(struct prove_run *run, uint64_t ahead)
{
	void *buffer = NULL;
	int result = nonet_publisher_loan(parents, CHANNEL_SMALL(ahead), prove_deadline(), &buffer);

	prove_require(run, result == 0, "nonet_publisher_loan() says %d", result);
	channel_compose(run, ahead, CHANNEL_SMALL(ahead), buffer);
}

/* So many that appear only with another. */
static void keep_back(struct prove_run *run, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		loan(run, i);
		prove_require(run, nonet_publisher_publish(parents, CHANNEL_SMALL(i), NONET_CHANNEL_MORE) == 0,
			      "can't keep a message back");
	}
}

/* Loaned only, nothing of it is published. */
static void loan_it(struct prove_run *run)
{
	void *buffer = NULL;
	int result;

	become(run);
	prove_begin(run);
	result = nonet_publisher_loan(parents, 40, prove_deadline(), &buffer);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_publisher_loan() says %d", result);
}

/* "more": kept back, it isn't there when the publisher dies. "batch": with two that were kept back. */
static void publish(struct prove_run *run)
{
	const bool more = prove_state_is(run, "more");
	const unsigned held = prove_state_is(run, "batch") ? 2 : 0;
	int result;

	become(run);
	keep_back(run, held);
	loan(run, held);
	channel_begins(run, more ? 0 : held + 1);
	result = nonet_publisher_publish(parents, CHANNEL_SMALL(held), more ? NONET_CHANNEL_MORE : 0);
	channel_ends(run, result);
	prove_require(run, result == 0, "nonet_publisher_publish() says %d", result);
}

/* "batch": what is kept back appears, and the loan doesn't. */
static void abort_it(struct prove_run *run)
{
	const unsigned held = prove_state_is(run, "batch") ? 2 : 0;
	int result;

	become(run);
	keep_back(run, held);
	loan(run, held);
	channel_begins(run, held);
	result = nonet_publisher_abort(parents);
	channel_ends(run, result);
	prove_require(run, result == 0, "nonet_publisher_abort() says %d", result);
}

/* Who joined before, as a subscriber: the domain's way isn't what is stepped through. */
static void open_it(struct prove_run *run)
{
	struct nonet_publisher *publisher = NULL;
	char text[128];
	int result;

	snprintf(text, sizeof(text), "channel:%s/none", prove_directory(run));
	prove_require(run, nonet_publisher_open(text, &publisher, NULL) == -ENOENT, "there is a channel more");
	snprintf(text, sizeof(text), "channel:%s/c", prove_directory(run));
	(void)channel_subscribe(run, 0);
	prove_begin(run);
	result = nonet_publisher_open(text, &parents, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_publisher_open() says %d", result);
	channel_send(run, parents, 1);
}

static void close_it(struct prove_run *run)
{
	become(run);
	prove_begin(run);
	parents = nonet_publisher_close(parents);
	prove_end(run, parents ? -1 : 0);
}

static void create(struct prove_run *run)
{
	prove_begin(run);
	channel_make(run);
	prove_end(run, 0);
}

static void unlink_it(struct prove_run *run)
{
	struct nonet_subscriber *subscriber;
	char text[128];
	int result;

	/* The first may have removed it already. */
	if (prove_role(run) == PROVE_SECOND)
		channel_make(run);
	subscriber = channel_subscribe(run, 0);
	snprintf(text, sizeof(text), "channel:%s/c", prove_directory(run));
	prove_begin(run);
	result = nonet_channel_unlink(text, NULL);
	prove_end(run, result);
	prove_require(run, result == 0 || result == -ENOENT, "nonet_channel_unlink() says %d", result);
	nonet_subscriber_close(subscriber);
}

/* Once the publisher is dead, who slept goes on: to the end of what it has published. So does this one. */
static void survivor_counts(struct prove_run *run)
{
	struct nonet_subscriber *subscriber = channel_subscribe(run, NONET_SUBSCRIBER_HISTORY | NONET_SUBSCRIBER_END);
	const nonet_time deadline = prove_deadline();
	struct channel_seen seen = {0};
	int result;

	prove_begin(run);
	result = channel_read(run, subscriber, deadline, &seen);
	prove_require(run, result == -EPIPE, "reading to the end says %d", result);
	while (!prove_load(run, CHANNEL_PASSED) && nonet_clock() < deadline)
		sched_yield();
	prove_end(run, 0);
	prove_require(run, prove_load(run, CHANNEL_PASSED), "who slept doesn't go on");
	channel_judge(run, &seen);
	nonet_subscriber_close(subscriber);
}

/* Whoever comes has the one that is there, or makes one. */
static void survivor_makes(struct prove_run *run)
{
	struct nonet_publisher *publisher;

	prove_begin(run);
	channel_make(run);
	prove_end(run, 0);
	publisher = channel_publish(run);
	channel_send(run, publisher, 1);
	nonet_publisher_close(publisher);
}

static void forked(struct prove_run *run)
{
	void *buffer = NULL;

	prove_require(run, nonet_publisher_loan(parents, 8, NONET_NOW, &buffer) == -ECHILD, "the child may loan");
	prove_require(run, nonet_publisher_publish(parents, 8, 0) == -ECHILD, "the child may publish");
	prove_require(run, nonet_publisher_send(parents, "12345678", 8, NONET_NOW) == -ECHILD, "the child may send");
	prove_require(run, nonet_publisher_abort(parents) == -ECHILD, "the child may abort");
}

#define CHANNEL(name_, symbol_, victim_) \
	.name = "channel-" name_, .object = "channel", .symbol = "nonet_" symbol_, .victim = (victim_)

const struct prove_operation prove_channel_send = {
	CHANNEL("send", "publisher_send", send),
	.states = (const char *const[]){"one", "empty", "wrapped", "read", "drop", "refuse", "dead-subscriber",
					"dead-publisher", "unfencing", "unfenced", NULL},
	.prepare = prepare,
	.survivor = channel_survivor_reads,
};

const struct prove_operation prove_channel_loan = {
	CHANNEL("loan", "publisher_loan", loan_it),
	.states = (const char *const[]){"read", "drop", NULL},
	.prepare = prepare,
	.survivor = channel_survivor_reads,
};

const struct prove_operation prove_channel_publish = {
	CHANNEL("publish", "publisher_publish", publish),
	.states = (const char *const[]){"one", "more", "batch", "unfenced", NULL},
	.prepare = prepare,
	.survivor = channel_survivor_reads,
	.forked = forked,
};

const struct prove_operation prove_channel_abort = {
	CHANNEL("abort", "publisher_abort", abort_it),
	.states = (const char *const[]){"one", "batch", NULL},
	.prepare = prepare,
	.survivor = channel_survivor_reads,
};

/* The lane is full, and who is behind reads on only once the publisher sleeps. */
const struct prove_operation prove_channel_send_wait = {
	CHANNEL("send-wait", "publisher_send", send),
	.states = (const char *const[]){"full", NULL},
	.prepare = prepare_waiting,
	.release = release,
	.survivor = channel_survivor_reads,
	.fresh = true,
};

/* A subscriber sleeps, or has armed its descriptor. */
const struct prove_operation prove_channel_send_crowd = {
	CHANNEL("send-crowd", "publisher_send", send),
	.states = (const char *const[]){"asleep", "bell", NULL},
	.prepare = prepare_crowd,
	.survivor = survivor_counts,
	.fresh = true,
	.distinct_only = true,
};

const struct prove_operation prove_publisher_open = {
	CHANNEL("publish-open", "publisher_open", open_it),
	.distinct_only = true,
	.states = (const char *const[]){"empty", "dead-publisher", NULL},
	.prepare = prepare_opening,
	.survivor = channel_survivor_publishes,
};

const struct prove_operation prove_publisher_close = {
	CHANNEL("publish-close", "publisher_close", close_it),
	.states = (const char *const[]){"one", NULL},
	.prepare = prepare,
	.survivor = channel_survivor_reads,
};

/* What follows are the mutex's ways, but for what is in the object. */
const struct prove_operation prove_channel_create = {
	CHANNEL("create", "channel_create", create),
	.states = (const char *const[]){"absent", NULL},
	.prepare = prepare_none,
	.survivor = survivor_makes,
	.calls_only = true,
};

const struct prove_operation prove_channel_unlink = {
	CHANNEL("unlink", "channel_unlink", unlink_it),
	.states = (const char *const[]){"one", NULL},
	.prepare = prepare_named,
	.survivor = survivor_makes,
	.calls_only = true,
};
