/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arithmetic that says when it doesn't fit: true and *ret_result set, or false and *ret_result untouched. */

static inline bool checked_add_size(size_t a, size_t b, size_t *ret_result)
{
	size_t result;

	if (__builtin_add_overflow(a, b, &result))
		return false;
	*ret_result = result;
	return true;
}

static inline bool checked_multiply_size(size_t a, size_t b, size_t *ret_result)
{
	size_t result;

	if (__builtin_mul_overflow(a, b, &result))
		return false;
	*ret_result = result;
	return true;
}

static inline bool checked_add_i64(int64_t a, int64_t b, int64_t *ret_result)
{
	int64_t result;

	if (__builtin_add_overflow(a, b, &result))
		return false;
	*ret_result = result;
	return true;
}

#endif
