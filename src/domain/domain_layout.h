/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_DOMAIN_LAYOUT_H
#define DOMAIN_DOMAIN_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file .domain, by which the members of a domain know each other. It is long and mostly holes: a page gets its room
 * when it is taken for the first time.
 *
 *   page 0            struct domain_header
 *   page 1            members 0 to 4095 begin here, a page each: struct domain_member
 *   page 4097         thread slots 0 to 32767, a page each: struct domain_slot. Slot 0 is nobody's
 *
 * Locks of open file descriptions (fcntl(2)) on the file:
 *
 *   byte M                     life lock of member M: who has it is M, until the process is gone with all of its
 *                              threads. No peer can forge it
 *   byte DOMAIN_SLOT_LOCK + S  held while somebody takes slot S
 *
 * A member's page is written by who has its life lock alone. Of a slot's page all but @life is written by who has the
 * slot's lock and found it dead, before he makes it his.
 *
 * A slot's @life is {life word 32, generation 32}, in one word so that it is taken, with its name, in one step:
 *
 *   from {0 or DIED, G}             to {WAITERS | thread id, G + 1}    by the thread that takes it
 *   from {WAITERS | thread id, G}   to {WAITERS | DIED, G}             by the kernel when the thread is dead; or by a
 *                                                                      peer who found the life lock free
 *
 * A slot whose generation can't be raised any more is never taken again.
 */

/* Its name, and where a user's default domain is: this, and his number. */
#define DOMAIN_FILE    ".domain"
#define DOMAIN_DEFAULT "/dev/shm/nonet-"

#define DOMAIN_MAGIC   0x6e69616d6f643a6eu /* "n:domain" */
#define DOMAIN_VERSION 1u

#define DOMAIN_PAGE       4096u
#define DOMAIN_MEMBERS    4096u
#define DOMAIN_SLOTS      32768u
#define DOMAIN_OBJECTS    496u /* that a member lists */
#define DOMAIN_MEMBER(m)  ((size_t)(1 + (m)) * DOMAIN_PAGE)
#define DOMAIN_SLOT(s)    ((size_t)(1 + DOMAIN_MEMBERS + (s)) * DOMAIN_PAGE)
#define DOMAIN_SIZE       ((size_t)(1 + DOMAIN_MEMBERS + DOMAIN_SLOTS) * DOMAIN_PAGE)
#define DOMAIN_SLOT_LOCK  (1 << 20)
#define DOMAIN_GENERATION UINT32_MAX /* the last */

/*
 * offset  size  written by
 *      0     8  the maker, last     magic
 *      8     4  the maker           version
 *     12     4  the maker           layout: DOMAIN_LAYOUT
 *     16    16  the maker           id: random
 *     32     8  the maker           made, CLOCK_REALTIME in ns
 *     64     4  anybody, relaxed    next member to try, modulo DOMAIN_MEMBERS
 *     68     4  anybody, relaxed    next slot to try, modulo those in use
 *     72     4  anybody, relaxed    slots that were ever in use, 0 included
 */
struct domain_header {
	_Atomic uint64_t magic;
	uint32_t version;
	uint32_t layout;
	uint64_t id[2];
	int64_t made;
	uint64_t reserved[3];
	_Atomic uint32_t member_hint;
	_Atomic uint32_t slot_hint;
	_Atomic uint32_t slots;
	uint32_t unused;
};
static_assert(offsetof(struct domain_header, magic) == 0, "layout");
static_assert(offsetof(struct domain_header, id) == 16, "layout");
static_assert(offsetof(struct domain_header, made) == 32, "layout");
static_assert(offsetof(struct domain_header, member_hint) == 64, "layout");
static_assert(offsetof(struct domain_header, slot_hint) == 68, "layout");
static_assert(offsetof(struct domain_header, slots) == 72, "layout");
static_assert(sizeof(struct domain_header) == 80, "layout");

/*
 * offset  size
 *      0     4  generation: raised by each process that becomes this member
 *      4     4  pid, as the process itself sees it
 *      8     8  pid namespace: its inode
 *     16     8  joined, CLOCK_REALTIME in ns
 *     24     4  helper: the slot of the member's own thread, 0 if it has none yet; after joining, release
 *     28     4  more: objects that found no room in the list
 *     32    16  name of the process, not always ended by NUL
 *     64  3968  objects: the file numbers of those that it has open, 0: a free place; relaxed
 */
struct domain_member {
	_Atomic uint32_t generation;
	_Atomic int32_t pid;
	_Atomic uint64_t pid_namespace;
	_Atomic int64_t joined;
	_Atomic uint32_t helper;
	_Atomic uint32_t more;
	uint8_t name[16];
	uint64_t reserved[2];
	_Atomic uint64_t objects[DOMAIN_OBJECTS];
};
static_assert(offsetof(struct domain_member, generation) == 0, "layout");
static_assert(offsetof(struct domain_member, pid) == 4, "layout");
static_assert(offsetof(struct domain_member, pid_namespace) == 8, "layout");
static_assert(offsetof(struct domain_member, joined) == 16, "layout");
static_assert(offsetof(struct domain_member, helper) == 24, "layout");
static_assert(offsetof(struct domain_member, more) == 28, "layout");
static_assert(offsetof(struct domain_member, name) == 32, "layout");
static_assert(offsetof(struct domain_member, objects) == 64, "layout");
static_assert(sizeof(struct domain_member) == 64 + 8 * DOMAIN_OBJECTS, "layout");

/*
 * offset  size
 *      0     4  member
 *      4     4  generation of the member
 *      8     4  thread id, as the thread itself sees it
 *     16     8  waits for: the file number of the object, 0: for none; by the thread, relaxed
 *     24     8  since, CLOCK_REALTIME in ns
 *   4072     8  life
 *
 * @life stands SYS_ROBUST_DISTANCE in front of the page's end: in the thread's own mapping the node of its robust list
 * is the first thing on the page behind, which is nobody else's.
 */
struct domain_slot {
	_Atomic uint32_t member;
	_Atomic uint32_t member_generation;
	_Atomic int32_t thread;
	uint32_t reserved;
	_Atomic uint64_t waits_for;
	_Atomic int64_t waits_since;
	uint8_t unused[4040];
	_Atomic uint64_t life;
	uint8_t behind[16];
};
static_assert(offsetof(struct domain_slot, member) == 0, "layout");
static_assert(offsetof(struct domain_slot, member_generation) == 4, "layout");
static_assert(offsetof(struct domain_slot, thread) == 8, "layout");
static_assert(offsetof(struct domain_slot, waits_for) == 16, "layout");
static_assert(offsetof(struct domain_slot, waits_since) == 24, "layout");
static_assert(offsetof(struct domain_slot, life) == DOMAIN_PAGE - 24, "layout");
static_assert(sizeof(struct domain_slot) == DOMAIN_PAGE, "layout");

/* Two builds of the library whose numbers differ refuse each other's domains. */
#define DOMAIN_LAYOUT                                                                              \
	((uint32_t)(DOMAIN_PAGE ^ DOMAIN_MEMBERS << 4 ^ DOMAIN_SLOTS << 8 ^ DOMAIN_OBJECTS << 20 ^ \
		    offsetof(struct domain_slot, life) ^ sizeof(struct domain_member) << 2 ^       \
		    offsetof(struct domain_header, member_hint) << 24))

#endif
