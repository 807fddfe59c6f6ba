/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/*
 * What may follow each scheme's colon. '/' is no separator of the grammar but a byte of paths, so %2F is the same; the
 * grammar's own separators (: , # [ ] @ =) lose their meaning when escaped.
 */

int address_read_descriptor(struct address_reader *reader, const char *rest)
{
	return address_read_number(reader, rest, reader->end, "descriptor", NONET_ADDRESS_DESCRIPTOR, 0, INT_MAX);
}

int address_read_process(struct address_reader *reader, const char *rest)
{
	return address_read_number(reader, rest, reader->end, "process ID", NONET_ADDRESS_PID, 1, INT_MAX);
}

int address_read_file(struct address_reader *reader, const char *rest)
{
	return address_read_path(reader, rest, reader->end, ADDRESS_PATH_MAX);
}

/* START+LENGTH */
static int read_range(struct address_reader *reader, const char *range)
{
	const char *plus = memchr(range, '+', (size_t)(reader->end - range));
	int64_t start, length;
	int result;

	if (range < reader->end && (*range < '0' || *range > '9'))
		return address_refuse(
			reader, range,
			"\"%.*s\" isn't START+LENGTH, the range to lock; a comma that belongs to the path "
			"is written %%2C",
			ADDRESS_QUOTE(range, reader->end));
	result = address_read_number(reader, range, plus ? plus : reader->end, "start of the range",
				     NONET_ADDRESS_START, 0, INT64_MAX);
	if (result < 0)
		return result;
	if (!plus)
		return address_refuse(
			reader, reader->end,
			"the range \"%.*s\" has no length; write START+LENGTH, with length 0 for all that "
			"follows, as in %s",
			ADDRESS_QUOTE(range, reader->end), reader->example);
	result = address_read_number(reader, plus + 1, reader->end, "length of the range", NONET_ADDRESS_LENGTH, 0,
				     INT64_MAX);
	if (result < 0)
		return result;
	start = reader->address->number[NONET_ADDRESS_START];
	length = reader->address->number[NONET_ADDRESS_LENGTH];
	/* The last byte has to have a number, too: fcntl(2) would say EOVERFLOW. */
	if (length && length - 1 > INT64_MAX - start)
		return address_refuse(
			reader, plus + 1,
			"the range \"%.*s\" ends behind the last possible byte of a file; use length 0 for "
			"all that follows its start",
			ADDRESS_QUOTE(range, reader->end));
	return 0;
}

int address_read_lock(struct address_reader *reader, const char *rest)
{
	const char *comma = memrchr(rest, ',', (size_t)(reader->end - rest));
	int result;

	result = address_read_path(reader, rest, comma ? comma : reader->end, ADDRESS_PATH_MAX);
	if (result < 0)
		return result;
	return comma ? read_range(reader, comma + 1) : 0;
}

int address_read_unix(struct address_reader *reader, const char *rest)
{
	struct nonet_address *address = reader->address;
	int result;

	if (*rest != '@')
		return address_read_path(reader, rest, reader->end, ADDRESS_UNIX_MAX);
	rest++;
	if (rest == reader->end)
		return address_refuse(reader, rest, "no name stands after @; write one, as in unix:@app");
	result = address_read_bytes(reader, rest, reader->end, "name", true, &address->name, &address->name_size);
	if (result < 0)
		return result;
	if (address->name_size > ADDRESS_UNIX_MAX)
		return address_refuse(
			reader, address_find_byte(rest, ADDRESS_UNIX_MAX),
			"the abstract name has %zu bytes after its @; the kernel takes at most %d, so use a "
			"shorter name",
			address->name_size, ADDRESS_UNIX_MAX);
	address->is_abstract = true;
	return 0;
}

/* The most bytes behind the slash that glibc and the kernel take: a semaphore's file is called sem.NAME. */
static size_t posix_name_max(enum nonet_scheme scheme)
{
	return scheme == NONET_SCHEME_POSIXSEM ? 251 : 255;
}

int address_read_posix(struct address_reader *reader, const char *rest)
{
	struct nonet_address *address = reader->address;
	const char *name, *slash;
	size_t size, most = posix_name_max(address->scheme);
	int result;

	if (rest == reader->end)
		return address_refuse(reader, rest, "the name is missing; write a slash and a name, as in %s",
				      reader->example);
	result = address_read_bytes(reader, rest, reader->end, "name", false, &address->name, &address->name_size);
	if (result < 0)
		return result;
	if (*address->name != '/')
		return address_refuse(reader, rest,
				      "\"%.*s\" has no slash in front, as a POSIX name needs; write %s:/%.*s",
				      ADDRESS_QUOTE(rest, reader->end), nonet_scheme_name(address->scheme),
				      ADDRESS_QUOTE(rest, reader->end));
	name = address->name + 1;
	size = address->name_size - 1;
	if (!size)
		return address_refuse(reader, reader->end, "no name stands after the slash; write one, as in %s",
				      reader->example);
	slash = memchr(name, '/', size);
	if (slash)
		return address_refuse(reader, address_find_byte(rest, (size_t)(slash - address->name)),
				      "\"%.*s\" has a second slash; a POSIX name has one, in front, as in %s",
				      ADDRESS_QUOTE(rest, reader->end), reader->example);
	if (size > most)
		return address_refuse(reader, address_find_byte(rest, 1 + most),
				      "the name has %zu bytes after its slash; at most %zu are possible here, so use a "
				      "shorter name",
				      size, most);
	/* These two would be directories; but a semaphore's file would be "sem..", which works. */
	if (address->scheme != NONET_SCHEME_POSIXSEM && (!strcmp(name, ".") || !strcmp(name, "..")))
		return address_refuse(reader, address_find_byte(rest, 1),
				      "\"%s\" is a directory, not a name; write another, as in %s", name,
				      reader->example);
	return 0;
}

int address_read_object(struct address_reader *reader, const char *rest)
{
	struct nonet_address *address = reader->address;
	const char *bytes, *slash, *at;
	size_t size;
	int result;

	if (rest == reader->end)
		return address_refuse(reader, rest, "the name is missing; write NAME or DIR/NAME, as in %s",
				      reader->example);
	result = address_read_bytes(reader, rest, reader->end, "name", false, &bytes, &size);
	if (result < 0)
		return result;
	slash = memrchr(bytes, '/', size);
	address->name = slash ? slash + 1 : bytes;
	address->name_size = size - (size_t)(address->name - bytes);
	at = address_find_byte(rest, (size_t)(address->name - bytes));

	if (size > ADDRESS_PATH_MAX)
		return address_refuse(reader, address_find_byte(rest, ADDRESS_PATH_MAX),
				      "directory and name have %zu bytes; at most %d are possible, so use shorter ones",
				      size, ADDRESS_PATH_MAX);
	if (!address->name_size)
		return address_refuse(reader, reader->end,
				      "\"%.*s\" is only a directory; a name has to follow, as in %s",
				      ADDRESS_QUOTE(rest, reader->end), reader->example);
	if (!strcmp(address->name, ".") || !strcmp(address->name, ".."))
		return address_refuse(reader, at, "\"%s\" is a directory, not a name; write another, as in %s",
				      address->name, reader->example);
	if (address->name_size > ADDRESS_OBJECT_MAX)
		return address_refuse(reader, address_find_byte(at, ADDRESS_OBJECT_MAX),
				      "the name has %zu bytes; at most %d are possible, so use a shorter name",
				      address->name_size, ADDRESS_OBJECT_MAX);
	if (!slash)
		return 0;

	/* One spelling for each directory: without the slashes at its end. */
	while (slash > bytes && slash[-1] == '/')
		slash--;
	if (slash == bytes) {
		address->directory = "/";
	} else {
		*(char *)slash = '\0';
		address->directory = bytes;
	}
	return 0;
}
