/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/*
 * How many bytes the printable character at the start of @bytes has, 1 to 4; 0 if none stands there: a control
 * character (C1 too, which some terminals obey), UTF-8 that is broken or overlong or a surrogate, or @size is 0.
 */
size_t utf8_printable(const char *bytes, size_t size);

/* The most bytes, @limit or fewer, after which @bytes can be cut without cutting a character in two. */
size_t utf8_cut(const char *bytes, size_t size, size_t limit);

#endif
