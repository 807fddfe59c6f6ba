/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/robust.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(SYS_LIFE_WAITERS == FUTEX_WAITERS, "as in the kernel");
_Static_assert(SYS_LIFE_DIED == FUTEX_OWNER_DIED, "as in the kernel");
_Static_assert(SYS_LIFE_THREAD == FUTEX_TID_MASK, "as in the kernel");

/* The kernel counts from a word to the node's "next". */
#define NEXT offsetof(struct sys_robust_node, next)

/* NULL: the thread has none, or not one of a form that we know. */
static struct robust_list_head *robust_head(void)
{
	struct robust_list_head *head = NULL;
	size_t size = 0;

	if (syscall(SYS_get_robust_list, 0, &head, &size) < 0 || size != sizeof(*head))
		return NULL;
	return head && head->futex_offset == -(long)(SYS_ROBUST_DISTANCE + NEXT) ? head : NULL;
}

/* Both pointers of a node lead to the "next" of another; the head's own has a "previous" in front too. */
static struct sys_robust_node *robust_node(void *next)
{
	return (struct sys_robust_node *)(((uintptr_t)next & ~(uintptr_t)1) - NEXT);
}

/* What we believe of the list, looked at while a mutex of ours is the first in it. */
static bool robust_is_as_we_think(pthread_mutex_t *mutex)
{
	struct robust_list_head *head = robust_head();
	struct sys_robust_node *node = (struct sys_robust_node *)((char *)mutex + SYS_ROBUST_DISTANCE);

	if (!head || sizeof(pthread_mutex_t) < SYS_ROBUST_DISTANCE + sizeof(*node))
		return false;
	return robust_node(head->list.next) == node && node->previous == &head->list &&
	       robust_node(robust_node(node->next)->previous) == node;
}

static bool robust_works;

static void robust_try(void)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;

	pthread_mutexattr_init(&attributes);
	if (pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
	    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
	    pthread_mutex_init(&mutex, &attributes) == 0) {
		if (pthread_mutex_lock(&mutex) == 0) {
			robust_works = robust_is_as_we_think(&mutex);
			pthread_mutex_unlock(&mutex);
		}
		pthread_mutex_destroy(&mutex);
	}
	pthread_mutexattr_destroy(&attributes);
}

static bool robust_is_known(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, robust_try);
	return robust_works;
}

/*
 * [ROBUST-NODE]  The kernel follows "next" alone, so a node is in or out by one store; before it the node itself is
 *                whole. Fences for the compiler alone: only this thread, and the kernel once it is dead, read the list.
 */
bool sys_robust_link(struct sys_robust_node *node)
{
	struct robust_list_head *head = robust_is_known() ? robust_head() : NULL;
	struct sys_robust_node *end;
	struct sys_robust_node *last;

	if (!head)
		return false;
	end = robust_node(&head->list);
	last = robust_node(end->previous);
	node->previous = &last->next;
	node->next = &head->list;
	atomic_signal_fence(memory_order_seq_cst); /* [ROBUST-NODE] */
	last->next = &node->next;
	atomic_signal_fence(memory_order_seq_cst); /* [ROBUST-NODE] */
	end->previous = &node->next;
	return true;
}

void sys_robust_unlink(struct sys_robust_node *node)
{
	struct sys_robust_node *before = robust_node(node->previous);
	struct sys_robust_node *behind = robust_node(node->next);

	before->next = node->next;
	atomic_signal_fence(memory_order_seq_cst); /* [ROBUST-NODE] */
	behind->previous = node->previous;
}
