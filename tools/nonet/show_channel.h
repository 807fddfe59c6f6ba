/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_SHOW_CHANNEL_H
#define NONET_TOOL_SHOW_CHANNEL_H

#include <nonet/address.h>
#include <nonet/time.h>

/* Between two looks, if nobody says how long. */
#define SHOW_CHANNEL_INTERVAL NONET_MS(200)

/*
 * Of a channel who publishes in each lane, how much and how fast, and how far behind each subscriber is.
 * @interval: a duration, 0: look once, and tell no rates
 * Return: the exit status.
 */
int show_channel(const struct nonet_address *address, int json, nonet_time interval);

#endif
