/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/operations.h"

/* Of the library: one line each. */
const struct prove_operation *const prove_operations[] = {
	&prove_mapfile_create,
	NULL,
};
