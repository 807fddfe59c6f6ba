/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#include "bench_loops.h"

/* The kernel's message queues: the plain calls, with nothing around them. */

/* Of a POSIX queue; a user may have more only if the machine was set so. */
#define DEPTH 10

struct queues {
	int there, back;
	int give, take;
	int flags; /* IPC_NOWAIT, of System V */
	struct {   /* of System V: a message behind its type */
		long type;
		char bytes[];
	} * letter, *mail;
};

static struct queues *queues_new(struct bench_link *link)
{
	struct queues *queues = calloc(1, sizeof(*queues));

	link->state = queues;
	if (queues)
		queues->there = queues->back = -1;
	return queues;
}

static int queues_join(struct bench_link *link)
{
	struct queues *queues = link->state;

	queues->give = link->place == 0 ? queues->there : queues->back;
	queues->take = link->place == 0 ? queues->back : queues->there;
	return 0;
}

/* Whether to go on after a failed call. */
static inline int queues_again(int wanted)
{
	if (errno != wanted && errno != EINTR)
		return 0;
	bench_pause();
	return 1;
}

/* Its name is gone as soon as it is open. */
static int posixmq_make(const struct bench_link *link, int way)
{
	const int flags = link->what->mode == BENCH_POLL ? O_NONBLOCK : 0;
	struct mq_attr attributes = {.mq_maxmsg = DEPTH, .mq_msgsize = (long)link->what->size};
	char name[64];
	mqd_t queue;
	int code;

	snprintf(name, sizeof(name), "/nonet-bench-%d-%d", (int)getpid(), way);
	queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attributes);
	code = queue < 0 ? -errno : queue;
	if (code >= 0)
		(void)mq_unlink(name);
	return code;
}

static int posixmq_prepare(struct bench_link *link)
{
	struct queues *queues = queues_new(link);

	if (!queues)
		return -ENOMEM;
	queues->there = posixmq_make(link, 0);
	queues->back = queues->there < 0 ? -1 : posixmq_make(link, 1);
	if (queues->there < 0)
		return queues->there;
	return queues->back < 0 ? queues->back : 0;
}

static void posixmq_discard(struct bench_link *link)
{
	struct queues *queues = link->state;

	if (!queues)
		return;
	if (queues->there >= 0)
		mq_close(queues->there);
	if (queues->back >= 0)
		mq_close(queues->back);
	free(queues);
}

static inline int posixmq_put(struct bench_link *link)
{
	const struct queues *queues = link->state;

	while (mq_send(queues->give, link->message, link->what->size, 0) < 0)
		if (!queues_again(EAGAIN))
			return -errno;
	return 0;
}

static inline int posixmq_take(struct bench_link *link)
{
	const struct queues *queues = link->state;

	while (mq_receive(queues->take, link->buffer, link->what->size, NULL) < 0)
		if (!queues_again(EAGAIN))
			return -errno;
	link->sum += loop_sum(link->buffer, link->what->size);
	return 0;
}

static int posixmq_lead(struct bench_link *link, struct bench_slice *slice)
{
	return loop_lead(link, slice, posixmq_put, posixmq_take, NULL);
}

static int posixmq_follow(struct bench_link *link)
{
	return loop_follow(link, posixmq_put, posixmq_take);
}

const struct bench_way bench_way_posixmq = {
	.prepare = posixmq_prepare,
	.discard = posixmq_discard,
	.join = queues_join,
	.lead = posixmq_lead,
	.follow = posixmq_follow,
};

static int sysvmsg_prepare(struct bench_link *link)
{
	struct queues *queues = queues_new(link);

	if (!queues)
		return -ENOMEM;
	queues->letter = calloc(1, sizeof(*queues->letter) + link->what->size);
	queues->mail = calloc(1, sizeof(*queues->mail) + link->what->size);
	if (!queues->letter || !queues->mail)
		return -ENOMEM;
	queues->letter->type = 1;
	queues->flags = link->what->mode == BENCH_POLL ? IPC_NOWAIT : 0;
	queues->there = msgget(IPC_PRIVATE, 0600);
	if (queues->there < 0)
		return -errno;
	queues->back = msgget(IPC_PRIVATE, 0600);
	return queues->back < 0 ? -errno : 0;
}

static void sysvmsg_discard(struct bench_link *link)
{
	struct queues *queues = link->state;

	if (!queues)
		return;
	if (queues->there >= 0)
		msgctl(queues->there, IPC_RMID, NULL);
	if (queues->back >= 0)
		msgctl(queues->back, IPC_RMID, NULL);
	free(queues->letter);
	free(queues->mail);
	free(queues);
}

static inline int sysvmsg_put(struct bench_link *link)
{
	const struct queues *queues = link->state;

	while (msgsnd(queues->give, queues->letter, link->what->size, queues->flags) < 0)
		if (!queues_again(EAGAIN))
			return -errno;
	return 0;
}

static inline int sysvmsg_take(struct bench_link *link)
{
	const struct queues *queues = link->state;

	while (msgrcv(queues->take, queues->mail, link->what->size, 0, queues->flags) < 0)
		if (!queues_again(ENOMSG))
			return -errno;
	link->sum += loop_sum(queues->mail->bytes, link->what->size);
	return 0;
}

static int sysvmsg_lead(struct bench_link *link, struct bench_slice *slice)
{
	return loop_lead(link, slice, sysvmsg_put, sysvmsg_take, NULL);
}

static int sysvmsg_follow(struct bench_link *link)
{
	return loop_follow(link, sysvmsg_put, sysvmsg_take);
}

const struct bench_way bench_way_sysvmsg = {
	.prepare = sysvmsg_prepare,
	.discard = sysvmsg_discard,
	.join = queues_join,
	.lead = sysvmsg_lead,
	.follow = sysvmsg_follow,
};
