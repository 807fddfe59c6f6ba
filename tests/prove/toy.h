/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_TOY_H
#define PROVE_TOY_H

#include <stdint.h>

#include <nonet/time.h>

/*
 * What the machine is tried on: a lock and a counter of two words in a file, in a library of its own. Small, correct
 * under death at any instruction, and with a place for each kind of mistake that the machine must find
 * (toy_mutants.toml). No model for anything else: life is told by classic record locks.
 */
struct toy;

struct toy *toy_open(const char *path, int slot);
void toy_close(struct toy *toy);

/*
 * All of them: 0, -ETIMEDOUT, -EPERM for who hasn't the lock, -ECHILD in a forked child. Taking the lock from a dead
 * owner undoes what that had begun.
 */
int toy_lock(struct toy *toy, nonet_time deadline);
int toy_unlock(struct toy *toy);
/* Lock, add @amount to the counter, unlock. */
int toy_add(struct toy *toy, uint64_t amount, nonet_time deadline);
/* The counter, under the lock; -EBADMSG if its two words don't agree. */
int toy_read(struct toy *toy, nonet_time deadline, uint64_t *ret_value);

#endif
