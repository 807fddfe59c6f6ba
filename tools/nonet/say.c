/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "progress.h"
#include "verb.h"

#define BOLD_RED "\033[1;31m"
#define RED      "\033[31m"
#define PLAIN    "\033[0m"

static const char *verb_name;

void say_verb(const char *name)
{
	verb_name = name;
}

int say_in_color(int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_color && no_color[0])
		return 0;
	return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

/* The next character of @text as it may be shown, in at most MB_LEN_MAX bytes; how many bytes of @text it takes. */
static size_t take_character(const char *text, size_t size, char *ret_shown, size_t *ret_shown_size,
			     size_t *ret_columns)
{
	mbstate_t state;
	wchar_t wide;
	size_t used;
	int columns;

	memset(&state, 0, sizeof(state));
	used = mbrtowc(&wide, text, size, &state);
	if (used == 0 || used > size) {
		used = 1;
		columns = -1;
	} else {
		columns = iswcntrl((wint_t)wide) ? -1 : wcwidth(wide);
	}
	if (columns < 0) { /* an invalid byte, or one that would steer the terminal */
		*ret_shown = '?';
		*ret_shown_size = 1;
		*ret_columns = 1;
		return used;
	}
	memcpy(ret_shown, text, used);
	*ret_shown_size = used;
	*ret_columns = (size_t)columns;
	return used;
}

static void print_safely(const char *text)
{
	char shown[16]; /* MB_LEN_MAX */
	size_t size = strlen(text), used, shown_size, columns;

	for (; size > 0; text += used, size -= used) {
		used = take_character(text, size, shown, &shown_size, &columns);
		fwrite(shown, 1, shown_size, stderr);
	}
}

static void print_line(const char *sentence)
{
	int color = say_in_color(STDERR_FILENO);

	progress_erase();
	fprintf(stderr, "%snonet%s%s:%s ", color ? BOLD_RED : "", verb_name ? " " : "", verb_name ? verb_name : "",
		color ? PLAIN : "");
	print_safely(sentence);
	fputc('\n', stderr);
}

static void __attribute__((format(printf, 1, 0))) print_format(const char *format, va_list arguments)
{
	char *sentence;

	if (vasprintf(&sentence, format, arguments) < 0)
		return;
	print_line(sentence);
	free(sentence);
}

int say_failure(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_format(format, arguments);
	va_end(arguments);
	return STATUS_FAILED;
}

int say_usage(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_format(format, arguments);
	va_end(arguments);
	return STATUS_USAGE;
}

int say_status(int code)
{
	return code == -ETIMEDOUT || code == -EAGAIN ? STATUS_TIMEOUT : STATUS_FAILED;
}

static void print_caret(const char *address, size_t position)
{
	int color = say_in_color(STDERR_FILENO);
	char shown[16]; /* MB_LEN_MAX */
	size_t used, shown_size, columns, indent = 0, size = strlen(address), at;

	for (at = 0; at < size && at < position; at += used) {
		used = take_character(address + at, size - at, shown, &shown_size, &columns);
		if (at + used > position) /* in the middle of a character: point at it */
			break;
		indent += columns;
	}
	fputs("  ", stderr);
	print_safely(address);
	fprintf(stderr, "\n  %*s%s^%s\n", (int)indent, "", color ? RED : "", color ? PLAIN : "");
}

int say_error(const struct nonet_error *error, const char *address)
{
	print_line(error->text);
	if (error->position < 0 || !address)
		return say_status(error->code);
	print_caret(address, (size_t)error->position);
	return error->code == -EINVAL || error->code == -EOPNOTSUPP ? STATUS_USAGE : say_status(error->code);
}
