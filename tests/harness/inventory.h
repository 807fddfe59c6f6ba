/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_INVENTORY_H
#define HARNESS_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Lists of what a process has, one kind each: a key that says which, what it is, how large it is. Two of them are
 * compared by key.
 */
struct inventory_item {
	char key[256];
	char what[256];
	unsigned long long size;
};

struct inventory {
	struct inventory_item *items;
	size_t count;
	size_t room;
};

/* Adds @size if the key is there already. */
void inventory_add(struct inventory *inventory, const char *key, const char *what, unsigned long long size);
const struct inventory_item *inventory_find(const struct inventory *inventory, const char *key);
void inventory_done(struct inventory *inventory);

/* What this process has now; @inventory is empty before. */
void inventory_descriptors(struct inventory *inventory);
void inventory_children(struct inventory *inventory);
void inventory_threads(struct inventory *inventory);
void inventory_mappings(struct inventory *inventory);
void inventory_abstract_sockets(struct inventory *inventory);
void inventory_shared_names(struct inventory *inventory);
void inventory_sysv_objects(struct inventory *inventory);
void inventory_directories(struct inventory *inventory);

/* The key under which all private memory is summed up. */
#define INVENTORY_PRIVATE "private memory"

/* From now on malloc takes all its memory from the heap, so that any other private mapping is somebody's own. */
void inventory_keep_malloc_in_heap(void);

#endif
