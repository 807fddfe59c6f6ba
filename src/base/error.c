/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error_table.h"
#include "base/utf8.h"

#define ELLIPSIS "..."

struct error_words {
	const char *name;
	const char *reason;
};

#define ERROR_WORDS(number, words) [number] = {"-" #number, words},
static const struct error_words error_words[] = {ERROR_TABLE(ERROR_WORDS)};

/* NULL if @code is no errno that has a name. */
static const struct error_words *error_find(int code)
{
	const size_t count = sizeof(error_words) / sizeof(error_words[0]);
	size_t number;

	if (code >= 0)
		return NULL;
	/* In unsigned arithmetic, as -INT_MIN doesn't fit an int. */
	number = 0u - (unsigned int)code;
	return number < count && error_words[number].name ? &error_words[number] : NULL;
}

const char *nonet_error_name(int code)
{
	const struct error_words *words = error_find(code);

	if (code >= 0)
		return "0";
	return words ? words->name : "unknown error";
}

const char *error_reason(int code)
{
	const struct error_words *words = error_find(code);

	if (code >= 0)
		return "success";
	return words ? words->reason : "unknown error";
}

/* @raw made printable into @text of @capacity bytes; @capacity is above that of the ellipsis. */
static void error_copy(char *text, size_t capacity, const char *raw)
{
	const size_t size = strlen(raw);
	size_t done = 0, at = 0, fits = 0;

	while (at < size) {
		size_t taken = utf8_printable(raw + at, size - at);
		size_t made = taken ? taken : strlen("\\xNN");

		if (made >= capacity - done) {
			memcpy(text + fits, ELLIPSIS, sizeof(ELLIPSIS));
			return;
		}
		if (taken)
			memcpy(text + done, raw + at, taken);
		else
			snprintf(text + done, capacity - done, "\\x%02X", (unsigned char)raw[at]);
		at += taken ? taken : 1;
		done += made;
		/* The last end of a character behind which the ellipsis still has room. */
		if (done + sizeof(ELLIPSIS) <= capacity)
			fits = done;
	}
	text[done] = '\0';
}

__attribute__((format(printf, 4, 0))) static int error_fill(struct nonet_error *error, int code, int32_t position,
							    const char *format, va_list arguments)
{
	/* No byte gets shorter, so what doesn't fit here, or is cut in two by its end, can't reach the end of text. */
	char raw[sizeof(error->text) + 8];

	if (!error)
		return code;
	if (vsnprintf(raw, sizeof(raw), format, arguments) < 0)
		raw[0] = '\0';
	error->code = code;
	error->position = position;
	error_copy(error->text, sizeof(error->text), raw);
	return code;
}

int error_set(struct nonet_error *error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	error_fill(error, code, -1, format, arguments);
	va_end(arguments);
	return code;
}

int error_set_at(struct nonet_error *error, int code, size_t position, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	error_fill(error, code, position > INT32_MAX ? INT32_MAX : (int32_t)position, format, arguments);
	va_end(arguments);
	return code;
}

#define ERROR_EXISTS "%s is there already: open it, or remove it first"

int error_set_exists(struct nonet_error *error, const char *name)
{
	return error_set(error, -EEXIST, ERROR_EXISTS, name);
}

int error_set_key_exists(struct nonet_error *error, const char *name, uint32_t key)
{
	return error_set(error, -EEXIST,
			 ERROR_EXISTS ". Its key, 0x%08" PRIx32 ", may be another file's, being made of 16 bits of the "
				      "file's number: then take another PROJ",
			 name, key);
}
