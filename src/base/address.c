/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct address_form {
	const char *name;
	int (*read)(struct address_reader *reader, const char *rest);
	const char *example;
} address_forms[] = {
	[NONET_SCHEME_FIFO] = {"fifo", address_read_file, "fifo:/run/app/jobs"},
	[NONET_SCHEME_FD] = {"fd", address_read_descriptor, "fd:3"},
	[NONET_SCHEME_PID] = {"pid", address_read_process, "pid:4711"},
	[NONET_SCHEME_UNIX] = {"unix", address_read_unix, "unix:/run/app/socket or unix:@app"},
	[NONET_SCHEME_UNIX_SEQPACKET] = {"unix-seqpacket", address_read_unix, "unix-seqpacket:/run/app/socket"},
	[NONET_SCHEME_UNIX_DGRAM] = {"unix-dgram", address_read_unix, "unix-dgram:/run/app/socket"},
	[NONET_SCHEME_TCP] = {"tcp", address_read_host_port, "tcp:localhost:8080 or tcp:[::1]:8080"},
	[NONET_SCHEME_UDP] = {"udp", address_read_host_port, "udp:localhost:5353 or udp:[::1]:5353"},
	[NONET_SCHEME_ICMP] = {"icmp", address_read_host, "icmp:localhost or icmp:[::1]"},
	[NONET_SCHEME_POSIXMQ] = {"posixmq", address_read_posix, "posixmq:/jobs"},
	[NONET_SCHEME_POSIXSEM] = {"posixsem", address_read_posix, "posixsem:/permits"},
	[NONET_SCHEME_POSIXSHM] = {"posixshm", address_read_posix, "posixshm:/table"},
	[NONET_SCHEME_SYSVMSG] = {"sysvmsg", address_read_sysv, "sysvmsg:0x4d2, sysvmsg:id=7 or sysvmsg:/srv/app#1"},
	[NONET_SCHEME_SYSVSHM] = {"sysvshm", address_read_sysv, "sysvshm:0x4d2, sysvshm:id=7 or sysvshm:/srv/app#1"},
	[NONET_SCHEME_SYSVSEM] = {"sysvsem", address_read_sysv, "sysvsem:0x4d2, sysvsem:id=7[0] or sysvsem:/srv/app#1"},
	[NONET_SCHEME_OFDLOCK] = {"ofdlock", address_read_lock, "ofdlock:/var/app/data or ofdlock:/var/app/data,0+512"},
	[NONET_SCHEME_POSIXLOCK] = {"posixlock", address_read_lock,
				    "posixlock:/var/app/data or posixlock:/var/app/data,0+512"},
	[NONET_SCHEME_FLOCK] = {"flock", address_read_file, "flock:/var/app/data"},
	[NONET_SCHEME_FILE] = {"file", address_read_file, "file:/var/app/data"},
	[NONET_SCHEME_MUTEX] = {"mutex", address_read_object, "mutex:jobs or mutex:/dev/shm/app/jobs"},
	[NONET_SCHEME_RWLOCK] = {"rwlock", address_read_object, "rwlock:jobs or rwlock:/dev/shm/app/jobs"},
	[NONET_SCHEME_CONDITION] = {"condition", address_read_object, "condition:jobs or condition:/dev/shm/app/jobs"},
	[NONET_SCHEME_EVENT] = {"event", address_read_object, "event:jobs or event:/dev/shm/app/jobs"},
	[NONET_SCHEME_SEMAPHORE] = {"semaphore", address_read_object, "semaphore:jobs or semaphore:/dev/shm/app/jobs"},
	[NONET_SCHEME_CHANNEL] = {"channel", address_read_object, "channel:jobs or channel:/dev/shm/app/jobs"},
	[NONET_SCHEME_QUEUE] = {"queue", address_read_object, "queue:jobs or queue:/dev/shm/app/jobs"},
	[NONET_SCHEME_LOG] = {"log", address_read_object, "log:jobs or log:/var/app/jobs"},
};

#define ADDRESS_FORMS (sizeof(address_forms) / sizeof(address_forms[0]))

static const struct address_form *address_form(enum nonet_scheme scheme)
{
	/* Unsigned, so that what isn't a scheme fails one way, negative numbers too. */
	size_t index = (unsigned int)scheme;

	if (index >= ADDRESS_FORMS || !address_forms[index].name)
		return NULL;
	return &address_forms[index];
}

const char *nonet_scheme_name(enum nonet_scheme scheme)
{
	const struct address_form *form = address_form(scheme);

	return form ? form->name : NULL;
}

const char *address_example(enum nonet_scheme scheme)
{
	return address_form(scheme)->example;
}

/* 0 if @text doesn't begin with a scheme and its colon. */
static enum nonet_scheme address_find_scheme(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t length;
	int scheme;

	if (!colon)
		return 0;
	length = (size_t)(colon - text);
	for (scheme = NONET_SCHEME_FIFO; (size_t)scheme < ADDRESS_FORMS; scheme++) {
		const char *name = address_forms[scheme].name;

		/* Few begin with the same letter. */
		if (*name == *text && !strncmp(name, text, length) && !name[length])
			return scheme;
	}
	return 0;
}

/*
 * The only allocation of an address. bytes[] takes the names and then the text: from @size bytes, decoding makes at
 * most
 * @size bytes and a NUL, and an IPv6 address is written a second time, in its shortest form and with its zone.
 */
#define ADDRESS_NAME_SPARE 128

static struct nonet_address *address_new(enum nonet_scheme scheme, size_t size)
{
	struct nonet_address *address;
	size_t names;

	/* Below this the sum, 4 * @size and some hundred, doesn't overflow. */
	if (size > SIZE_MAX / 8)
		return NULL;
	names = size + ADDRESS_NAME_SPARE;
	address = malloc(sizeof(*address) + names + address_text_bound(names));
	if (!address)
		return NULL;
	*address = (struct nonet_address){.scheme = scheme};
	return address;
}

int nonet_address_parse(const char *text, struct nonet_address **ret_address, struct nonet_error *reterr)
{
	struct address_reader reader = {.text = text, .end = text + strlen(text), .reterr = reterr};
	const struct address_form *form;
	enum nonet_scheme scheme;
	int result;

	scheme = address_find_scheme(text);
	if (!scheme)
		return address_refuse_scheme(&reader);
	form = address_form(scheme);
	reader.example = form->example;
	reader.address = address_new(scheme, (size_t)(reader.end - text));
	if (!reader.address)
		return error_set(reterr, -ENOMEM, "there is no memory to read an address of %zu bytes",
				 (size_t)(reader.end - text));
	reader.unused = reader.address->bytes;

	result = form->read(&reader, text + strlen(form->name) + 1);
	if (result < 0) {
		nonet_address_free(reader.address);
		return result;
	}
	address_write_text(reader.address, reader.unused);
	*ret_address = reader.address;
	return 0;
}

struct nonet_address *nonet_address_free(struct nonet_address *address)
{
	free(address);
	return NULL;
}

enum nonet_scheme nonet_address_scheme(const struct nonet_address *address)
{
	return address->scheme;
}

const char *nonet_address_text(const struct nonet_address *address)
{
	return address->text;
}

const char *nonet_address_name(const struct nonet_address *address, size_t *ret_size)
{
	if (ret_size)
		*ret_size = address->name_size;
	return address->name;
}

const char *nonet_address_directory(const struct nonet_address *address)
{
	return address->directory;
}

int nonet_address_is_abstract(const struct nonet_address *address)
{
	return address->is_abstract;
}

int nonet_address_number(const struct nonet_address *address, enum nonet_address_part part, int64_t *ret_value)
{
	if (part < NONET_ADDRESS_DESCRIPTOR || part > NONET_ADDRESS_LENGTH)
		return -EINVAL;
	if (!(address->parts & 1u << part))
		return -ENODATA;
	*ret_value = address->number[part];
	return 0;
}
