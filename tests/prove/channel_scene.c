/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/channel_scene.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/deadline.h"

/* What each message begins with; the rest is by the number. */
struct head {
	uint32_t stream; /* the role that published it */
	uint32_t size;
	uint64_t number;
};

#define BUFFER 32768u

static void name(const struct prove_run *run, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "channel:%s/c", prove_directory(run));
}

void channel_make(struct prove_run *run)
{
	struct nonet_channel_options options = {
		.size = sizeof(options),
		.flags = NONET_CHANNEL_MAY_EXIST,
		.publishers = CHANNEL_LANES,
		.subscribers = 5,
		.lane = CHANNEL_LANE,
	};
	struct nonet_error error = {0};
	char text[128];

	if (prove_state_is(run, "drop"))
		options.policy = NONET_CHANNEL_DROP;
	if (prove_state_is(run, "refuse"))
		options.policy = NONET_CHANNEL_REFUSE;
	name(run, text, sizeof(text));
	prove_require(run, nonet_channel_create(text, &options, &error) == 0, "%s", error.text);
}

/*
 * Where it can't get on by looking it doesn't look often, which would be stepped through: on the one processor that
 * there is. So it is bound to one, and learns of no others (sys_processors()).
 */
static void stay_here(struct prove_run *run)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_getaffinity, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	prove_require(run,
		      sched_setaffinity(0, sizeof(set), &set) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
			      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
		      "can't stay on one processor");
}

struct nonet_publisher *channel_publish(struct prove_run *run)
{
	struct nonet_publisher *publisher = NULL;
	struct nonet_error error = {0};
	char text[128];

	if (prove_role(run) == PROVE_FIRST || prove_role(run) == PROVE_SECOND)
		stay_here(run);
	name(run, text, sizeof(text));
	prove_require(run, nonet_publisher_open(text, &publisher, &error) == 0, "%s", error.text);
	return publisher;
}

struct nonet_subscriber *channel_subscribe(struct prove_run *run, uint32_t flags)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options),
							 .flags = flags | NONET_SUBSCRIBER_SLEEP};
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_error error = {0};
	char text[128];

	name(run, text, sizeof(text));
	prove_require(run, nonet_subscriber_open(text, &options, &subscriber, &error) == 0, "%s", error.text);
	return subscriber;
}

static unsigned char byte_of(const struct head *head, size_t place)
{
	return (unsigned char)(head->stream * 83 + head->number * 7 + place);
}

void channel_write(uint32_t stream, uint64_t number, size_t size, void *buffer)
{
	const struct head head = {.stream = stream, .size = (uint32_t)size, .number = number};

	memcpy(buffer, &head, sizeof(head));
	for (size_t i = sizeof(head); i < size; i++)
		((unsigned char *)buffer)[i] = byte_of(&head, i);
}

size_t channel_compose(const struct prove_run *run, uint64_t ahead, size_t size, void *buffer)
{
	const enum prove_role role = prove_role(run);

	channel_write((uint32_t)role, (uint64_t)prove_load(run, CHANNEL_BEGAN + (size_t)role) + ahead, size, buffer);
	return size;
}

static void add(struct prove_run *run, size_t of_all, int64_t count)
{
	const size_t index = of_all + (size_t)prove_role(run);

	prove_store(run, index, prove_load(run, index) + count);
}

void channel_begins(struct prove_run *run, unsigned count)
{
	add(run, CHANNEL_BEGAN, count);
	prove_begin(run);
}

void channel_ends(struct prove_run *run, int result)
{
	prove_end(run, result);
	prove_store(run, CHANNEL_BACK, nonet_clock());
}

int channel_try_to_send(struct prove_run *run, struct nonet_publisher *publisher, size_t size, nonet_time deadline)
{
	unsigned char buffer[BUFFER];
	int result;

	channel_compose(run, 0, size, buffer);
	add(run, CHANNEL_BEGAN, 1);
	result = nonet_publisher_send(publisher, buffer, size, deadline);
	prove_require(run, result == 0 || result == -ETIMEDOUT, "nonet_publisher_send() says %d", result);
	add(run, result == 0 ? CHANNEL_DONE : CHANNEL_BEGAN, result == 0 ? 1 : -1);
	return result;
}

void channel_send_sized(struct prove_run *run, struct nonet_publisher *publisher, size_t size)
{
	const int result = channel_try_to_send(run, publisher, size, prove_deadline());

	prove_require(run, result == 0, "there was no room, to the deadline");
}

void channel_send(struct prove_run *run, struct nonet_publisher *publisher, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		channel_send_sized(run, publisher, CHANNEL_SMALL(i));
}

/* A lane's records up to a place; the first is the note, which ends where a line does. */
static void fill(struct prove_run *run, struct nonet_publisher *publisher, uint64_t target)
{
	uint64_t tail = 64;

	while (tail + 2 * (CHANNEL_LARGE + 8) < target) {
		channel_send_sized(run, publisher, CHANNEL_LARGE);
		tail += CHANNEL_LARGE + 8;
	}
	channel_send_sized(run, publisher, (size_t)(target - tail) - 8);
}

/* A subscriber who is there until he is killed. */
static void subscribe_and_stay(struct prove_run *run)
{
	(void)channel_subscribe(run, 0);
	pause();
}

/* A publisher who is killed with a message half written. */
static void publish_and_stay(struct prove_run *run)
{
	struct nonet_publisher *publisher = channel_publish(run);
	void *buffer = NULL;

	channel_send(run, publisher, 2);
	prove_require(run, nonet_publisher_loan(publisher, 64, NONET_NOW, &buffer) == 0, "no loan");
	memset(buffer, 0xff, 64);
	pause();
}

/* Nothing more fits. */
#define FULL (CHANNEL_LANE - 16)

struct nonet_subscriber *channel_prepare(struct prove_run *run)
{
	const bool refuses = prove_state_is(run, "refuse");
	const bool stays = prove_state_is(run, "full") || refuses;
	struct nonet_publisher *publisher;
	struct nonet_publisher *second;
	struct nonet_subscriber *subscriber = NULL;

	channel_make(run);
	if (prove_state_is(run, "empty"))
		return NULL;
	if (stays)
		subscriber = channel_subscribe(run, 0);
	if (prove_state_is(run, "dead-subscriber"))
		prove_accompany(run, subscribe_and_stay);
	publisher = channel_publish(run);
	if (stays || prove_state_is(run, "drop") || prove_state_is(run, "read") ||
	    prove_state_is(run, "dead-subscriber"))
		fill(run, publisher, FULL);
	else if (prove_state_is(run, "wrapped"))
		/* A note still fits, and one message; the next lies over the end. */
		fill(run, publisher, 3 * CHANNEL_LANE - 64 - 24);
	else
		channel_send(run, publisher, 3);
	/* Of two each is to be refused. */
	if (refuses) {
		second = channel_publish(run);
		fill(run, second, FULL);
		nonet_publisher_close(second);
	}
	nonet_publisher_close(publisher);
	if (prove_state_is(run, "dead-publisher"))
		prove_accompany(run, publish_and_stay);
	prove_companions_kill(run);
	return subscriber;
}

void channel_look(struct prove_run *run, struct channel_seen *seen, const struct nonet_message *message)
{
	struct channel_next *lane = &seen->lanes[message->lane % CHANNEL_LANES];
	struct channel_next *stream;
	struct head head;

	prove_require(run, message->size >= sizeof(head), "a message of %zu bytes", message->size);
	memcpy(&head, message->data, sizeof(head));
	prove_require(run, head.size == message->size, "a message of %u bytes has %zu", head.size, message->size);
	for (size_t i = sizeof(head); i < message->size; i++)
		prove_require(run, ((const unsigned char *)message->data)[i] == byte_of(&head, i),
			      "a message is torn at byte %zu", i);
	prove_require(run, message->lane < CHANNEL_LANES, "a message of lane %u", message->lane);
	prove_require(run, message->lost == 0 || prove_state_is(run, "drop"), "%llu messages are lost",
		      (unsigned long long)message->lost);
	prove_require(run, !lane->any || message->sequence == lane->number + message->lost,
		      "in a lane comes message %llu instead of %llu, with %llu lost",
		      (unsigned long long)message->sequence, (unsigned long long)lane->number,
		      (unsigned long long)message->lost);
	*lane = (struct channel_next){true, message->sequence + 1};
	/* In row 5 a stream is that of a process, whose number it is. */
	if (head.stream >= PROVE_ROLES)
		return;
	stream = &seen->streams[message->lane][head.stream];
	prove_require(run,
		      !stream->any || head.number == stream->number ||
			      (message->lost > 0 && head.number > stream->number),
		      "of a publisher's messages comes %llu instead of %llu", (unsigned long long)head.number,
		      (unsigned long long)stream->number);
	*stream = (struct channel_next){true, head.number + 1};
}

int channel_read(struct prove_run *run, struct nonet_subscriber *subscriber, nonet_time deadline,
		 struct channel_seen *seen)
{
	const bool drops = prove_state_is(run, "drop");
	struct nonet_message message;
	unsigned char buffer[BUFFER];
	int result;

	for (;;) {
		result = drops ? nonet_subscriber_receive(subscriber, buffer, sizeof(buffer), deadline, &message)
			       : nonet_subscriber_take(subscriber, deadline, &message);
		if (result < 0)
			return result;
		channel_look(run, seen, &message);
		if (drops)
			continue;
		result = nonet_subscriber_release(subscriber, &message);
		prove_require(run, result == 0, "nonet_subscriber_release() says %d", result);
	}
}

int64_t channel_count(const struct channel_seen *seen, size_t role)
{
	uint64_t count = 0;

	for (size_t lane = 0; lane < CHANNEL_LANES; lane++)
		if (seen->streams[lane][role].number > count)
			count = seen->streams[lane][role].number;
	return (int64_t)count;
}

void channel_judge(struct prove_run *run, const struct channel_seen *seen)
{
	for (size_t role = 0; role < PROVE_ROLES; role++) {
		const int64_t began = prove_load(run, CHANNEL_BEGAN + role);
		const int64_t count = channel_count(seen, role);
		int64_t least = prove_load(run, CHANNEL_DONE + role);
		int64_t most = began;
		int64_t code;

		/* A victim that was killed behind its last instruction can't have said so itself. */
		if (role <= PROVE_SECOND && prove_returned(run, (enum prove_role)role, &code)) {
			least = code >= 0 ? began : least;
			most = code >= 0 ? began : least;
		}
		prove_require(run, count >= least, "of role %zu, %lld messages were acknowledged, and %lld are there",
			      role, (long long)least, (long long)count);
		prove_require(run, count == least || count == most,
			      "of role %zu, %lld messages are there: %lld were acknowledged, %lld began", role,
			      (long long)count, (long long)least, (long long)most);
	}
}

/* It reads nothing but what comes; so the machine knows whose death it waits for. */
static struct nonet_subscriber *history(struct prove_run *run, uint32_t flags)
{
	return channel_subscribe(run, NONET_SUBSCRIBER_HISTORY | flags);
}

/* For membarrier(2), which takes long once there are threads, it says now that it will publish. */
static void will_publish(struct prove_run *run)
{
	struct nonet_publisher *none = NULL;
	char text[128];

	snprintf(text, sizeof(text), "channel:%s/none", prove_directory(run));
	prove_require(run, nonet_publisher_open(text, &none, NULL) == -ENOENT, "there is a channel more");
}

void channel_survivor_reads(struct prove_run *run)
{
	struct channel_seen seen = {0};
	struct nonet_subscriber *subscriber;
	struct nonet_publisher *publisher;
	int result;

	will_publish(run);
	subscriber = history(run, NONET_SUBSCRIBER_END);
	prove_begin(run);
	result = channel_read(run, subscriber, prove_deadline(), &seen);
	prove_require(run, result == -EPIPE, "reading to the end says %d", result);
	channel_judge(run, &seen);
	publisher = channel_publish(run);
	/* The cast still doesn't read. */
	if (prove_state_is(run, "refuse")) {
		unsigned char buffer[64];
		const size_t size = channel_compose(run, 0, CHANNEL_SMALL(0), buffer);

		result = nonet_publisher_send(publisher, buffer, size, prove_deadline());
		prove_require(run, result == -EAGAIN, "nonet_publisher_send() says %d in a full lane", result);
	} else {
		channel_send(run, publisher, 1);
	}
	result = channel_read(run, subscriber, NONET_NOW, &seen);
	prove_end(run, 0);
	prove_require(run, result == -EAGAIN, "reading what is there says %d", result);
	channel_judge(run, &seen);
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
}

static void read_all(struct prove_run *run, struct channel_seen *seen)
{
	struct nonet_subscriber *subscriber = history(run, 0);
	int result = channel_read(run, subscriber, NONET_NOW, seen);

	prove_require(run, result == -EAGAIN, "reading what is there says %d", result);
	nonet_subscriber_close(subscriber);
}

void channel_survivor_publishes(struct prove_run *run)
{
	struct channel_seen before = {0};
	struct channel_seen after = {0};
	struct nonet_publisher *publisher;

	will_publish(run);
	read_all(run, &before);
	/* Who comes for the second time has overwritten what was there. */
	if (prove_load(run, CHANNEL_BEGAN + PROVE_SURVIVOR) == 0)
		channel_judge(run, &before);
	prove_begin(run);
	publisher = channel_publish(run);
	for (int i = 0; i < 3; i++)
		channel_send_sized(run, publisher, 30000);
	prove_end(run, 0);
	nonet_publisher_close(publisher);
	read_all(run, &after);
	prove_require(run, channel_count(&after, PROVE_SURVIVOR) == prove_load(run, CHANNEL_DONE + PROVE_SURVIVOR),
		      "what was published now isn't there");
}
