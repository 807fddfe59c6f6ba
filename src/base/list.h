/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A doubly linked ring of nodes inside their objects; an initialised node that is in no list is linked to itself. */
struct list {
	struct list *next;
	struct list *prev;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* @list may not change inside the loop, but the _safe one's current @node may be removed. */
#define list_for_each(node, list) for ((node) = (list)->next; (node) != (list); (node) = (node)->next)
#define list_for_each_safe(node, after, list) \
	for ((node) = (list)->next, (after) = (node)->next; (node) != (list); (node) = (after), (after) = (node)->next)

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_add_last(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

/* Harmless on a node that is in no list. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#endif
