/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stdint.h>
#include <string.h>

/*
 * Write @number to @text, without a NUL: the end, at most 20 bytes on. For what every open and create does, where
 * sprintf(3) would be one percent of the whole.
 */
static inline char *decimal_write(char *text, uint64_t number)
{
	char digits[20];
	char *digit = digits + sizeof(digits);

	do
		*--digit = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return mempcpy(text, digit, (size_t)(digits + sizeof(digits) - digit));
}

#endif
