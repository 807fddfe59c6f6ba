/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "semaphore/semaphore.h"
#include "sys/ipc_key.h"
#include "sys/sysv_semaphore.h"

static int place_posix(struct semaphore_place *place, struct nonet_error *reterr)
{
	/* A slash, and no other. */
	const char *name = nonet_address_name(place->address, NULL) + 1;
	int length = snprintf(place->file, sizeof(place->file), SYS_POSIX_SEMAPHORE_PREFIX "%s", name);

	if (length < 0 || (size_t)length >= sizeof(place->file))
		return error_set(reterr, -ENAMETOOLONG, "the name in %s is too long for a file in %s", place->text,
				 SYS_POSIX_SEMAPHORE_DIRECTORY);
	place->carrier = &semaphore_posix;
	return 0;
}

static int place_sysv(struct semaphore_place *place, struct nonet_error *reterr)
{
	const char *path = nonet_address_name(place->address, NULL);
	int64_t number;
	int error;

	place->carrier = &semaphore_sysv;
	if (nonet_address_number(place->address, NONET_ADDRESS_INDEX, &number) == 0) {
		place->indexed = true;
		place->index = (uint32_t)number;
	}
	if (nonet_address_number(place->address, NONET_ADDRESS_ID, &number) == 0)
		place->id = (int)number;
	else if (nonet_address_number(place->address, NONET_ADDRESS_KEY, &number) == 0)
		place->key = (int32_t)(uint32_t)number;
	if (nonet_address_number(place->address, NONET_ADDRESS_PROJECT, &number) < 0)
		return 0;
	error = sys_ipc_key(path, (int)number, &place->key);
	if (error < 0)
		return error_set(reterr, error, "can't make a key of %s: the file %s: %s", place->text, path,
				 error_reason(error));
	return 0;
}

int semaphore_place_init(struct semaphore_place *place, const char *address, struct nonet_error *reterr)
{
	int error;

	*place = (struct semaphore_place){.id = -1};
	error = nonet_address_parse(address, &place->address, reterr);
	if (error < 0)
		return error;
	place->text = nonet_address_text(place->address);
	switch (nonet_address_scheme(place->address)) {
	case NONET_SCHEME_POSIXSEM:
		error = place_posix(place, reterr);
		break;
	case NONET_SCHEME_SYSVSEM:
		error = place_sysv(place, reterr);
		break;
	case NONET_SCHEME_SEMAPHORE:
		place->carrier = &semaphore_shared;
		break;
	default:
		error = error_set_at(reterr, -EINVAL, 0,
				     "%s is no semaphore: write semaphore:NAME, posixsem:/NAME or sysvsem:KEY[N]",
				     place->text);
		break;
	}
	if (error < 0)
		semaphore_place_done(place);
	return error;
}

void semaphore_place_done(struct semaphore_place *place)
{
	place->address = nonet_address_free(place->address);
	place->text = NULL;
}
