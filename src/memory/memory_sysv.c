/* SPDX-License-Identifier: Apache-2.0 */
/* sysvshm: System V segments. A segment has its length and mode from its first moment on, in one call. */
#include <errno.h>
#include <limits.h>
#include <sys/ipc.h>

#include "base/error.h"
#include "guard/room.h"
#include "memory/memory.h"
#include "sys/backing.h"
#include "sys/files.h"
#include "sys/ipc_key.h"
#include "sys/mapping.h"
#include "sys/segments.h"

/* The key of KEY and PATH#PROJ. */
static int sysv_key(const struct nonet_address *address, key_t *ret_key)
{
	int64_t number;

	if (nonet_address_number(address, NONET_ADDRESS_KEY, &number) == 0) {
		*ret_key = (key_t)(uint32_t)number;
		return 0;
	}
	if (nonet_address_number(address, NONET_ADDRESS_PROJECT, &number) < 0)
		return -EINVAL;
	return sys_ipc_key(nonet_address_name(address, NULL), (int)number, ret_key);
}

/* The id of a segment that there is. */
static int sysv_find_id(const struct nonet_address *address)
{
	int64_t number;
	key_t key;
	int error;

	if (nonet_address_number(address, NONET_ADDRESS_ID, &number) == 0)
		return (int)number;
	error = sysv_key(address, &key);
	return error < 0 ? error : sys_shm_get(key, 0, 0, false);
}

static int sysv_refuse(const char *what, const char *text, int error, struct nonet_error *reterr)
{
	if (error == -ENOENT)
		return error_set(reterr, error, "can't %s %s: there is no such segment, or no file of that name", what,
				 text);
	return error_set(reterr, error, "can't %s %s: %s", what, text, error_reason(error));
}

static int sysv_open(struct nonet_memory *memory, const struct nonet_address *address,
		     const struct nonet_memory_options *options, struct nonet_error *reterr)
{
	struct sys_shm shm;
	int id = sysv_find_id(address);
	int error = id < 0 ? id : sys_shm_stat(id, &shm);

	(void)options;
	if (error < 0)
		return sysv_refuse("open", memory->text, error, reterr);
	memory->id = id;
	memory->found = shm.size;
	return 0;
}

static int sysv_map(struct nonet_memory *memory, size_t length)
{
	const bool writable = memory->how & SYS_MAP_WRITE;
	void *base;
	int error = sys_shm_attach(memory->id, !writable, &base);

	if (error < 0)
		return error;
	error = guard_map_adopt(&memory->map, base, length, writable, memory->page);
	if (error < 0)
		(void)sys_shm_detach(base);
	return error;
}

static void sysv_fill_info(int id, const struct sys_shm *shm, struct nonet_memory_info *ret_info)
{
	*ret_info = (struct nonet_memory_info){
		.length = shm->size,
		.attached = shm->attached > INT64_MAX ? INT64_MAX : (int64_t)shm->attached,
		.flags = shm->destroyed ? NONET_MEMORY_IS_REMOVED : 0,
		.mode = shm->mode,
		.uid = shm->uid,
		.gid = shm->gid,
		.id = id,
		.creator = shm->creator,
		.last = shm->last,
	};
}

static int sysv_info(const struct nonet_memory *memory, struct nonet_memory_info *ret_info)
{
	struct sys_shm shm;
	int error = sys_shm_stat(memory->id, &shm);

	if (error < 0)
		return error;
	sysv_fill_info(memory->id, &shm, ret_info);
	ret_info->flags |= memory->huge ? NONET_MEMORY_IS_HUGE : 0;
	/* Who made it of large pages knows; the kernel doesn't tell others. */
	ret_info->page = memory->huge ? memory->page : 0;
	return 0;
}

/* The size of the pages that SHM_HUGETLB means, which a memfd tells. */
static int sysv_huge_page(size_t *ret_page)
{
	int fd = sys_memfd("nonet", true);
	bool huge = false;
	int error = fd < 0 ? fd : sys_file_page_size(fd, ret_page, &huge);

	sys_close(&fd);
	return error == 0 && huge ? 0 : -EOPNOTSUPP;
}

/* A segment of the length asked for, with all of its pages: the id, or an error with nothing left. */
static int sysv_make(struct nonet_memory *memory, key_t key, const struct nonet_memory_options *options, bool huge,
		     size_t *ret_length)
{
	const mode_t mode = options->mode ? options->mode : 0600;
	size_t length = (size_t)options->length;
	size_t page = memory->page;
	void *base;
	int error;
	int id;

	if (huge) {
		error = sysv_huge_page(&page);
		if (error < 0)
			return error;
		length = (length + page - 1) & ~(page - 1);
	} else {
		error = room_check(length);
		/* One that is there needs none. */
		if (error < 0)
			return sys_shm_get(key, 0, 0, false) >= 0 ? -EEXIST : error;
	}
	id = sys_shm_get(key, length, IPC_CREAT | IPC_EXCL | (int)mode, huge);
	if (id < 0)
		return id;
	/* For its maker to fill, even where he asks to read alone, and his own mode lets him. */
	error = sys_shm_attach(id, false, &base);
	if (error == 0) {
		/* Where the kernel can't (before 5.14), what it has promised by accounting for it must do. */
		error = sys_map_populate(base, length);
		if (error == -EINVAL)
			error = 0;
		else if (error == -EFAULT)
			error = -ENOMEM;
		if (error == 0 && memory->how & SYS_MAP_WRITE)
			error = guard_map_adopt(&memory->map, base, length, true, page);
		if (!memory->map.base)
			(void)sys_shm_detach(base);
	} else if (error == -EACCES) {
		error = 0;
	}
	if (error < 0) {
		(void)sys_shm_remove(id);
		return error;
	}
	memory->huge = huge;
	memory->page = page;
	*ret_length = length;
	return id;
}

static int sysv_create_failed(const struct nonet_memory *memory, const struct nonet_address *address, key_t key,
			      const struct nonet_memory_options *options, int error, struct nonet_error *reterr)
{
	const unsigned long long length = options->length;
	char reason[ROOM_REASON_SIZE];

	switch (error) {
	case -EEXIST:
		return nonet_address_name(address, NULL) ? error_set_key_exists(reterr, memory->text, (uint32_t)key)
							 : error_set_exists(reterr, memory->text);
	case -EINVAL:
		return error_set(reterr, -EFBIG,
				 "%s can't have %llu bytes: it is over /proc/sys/kernel/shmmax (or another segment of "
				 "that key is smaller)",
				 memory->text, length);
	case -ENOSPC:
		return error_set(reterr, error,
				 "no room for %s of %llu bytes: the limit of segments or of their sum is reached "
				 "(/proc/sys/kernel/shmmni, shmall), or the pool of huge pages is empty",
				 memory->text, length);
	case -ENOMEM:
		return error_set(reterr, error, "can't make %s of %llu bytes: %s", memory->text, length,
				 room_reason(length, error, reason));
	default:
		return sysv_refuse("make", memory->text, error, reterr);
	}
}

/* -EEXIST, or the id. Without enough huge pages ordinary ones do, unless HUGE_ONLY. */
static int sysv_make_any(struct nonet_memory *memory, key_t key, const struct nonet_memory_options *options,
			 size_t *ret_length)
{
	int id = -EOPNOTSUPP;

	if (options->flags & (NONET_MEMORY_HUGE | NONET_MEMORY_HUGE_ONLY))
		id = sysv_make(memory, key, options, true, ret_length);
	if (id < 0 && id != -EEXIST && !(options->flags & NONET_MEMORY_HUGE_ONLY))
		return sysv_make(memory, key, options, false, ret_length);
	return id == -ENOMEM ? -ENOSPC : id;
}

static int sysv_create(struct nonet_memory *memory, const struct nonet_address *address,
		       const struct nonet_memory_options *options, struct nonet_error *reterr)
{
	struct nonet_error why = {0};
	int tries = MEMORY_TRIES;
	size_t length = 0;
	int64_t number;
	key_t key;
	int error;
	int id;

	if (nonet_address_number(address, NONET_ADDRESS_ID, &number) == 0)
		return error_set(reterr, -EINVAL, "%s can't be made: the kernel chooses ids; write a key, or PATH#PROJ",
				 memory->text);
	error = sysv_key(address, &key);
	if (error < 0)
		return sysv_refuse("make", memory->text, error, reterr);
	/* ftok(3) may come to what shmget(2) takes for "a new one, nobody's". */
	if (key == IPC_PRIVATE)
		return error_set(reterr, -EINVAL, "%s can't be made: its key happens to be 0; take another project",
				 memory->text);
	memory->how = memory_how(options);
	/* Who comes second finds the first one's, unless that was removed in between. */
	do {
		id = sysv_make_any(memory, key, options, &length);
		if (id != -EEXIST || !(options->flags & NONET_MEMORY_EXISTING))
			break;
		error = sysv_open(memory, address, options, &why);
		if (error == 0)
			return 0;
		if (error != -ENOENT) {
			if (reterr)
				*reterr = why;
			return error;
		}
	} while (--tries > 0);
	if (id < 0)
		return sysv_create_failed(memory, address, key, options, id, reterr);
	memory->id = id;
	error = memory->map.base ? 0 : sysv_map(memory, length);
	if (error < 0) {
		(void)sys_shm_remove(id);
		return sysv_refuse("map", memory->text, error, reterr);
	}
	return 0;
}

static int sysv_unlink(const struct nonet_address *address, struct nonet_error *reterr)
{
	int id = sysv_find_id(address);
	int error = id < 0 ? id : sys_shm_remove(id);

	if (error == -EPERM)
		return error_set(reterr, error, "can't remove %s: it is another user's", nonet_address_text(address));
	return error < 0 ? sysv_refuse("remove", nonet_address_text(address), error, reterr) : 0;
}

static int sysv_find(const struct nonet_address *address, struct nonet_memory_info *ret_info,
		     struct nonet_error *reterr)
{
	struct sys_shm shm;
	int id = sysv_find_id(address);
	int error = id < 0 ? id : sys_shm_stat(id, &shm);

	if (error < 0)
		return sysv_refuse("look at", nonet_address_text(address), error, reterr);
	sysv_fill_info(id, &shm, ret_info);
	return 0;
}

const struct memory_carrier memory_sysv = {
	.noun = "a System V segment",
	.create = sysv_create,
	.open = sysv_open,
	.unlink = sysv_unlink,
	.find = sysv_find,
	.info = sysv_info,
	.map = sysv_map,
};
