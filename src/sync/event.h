/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_EVENT_H
#define SYNC_EVENT_H

#include <nonet/event.h>

#include "domain/object.h"
#include "sync/doorbell.h"
#include "sync/event_layout.h"
#include "waitable/waitable.h"

struct nonet_event {
	struct object object;
	struct event_shared *shared;
	struct nonet_waitable waitable;
	struct doorbell bell;
	_Atomic uint64_t told; /* the count that this handle was told last, with no other bits */
};

static inline uint64_t event_count(uint64_t state)
{
	return state >> EVENT_SHIFT;
}

/* As the waitable's arm, once the bell is there. */
int event_arm(struct nonet_waitable *waitable);
extern const struct doorbell_job event_bell;

#endif
