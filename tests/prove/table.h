/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_TABLE_H
#define PROVE_TABLE_H

#include <jansson.h>

#include "prove/sweep.h"

/* The results: a list of {operation, row, points, failures, mutants, mutants_caught, ...}, as in build/prove.json. */

/* Append one row of one operation. */
void prove_table_add(json_t *list, const char *operation, int row, const struct prove_tally *tally, nonet_time time);
/* On stdout, as a table; rows may lack what only sweeps have. Return: 0, or -1 for a list that isn't one. */
int prove_table_print(json_t *list);

#endif
