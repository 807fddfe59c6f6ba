/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "bench_channel.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* nonet's channel through its public calls, between one publisher and whoever reads. */

#define LANE_LEAST ((uint64_t)1 << 20)

static int make_one(const char *address, const struct bench_case *what)
{
	struct nonet_channel_options options = {
		.size = sizeof(options), .publishers = what->publishers, .lane = LANE_LEAST};

	/* A message is at most a half of it. */
	while (options.lane < 4 * what->size)
		options.lane *= 2;
	return nonet_channel_create(address, &options, NULL);
}

int bench_channel_prepare(struct bench_link *link)
{
	struct bench_channel *channel = calloc(1, sizeof(*channel));
	char name[] = "/dev/shm/nonet-bench-XXXXXX";

	link->state = channel;
	if (!channel)
		return -ENOMEM;
	channel->set = -1;
	if (!mkdtemp(name))
		return -errno;
	snprintf(channel->domain, sizeof(channel->domain), "%s", name);
	snprintf(channel->there, sizeof(channel->there), "channel:%s/there", name);
	snprintf(channel->back, sizeof(channel->back), "channel:%s/back", name);
	return 0;
}

void bench_channel_discard(struct bench_link *link)
{
	struct bench_channel *channel = link->state;
	struct dirent *entry;
	DIR *folder;

	if (!channel)
		return;
	folder = channel->domain[0] ? opendir(channel->domain) : NULL;
	while (folder && (entry = readdir(folder)) != NULL)
		(void)unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
	if (channel->domain[0])
		(void)rmdir(channel->domain);
	free(channel);
}

/* How the row's mode has a subscriber wait. */
static uint32_t flags_of(const struct bench_link *link)
{
	switch (link->what->mode) {
	case BENCH_POLL:
		return NONET_SUBSCRIBER_POLL;
	case BENCH_STREAM:
		return link->crowded ? 0 : NONET_SUBSCRIBER_POLL;
	case BENCH_ASLEEP:
		return NONET_SUBSCRIBER_SLEEP;
	default:
		return 0;
	}
}

static int join_set(struct bench_channel *channel)
{
	struct epoll_event wanted = {.events = EPOLLIN};
	int fd = nonet_subscriber_fd(channel->subscriber);

	if (fd < 0)
		return fd;
	channel->set = epoll_create1(EPOLL_CLOEXEC);
	return channel->set < 0 || epoll_ctl(channel->set, EPOLL_CTL_ADD, fd, &wanted) < 0 ? -errno : 0;
}

int bench_channel_join(struct bench_link *link, const char *publishes, const char *reads)
{
	struct nonet_subscriber_options options = {.size = sizeof(options), .flags = flags_of(link)};
	struct bench_channel *channel = link->state;
	int r = 0;

	/* The first one makes them: a member of their domain has a thread, and the command is to have none. */
	if (link->place == 0)
		r = make_one(channel->there, link->what);
	if (r == 0 && link->place == 0)
		r = make_one(channel->back, link->what);
	if (r == 0 && publishes)
		r = nonet_publisher_open(publishes, &channel->publisher, NULL);
	if (r == 0 && reads)
		r = nonet_subscriber_open(reads, &options, &channel->subscriber, NULL);
	if (r == 0 && reads && link->what->mode == BENCH_EPOLL)
		r = join_set(channel);
	return r;
}

static int channel_join(struct bench_link *link)
{
	const struct bench_channel *channel = link->state;

	if (link->place == 0)
		return bench_channel_join(link, channel->there, channel->back);
	if (link->place == 1)
		return bench_channel_join(link, channel->back, channel->there);
	return link->place <= link->what->subscribers ? bench_channel_join(link, NULL, channel->there) : 0;
}

LOOP int put_loaned(struct bench_link *link)
{
	return channel_publish(link, 1);
}

LOOP int put_untouched(struct bench_link *link)
{
	return channel_publish(link, 0);
}

LOOP int take_copied(struct bench_link *link)
{
	return channel_receive(link, NONET_FOREVER);
}

LOOP int take_loaned(struct bench_link *link)
{
	return channel_take(link, 1, NONET_FOREVER);
}

LOOP int take_untouched(struct bench_link *link)
{
	return channel_take(link, 0, NONET_FOREVER);
}

/* As a loop of events does: take what is there, arm, sleep. */
static inline int take_by_epoll(struct bench_link *link)
{
	const struct bench_channel *channel = link->state;
	struct epoll_event event;
	int r;

	for (;;) {
		r = channel_take(link, 1, NONET_NOW);
		if (r != -EAGAIN)
			return r;
		r = nonet_subscriber_arm(channel->subscriber);
		if (r < 0)
			return r;
		while (r == 0 && epoll_wait(channel->set, &event, 1, -1) < 0)
			if (errno != EINTR)
				return -errno;
	}
}

static int channel_lead(struct bench_link *link, struct bench_slice *slice)
{
	if (link->what->mode == BENCH_EPOLL)
		return loop_lead(link, slice, channel_send, take_by_epoll, NULL);
	switch (link->what->kind) {
	case BENCH_COPIED:
		return loop_lead(link, slice, channel_send, take_copied, NULL);
	case BENCH_COPIED_IN:
		return loop_lead(link, slice, channel_send, take_loaned, NULL);
	case BENCH_LOANED:
		return loop_lead(link, slice, put_loaned, take_loaned, NULL);
	default:
		return loop_lead(link, slice, put_untouched, take_untouched, NULL);
	}
}

static int channel_follow(struct bench_link *link)
{
	if (link->place > 1 && link->place > link->what->subscribers)
		return 0;
	if (link->what->mode == BENCH_EPOLL)
		return loop_follow(link, channel_send, take_by_epoll);
	switch (link->what->kind) {
	case BENCH_COPIED:
		return loop_follow(link, channel_send, take_copied);
	case BENCH_COPIED_IN:
		return loop_follow(link, channel_send, take_loaned);
	case BENCH_LOANED:
		return loop_follow(link, put_loaned, take_loaned);
	default:
		return loop_follow(link, put_untouched, take_untouched);
	}
}

const struct bench_way bench_way_channel = {
	.prepare = bench_channel_prepare,
	.discard = bench_channel_discard,
	.join = channel_join,
	.lead = channel_lead,
	.follow = channel_follow,
};
