/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_ADDRESS_H
#define NONET_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>

NONET_BEGIN_DECLS

/*
 * The one address grammar, scheme:rest. `posix*` and `sysv*` name the kernel's own objects, a plain word nonet's.
 * %XX (two hexadecimal digits) stands for a byte. nonet(7) has the table of schemes.
 */
enum nonet_scheme {
	NONET_SCHEME_FIFO = 1,
	NONET_SCHEME_FD,
	NONET_SCHEME_PID,
	NONET_SCHEME_UNIX,
	NONET_SCHEME_UNIX_SEQPACKET,
	NONET_SCHEME_UNIX_DGRAM,
	NONET_SCHEME_TCP,
	NONET_SCHEME_UDP,
	NONET_SCHEME_ICMP,
	NONET_SCHEME_POSIXMQ,
	NONET_SCHEME_POSIXSEM,
	NONET_SCHEME_POSIXSHM,
	NONET_SCHEME_SYSVMSG,
	NONET_SCHEME_SYSVSHM,
	NONET_SCHEME_SYSVSEM,
	NONET_SCHEME_OFDLOCK,
	NONET_SCHEME_POSIXLOCK,
	NONET_SCHEME_FLOCK,
	NONET_SCHEME_FILE,
	NONET_SCHEME_MUTEX,
	NONET_SCHEME_RWLOCK,
	NONET_SCHEME_CONDITION,
	NONET_SCHEME_EVENT,
	NONET_SCHEME_SEMAPHORE,
	NONET_SCHEME_CHANNEL,
	NONET_SCHEME_QUEUE,
	NONET_SCHEME_LOG,
};

/* The numbers that an address may hold; see nonet_address_number(). */
enum nonet_address_part {
	NONET_ADDRESS_DESCRIPTOR = 1, /* fd:N */
	NONET_ADDRESS_PID,            /* pid:N */
	NONET_ADDRESS_PORT,           /* tcp: udp: 0 to 65535 */
	NONET_ADDRESS_KEY,            /* sysv*:KEY, decimal or 0x; the key as an unsigned 32-bit number */
	NONET_ADDRESS_ID,             /* sysv*:id=N */
	NONET_ADDRESS_PROJECT,        /* sysv*:PATH#PROJ, 1 to 255, as for ftok(3) */
	NONET_ADDRESS_INDEX,          /* sysvsem:...[N] */
	NONET_ADDRESS_START,          /* ofdlock: posixlock: PATH,START+LENGTH, in bytes */
	NONET_ADDRESS_LENGTH,         /* the same; 0 = to the end of the file, however it grows */
};

struct nonet_address;

/**
 * nonet_address_parse() - read an address
 * @text:        scheme:rest, ends with NUL
 * @ret_address: the address, freed with nonet_address_free()
 * @reterr:      NULL, or where to put the sentence; its position is the first wrong byte of @text
 *
 * Nothing is opened or looked up: an address may name what doesn't exist.
 *
 * Return: 0, or
 *   -EINVAL      @text isn't an address
 *   -ENOMEM      no memory
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_address_parse(const char *text, struct nonet_address **ret_address,
						      struct nonet_error *reterr);

/**
 * nonet_address_free() - forget an address
 * @address: may be NULL
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_address *nonet_address_free(struct nonet_address *address);

/**
 * nonet_address_scheme() - which mechanism an address names
 * @address: parsed
 */
NONET_PUBLIC enum nonet_scheme nonet_address_scheme(const struct nonet_address *address);

/**
 * nonet_address_text() - an address in its canonical spelling
 * @address: parsed
 *
 * Bytes that the grammar or a terminal gives a meaning are written as %XX; numbers are decimal. Parsing the text gives
 * an equal address.
 *
 * Return: the text, owned by @address.
 */
NONET_PUBLIC const char *nonet_address_text(const struct nonet_address *address);

/**
 * nonet_address_name() - the path, object name or host in an address, escapes undone
 * @address:  parsed
 * @ret_size: its size in bytes without the final NUL; may be NULL
 *
 * Only the name of an abstract UNIX socket (nonet_address_is_abstract()) may hold NUL bytes; it comes without its @.
 *
 * Return: the name, owned by @address, with a NUL after it; NULL if the scheme has none (fd:, pid:, sysv*:KEY).
 */
NONET_PUBLIC const char *nonet_address_name(const struct nonet_address *address, size_t *ret_size);

/**
 * nonet_address_directory() - the domain in mutex:DIR/NAME and its like
 * @address: parsed
 *
 * Return: the directory, owned by @address; NULL if none was given.
 */
NONET_PUBLIC const char *nonet_address_directory(const struct nonet_address *address);

/**
 * nonet_address_is_abstract() - whether an address is a UNIX socket outside the file system (unix(7))
 * @address: parsed
 *
 * Return: 1 or 0.
 */
NONET_PUBLIC int nonet_address_is_abstract(const struct nonet_address *address);

/**
 * nonet_address_number() - one of the numbers in an address
 * @address:   parsed
 * @part:      which
 * @ret_value: the number
 *
 * Return: 0, or
 *   -ENODATA     the address has no such part
 *   -EINVAL      @part isn't a part
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_address_number(const struct nonet_address *address,
						       enum nonet_address_part part, int64_t *ret_value);

/**
 * nonet_scheme_name() - the word before the colon
 * @scheme: a scheme
 *
 * Return: e.g. "unix-seqpacket", static; NULL if @scheme isn't one.
 */
NONET_PUBLIC const char *nonet_scheme_name(enum nonet_scheme scheme);

NONET_END_DECLS

#endif
