/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_DUPLEX_H
#define NONET_TOOL_DUPLEX_H

#include "transfer.h"

/*
 * Both ways at once: standard input to the endpoint, what comes from there to standard output, until the other side
 * ends. The end of standard input is passed on (half-close) unless that was forbidden; the timeout runs while nothing
 * moves from then on, or while the other side takes nothing. Return: as struct verb's run().
 */
int duplex(const struct transfer_options *options, struct nonet_endpoint *endpoint);

#endif
