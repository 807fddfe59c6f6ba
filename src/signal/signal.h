/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNAL_SIGNAL_H
#define SIGNAL_SIGNAL_H

#include <nonet/signal.h>

#include "signal/signal_holds.h"
#include "waitable/waitable.h"

struct nonet_signal {
	struct nonet_waitable waitable;
	int fd;
	struct signal_hold hold; /* whose mask is what it receives: bit N - 1 is signal N */
	unsigned generation;     /* of the process that it is of */
};

static inline uint64_t signal_bit(int number)
{
	return (uint64_t)1 << (number - 1);
}

#endif
