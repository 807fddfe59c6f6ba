/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "unix/unix.h"

#define NAME_OFFSET   offsetof(struct sockaddr_un, sun_path)
#define NAME_MAX_SIZE 107 /* of sun_path's 108, for a path's final NUL or an abstract name's first */

int unix_name_set(const char *name, size_t size, struct sockaddr_un *ret_address, socklen_t *ret_size,
		  struct nonet_error *reterr)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const bool abstract = name[0] == '@';
	size_t shown;

	if (size == 0)
		size = strlen(name);
	/* A name of a given size needn't end with NUL. */
	shown = size < 200 ? size : 200;
	if (size == 0 || (abstract && size == 1))
		return error_set(reterr, -EINVAL,
				 "a UNIX socket's name may not be empty: give a path, or @ and a name");
	if (size - abstract > NAME_MAX_SIZE)
		return error_set(reterr, -ENAMETOOLONG,
				 "the UNIX socket's name %.*s has %zu bytes; the kernel allows %d", (int)shown, name,
				 size - abstract, NAME_MAX_SIZE);
	if (!abstract && memchr(name, 0, size))
		return error_set(reterr, -EINVAL, "the path %.*s holds a NUL byte, which only an abstract name may",
				 (int)shown, name);
	/* An abstract name begins with NUL, and its size counts; a path ends with one. */
	memcpy(address.sun_path, name, size);
	if (abstract)
		address.sun_path[0] = 0;
	*ret_address = address;
	*ret_size = (socklen_t)(NAME_OFFSET + size + (abstract ? 0 : 1));
	return 0;
}

uint32_t unix_name_get(const struct sockaddr_un *address, socklen_t size, char ret_name[112])
{
	size_t name_size = size > NAME_OFFSET ? size - NAME_OFFSET : 0;

	if (name_size > sizeof(address->sun_path))
		name_size = sizeof(address->sun_path);
	if (name_size > 0 && address->sun_path[0] != 0)
		name_size = strnlen(address->sun_path, name_size);
	memset(ret_name, 0, 112);
	memcpy(ret_name, address->sun_path, name_size);
	if (name_size > 0 && ret_name[0] == 0)
		ret_name[0] = '@';
	return (uint32_t)name_size;
}
