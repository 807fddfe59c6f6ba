/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <nonet/address.h>

#include "base/utf8.h"

/*
 * Any text is either refused, with a printable sentence and a position inside it, or read as an address whose
 * canonical text is printable, reads as an equal address, and is its own canonical text.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort(), as libFuzzer looks for. */
static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_printable(const char *text)
{
	size_t size = strlen(text), at = 0, length;

	for (; at < size; at += length) {
		length = utf8_printable(text + at, size - at);
		require(length > 0);
	}
}

static void check_refusal(const char *text, int result, const struct nonet_error *error)
{
	require(result == -EINVAL);
	require(error->code == result);
	require(error->position >= 0 && (size_t)error->position <= strlen(text));
	require(memchr(error->text, '\0', sizeof(error->text)));
	require(error->text[0]);
	require_printable(error->text);
}

static void check_same_text(const char *a, const char *b)
{
	require(!a == !b);
	require(!a || !strcmp(a, b));
}

static void check_same(const struct nonet_address *a, const struct nonet_address *b)
{
	size_t a_size, b_size;
	const char *a_name = nonet_address_name(a, &a_size), *b_name = nonet_address_name(b, &b_size);
	int part;

	require(nonet_address_scheme(a) == nonet_address_scheme(b));
	require(nonet_address_is_abstract(a) == nonet_address_is_abstract(b));
	require(!a_name == !b_name && a_size == b_size);
	require(!a_name || !memcmp(a_name, b_name, a_size + 1));
	check_same_text(nonet_address_directory(a), nonet_address_directory(b));
	check_same_text(nonet_address_text(a), nonet_address_text(b));
	for (part = NONET_ADDRESS_DESCRIPTOR; part <= NONET_ADDRESS_LENGTH; part++) {
		int64_t a_value = -1, b_value = -1;

		require(nonet_address_number(a, part, &a_value) == nonet_address_number(b, part, &b_value));
		require(a_value == b_value && a_value >= -1);
	}
}

static void check_address(const struct nonet_address *address)
{
	const char *text = nonet_address_text(address), *scheme = nonet_scheme_name(nonet_address_scheme(address));
	struct nonet_address *again;
	const char *name;
	size_t size;

	require(scheme && !strncmp(text, scheme, strlen(scheme)) && text[strlen(scheme)] == ':');
	require_printable(text);
	require(!strchr(text, ' '));
	name = nonet_address_name(address, &size);
	if (name) {
		require(size > 0 && !name[size]);
		require(nonet_address_is_abstract(address) || strlen(name) == size);
	}
	require(!nonet_address_directory(address) || nonet_address_directory(address)[0]);

	require(nonet_address_parse(text, &again, NULL) == 0);
	check_same(address, again);
	nonet_address_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nonet_address *address;
	struct nonet_error error;
	char *text = malloc(size + 1);
	int result;

	require(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';

	memset(&error, 'x', sizeof(error));
	result = nonet_address_parse(text, &address, &error);
	if (result < 0) {
		check_refusal(text, result, &error);
	} else {
		check_address(address);
		nonet_address_free(address);
	}
	free(text);
	return 0;
}
