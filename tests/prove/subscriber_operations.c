/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/deadline.h"
#include "prove/channel_scene.h"

/* Subscribing, and publishers that meet subscribers: without the cast, each for a little while. */

static struct nonet_publisher *publisher_of_cast;

/* "one", "read", "drop", "dead-publisher", "dead-subscriber": as a publisher's. Nobody is there but the victims. */
static void prepare_meeting(struct prove_run *run)
{
	(void)channel_prepare(run);
}

/* Nothing is there, and the cast publishes once the subscriber sleeps. */
static void prepare_waiting(struct prove_run *run)
{
	channel_make(run);
	publisher_of_cast = channel_publish(run);
}

static void prepare_arming(struct prove_run *run)
{
	prepare_waiting(run);
}

static void release(struct prove_run *run)
{
	channel_send(run, publisher_of_cast, 1);
}

/* The handle that a fork of the victim inherits; what it has read, and holds. */
static struct nonet_subscriber *parents;
static struct channel_seen seen;

/* More than from one place to the next where a publisher can go on. */
#define HELD 10
static struct nonet_message held[HELD];

static void join(struct prove_run *run)
{
	parents = channel_subscribe(run, NONET_SUBSCRIBER_HISTORY);
}

/* All of the cast's messages, so that what comes next is what is waited for. */
static void join_behind(struct prove_run *run)
{
	struct nonet_message message;
	const uint64_t all = (uint64_t)prove_load(run, CHANNEL_BEGAN + PROVE_CAST);

	join(run);
	while ((uint64_t)channel_count(&seen, PROVE_CAST) < all) {
		prove_require(run, nonet_subscriber_take(parents, NONET_NOW, &message) == 0, "the cast's aren't there");
		channel_look(run, &seen, &message);
		prove_require(run, nonet_subscriber_release(parents, &message) == 0, "can't release");
	}
}

/* @result: of waiting a little for one who may come meanwhile, or not. */
static void met(struct prove_run *run, int result, nonet_time deadline)
{
	const nonet_time back = prove_load(run, CHANNEL_BACK);

	prove_require(run, result >= 0 || result == -ETIMEDOUT, "waiting says %d", result);
	prove_require(run, result >= 0 || !back || back >= deadline, "a wake is lost: it slept until its deadline");
}

#define A_LITTLE NONET_MS(80)

/* Until when: where nobody wakes them, none is later than the other. */
static nonet_time a_little(struct prove_run *run)
{
	if (!prove_load(run, CHANNEL_UNTIL))
		prove_store(run, CHANNEL_UNTIL, nonet_after(A_LITTLE));
	return prove_load(run, CHANNEL_UNTIL);
}

/* The operation: a message of that size. */
static void send_it(struct prove_run *run, struct nonet_publisher *publisher, size_t size)
{
	const nonet_time deadline = a_little(run);
	unsigned char buffer[CHANNEL_LARGE];
	int result;

	channel_compose(run, 0, size, buffer);
	channel_begins(run, 1);
	result = nonet_publisher_send(publisher, buffer, size, deadline);
	channel_ends(run, result);
	met(run, result, deadline);
}

static void send(struct prove_run *run)
{
	send_it(run, channel_publish(run), CHANNEL_SMALL(1));
}

/*
 * One who has seen how far all have read, and needs the room of what is there: by that alone, if nobody joins. The
 * first message makes him look; the room of one step, which he gets then, is for so many.
 */
#define STEP 5

static void send_next(struct prove_run *run)
{
	struct nonet_publisher *publisher = channel_publish(run);

	/* One who joins, and is stopped there, keeps what he may read. */
	for (int i = 0; i < STEP; i++)
		if (channel_try_to_send(run, publisher, CHANNEL_LARGE, a_little(run)) == -ETIMEDOUT)
			prove_leave(run);
	send_it(run, publisher, CHANNEL_LARGE);
}

static void look_at(struct prove_run *run, const struct nonet_message *message)
{
	channel_look(run, &seen, message);
}

static void take(struct prove_run *run)
{
	struct nonet_message message;
	nonet_time deadline;
	int result;

	join_behind(run);
	deadline = a_little(run);
	prove_begin(run);
	result = nonet_subscriber_take(parents, deadline, &message);
	prove_end(run, result);
	met(run, result, deadline);
	if (result < 0)
		return;
	look_at(run, &message);
	result = nonet_subscriber_release(parents, &message);
	prove_require(run, result == 0, "nonet_subscriber_release() says %d", result);
}

static void receive(struct prove_run *run)
{
	struct nonet_message message;
	unsigned char buffer[64];
	nonet_time deadline;
	int result;

	join_behind(run);
	deadline = a_little(run);
	prove_begin(run);
	result = nonet_subscriber_receive(parents, buffer, sizeof(buffer), deadline, &message);
	prove_end(run, result);
	met(run, result, deadline);
	if (result >= 0)
		look_at(run, &message);
}

static void take_some(struct prove_run *run)
{
	join(run);
	for (int i = 0; i < HELD; i++) {
		prove_require(run, nonet_subscriber_take(parents, NONET_NOW, &held[i]) == 0, "the cast's aren't there");
		look_at(run, &held[i]);
	}
}

/* The first of those that it holds, as the last. */
static void release_last(struct prove_run *run)
{
	int result;

	take_some(run);
	for (int i = HELD - 1; i > 0; i--)
		prove_require(run, nonet_subscriber_release(parents, &held[i]) == 0, "can't release");
	prove_begin(run);
	result = nonet_subscriber_release(parents, &held[0]);
	channel_ends(run, result);
	prove_require(run, result == 0, "nonet_subscriber_release() says %d", result);
}

/* Holding some. */
static void close_it(struct prove_run *run)
{
	take_some(run);
	prove_begin(run);
	parents = nonet_subscriber_close(parents);
	channel_ends(run, parents ? -1 : 0);
}

/* The operation; and then all that is there is read. */
static void subscribe(struct prove_run *run)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options),
							 .flags = NONET_SUBSCRIBER_HISTORY | NONET_SUBSCRIBER_SLEEP};
	char text[128];
	int result;

	snprintf(text, sizeof(text), "channel:%s/c", prove_directory(run));
	prove_begin(run);
	result = nonet_subscriber_open(text, &options, &parents, NULL);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_subscriber_open() says %d", result);
	result = channel_read(run, parents, NONET_NOW, &seen);
	prove_require(run, result == -EAGAIN, "reading says %d", result);
}

static void open_it(struct prove_run *run)
{
	/* It joins the domain. */
	(void)channel_subscribe(run, NONET_SUBSCRIBER_HISTORY);
	subscribe(run);
}

/* The first to read a lane whose publisher knows that nobody does. */
static void join_it(struct prove_run *run)
{
	char text[128];

	/* Of the domain it is a member before. */
	snprintf(text, sizeof(text), "channel:%s/none", prove_directory(run));
	prove_require(run, nonet_subscriber_open(text, NULL, &parents, NULL) == -ENOENT, "there is a channel more");
	subscribe(run);
}

/* The cast publishes. */
static void take_wait(struct prove_run *run)
{
	struct nonet_message message;
	int result;

	join(run);
	prove_begin(run);
	result = nonet_subscriber_take(parents, prove_deadline(), &message);
	prove_end(run, result);
	prove_require(run, result == 0, "nonet_subscriber_take() says %d", result);
	look_at(run, &message);
}

static void be_rung(struct prove_run *run)
{
	struct pollfd fd = {.fd = nonet_subscriber_fd(parents), .events = POLLIN};
	struct nonet_message message;
	int result;

	while ((result = nonet_subscriber_take(parents, NONET_NOW, &message)) == -EAGAIN) {
		result = nonet_subscriber_arm(parents);
		prove_require(run, result >= 0, "nonet_subscriber_arm() says %d", result);
		if (result == 0)
			prove_require(run, test_poll(&fd, 1, prove_deadline()) > 0, "nobody rings");
	}
	prove_require(run, result == 0, "nonet_subscriber_take() says %d", result);
	look_at(run, &message);
}

static void arm(struct prove_run *run)
{
	struct pollfd fd = {.events = POLLIN};
	int result;

	join(run);
	fd.fd = nonet_subscriber_fd(parents);
	prove_require(run, fd.fd >= 0, "no descriptor");
	prove_begin(run);
	result = nonet_subscriber_arm(parents);
	prove_end(run, result);
	prove_require(run, result == 0 || result == 1, "nonet_subscriber_arm() says %d", result);
	/* By this alone, not by being armed again. */
	if (result == 0)
		prove_require(run, test_poll(&fd, 1, prove_deadline()) > 0, "nobody rings");
	be_rung(run);
}

/* It waits as the victim does, until the cast publishes for both. */
static void survivor_waits(struct prove_run *run)
{
	join(run);
	prove_begin(run);
	be_rung(run);
	prove_end(run, 0);
}

/* Row 5: of the workers some publish and some read. Lanes and seats are free once who had them is gone. */
static void churn_publishing(struct prove_run *run, const char *address)
{
	struct nonet_publisher *publisher = NULL;
	unsigned char buffer[64];
	int result;

	while ((result = nonet_publisher_open(address, &publisher, NULL)) == -EUSERS)
		sched_yield();
	prove_require(run, result == 0, "nonet_publisher_open() says %d", result);
	for (uint64_t number = 0;; number++) {
		channel_write((uint32_t)getpid(), number, CHANNEL_SMALL(number), buffer);
		result = nonet_publisher_send(publisher, buffer, CHANNEL_SMALL(number), prove_deadline());
		prove_require(run, result == 0, "nonet_publisher_send() says %d", result);
	}
}

static void churn(struct prove_run *run)
{
	char text[128];
	int result;

	snprintf(text, sizeof(text), "channel:%s/c", prove_directory(run));
	if (getpid() % 2)
		churn_publishing(run, text);
	while ((result = nonet_subscriber_open(text, NULL, &parents, NULL)) == -EUSERS)
		sched_yield();
	prove_require(run, result == 0, "nonet_subscriber_open() says %d", result);
	result = channel_read(run, parents, prove_deadline(), &seen);
	prove_require(run, false, "reading says %d", result);
}

/* All are dead: to the end of what they have left, and on from there. */
static void count(struct prove_run *run)
{
	struct nonet_subscriber *subscriber = channel_subscribe(run, NONET_SUBSCRIBER_HISTORY | NONET_SUBSCRIBER_END);
	struct nonet_publisher *publisher;
	int result;

	prove_begin(run);
	result = channel_read(run, subscriber, prove_deadline(), &seen);
	prove_end(run, result);
	prove_require(run, result == -EPIPE, "reading to the end says %d", result);
	publisher = channel_publish(run);
	channel_send(run, publisher, 1);
	result = channel_read(run, subscriber, NONET_NOW, &seen);
	prove_require(run, result == -EAGAIN && channel_count(&seen, PROVE_SURVIVOR) > 0, "reading on says %d", result);
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
}

static void forked(struct prove_run *run)
{
	struct nonet_message message = {0};
	char byte;

	prove_require(run, nonet_subscriber_take(parents, NONET_NOW, &message) == -ECHILD, "the child may take");
	prove_require(run, nonet_subscriber_receive(parents, &byte, 1, NONET_NOW, NULL) == -ECHILD,
		      "the child may receive");
	prove_require(run, nonet_subscriber_release(parents, &message) == -ECHILD, "the child may release");
	prove_require(run, nonet_subscriber_arm(parents) == -ECHILD, "the child may arm");
}

#define MEET(name_, symbol_, victim_)                                                                        \
	.name = "channel-meet-" name_, .object = "channel", .symbol = "nonet_" symbol_, .victim = (victim_), \
	.prepare = prepare_meeting, .survivor = channel_survivor_publishes

const struct prove_operation prove_channel_meet = {
	MEET("take", "subscriber_take", take),
	.distinct_only = true,
	.states = (const char *const[]){"one", "dead-publisher", NULL},
	.forked = forked,
	.patience = A_LITTLE,
	.churn = churn,
	.count = count,
};

const struct prove_operation prove_channel_meet_receive = {
	MEET("receive", "subscriber_receive", receive),
	.distinct_only = true,
	.states = (const char *const[]){"one", "drop", NULL},
	.patience = A_LITTLE,
};

const struct prove_operation prove_channel_meet_release = {
	MEET("release", "subscriber_release", release_last),
	.states = (const char *const[]){"read", NULL},
	.forked = forked,
};

const struct prove_operation prove_channel_meet_close = {
	MEET("close", "subscriber_close", close_it),
	.states = (const char *const[]){"read", NULL},
};

const struct prove_operation prove_channel_meet_open = {
	MEET("open", "subscriber_open", open_it),
	.distinct_only = true,
	.states = (const char *const[]){"one", "read", "drop", "dead-subscriber", NULL},
};

const struct prove_operation prove_channel_meet_send = {
	MEET("send", "publisher_send", send),
	.distinct_only = true,
	.states = (const char *const[]){"one", "read", "drop", "dead-publisher", NULL},
	.patience = A_LITTLE,
};

const struct prove_operation prove_channel_meet_next = {
	MEET("next", "publisher_send", send_next),
	.distinct_only = true,
	.states = (const char *const[]){"read", NULL},
	.patience = A_LITTLE,
};

const struct prove_operation prove_channel_meet_join = {
	MEET("join", "subscriber_open", join_it),
	.distinct_only = true,
	.states = (const char *const[]){"read", NULL},
};

const struct prove_operation prove_channel_take_wait = {
	.name = "channel-take-wait",
	.object = "channel",
	.symbol = "nonet_subscriber_take",
	.states = (const char *const[]){"empty", NULL},
	.prepare = prepare_waiting,
	.release = release,
	.victim = take_wait,
	.survivor = survivor_waits,
	.fresh = true,
};

const struct prove_operation prove_channel_arm = {
	.name = "channel-arm",
	.object = "channel",
	.symbol = "nonet_subscriber_arm",
	.states = (const char *const[]){"empty", NULL},
	.prepare = prepare_arming,
	.release = release,
	.victim = arm,
	.survivor = survivor_waits,
	.forked = forked,
	.fresh = true,
};
