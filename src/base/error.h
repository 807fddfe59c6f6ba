/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>

/*
 * error_set() - fill the caller's struct nonet_error, and hand the code on
 *
 * @error may be NULL. Text that is too long is cut at a character and ends with "...". Control bytes and broken UTF-8
 * (from a path, say) appear as \xNN, so that a sentence is always printable. Always returns @code.
 */
int error_set(struct nonet_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same, for a wrong byte of an argument: @position is counted from 0. */
int error_set_at(struct nonet_error *error, int code, size_t position, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * -EEXIST, said alike of whatever can be created: @name is an address or a path. The second is for one of PATH#PROJ,
 * whose @key may be another file's, as ftok(3) keeps 16 bits of the file's number.
 */
int error_set_exists(struct nonet_error *error, const char *name);
int error_set_key_exists(struct nonet_error *error, const char *name, uint32_t key);

/* What the kernel means by -@code, in plain words: "permission denied". Static, never NULL, no final stop. */
const char *error_reason(int code);

#endif
