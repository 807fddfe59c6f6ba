/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FLAT_H
#define BASE_FLAT_H

/*
 * For a public call, or a carrier's, whose cost shows: all that it calls is inlined. Right after a system call each
 * return from a nested one is predicted wrongly where the kernel guards against that (see stream/hot.h).
 */
#define FLAT __attribute__((flatten))

#endif
