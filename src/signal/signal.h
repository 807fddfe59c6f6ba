/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNAL_SIGNAL_H
#define SIGNAL_SIGNAL_H

#include <stdbool.h>

#include <nonet/signal.h>

#include "waitable/waitable.h"

struct nonet_signal {
	struct nonet_waitable waitable;
	int fd;
	uint64_t mask;       /* what it receives: bit N - 1 is signal N */
	pid_t thread;        /* that opened it, and blocks @mask for it */
	unsigned generation; /* of the process that it is of */
};

/* Whether there is such a signal, and the C library doesn't keep it to itself. */
bool signal_is_known(int number);

static inline uint64_t signal_bit(int number)
{
	return (uint64_t)1 << (number - 1);
}

#endif
