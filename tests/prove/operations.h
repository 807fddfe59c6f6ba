/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_OPERATIONS_H
#define PROVE_OPERATIONS_H

#include "prove/prove.h"

/* The library's operations that change what processes share: object_operations.c each. */

extern const struct prove_operation prove_mapfile_create;
extern const struct prove_operation prove_mutex_lock;
extern const struct prove_operation prove_mutex_try;
extern const struct prove_operation prove_mutex_first_lock;
extern const struct prove_operation prove_mutex_unlock;
extern const struct prove_operation prove_mutex_recover;
extern const struct prove_operation prove_mutex_open;
extern const struct prove_operation prove_mutex_create;

#endif
