/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>

#include <nonet/address.h>

#include "base/error.h"

/* Longest names, in bytes without NUL. */
#define ADDRESS_PATH_MAX   4095 /* PATH_MAX - 1 */
#define ADDRESS_UNIX_MAX   107  /* sun_path, less the NUL that ends a path or opens an abstract name: unix(7) */
#define ADDRESS_HOST_MAX   253  /* a DNS name */
#define ADDRESS_ZONE_MAX   15   /* IFNAMSIZ - 1 */
#define ADDRESS_OBJECT_MAX 200  /* leaves room for what a domain adds to a file's name */

/* One block: all that the pointers point to lies in bytes[] (or is static). */
struct nonet_address {
	enum nonet_scheme scheme;
	bool is_abstract;
	unsigned int parts; /* which numbers there are: bit 1 << enum nonet_address_part */
	int64_t number[NONET_ADDRESS_LENGTH + 1];
	const char *text;
	const char *name; /* NULL if none */
	size_t name_size;
	const char *directory; /* NULL if none */
	char bytes[];
};

/*
 * An address while it is read. Pointers into the text double as positions of errors. Escapes don't hide from memchr():
 * %XX never contains a byte that separates parts, so a separator found in the text is always an unescaped one.
 */
struct address_reader {
	const char *text;
	const char *end;     /* its NUL */
	const char *example; /* of this scheme, for the sentences */
	struct nonet_address *address;
	char *unused; /* the first byte of address->bytes that isn't taken */
	struct nonet_error *reterr;
};

/* What an address is refused with: -EINVAL, and a sentence about the byte @at. */
#define address_refuse(reader, at, ...) \
	error_set_at((reader)->reterr, -EINVAL, (size_t)((at) - (reader)->text), __VA_ARGS__)

/* The arguments for "%.*s" that quote @begin to @end, shortened at a character if it is long. */
#define ADDRESS_QUOTE(begin, end) (int)address_quotable(begin, end), begin
size_t address_quotable(const char *begin, const char *end);

/* Refuse the unprintable byte @at. */
int address_refuse_byte(const struct address_reader *reader, const char *at);

/*
 * How many bytes at the start of @bytes stand for themselves wherever they are: printable ASCII but '%', a space and
 * what is in @special. Nearly always all of them.
 */
size_t address_plain(const char *bytes, size_t size, const char *special);

/* The value of a hexadecimal digit, or -1. */
int address_digit(char byte);

/*
 * Undo the escapes from @begin to @end into address->bytes, followed by NUL. @what ("path") is for the sentence. NUL
 * bytes only where @nul_allowed.
 */
int address_read_bytes(struct address_reader *reader, const char *begin, const char *end, const char *what,
		       bool nul_allowed, const char **ret_bytes, size_t *ret_size);

/* Where in the text the decoded byte number @index stands, if @begin is where number 0 does. */
const char *address_find_byte(const char *begin, size_t index);

/* The path from @begin to @end, of 1 to @limit bytes, as the address's name. */
int address_read_path(struct address_reader *reader, const char *begin, const char *end, size_t limit);

/* The digits from @begin to @end as a number of the address; decimal, @least to @most, no sign, no leading zero. */
int address_read_number(struct address_reader *reader, const char *begin, const char *end, const char *what,
			enum nonet_address_part part, int64_t least, int64_t most);

void address_set_number(struct nonet_address *address, enum nonet_address_part part, int64_t value);

/* What follows the colon, scheme by scheme; @rest is its first byte. */
int address_read_descriptor(struct address_reader *reader, const char *rest);
int address_read_process(struct address_reader *reader, const char *rest);
int address_read_file(struct address_reader *reader, const char *rest);
int address_read_lock(struct address_reader *reader, const char *rest);
int address_read_unix(struct address_reader *reader, const char *rest);
int address_read_host(struct address_reader *reader, const char *rest);
int address_read_host_port(struct address_reader *reader, const char *rest);
int address_read_posix(struct address_reader *reader, const char *rest);
int address_read_sysv(struct address_reader *reader, const char *rest);
int address_read_object(struct address_reader *reader, const char *rest);

/* A text that doesn't begin with a scheme: -EINVAL, and a sentence that says what was probably meant. */
int address_refuse_scheme(const struct address_reader *reader);

/* The example of @scheme, e.g. "fd:3", static. */
const char *address_example(enum nonet_scheme scheme);

/* An upper bound for what address_write_text() writes, NUL included, when no name is longer than @size bytes. */
size_t address_text_bound(size_t size);

/* Write the canonical spelling with its NUL to address->text, which must be @text. */
void address_write_text(struct nonet_address *address, char *text);

#endif
