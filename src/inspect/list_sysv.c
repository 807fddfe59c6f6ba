/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "inspect/list.h"
#include "sys/look.h"
#include "sys/memory.h"

/*
 * System V: /proc/sysvipc/{msg,sem,shm}, a line of numbers for each object (proc_sysvipc_msg(5) and so on). They show
 * all of the IPC namespace to everybody, also what one may not use.
 */

/* Beside the permissions of shm (sysvipc(7), and SHM_DEST, SHM_LOCKED of shmctl(2)). */
#define MODE_REMOVED 01000
#define MODE_LOCKED  02000

/* Where in the line. */
enum {
	SYSV_KEY,
	SYSV_ID,
	SYSV_MODE,
	SYSV_FIRST, /* cbytes, nsems, size */

	MESSAGES = 4,
	MESSAGE_OWNER = 7,
	MESSAGE_SENT = 11,
	MESSAGE_RECEIVED,
	MESSAGE_CHANGED,
	MESSAGE_COLUMNS,

	SEMAPHORE_OWNER = 4,
	SEMAPHORE_USED = 8,
	SEMAPHORE_CHANGED,
	SEMAPHORE_COLUMNS,

	MEMORY_CREATOR = 4,
	MEMORY_ATTACHED = 6,
	MEMORY_OWNER,
	MEMORY_ATTACHED_AT = 11,
	MEMORY_DETACHED_AT,
	MEMORY_CHANGED,
	MEMORY_COLUMNS,

	SYSV_COLUMNS = MESSAGE_COLUMNS,
};

static int64_t seconds(uint64_t time)
{
	return (int64_t)time * NONET_S(1);
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void sysv_set(struct nonet_inspect_object *object, const uint64_t *line, size_t owner, uint64_t used,
		     uint64_t changed)
{
	object->known |= NONET_INSPECT_OWNER | NONET_INSPECT_ID | NONET_INSPECT_CREATED;
	object->id = (int32_t)line[SYSV_ID];
	object->mode = line[SYSV_MODE] & 0777;
	object->owner = (uint32_t)line[owner];
	object->group = (uint32_t)line[owner + 1];
	object->created = seconds(changed);
	if (used > 0) {
		object->known |= NONET_INSPECT_USED;
		object->used = seconds(used);
	}
}

static void sysv_message(struct nonet_inspect_object *object, const uint64_t *line)
{
	sysv_set(object, line, MESSAGE_OWNER, latest(line[MESSAGE_SENT], line[MESSAGE_RECEIVED]),
		 line[MESSAGE_CHANGED]);
	object->known |= NONET_INSPECT_BYTES | NONET_INSPECT_COUNT;
	object->bytes = line[SYSV_FIRST];
	object->count = line[MESSAGES];
}

static void sysv_semaphore(struct nonet_inspect_object *object, const uint64_t *line)
{
	sysv_set(object, line, SEMAPHORE_OWNER, line[SEMAPHORE_USED], line[SEMAPHORE_CHANGED]);
	object->known |= NONET_INSPECT_ROOM;
	object->room = line[SYSV_FIRST];
}

static void sysv_memory(struct nonet_inspect_object *object, const uint64_t *line)
{
	sysv_set(object, line, MEMORY_OWNER, latest(line[MEMORY_ATTACHED_AT], line[MEMORY_DETACHED_AT]),
		 line[MEMORY_CHANGED]);
	object->known |= NONET_INSPECT_BYTES | NONET_INSPECT_USERS | NONET_INSPECT_PID;
	object->bytes = line[SYSV_FIRST];
	object->users = line[MEMORY_ATTACHED];
	object->pid = (int32_t)line[MEMORY_CREATOR];
	if (line[SYSV_MODE] & MODE_REMOVED)
		object->flags |= NONET_INSPECT_REMOVED;
	if (line[SYSV_MODE] & MODE_LOCKED)
		object->flags |= NONET_INSPECT_LOCKED;
}

static const struct sysv_kind {
	enum nonet_scheme scheme;
	const char *path;
	size_t columns;
	void (*read)(struct nonet_inspect_object *object, const uint64_t *line);
} kinds[] = {
	{NONET_SCHEME_SYSVMSG, "/proc/sysvipc/msg", MESSAGE_COLUMNS, sysv_message},
	{NONET_SCHEME_SYSVSEM, "/proc/sysvipc/sem", SEMAPHORE_COLUMNS, sysv_semaphore},
	{NONET_SCHEME_SYSVSHM, "/proc/sysvipc/shm", MEMORY_COLUMNS, sysv_memory},
};

/* The numbers at the beginning of a line, which begins at @at; permissions are octal. Return: how many there were. */
static size_t sysv_read(char *at, size_t columns, uint64_t *ret_line)
{
	size_t count = 0;

	while (count < columns) {
		char *end;

		/* The key is signed there: as one of 32 bits it comes out right. */
		ret_line[count] = strtoull(at, &end, count == SYSV_MODE ? 8 : 10);
		if (end == at)
			break;
		count++;
		at = end;
	}
	return count;
}

static int sysv_look(struct look *look, const struct sysv_kind *kind)
{
	uint64_t line[SYSV_COLUMNS];
	char *text, *at, *next;
	int error = sys_read_text(AT_FDCWD, kind->path, &text);

	/* A kernel without System V. */
	if (error < 0) {
		look->list->coverage.places += error != -ENOENT;
		return look_may_go_on(error) ? 0 : error;
	}
	/* The first line has the columns' names. */
	for (at = strchr(text, '\n'); at && at[1] && error == 0; at = next) {
		struct nonet_inspect_object object = {.scheme = kind->scheme};

		/* Cut off here, or numbers of the next line would make up for what this one lacks. */
		next = strchr(++at, '\n');
		if (next)
			*next = 0;
		if (sysv_read(at, kind->columns, line) == kind->columns) {
			kind->read(&object, line);
			error = list_add_sysv(look->list, &object, (uint32_t)line[SYSV_KEY]);
		}
		if (next)
			*next = '\n';
	}
	sys_free(text);
	return error;
}

int look_at_sysv(struct look *look)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && error == 0; i++)
		if (look_wants(look, kinds[i].scheme))
			error = sysv_look(look, &kinds[i]);
	return error;
}
