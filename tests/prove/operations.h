/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_OPERATIONS_H
#define PROVE_OPERATIONS_H

#include "prove/prove.h"

/* The library's operations that change what processes share: object_operations.c each. */

extern const struct prove_operation prove_mapfile_create;

#endif
