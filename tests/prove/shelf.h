/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_SHELF_H
#define PROVE_SHELF_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A copy of a directory's files to put back later: their bytes (holes stay holes), and which names there are. It can't
 * put back a name that went or became another file; then it says so.
 */
struct prove_shelf;

struct prove_shelf *prove_shelf_new(const char *directory);
struct prove_shelf *prove_shelf_free(struct prove_shelf *shelf);
bool prove_shelf_restore(const struct prove_shelf *shelf);

/* Names, modes, lengths and bytes below @directory, holes left out. */
uint64_t prove_shelf_hash(const char *directory);
/* Remove what is in @directory. */
void prove_shelf_empty(const char *directory);

#endif
