/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/domain_look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "domain/claim_layout.h"
#include "sys/filelocks.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/memory.h"
#include "sys/process.h"
#include "sys/robust.h"

/* The nodes of the tree by whose leaves the members are asked for. */
#define MEMBER_TREE (2 * DOMAIN_MEMBERS)

static bool look_is_late(struct domain_look *look, nonet_time deadline)
{
	look->is_cut_short = look->is_cut_short || nonet_clock() >= deadline;
	return look->is_cut_short;
}

/* A page of .domain. Return: 1, 0: it isn't there, or can't be read now; -ENOMEM. */
static int look_read(int fd, void *page, size_t size, size_t offset)
{
	int count = sys_read_at(fd, page, size, (off_t)offset);

	return count == -ENOMEM ? count : count == (int)size;
}

static int look_add_member(struct domain_look *look, int fd, uint32_t number)
{
	struct domain_look_member *members = sys_reallocate(look->members, (look->member_count + 1) * sizeof(*members));
	struct domain_look_member *member;
	int result;

	if (!members)
		return -ENOMEM;
	look->members = members;
	member = &members[look->member_count];
	memset(member, 0, sizeof(*member));
	member->number = number;
	result = look_read(fd, &member->page, sizeof(member->page), DOMAIN_MEMBER(number));
	if (result <= 0)
		return result;
	if (LOOK_FIELD(member->page.pid_namespace) == sys_pid_namespace() && LOOK_FIELD(member->page.pid) > 0)
		member->pid = LOOK_FIELD(member->page.pid);
	look->member_count++;
	return 0;
}

/*
 * Who has his life lock: asked of all at once, then of the halves in which there is somebody, so that few members cost
 * few questions. The tree's node 1 is all, the children of N are 2 N and 2 N + 1.
 */
static int look_find_members(struct domain_look *look, int fd, nonet_time deadline)
{
	uint32_t node = 1;
	int result = 0;

	while (node != 0 && !look_is_late(look, deadline)) {
		const uint32_t level = 31 - (uint32_t)__builtin_clz(node);
		const uint32_t width = DOMAIN_MEMBERS >> level;
		const uint32_t first = (node - (1u << level)) * width;
		const struct sys_lock_range bytes = {.start = first, .length = width};
		pid_t nobody;

		result = sys_record_lock_in_way(fd, true, SYS_LOCK_EXCLUSIVE, &bytes, &nobody);
		if (result < 0)
			break;
		if (result == 1 && 2 * node < MEMBER_TREE) {
			node = 2 * node;
			continue;
		}
		result = result == 1 ? look_add_member(look, fd, first) : 0;
		if (result < 0)
			break;
		/* The next to the right, of the first ancestor that has one. */
		while (node & 1)
			node >>= 1;
		node = node ? node + 1 : 0;
	}
	return result;
}

static const struct domain_look_member *look_member(const struct domain_look *look, uint32_t number)
{
	size_t low = 0, high = look->member_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (look->members[middle].number == number)
			return &look->members[middle];
		if (look->members[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* By the table in domain/life.h. */
static int look_add_thread(struct domain_look *look, uint32_t number, const struct domain_slot *slot)
{
	const uint64_t life = LOOK_FIELD(slot->life);
	const uint32_t word = (uint32_t)life;
	const struct domain_look_member *member = look_member(look, LOOK_FIELD(slot->member));
	struct domain_look_thread *threads;

	if (word & SYS_LIFE_DIED || !(word & SYS_LIFE_THREAD) || !member ||
	    LOOK_FIELD(member->page.generation) != LOOK_FIELD(slot->member_generation))
		return 0;
	threads = sys_reallocate(look->threads, (look->thread_count + 1) * sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	look->threads = threads;
	threads[look->thread_count++] = (struct domain_look_thread){
		.slot = number,
		.generation = (uint32_t)(life >> 32),
		.id = member->pid ? LOOK_FIELD(slot->thread) : 0,
		.member = member,
		.waits_for = LOOK_FIELD(slot->waits_for),
		.waits_since = LOOK_FIELD(slot->waits_since),
	};
	return 0;
}

/* Slot 0 is nobody's. @slots: as the header says, whatever that is */
static int look_find_threads(struct domain_look *look, int fd, uint32_t slots, nonet_time deadline)
{
	struct domain_slot *slot = sys_allocate(sizeof(*slot));
	int result = slot ? 0 : -ENOMEM;

	for (uint32_t i = 1; i < slots && i < DOMAIN_SLOTS && result >= 0 && !look_is_late(look, deadline); i++) {
		result = look_read(fd, slot, sizeof(*slot), DOMAIN_SLOT(i));
		if (result == 1)
			result = look_add_thread(look, i, slot);
	}
	sys_free(slot);
	return result < 0 ? result : 0;
}

static int look_read_file(struct domain_look *look, int fd, nonet_time deadline)
{
	struct domain_header header;
	struct stat status;
	int size;
	int error = sys_stat_fd(fd, &status);

	if (error < 0)
		return error;
	look->bytes = (int64_t)status.st_blocks * 512;
	/* Reading from what isn't a regular file could wait. */
	size = S_ISREG(status.st_mode) && status.st_size == (off_t)DOMAIN_SIZE
		       ? sys_read_at(fd, &header, sizeof(header), 0)
		       : 0;
	if (size < 0)
		return size;
	if (size != sizeof(header) || LOOK_FIELD(header.magic) != DOMAIN_MAGIC || header.version != DOMAIN_VERSION ||
	    header.layout != DOMAIN_LAYOUT) {
		look->is_damaged = true;
		return 0;
	}
	look->id[0] = header.id[0];
	look->id[1] = header.id[1];
	look->made = header.made;
	error = look_find_members(look, fd, deadline);
	/* A thread whose member isn't alive isn't either. */
	if (error == 0 && look->member_count > 0)
		error = look_find_threads(look, fd, LOOK_FIELD(header.slots), deadline);
	return error;
}

int domain_look_open(const char *path, nonet_time deadline, struct domain_look *ret_look)
{
	struct domain_look look = {.directory = sys_open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW)};
	int fd = look.directory;
	int error = fd < 0 ? fd : sys_stat_fd(fd, &look.status);

	if (error == 0) {
		/* O_NONBLOCK: should it be a FIFO, a device. */
		fd = sys_open_at(look.directory, DOMAIN_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		error = fd < 0 ? fd : look_read_file(&look, fd, deadline);
		sys_close(&fd);
	}
	if (error < 0) {
		domain_look_close(&look);
		return error;
	}
	*ret_look = look;
	return 0;
}

void domain_look_close(struct domain_look *look)
{
	sys_free(look->threads);
	sys_free(look->members);
	sys_close(&look->directory);
	look->threads = NULL;
	look->members = NULL;
}

const struct domain_look_thread *domain_look_owner(const struct domain_look *look, uint64_t claim)
{
	size_t low = 0, high = look->thread_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const struct domain_look_thread *thread = &look->threads[middle];

		if (thread->slot == claim_slot(claim))
			return thread->generation == claim_generation(claim) ? thread : NULL;
		if (thread->slot < claim_slot(claim))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool domain_look_has_open(const struct domain_look_member *member, uint64_t object)
{
	for (size_t i = 0; i < DOMAIN_OBJECTS; i++)
		if (LOOK_FIELD(member->page.objects[i]) == object)
			return true;
	return LOOK_FIELD(member->page.more) > 0;
}
