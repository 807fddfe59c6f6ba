/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_ROOM_H
#define GUARD_ROOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Whether there is memory for what is about to be made of it. Without asking, the kernel kills processes to find some,
 * us among them: of the machine, or of the control group whose limit is reached (cgroups(7)).
 *
 * It is a look, not a reservation: others take and give back meanwhile. What can't be read allows everything.
 */

/* Less isn't worth a look into /proc: the pages themselves cost about as much. */
#define ROOM_LEAST (1u << 20)

#define ROOM_GROUP_SIZE 256

struct room {
	uint64_t bytes;              /* that can be had now; UINT64_MAX: nothing is known that limits it */
	char group[ROOM_GROUP_SIZE]; /* the control group that says so, its path's end; "": the machine does */
	const char *file;            /* of the group: where its limit is written, static */
	uint64_t limit, kept;        /* of the group: what it may have, and what of that isn't given back for others */
};

/* The narrowest of the machine, our control group, and the groups that this is in. */
struct room room_look(void);

/* 0, or -ENOMEM: there aren't @length bytes, with what the kernel needs to keep them. */
int room_check(uint64_t length);

/* The same for a file that is to become @length longer: one on a disk needs no memory, one of large pages has its own.
 */
int room_check_file(int fd, uint64_t length);

/* Why there is no memory for @length bytes, if that is what @error says and it can be found out; else error_reason().
 */
#define ROOM_REASON_SIZE (ROOM_GROUP_SIZE + 200)
const char *room_reason(uint64_t length, int error, char buffer[ROOM_REASON_SIZE]);

/* What can be had now, for a sentence: "7 bytes, as the control group /x may have no more (memory.max)". */
const char *room_left(char buffer[ROOM_REASON_SIZE]);

#endif
