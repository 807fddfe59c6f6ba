/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

#define QUOTE_MAX 60

size_t address_quotable(const char *begin, const char *end)
{
	return utf8_cut(begin, (size_t)(end - begin), QUOTE_MAX);
}

int address_refuse_byte(const struct address_reader *reader, const char *at)
{
	unsigned char byte = (unsigned char)*at;

	if (byte < 0x20 || byte == 0x7f)
		return address_refuse(reader, at,
				      "the address has a control byte; one that belongs to a name is "
				      "written %%%02X",
				      byte);
	return address_refuse(reader, at,
			      "the address has a byte that begins no printable UTF-8 character; one that "
			      "belongs to a name is written %%%02X",
			      byte);
}

int address_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return -1;
}

/* The byte that the escape at @escape stands for. */
static int address_read_escape(struct address_reader *reader, const char *escape, const char *end, char *ret_byte)
{
	const char *at;

	for (at = escape + 1; at < escape + 3; at++) {
		/* @end before the digits: a separator or the end of the text. */
		if (at >= end || address_digit(*at) < 0)
			return address_refuse(reader, at < end ? at : end,
					      "\"%.*s\" is no escape: two hexadecimal digits stand after %%, and %% "
					      "itself is written %%25",
					      ADDRESS_QUOTE(escape, at < end ? at + 1 : end));
	}
	*ret_byte = (char)(address_digit(escape[1]) << 4 | address_digit(escape[2]));
	return 0;
}

size_t address_plain(const char *bytes, size_t size, const char *special)
{
	const char *refused;
	size_t length;

	/* Whether char is signed or not, no byte of a longer character is in this range. */
	for (length = 0; length < size && bytes[length] > ' ' && bytes[length] < 0x7f; length++) {
		if (bytes[length] == '%')
			break;
		for (refused = special; *refused && *refused != bytes[length]; refused++)
			;
		if (*refused)
			break;
	}
	return length;
}

int address_read_bytes(struct address_reader *reader, const char *begin, const char *end, const char *what,
		       bool nul_allowed, const char **ret_bytes, size_t *ret_size)
{
	char *out = reader->unused;
	const char *at = begin;

	while (at < end) {
		size_t length = address_plain(at, (size_t)(end - at), "");

		if (!length)
			length = utf8_printable(at, (size_t)(end - at));
		if (!length)
			return address_refuse_byte(reader, at);
		if (*at == '%') {
			int result = address_read_escape(reader, at, end, out);

			if (result < 0)
				return result;
			if (!*out && !nul_allowed)
				return address_refuse(reader, at,
						      "%%00 can't be in a %s: only the name of an abstract UNIX socket "
						      "may have it, as in unix:@app%%00a",
						      what);
			out++;
			at += 3;
		} else {
			memcpy(out, at, length);
			out += length;
			at += length;
		}
	}
	*out = '\0';
	*ret_bytes = reader->unused;
	*ret_size = (size_t)(out - reader->unused);
	reader->unused = out + 1;
	return 0;
}

const char *address_find_byte(const char *begin, size_t index)
{
	while (index--)
		begin += *begin == '%' ? 3 : 1;
	return begin;
}

int address_read_path(struct address_reader *reader, const char *begin, const char *end, size_t limit)
{
	struct nonet_address *address = reader->address;
	int result;

	if (begin == end)
		return address_refuse(reader, begin, "the path is missing; write one, as in %s", reader->example);
	result = address_read_bytes(reader, begin, end, "path", false, &address->name, &address->name_size);
	if (result < 0)
		return result;
	if (address->name_size > limit)
		return address_refuse(reader, address_find_byte(begin, limit),
				      "the path has %zu bytes; at most %zu are possible here, so use a shorter path",
				      address->name_size, limit);
	return 0;
}

void address_set_number(struct nonet_address *address, enum nonet_address_part part, int64_t value)
{
	address->number[part] = value;
	address->parts |= 1u << part;
}

int address_read_number(struct address_reader *reader, const char *begin, const char *end, const char *what,
			enum nonet_address_part part, int64_t least, int64_t most)
{
	const char *at;
	int64_t value = 0;

	if (begin == end)
		return address_refuse(reader, begin,
				      "the %s is missing; write a number from %" PRId64 " to %" PRId64 ", as in %s",
				      what, least, most, reader->example);
	for (at = begin; at < end; at++) {
		if (*at < '0' || *at > '9')
			return address_refuse(reader, at,
					      "\"%.*s\" is no %s: write one in decimal digits alone, from %" PRId64
					      " to %" PRId64 ", as in %s",
					      ADDRESS_QUOTE(begin, end), what, least, most, reader->example);
	}
	if (*begin == '0' && end - begin > 1)
		return address_refuse(reader, begin,
				      "\"%.*s\" begins with 0, which some would read as octal; write the %s without it",
				      ADDRESS_QUOTE(begin, end), what);
	for (at = begin; at < end; at++) {
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
			break;
	}
	if (at < end || value < least || value > most)
		return address_refuse(reader, begin,
				      "\"%.*s\" is out of range: the %s is a number from %" PRId64 " to %" PRId64
				      ", as in %s",
				      ADDRESS_QUOTE(begin, end), what, least, most, reader->example);
	address_set_number(reader->address, part, value);
	return 0;
}
