/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* sembuf.sem_num is an unsigned short: semop(2). */
#define SEMAPHORE_INDEX_MAX 65535

static int refuse_private(const struct address_reader *reader, const char *key)
{
	return address_refuse(
		reader, key,
		"key 0 is IPC_PRIVATE, which names no object but makes a new one at each use; write another "
		"key or id=N, as in %s",
		reader->example);
}

/* @key is 0x and digits. */
static int read_hexadecimal_key(struct address_reader *reader, const char *key, const char *end)
{
	const char *at = key + 2;
	int64_t value = 0;

	if (at == end)
		return address_refuse(reader, at, "no digits stand after \"%.*s\"; write a key, as in %s",
				      ADDRESS_QUOTE(key, end), reader->example);
	for (; at < end; at++) {
		const int digit = address_digit(*at);

		if (digit < 0)
			return address_refuse(reader, at,
					      "\"%.*s\" is no key: after 0x stand hexadecimal digits alone, as in %s",
					      ADDRESS_QUOTE(key, end), reader->example);
		value = value << 4 | digit;
		if (value > UINT32_MAX)
			return address_refuse(reader, key,
					      "\"%.*s\" is out of range: a key is at most 0xffffffff, as in %s",
					      ADDRESS_QUOTE(key, end), reader->example);
	}
	if (!value)
		return refuse_private(reader, key);
	address_set_number(reader->address, NONET_ADDRESS_KEY, value);
	return 0;
}

static int read_key(struct address_reader *reader, const char *key, const char *end)
{
	int result;

	if (end - key >= 2 && key[0] == '0' && (key[1] == 'x' || key[1] == 'X'))
		result = read_hexadecimal_key(reader, key, end);
	else if (end - key == 1 && *key == '0')
		result = refuse_private(reader, key);
	else
		result = address_read_number(reader, key, end, "key", NONET_ADDRESS_KEY, 1, UINT32_MAX);
	return result;
}

/* KEY, id=N or PATH#PROJ, up to @end; @hash is the '#' or NULL. */
static int read_subject(struct address_reader *reader, const char *subject, const char *hash, const char *end)
{
	int result;

	if (subject == end)
		return address_refuse(reader, subject,
				      "the name of the object is missing; write KEY, id=N or PATH#PROJ, as in %s",
				      reader->example);
	if (!hash && end - subject >= 3 && !memcmp(subject, "id=", 3))
		return address_read_number(reader, subject + 3, end, "id", NONET_ADDRESS_ID, 0, INT_MAX);
	if (!hash && *subject >= '0' && *subject <= '9')
		return read_key(reader, subject, end);

	result = address_read_path(reader, subject, hash ? hash : end, ADDRESS_PATH_MAX);
	if (result < 0)
		return result;
	if (!hash)
		return address_refuse(
			reader, end,
			"\"%.*s\" is neither KEY nor id=N, and for PATH#PROJ a # and the project are missing; "
			"write one of them, as in %s",
			ADDRESS_QUOTE(subject, end), reader->example);
	return address_read_number(reader, hash + 1, end, "project (a # in the path is written %23)",
				   NONET_ADDRESS_PROJECT, 1, 255);
}

int address_read_sysv(struct address_reader *reader, const char *rest)
{
	const char *hash = memrchr(rest, '#', (size_t)(reader->end - rest));
	const char *bracket = NULL, *last;
	const char *tail = hash ? hash : rest;
	int result;

	/* A path may have brackets, so that of an index is looked for behind it. */
	if (reader->address->scheme == NONET_SCHEME_SYSVSEM)
		bracket = memchr(tail, '[', (size_t)(reader->end - tail));
	result = read_subject(reader, rest, hash, bracket ? bracket : reader->end);
	if (result < 0 || !bracket)
		return result;
	last = memchr(bracket, ']', (size_t)(reader->end - bracket));
	if (!last)
		last = reader->end;
	result = address_read_number(reader, bracket + 1, last, "semaphore's index", NONET_ADDRESS_INDEX, 0,
				     SEMAPHORE_INDEX_MAX);
	if (result < 0)
		return result;
	if (last == reader->end)
		return address_refuse(reader, last, "the index is not closed; write ] after it, as in sysvsem:id=7[0]");
	if (last + 1 != reader->end)
		return address_refuse(reader, last + 1,
				      "\"%.*s\" stands after the index; nothing may, as in sysvsem:id=7[0]",
				      ADDRESS_QUOTE(last + 1, reader->end));
	return 0;
}
