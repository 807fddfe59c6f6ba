/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Longer words are nobody's misspelt scheme. */
#define WORD_MAX 24

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/*
 * How many slips make @word of @name: a letter dropped, added, or wrong, or two neighbours exchanged. Upper case is
 * none. The usual table by rows, of which exchanging needs the last two.
 */
static size_t slips(const char *word, size_t size, const char *name)
{
	size_t rows[3][WORD_MAX + 1], i, j;
	size_t count = strlen(name);

	for (i = 0; i <= size; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

		row[0] = i;
		for (j = 1; j <= count; j++) {
			if (!i) {
				row[j] = j;
				continue;
			}
			row[j] = above[j - 1] + (lower(word[i - 1]) != name[j - 1]);
			row[j] = smaller(row[j], smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && lower(word[i - 1]) == name[j - 2] && lower(word[i - 2]) == name[j - 1])
				row[j] = smaller(row[j], second[j - 2] + 1);
		}
	}
	return rows[size % 3][count];
}

/* The scheme that @word is probably meant to be, or NULL: at most 1 slip in 3 letters. */
static const char *nearest_scheme(const char *word, size_t size)
{
	const char *nearest = NULL, *name;
	size_t least = smaller(size / 3, 3) + 1;
	int scheme;

	if (!size || size > WORD_MAX)
		return NULL;
	for (scheme = NONET_SCHEME_FIFO; (name = nonet_scheme_name(scheme)); scheme++) {
		size_t count = slips(word, size, name);

		if (count < least) {
			least = count;
			nearest = name;
		}
	}
	return nearest;
}

static bool is_number(const char *begin, const char *end)
{
	return begin < end && strspn(begin, "0123456789") >= (size_t)(end - begin);
}

/* "fifo:, fd:, ..." */
static const char *list_schemes(char *text, size_t capacity)
{
	const char *name;
	size_t done = 0;
	int scheme;

	for (scheme = NONET_SCHEME_FIFO; (name = nonet_scheme_name(scheme)) && done < capacity; scheme++)
		done += (size_t)snprintf(text + done, capacity - done, "%s%s:", done ? ", " : "", name);
	return text;
}

/* A text without a colon. */
static int refuse_without_colon(const struct address_reader *reader)
{
	const char *text = reader->text, *end = reader->end, *name;
	int scheme;

	if (text == end)
		return address_refuse(reader, text,
				      "the address is empty; write scheme:rest, as in unix:/run/app/socket");
	for (scheme = NONET_SCHEME_FIFO; (name = nonet_scheme_name(scheme)); scheme++) {
		if (!strcmp(name, text))
			return address_refuse(reader, end, "a colon and more have to follow \"%s\", as in %s", name,
					      address_example(scheme));
	}
	if (is_number(text, end))
		return address_refuse(reader, text, "\"%.*s\" has no scheme; did you mean fd:%.*s or pid:%.*s?",
				      ADDRESS_QUOTE(text, end), ADDRESS_QUOTE(text, end), ADDRESS_QUOTE(text, end));
	name = nearest_scheme(text, (size_t)(end - text));
	if (name)
		return address_refuse(reader, text,
				      "\"%.*s\" is no address; did you mean %s: and more behind the colon?",
				      ADDRESS_QUOTE(text, end), name);
	return address_refuse(
		reader, text,
		"\"%.*s\" has no scheme; an address is scheme:rest, as in unix:/run/app/socket or mutex:jobs",
		ADDRESS_QUOTE(text, end));
}

int address_refuse_scheme(const struct address_reader *reader)
{
	const char *text = reader->text, *end = reader->end, *at, *name;
	const char *colon = strchr(text, ':');
	const char *word_end = colon ? colon : end;
	char schemes[320];
	size_t length;

	for (at = text; at < word_end; at += length) {
		length = utf8_printable(at, (size_t)(end - at));
		if (!length)
			return address_refuse_byte(reader, at);
	}
	if (*text == '/' || *text == '.')
		return address_refuse(reader, text, "\"%.*s\" has no scheme; did you mean fifo:%.*s or unix:%.*s?",
				      ADDRESS_QUOTE(text, end), ADDRESS_QUOTE(text, end), ADDRESS_QUOTE(text, end));
	if (*text == '@')
		return address_refuse(reader, text, "\"%.*s\" has no scheme; did you mean unix:%.*s?",
				      ADDRESS_QUOTE(text, end), ADDRESS_QUOTE(text, end));
	if (!colon)
		return refuse_without_colon(reader);
	if (colon == text)
		return address_refuse(reader, text,
				      "no scheme stands before the colon; write one, as in unix:/run/app/socket");
	name = nearest_scheme(text, (size_t)(colon - text));
	if (name)
		return address_refuse(reader, text, "there is no scheme \"%.*s:\"; did you mean %s:?",
				      ADDRESS_QUOTE(text, colon), name);
	if (is_number(colon + 1, end))
		return address_refuse(reader, text, "there is no scheme \"%.*s:\"; did you mean tcp:%.*s?",
				      ADDRESS_QUOTE(text, colon), ADDRESS_QUOTE(text, end));
	return address_refuse(reader, text, "there is no scheme \"%.*s:\"; there are %s", ADDRESS_QUOTE(text, colon),
			      list_schemes(schemes, sizeof(schemes)));
}
