/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_WHOLE_H
#define GUARD_WHOLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Files that have their size, their room and their mode before anybody can find them, so that a maker who is killed
 * leaves nothing half-made.
 */

#define WHOLE_NAME_SIZE 32

/* A file that nobody can find yet. */
struct whole {
	int directory;             /* the caller's */
	int fd;                    /* read-write, -1: none */
	char own[WHOLE_NAME_SIZE]; /* its name meanwhile, "" if it has none */
};

/*
 * Make a file of @length zeros, to be given a name in @directory.
 * @name: the name it is to have: -EEXIST already if there is one
 * @must: room is what the caller wants: -EOPNOTSUPP where the file system can't promise it
 * Return: 0, or -errno with nothing left. On a file system without unnamed files a maker who is killed leaves a file
 * .nonet-HEX that nobody takes for anything.
 */
int whole_make(struct whole *ret_whole, int directory, const char *name, uint64_t length, mode_t mode, bool must);

/* Give it its name, which fails with -EEXIST if there is one by now. On success the descriptor is the caller's. */
int whole_publish(struct whole *whole, const char *name);

/* Or don't: it is gone. Nothing to do after whole_publish() succeeded. */
void whole_drop(struct whole *whole);

/*
 * Make room from @from to @to, and the file @to long. An interrupted call is tried in shorter pieces. In memory it is
 * refused where there is none: room.h. Return: 0, or -errno with the size as it was; what the kernel had reserved by
 * then, if it was interrupted, stays so.
 */
int whole_reserve(int fd, uint64_t from, uint64_t to);

#endif
