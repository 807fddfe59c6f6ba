/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* More are no help, and of a longer text only its beginning fits into the sentence. */
#define SUGGESTIONS_MAX 5
#define SUGGESTED_MAX   60

static int is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

/* Which schemes have a number after the colon. */
static int takes_number(enum nonet_scheme scheme)
{
	return scheme == NONET_SCHEME_FD || scheme == NONET_SCHEME_PID || scheme == NONET_SCHEME_SYSVMSG ||
	       scheme == NONET_SCHEME_SYSVSEM || scheme == NONET_SCHEME_SYSVSHM;
}

/* Nonet's own objects, of which a plain word names one; a path to something else isn't a domain's. */
static int is_own(enum nonet_scheme scheme)
{
	return scheme >= NONET_SCHEME_MUTEX && scheme <= NONET_SCHEME_LOG;
}

static int is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return 0;
	return 1;
}

/*
 * Whether the library, too, had nothing to go by but the text's form. What is nearly a scheme's name it has recognised,
 * and what it points at behind the first byte is another mistake.
 */
static int is_open(const char *text, const struct nonet_error *error)
{
	return error->code == -EINVAL && error->position == 0 && !strchr(text, ':') && is_plain(text) &&
	       strlen(text) <= SUGGESTED_MAX &&
	       (strchr("/.@", *text) || is_number(text) || strstr(error->text, "an address is scheme:rest"));
}

/* @text with the scheme before it, and the slash that POSIX names begin with. Return: 1 if that is an address. */
static int complete(enum nonet_scheme scheme, const char *text, char *ret_address, size_t size)
{
	const int posix =
		scheme == NONET_SCHEME_POSIXMQ || scheme == NONET_SCHEME_POSIXSEM || scheme == NONET_SCHEME_POSIXSHM;
	struct nonet_address *address;

	if (*text == '@' && scheme != NONET_SCHEME_UNIX)
		return 0;
	if (is_own(scheme) && strchr(text, '/'))
		return 0;
	if (is_number(text) != takes_number(scheme) && !(posix && !is_number(text)))
		return 0;
	snprintf(ret_address, size, "%s:%s%s", nonet_scheme_name(scheme), posix && *text != '/' ? "/" : "", text);
	if (nonet_address_parse(ret_address, &address, NULL) < 0)
		return 0;
	nonet_address_free(address);
	return 1;
}

/* Add to a list: "a, b or c". */
static void append(struct nonet_error *error, size_t i, size_t count, const char *word)
{
	const char *before = i == 0 ? "" : i + 1 < count ? ", " : " or ";
	const size_t done = strlen(error->text);

	snprintf(error->text + done, sizeof(error->text) - done, "%s%s", before, word);
}

static void suggest(const char *text, const enum nonet_scheme schemes[], struct nonet_error *error)
{
	char found[SUGGESTIONS_MAX][SUGGESTED_MAX + 24];
	size_t count = 0, total = 0, i;

	for (; schemes[total]; total++)
		if (count < SUGGESTIONS_MAX)
			count += (size_t)complete(schemes[total], text, found[count], sizeof(found[0]));
	snprintf(error->text, sizeof(error->text), "\"%s\" has no scheme; %s", text,
		 count > 0 ? "did you mean " : "an address for this verb begins with ");
	for (i = 0; i < count; i++)
		append(error, i, count, found[i]);
	if (count > 0) {
		append(error, 0, 0, "?");
		return;
	}
	for (i = 0; i < total; i++) {
		append(error, i, total, nonet_scheme_name(schemes[i]));
		append(error, 0, 0, ":");
	}
}

int suggest_parse(const char *text, const enum nonet_scheme schemes[], struct nonet_address **ret_address,
		  struct nonet_error *ret_error)
{
	const int r = nonet_address_parse(text, ret_address, ret_error);

	if (r < 0 && *text && is_open(text, ret_error))
		suggest(text, schemes, ret_error);
	return r;
}
