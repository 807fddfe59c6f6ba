/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PEERS_BUILTIN_H
#define BENCH_PEERS_BUILTIN_H

#include "peer.h"

/* Peers that need nothing but libc and nonet. */
extern const struct peer peer_line;
extern const struct peer peer_ring;
extern const struct peer peer_pipe;
extern const struct peer peer_channel;

#endif
