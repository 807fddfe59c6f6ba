/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_DOORBELL_PRIVATE_H
#define SYNC_DOORBELL_PRIVATE_H

#include "sync/doorbell.h"
#include "sync/doorbell_layout.h"

#define DOORBELL_NAME_SIZE 48

static inline struct object_bells *doorbell_table(const struct object *object)
{
	return (struct object_bells *)((char *)object->map.base + OBJECT_BELLS);
}

/* Of the file. */
void doorbell_write_name(uint64_t name, char ret_file[DOORBELL_NAME_SIZE]);

/* The calling process's helper knows of it from now on, or not any more. -ENOMEM: no thread. */
int doorbell_keep(struct doorbell *bell);
void doorbell_unkeep(struct doorbell *bell);

#endif
