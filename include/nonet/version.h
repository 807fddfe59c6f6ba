/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_VERSION_H
#define NONET_VERSION_H

#include <nonet/macro.h>

NONET_BEGIN_DECLS

/* The version of these headers; nonet_version() tells that of the library which is loaded. */
#define NONET_VERSION_MAJOR 0
#define NONET_VERSION_MINOR 1
#define NONET_VERSION_PATCH 0

/**
 * nonet_version() - which nonet is loaded
 *
 * Return: e.g. "0.1.0", static.
 * Context: any thread, signal handlers too.
 */
NONET_PUBLIC const char *nonet_version(void);

NONET_END_DECLS

#endif
