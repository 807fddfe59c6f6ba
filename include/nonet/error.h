/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_ERROR_H
#define NONET_ERROR_H

#include <stdint.h>

#include <nonet/macro.h>

NONET_BEGIN_DECLS

/*
 * What went wrong, for a person. Calls that open or create take an optional pointer to one, last; the others have a
 * nonet_<object>_explain() that finds the sentence afterwards. Filled only on failure. Owned by the caller, no cleanup.
 */
struct nonet_error {
	int32_t code;     /* the negative errno that the call returned */
	int32_t position; /* byte of the address or argument that is wrong, from 0; -1 if it isn't about one */
	char text[504];   /* one sentence: what was asked, what stood in the way, what to do. UTF-8, ends with NUL */
};

/**
 * nonet_error_name() - the symbolic name of a result
 * @code: a negative errno as nonet's calls return it
 *
 * Return: e.g. "-EPIPE"; "0" for 0 and above; "unknown error" for a number that has no name. Static, never NULL.
 * Context: any thread, signal handlers too.
 */
NONET_PUBLIC const char *nonet_error_name(int code);

NONET_END_DECLS

#endif
