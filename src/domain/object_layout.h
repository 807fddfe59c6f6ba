/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_OBJECT_LAYOUT_H
#define DOMAIN_OBJECT_LAYOUT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file of an object, NAME.KIND in its domain's directory. It is made without a name and linked in whole.
 *
 *   page 0   struct object_header, and the trace
 *   page 1   struct object_bells: who wants to be told by a descriptor
 *   page 2   what the kind has, see its own layout
 */
#define OBJECT_MAGIC   0x7463656a626f3a6eu /* "n:object" */
#define OBJECT_VERSION 1u
#define OBJECT_BELLS   4096u
#define OBJECT_PAYLOAD 8192u

#define OBJECT_TRACED 1u /* in flags */

#define OBJECT_TRACE 64u

/*
 * offset  size
 *      0     8  owner: the claim of whoever did it; 0 while it is written
 *      8     8  when, CLOCK_REALTIME in ns
 *     16     4  what: the kind's own number
 *     20     4  pid, as he sees himself
 *     24     8  value: the kind's own
 */
struct object_trace {
	_Atomic uint64_t owner;
	_Atomic int64_t when;
	_Atomic uint32_t what;
	_Atomic int32_t pid;
	_Atomic uint64_t value;
};
static_assert(sizeof(struct object_trace) == 32, "layout");

/*
 * offset  size  written by
 *      0     8  the maker, last      magic
 *      8     4  the maker            version
 *     12     4  the maker            kind
 *     16     4  the maker            layout: the kind's
 *     20     4  the maker            flags: OBJECT_TRACED
 *     24     8  the maker            size: of the kind's part, in bytes
 *     32    16  the maker            domain: its id
 *     48     8  the maker            made, CLOCK_REALTIME in ns
 *     64     4  anybody, once        poisoned: 1, somebody found it damaged
 *     68     4  anybody, relaxed     traced: operations so far; the next goes to this number modulo OBJECT_TRACE
 *   1024  2048  anybody, relaxed     trace
 */
struct object_header {
	_Atomic uint64_t magic;
	uint32_t version;
	uint32_t kind;
	uint32_t layout;
	uint32_t flags;
	uint64_t size;
	uint64_t domain[2];
	int64_t made;
	uint64_t reserved;
	_Atomic uint32_t poisoned;
	_Atomic uint32_t traced;
	uint8_t unused[952];
	struct object_trace trace[OBJECT_TRACE];
};
static_assert(offsetof(struct object_header, flags) == 20, "layout");
static_assert(offsetof(struct object_header, size) == 24, "layout");
static_assert(offsetof(struct object_header, domain) == 32, "layout");
static_assert(offsetof(struct object_header, made) == 48, "layout");
static_assert(offsetof(struct object_header, poisoned) == 64, "layout");
static_assert(offsetof(struct object_header, traced) == 68, "layout");
static_assert(offsetof(struct object_header, trace) == 1024, "layout");
static_assert(sizeof(struct object_header) == 1024 + 32 * OBJECT_TRACE, "layout");

#endif
