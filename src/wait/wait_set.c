/* SPDX-License-Identifier: Apache-2.0 */
#include "wait/wait_set.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "waitable/waitable.h"

#define WAIT_EVENTS (NONET_WAIT_RECEIVE | NONET_WAIT_SEND)

static bool events_are_good(uint32_t events)
{
	return events != 0 && !(events & ~(uint32_t)WAIT_EVENTS);
}

static uint32_t events_to_epoll(uint32_t events)
{
	return (events & NONET_WAIT_RECEIVE ? EPOLLIN : 0) | (events & NONET_WAIT_SEND ? EPOLLOUT : 0);
}

/* Under the mutex: let epoll watch a member's descriptor. */
static int set_watch(struct wait_member *member)
{
	return sys_epoll_add(member->set->epoll, member->fd, events_to_epoll(member->events), member);
}

bool wait_set_queue(struct wait_member *member)
{
	struct nonet_wait_set *set = member->set;
	bool asks = member->waitable && member->waitable->arm && (member->events & NONET_WAIT_RECEIVE);

	if (!asks)
		return false;
	/* [WAIT-QUEUED] A plain store would hide from member_is_ahead() what a toucher released with its own. */
	atomic_exchange_explicit(&member->waitable->queued, true, memory_order_acq_rel);
	if (list_is_empty(&member->in_to_arm))
		list_add_last(&set->to_arm, &member->in_to_arm);
	if (set->sleeping == 0 || set->rung)
		return false;
	set->rung = true;
	return true;
}

void wait_set_ring(struct nonet_wait_set *set)
{
	/* Can't fail: the counter is 0 or 1. */
	(void)sys_counter_write(set->bell, 1);
}

void wait_set_free_list(struct list *members)
{
	while (!list_is_empty(members)) {
		struct list *node = members->next;

		list_remove(node);
		sys_free(container_of(node, struct wait_member, in_set));
	}
}

static int set_open(struct nonet_wait_set *set)
{
	int fd = sys_epoll_create();

	if (fd < 0)
		return fd;
	set->epoll = fd;
	fd = sys_eventfd_create();
	if (fd < 0)
		return fd;
	set->bell = fd;
	return sys_epoll_add(set->epoll, set->bell, EPOLLIN, NULL);
}

int nonet_wait_set_new(struct nonet_wait_set **ret_set, struct nonet_error *reterr)
{
	struct nonet_wait_set *set;
	int error;

	error = wait_links_prepare();
	set = error < 0 ? NULL : sys_allocate(sizeof(*set));
	if (!set)
		return error_set(reterr, -ENOMEM, "can't make a wait set: %s", error_reason(-ENOMEM));
	set->generation = sys_generation();
	set->epoll = -1;
	set->bell = -1;
	pthread_mutex_init(&set->mutex, NULL);
	list_init(&set->members);
	list_init(&set->to_arm);
	list_init(&set->graves);
	list_init(&set->ghosts);
	error = set_open(set);
	if (error < 0) {
		nonet_wait_set_free(set);
		return error_set(reterr, error, "can't make a wait set: %s", error_reason(error));
	}
	*ret_set = set;
	return 0;
}

/* Everything that lives in the set's own memory. */
static void set_free_members(struct nonet_wait_set *set)
{
	wait_set_free_list(&set->members);
	wait_set_free_list(&set->graves);
	wait_set_free_list(&set->ghosts);
	set->by_fd = sys_free(set->by_fd);
}

/* Only the copies of the parent's descriptors are closed: its epoll goes on watching what it watched. */
static void set_abandon(struct nonet_wait_set *set)
{
	/*
	 * The members' objects may be closed here already, so they aren't told; they see by their generation. If a
	 * thread of the parent was changing the lists at the time of the fork, they can't be walked, and stay.
	 */
	if (pthread_mutex_trylock(&set->mutex) != 0)
		return;
	set_free_members(set);
	pthread_mutex_unlock(&set->mutex);
}

struct nonet_wait_set *nonet_wait_set_free(struct nonet_wait_set *set)
{
	struct list *node;

	if (!set)
		return NULL;
	if (wait_set_is_foreign(set)) {
		set_abandon(set);
	} else {
		wait_links_lock();
		list_for_each (node, &set->members) {
			struct wait_member *member = container_of(node, struct wait_member, in_set);

			if (member->waitable)
				wait_link_clear(member->waitable);
		}
		wait_links_unlock();
		set_free_members(set);
		pthread_mutex_destroy(&set->mutex);
	}
	sys_close(&set->epoll);
	sys_close(&set->bell);
	return sys_free(set);
}

static struct wait_member *member_new(struct nonet_wait_set *set, struct nonet_waitable *waitable, int fd,
				      uint32_t events, void *data)
{
	struct wait_member *member = sys_allocate(sizeof(*member));

	if (!member)
		return NULL;
	list_init(&member->in_set);
	list_init(&member->in_to_arm);
	member->set = set;
	member->waitable = waitable;
	member->fd = fd;
	member->events = events;
	member->data = data;
	return member;
}

void wait_set_remove_member(struct wait_member *member)
{
	struct nonet_wait_set *set = member->set;
	int error = sys_epoll_remove(set->epoll, member->fd);

	list_remove(&member->in_set);
	list_remove(&member->in_to_arm);
	member->events = 0;
	if (error < 0)
		list_add_last(&set->ghosts, &member->in_set);
	else if (set->waiting > 0)
		list_add_last(&set->graves, &member->in_set);
	else
		sys_free(member);
}

int nonet_wait_set_add(struct nonet_wait_set *set, struct nonet_waitable *waitable, uint32_t events, void *data)
{
	struct wait_member *member;
	bool ring = false;
	int error;

	if (wait_set_is_foreign(set))
		return -ECHILD;
	if (!waitable || !events_are_good(events))
		return -EINVAL;
	/* Why it has none. */
	if (waitable->fd < 0)
		return waitable->fd;
	member = member_new(set, waitable, waitable->fd, events, data);
	if (!member)
		return -ENOMEM;

	wait_links_lock();
	pthread_mutex_lock(&set->mutex);
	error = wait_link_find(waitable) ? -EBUSY : set_watch(member);
	if (error == 0) {
		list_add_last(&set->members, &member->in_set);
		wait_link_set(waitable, member);
		ring = wait_set_queue(member);
	}
	pthread_mutex_unlock(&set->mutex);
	if (ring)
		wait_set_ring(set);
	wait_links_unlock();
	if (error < 0)
		sys_free(member);
	/* Its descriptor is here already, by nonet_wait_set_add_fd(). */
	return error == -EEXIST ? -EBUSY : error;
}

int nonet_wait_set_change(struct nonet_wait_set *set, struct nonet_waitable *waitable, uint32_t events)
{
	struct wait_member *member;
	bool ring = false;
	int error = -ENOENT;

	if (wait_set_is_foreign(set))
		return -ECHILD;
	if (!events_are_good(events))
		return -EINVAL;
	wait_links_lock();
	member = wait_link_find(waitable);
	if (member && member->set == set) {
		pthread_mutex_lock(&set->mutex);
		error = sys_epoll_change(set->epoll, member->fd, events_to_epoll(events), member);
		if (error == 0) {
			member->events = events;
			ring = wait_set_queue(member);
		}
		pthread_mutex_unlock(&set->mutex);
		if (ring)
			wait_set_ring(set);
	}
	wait_links_unlock();
	return error;
}

int nonet_wait_set_remove(struct nonet_wait_set *set, struct nonet_waitable *waitable)
{
	struct wait_member *member;
	int error = -ENOENT;

	if (wait_set_is_foreign(set))
		return -ECHILD;
	wait_links_lock();
	member = wait_link_find(waitable);
	if (member && member->set == set) {
		pthread_mutex_lock(&set->mutex);
		wait_set_remove_member(member);
		pthread_mutex_unlock(&set->mutex);
		wait_link_clear(waitable);
		error = 0;
	}
	wait_links_unlock();
	return error;
}

/* Under the mutex: room for @fd in by_fd. */
static int set_grow_by_fd(struct nonet_wait_set *set, int fd)
{
	struct wait_member **by_fd;
	size_t count = set->by_fd_count > 0 ? set->by_fd_count : 64;
	size_t size;

	if ((size_t)fd < set->by_fd_count)
		return 0;
	while (count <= (size_t)fd)
		count *= 2;
	if (!checked_multiply_size(count, sizeof(struct wait_member *), &size))
		return -ENOMEM;
	by_fd = sys_reallocate(set->by_fd, size);
	if (!by_fd)
		return -ENOMEM;
	memset(by_fd + set->by_fd_count, 0, (count - set->by_fd_count) * sizeof(struct wait_member *));
	set->by_fd = by_fd;
	set->by_fd_count = count;
	return 0;
}

int nonet_wait_set_add_fd(struct nonet_wait_set *set, int fd, uint32_t events, void *data)
{
	struct wait_member *member;
	int error;

	if (wait_set_is_foreign(set))
		return -ECHILD;
	if (!events_are_good(events))
		return -EINVAL;
	if (fd < 0)
		return -EBADF;
	member = member_new(set, NULL, fd, events, data);
	if (!member)
		return -ENOMEM;

	pthread_mutex_lock(&set->mutex);
	/* First this, before there is room for a number that may not even be open. */
	error = set_watch(member);
	if (error < 0) {
		sys_free(member);
	} else {
		error = set_grow_by_fd(set, fd);
		if (error < 0) {
			/* epoll may have told somebody of it already. */
			wait_set_remove_member(member);
		} else {
			list_add_last(&set->members, &member->in_set);
			set->by_fd[fd] = member;
		}
	}
	pthread_mutex_unlock(&set->mutex);
	return error;
}

int nonet_wait_set_remove_fd(struct nonet_wait_set *set, int fd)
{
	int error = -ENOENT;

	if (wait_set_is_foreign(set))
		return -ECHILD;
	pthread_mutex_lock(&set->mutex);
	if (fd >= 0 && (size_t)fd < set->by_fd_count && set->by_fd[fd]) {
		wait_set_remove_member(set->by_fd[fd]);
		set->by_fd[fd] = NULL;
		error = 0;
	}
	pthread_mutex_unlock(&set->mutex);
	return error;
}
