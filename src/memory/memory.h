/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MEMORY_MEMORY_H
#define MEMORY_MEMORY_H

#include <stdbool.h>

#include <nonet/address.h>
#include <nonet/memory.h>

#include "guard/change.h"
#include "guard/guard_map.h"

struct memory_carrier;

struct nonet_memory {
	const struct memory_carrier *carrier;
	struct guard_map map;
	unsigned how;   /* SYS_MAP_*, as it is mapped */
	int fd;         /* of a file's carrier, else -1 */
	int id;         /* of a System V segment, else -1 */
	uint64_t found; /* its length when it was opened */
	size_t page;
	bool huge;
	char *path; /* of a named file, else NULL */
	struct change change;
	char text[]; /* its address, or what it is: for sentences */
};

/*
 * What moves the bytes. Each fills @reterr on failure, and leaves nothing behind.
 *
 * create, open   set fd or id, found, page, huge; the caller maps, unless create did. @memory is empty but for carrier
 * and text map            what create or open found, @length bytes NULL: the carrier can't
 */
struct memory_carrier {
	const char *noun;
	int (*create)(struct nonet_memory *memory, const struct nonet_address *address,
		      const struct nonet_memory_options *options, struct nonet_error *reterr);
	int (*open)(struct nonet_memory *memory, const struct nonet_address *address,
		    const struct nonet_memory_options *options, struct nonet_error *reterr);
	int (*unlink)(const struct nonet_address *address, struct nonet_error *reterr);
	int (*find)(const struct nonet_address *address, struct nonet_memory_info *ret_info,
		    struct nonet_error *reterr);
	int (*info)(const struct nonet_memory *memory, struct nonet_memory_info *ret_info);
	int (*map)(struct nonet_memory *memory, size_t length);
};

extern const struct memory_carrier memory_posix;
extern const struct memory_carrier memory_sysv;
extern const struct memory_carrier memory_memfd;

/* NONET_MEMORY_READ_ONLY as SYS_MAP_*. */
unsigned memory_how(const struct nonet_memory_options *options);

/* What a POSIX object and a memfd share, being files: memory_file.c. */
int memory_file_map(struct nonet_memory *memory, size_t length);
int memory_file_info(const struct nonet_memory *memory, struct nonet_memory_info *ret_info);

/* The length of the object that the handle is of; 0 or -errno. */
int memory_file_length(const struct nonet_memory *memory, uint64_t *ret_length);

/* How often a name that comes and goes is tried: each time somebody else made or removed it in between. */
#define MEMORY_TRIES 100

#endif
