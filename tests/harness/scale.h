/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_SCALE_H
#define HARNESS_SCALE_H

#include <stdint.h>

/*
 * How much work a repetitive test does: @count times NONET_SCALE, at least 1. The default, 0.1, is for `meson test`; a
 * soak sets 1 or more. @count is what the project promises to have tried.
 */
uint64_t test_scaled(uint64_t count);

#endif
