/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/operations.h"

/* Of the library: one line each. */
const struct prove_operation *const prove_operations[] = {
	&prove_mapfile_create,   &prove_mutex_lock,   &prove_mutex_try,
	&prove_mutex_first_lock, &prove_mutex_unlock, &prove_mutex_recover,
	&prove_mutex_open,       &prove_mutex_create, NULL,
};
