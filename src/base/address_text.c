/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <stdint.h>
#include <string.h>

#include "base/decimal.h"
#include "base/utf8.h"

/* The longest scheme, its colon, the brackets of an IPv6 address or "id=", two numbers, what separates them, NUL. */
#define ADDRESS_FRAME_MAX 80

size_t address_text_bound(size_t size)
{
	return 3 * size + ADDRESS_FRAME_MAX;
}

/*
 * Without sprintf(3): an address is read, and written, whenever an object is made or opened, and would take a tenth of
 * the time that the kernel takes for the smallest ones.
 */

static char *address_write_escape(char *text, unsigned char byte)
{
	static const char digits[] = "0123456789ABCDEF";

	*text++ = '%';
	*text++ = digits[byte >> 4];
	*text++ = digits[byte & 0xf];
	return text;
}

/* @bytes with each that is unprintable, '%', a space (for the shell's sake) or in @special as %XX. Returns the end. */
static char *address_write_bytes(char *text, const char *bytes, size_t size, const char *special)
{
	size_t at = 0;

	while (at < size) {
		size_t length = address_plain(bytes + at, size - at, special);
		unsigned char byte = (unsigned char)bytes[at];

		if (!length && byte >= 0x80)
			length = utf8_printable(bytes + at, size - at);
		if (!length) {
			text = address_write_escape(text, byte);
			at++;
		} else {
			memcpy(text, bytes + at, length);
			text += length;
			at += length;
		}
	}
	return text;
}

/* No number of an address is below 0. */
static char *address_write_number(char *text, const struct nonet_address *address, const char *before,
				  enum nonet_address_part part, const char *after)
{
	if (!(address->parts & 1u << part))
		return text;
	text = decimal_write(stpcpy(text, before), (uint64_t)address->number[part]);
	return stpcpy(text, after);
}

static char *address_write_unix(char *text, const struct nonet_address *address)
{
	const char *name = address->name;
	size_t size = address->name_size;

	if (address->is_abstract) {
		*text++ = '@';
	} else if (*name == '@') {
		/* A path of this look isn't an abstract name. */
		text = address_write_escape(text, '@');
		name++;
		size--;
	}
	return address_write_bytes(text, name, size, "");
}

static char *address_write_host(char *text, const struct nonet_address *address)
{
	/* Only an IPv6 address has a colon. */
	bool is_ipv6 = memchr(address->name, ':', address->name_size);

	if (is_ipv6)
		*text++ = '[';
	text = address_write_bytes(text, address->name, address->name_size, "[]");
	if (is_ipv6)
		*text++ = ']';
	return address_write_number(text, address, ":", NONET_ADDRESS_PORT, "");
}

/* As "0x%08x". */
static char *address_write_hex(char *text, uint32_t number)
{
	text = mempcpy(text, "0x", 2);
	for (int shift = 28; shift >= 0; shift -= 4)
		*text++ = "0123456789abcdef"[number >> shift & 15];
	return text;
}

static char *address_write_sysv(char *text, const struct nonet_address *address)
{
	/* As ipcs(1) does, so that a person and a script find it there. */
	if (address->parts & 1u << NONET_ADDRESS_KEY)
		text = address_write_hex(text, (uint32_t)address->number[NONET_ADDRESS_KEY]);
	text = address_write_number(text, address, "id=", NONET_ADDRESS_ID, "");
	if (address->name)
		text = address_write_bytes(text, address->name, address->name_size, "#");
	text = address_write_number(text, address, "#", NONET_ADDRESS_PROJECT, "");
	return address_write_number(text, address, "[", NONET_ADDRESS_INDEX, "]");
}

static char *address_write_lock(char *text, const struct nonet_address *address)
{
	text = address_write_bytes(text, address->name, address->name_size, ",");
	text = address_write_number(text, address, ",", NONET_ADDRESS_START, "");
	return address_write_number(text, address, "+", NONET_ADDRESS_LENGTH, "");
}

static char *address_write_object(char *text, const struct nonet_address *address)
{
	const char *directory = address->directory;

	if (directory) {
		size_t size = strlen(directory);

		text = address_write_bytes(text, directory, size, "");
		if (directory[size - 1] != '/')
			*text++ = '/';
	}
	return address_write_bytes(text, address->name, address->name_size, "");
}

void address_write_text(struct nonet_address *address, char *text)
{
	address->text = text;
	text = stpcpy(text, nonet_scheme_name(address->scheme));
	*text++ = ':';
	switch (address->scheme) {
	case NONET_SCHEME_FD:
		text = address_write_number(text, address, "", NONET_ADDRESS_DESCRIPTOR, "");
		break;
	case NONET_SCHEME_PID:
		text = address_write_number(text, address, "", NONET_ADDRESS_PID, "");
		break;
	case NONET_SCHEME_FIFO:
	case NONET_SCHEME_FLOCK:
	case NONET_SCHEME_FILE:
	case NONET_SCHEME_POSIXMQ:
	case NONET_SCHEME_POSIXSEM:
	case NONET_SCHEME_POSIXSHM:
		text = address_write_bytes(text, address->name, address->name_size, "");
		break;
	case NONET_SCHEME_UNIX:
	case NONET_SCHEME_UNIX_SEQPACKET:
	case NONET_SCHEME_UNIX_DGRAM:
		text = address_write_unix(text, address);
		break;
	case NONET_SCHEME_TCP:
	case NONET_SCHEME_UDP:
	case NONET_SCHEME_ICMP:
		text = address_write_host(text, address);
		break;
	case NONET_SCHEME_SYSVMSG:
	case NONET_SCHEME_SYSVSHM:
	case NONET_SCHEME_SYSVSEM:
		text = address_write_sysv(text, address);
		break;
	case NONET_SCHEME_OFDLOCK:
	case NONET_SCHEME_POSIXLOCK:
		text = address_write_lock(text, address);
		break;
	case NONET_SCHEME_MUTEX:
	case NONET_SCHEME_RWLOCK:
	case NONET_SCHEME_CONDITION:
	case NONET_SCHEME_EVENT:
	case NONET_SCHEME_SEMAPHORE:
	case NONET_SCHEME_CHANNEL:
	case NONET_SCHEME_QUEUE:
	case NONET_SCHEME_LOG:
		text = address_write_object(text, address);
		break;
	}
	*text = '\0';
}
