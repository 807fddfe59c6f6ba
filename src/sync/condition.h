/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_CONDITION_H
#define SYNC_CONDITION_H

#include <nonet/condition.h>

#include "domain/object.h"
#include "sync/condition_layout.h"

struct nonet_condition {
	struct object object; /* of a placed one only the process and the text: it needs no domain */
	struct condition_shared *shared;
};

#endif
