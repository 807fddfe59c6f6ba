/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/claim_layout.h"
#include "inspect/list.h"
#include "inspect/own_channel.h"
#include "sync/doorbell_layout.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/memory.h"
#include "sys/process.h"

/* No kind has more: a channel with all places that there may be takes 1.1 MB. */
#define PAYLOAD_MAX ((size_t)2 << 20)

void own_home(char ret_path[OWN_HOME])
{
	const char *named = secure_getenv("NONET_DOMAIN");

	if (named && *named)
		snprintf(ret_path, OWN_HOME, "%s", named);
	else
		snprintf(ret_path, OWN_HOME, DOMAIN_DEFAULT "%lu", (unsigned long)sys_effective_user());
}

const struct own_kind *own_kind_of(const char *file, size_t *ret_size)
{
	const char *dot = strrchr(file, '.');

	if (!dot || dot == file)
		return NULL;
	for (const struct own_kind *kind = own_kinds; kind->word; kind++) {
		if (strcmp(kind->word, dot + 1) == 0) {
			*ret_size = (size_t)(dot - file);
			return kind;
		}
	}
	return NULL;
}

static int look_add(struct own_look *look, const struct nonet_inspect_member *member)
{
	if (look->count == look->capacity) {
		const size_t capacity = look->capacity ? 2 * look->capacity : 16;
		struct nonet_inspect_member *larger = sys_reallocate(look->members, capacity * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		look->members = larger;
		look->capacity = capacity;
	}
	look->members[look->count++] = *member;
	return 0;
}

static void member_introduce(struct nonet_inspect_member *told, const struct domain_look_member *member)
{
	told->member = member->number;
	told->pid = member->pid;
	/* Not always ended by NUL. */
	memcpy(told->name, member->page.name, sizeof(member->page.name));
}

int own_look_add_claim(struct own_look *look, uint64_t claim, int64_t since)
{
	const struct domain_look_thread *thread;
	struct nonet_inspect_member told = {.flags = NONET_INSPECT_HOLDS, .since = since};

	/* Whoever isn't known to be dead would be called so. */
	if (look->domain->is_cut_short)
		return 0;
	thread = domain_look_owner(look->domain, claim);
	if (!thread) {
		told.flags |= NONET_INSPECT_DEAD;
		look->object.flags |= NONET_INSPECT_OWNER_DEAD;
		return look_add(look, &told);
	}
	member_introduce(&told, thread->member);
	told.thread = thread->id;
	if (told.pid && !look->object.pid) {
		look->object.known |= NONET_INSPECT_PID;
		look->object.pid = told.pid;
	}
	return look_add(look, &told);
}

int own_look_add_permits(struct own_look *look, const _Atomic uint64_t *claims, uint32_t number, uint32_t *ret_free)
{
	const struct domain_look *domain = look->domain;
	/* Where among the members a thread stands, and behind them the dead, who are one; less 1. */
	uint32_t *places = sys_allocate((domain->thread_count + 1) * sizeof(*places));
	const size_t before = look->count;
	uint32_t unused = 0;
	int error = places ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < number && error == 0; i++) {
		const uint64_t claim = LOOK_FIELD(claims[i]);
		const struct domain_look_thread *thread = domain_look_owner(domain, claim);
		uint32_t *place = &places[thread ? (size_t)(thread - domain->threads) : domain->thread_count];
		struct nonet_inspect_member told = {.flags = NONET_INSPECT_HOLDS};

		unused += !thread;
		if (claim_is_free(claim))
			continue;
		if (*place == 0) {
			if (thread)
				member_introduce(&told, thread->member);
			else
				told.flags |= NONET_INSPECT_DEAD;
			error = look_add(look, &told);
			*place = (uint32_t)look->count;
		}
		if (error == 0)
			look->members[*place - 1].permits++;
	}
	sys_free(places);
	if (error == 0 && look->count == before + 1 && look->members[before].pid) {
		look->object.known |= NONET_INSPECT_PID;
		look->object.pid = look->members[before].pid;
	}
	*ret_free = unused;
	return error;
}

int own_look_add_waiter(struct own_look *look, uint64_t claim, bool is_process)
{
	const struct domain_look_thread *thread = domain_look_owner(look->domain, claim);
	struct nonet_inspect_member told = {.flags = NONET_INSPECT_WAITS};

	if (!thread)
		return 0;
	member_introduce(&told, thread->member);
	told.thread = is_process ? 0 : thread->id;
	look->object.waiters++;
	return look_add(look, &told);
}

/* Those who want to be told by a descriptor. */
static int look_add_bells(struct own_look *look, int fd)
{
	struct object_bells bells;
	const int size = sys_read_at(fd, &bells, sizeof(bells), OBJECT_BELLS);
	uint32_t used;
	int error = 0;

	if (size < 0)
		return size;
	if (size != sizeof(bells))
		return -EBADMSG;
	used = LOOK_FIELD(bells.used);
	for (uint32_t i = 0; i < used && i < DOORBELL_ENTRIES && error == 0; i++)
		error = own_look_add_waiter(look, LOOK_FIELD(bells.armed[i]), true);
	return error;
}

static int look_add_waiters(struct own_look *look)
{
	int error = 0;

	for (size_t i = 0; i < look->domain->thread_count && error == 0; i++) {
		const struct domain_look_thread *thread = &look->domain->threads[i];
		struct nonet_inspect_member told = {.flags = NONET_INSPECT_WAITS, .since = thread->waits_since};

		if (thread->waits_for != look->number)
			continue;
		member_introduce(&told, thread->member);
		told.thread = thread->id;
		look->object.waiters++;
		error = look_add(look, &told);
	}
	return error;
}

static int look_add_users(struct own_look *look)
{
	int error = 0;

	for (size_t i = 0; i < look->domain->member_count && error == 0; i++) {
		const struct domain_look_member *member = &look->domain->members[i];
		struct nonet_inspect_member told = {
			.flags = NONET_INSPECT_OPEN,
			.since = LOOK_FIELD(member->page.joined),
		};

		if (!domain_look_has_open(member, look->number))
			continue;
		member_introduce(&told, member);
		look->object.users++;
		error = look_add(look, &told);
	}
	return error;
}

static void look_is_bad(struct own_look *look)
{
	look->object.flags |= NONET_INSPECT_DAMAGED;
	look->channel = own_channel_free(look->channel);
}

/* Whether it can be an object of this domain that this library knows. */
static bool look_is_good(const struct own_look *look, const struct stat *status)
{
	const struct object_header *header = &look->header;

	return LOOK_FIELD(header->magic) == OBJECT_MAGIC && header->version == OBJECT_VERSION &&
	       header->kind == look->kind->number &&
	       (look->kind->layout == 0 || header->layout == look->kind->layout) &&
	       header->size >= look->kind->size_min && header->size <= PAYLOAD_MAX &&
	       (look->kind->look_on ? status->st_size >= (off_t)(OBJECT_PAYLOAD + header->size)
				    : status->st_size == (off_t)(OBJECT_PAYLOAD + header->size)) &&
	       header->domain[0] == look->domain->id[0] && header->domain[1] == look->domain->id[1] &&
	       !LOOK_FIELD(header->poisoned);
}

static int look_read_payload(struct own_look *look, int fd)
{
	int size;

	look->payload = sys_allocate(look->header.size);
	if (!look->payload)
		return -ENOMEM;
	size = sys_read_at(fd, look->payload, look->header.size, OBJECT_PAYLOAD);
	if (size < 0)
		return size;
	if ((uint64_t)size != look->header.size)
		return -EBADMSG;
	look->size = look->header.size;
	return look->kind->look(look);
}

static int look_into_file(struct own_look *look, int fd, nonet_time deadline)
{
	struct stat status;
	int size;
	int error = sys_stat_fd(fd, &status);

	if (error < 0)
		return error;
	look->number = status.st_ino;
	object_set_stat(&look->object, &status);
	/* Reading from what isn't a regular file could wait. */
	size = S_ISREG(status.st_mode) ? sys_read_at(fd, &look->header, sizeof(look->header), 0) : 0;
	if (size < 0)
		return size;
	if (size != sizeof(look->header) || !look_is_good(look, &status))
		return -EBADMSG;
	look->object.known |= NONET_INSPECT_BYTES | NONET_INSPECT_CREATED;
	look->object.bytes = (uint64_t)status.st_size;
	look->object.created = look->header.made;
	look->file = (uint64_t)status.st_size;
	error = look_read_payload(look, fd);
	if (error == 0 && look->kind->look_on && deadline != NONET_NOW)
		error = look->kind->look_on(look, fd, deadline);
	if (error < 0)
		return error;
	error = look_add_waiters(look);
	if (error == 0)
		error = look_add_bells(look, fd);
	if (error == 0)
		error = look_add_users(look);
	if (error == 0 && !look->domain->is_cut_short) {
		look->object.known |= NONET_INSPECT_USERS;
		if (!(look->object.flags & NONET_INSPECT_SLEEPERS))
			look->object.known |= NONET_INSPECT_WAITERS;
	}
	return error;
}

int own_look(struct own_look *ret_look, const struct domain_look *domain, const struct own_kind *kind, const char *file,
	     nonet_time deadline)
{
	struct own_look look = {.domain = domain, .kind = kind, .object = {.scheme = kind->scheme}};
	/* O_NONBLOCK: should it be a FIFO, a device. */
	int fd = sys_open_at(domain->directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int error = fd;
	struct stat status;

	if (fd >= 0) {
		error = look_into_file(&look, fd, deadline);
		sys_close(&fd);
	} else if (fd == -ELOOP || fd == -ENXIO) {
		error = -EBADMSG; /* a link, a socket */
	} else if (fd == -EACCES && sys_stat_at(domain->directory, file, &status) == 0) {
		object_set_stat(&look.object, &status);
		error = 0;
	}
	if (error == -EBADMSG) {
		look_is_bad(&look);
		error = 0;
	}
	if (error < 0)
		own_look_done(&look);
	else
		*ret_look = look;
	return error;
}

void own_look_done(struct own_look *look)
{
	sys_free(look->members);
	sys_free(look->payload);
	look->channel = own_channel_free(look->channel);
	look->members = NULL;
	look->payload = NULL;
}
