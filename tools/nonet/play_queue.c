/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nonet/queue.h>

/* Two POSIX queues, one each way, whose names are gone as soon as they are open; and a System V queue for its types. */
struct queues {
	struct nonet_queue *there;
	struct nonet_queue *back;
};

static int queue_send(void *object, const void *message, size_t size, nonet_time deadline)
{
	return nonet_queue_send(object, message, size, NULL, deadline);
}

static int queue_receive(void *object, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	struct nonet_queue_message message;
	int r = nonet_queue_receive(object, buffer, capacity, NULL, deadline, &message);

	if (r == 0)
		*ret_size = (size_t)message.size;
	return r;
}

static void serve(void *data)
{
	struct queues *queues = data;
	struct link link = {queue_send, queue_receive, queues->back, queues->there};

	play_serve(&link, NULL, NULL);
}

static int open_posix(const char *word, struct nonet_queue **ret_queue)
{
	const struct nonet_queue_options options = {.size = sizeof(options), .depth = 8, .message_size = PLAY_MESSAGE};
	char address[64];
	int r;

	snprintf(address, sizeof(address), "posixmq:/nonet-tour-%d-%s", (int)getpid(), word);
	r = nonet_queue_create(address, &options, ret_queue, NULL);
	return r < 0 ? r : nonet_queue_unlink(address, NULL);
}

static int send_with(struct nonet_queue *queue, uint32_t priority, int64_t type, const char *text)
{
	const struct nonet_queue_label label = {.size = sizeof(label), .priority = priority, .type = type};

	return nonet_queue_send(queue, text, strlen(text), &label, NONET_NOW);
}

/* Receives by @select, and compares. */
static int expect(struct nonet_queue *queue, const struct nonet_queue_select *select, const char *text)
{
	struct nonet_queue_message message;
	char bytes[PLAY_MESSAGE];
	int r = nonet_queue_receive(queue, bytes, sizeof(bytes), select, NONET_NOW, &message);

	if (r < 0)
		return r;
	return message.size == strlen(text) && memcmp(bytes, text, strlen(text)) == 0 ? 0 : -EPROTO;
}

static int show_priority(struct nonet_queue *queue, struct score *score)
{
	int r;

	r = send_with(queue, 0, 0, "usual");
	if (r == 0)
		r = send_with(queue, 9, 0, "urgent");
	if (r == 0)
		r = expect(queue, NULL, "urgent");
	if (r == 0)
		r = expect(queue, NULL, "usual");
	if (r < 0)
		return play_failed(score, "receiving the urgent message first", r);
	PLAY_EXCHANGED(score, "POSIX: an urgent message overtook the usual one");
	return 0;
}

static int show_types(struct score *score)
{
	const struct nonet_queue_select two = {.size = sizeof(two), .which = NONET_QUEUE_TYPE, .type = 2};
	struct nonet_queue *queue;
	char address[64];
	int r;

	snprintf(address, sizeof(address), "sysvmsg:%u", 0x54000000u | (unsigned)getpid());
	r = nonet_queue_create(address, NULL, &queue, NULL);
	if (r < 0)
		return play_failed(score, "making a System V queue", r);
	r = send_with(queue, 0, 1, "one");
	if (r == 0)
		r = send_with(queue, 0, 2, "two");
	if (r == 0)
		r = expect(queue, &two, "two");
	if (r == 0)
		r = expect(queue, NULL, "one");
	nonet_queue_close(queue);
	(void)!nonet_queue_unlink(address, NULL);
	if (r < 0)
		return play_failed(score, "receiving by type", r);
	PLAY_EXCHANGED(score, "System V: a message was chosen by its type");
	return 0;
}

/* Nobody is told of a death; what was sent waits for whoever comes next. */
static int show_death(struct queues *queues, struct partner *partner, struct score *score)
{
	int r;

	partner_end(partner);
	r = send_with(queues->there, 0, 0, "left");
	if (r == 0)
		r = expect(queues->there, NULL, "left");
	if (r < 0)
		return play_failed(score, "keeping a message whose receiver was killed", r);
	PLAY_RULE(score, "peer killed: the message stayed for the next receiver");
	return 0;
}

int play_queues(struct score *score)
{
	struct queues queues = {NULL, NULL};
	struct partner partner = {0};
	struct link link;
	int r;

	r = open_posix("there", &queues.there);
	if (r == 0)
		r = open_posix("back", &queues.back);
	if (r < 0)
		play_failed(score, "making a POSIX queue", r);
	if (r == 0) {
		r = partner_start(&partner, serve, &queues);
		if (r < 0)
			play_failed(score, "starting a process", r);
	}
	link = (struct link){queue_send, queue_receive, queues.there, queues.back};
	if (r == 0)
		r = play_ping_pong(&link, score);
	if (r == 0)
		r = play_stream(&link, score);
	if (r == 0)
		r = show_priority(queues.back, score);
	if (r == 0)
		r = show_types(score);
	if (r == 0)
		r = play_deadline(&link, score);
	if (r == 0)
		r = show_death(&queues, &partner, score);
	partner_end(&partner);
	nonet_queue_close(queues.there);
	nonet_queue_close(queues.back);
	return r;
}
