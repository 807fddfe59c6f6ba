/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_OWN_H
#define INSPECT_OWN_H

#include <nonet/inspect.h>

#include "domain/object_layout.h"
#include "inspect/domain_look.h"

/*
 * Nonet's own objects, looked at from outside: files in a domain's directory. They are read, never mapped or written,
 * and who looks is no member. What stands in them may be anything.
 */

/* The directory of the default domain. */
#define OWN_HOME 4096
void own_home(char ret_path[OWN_HOME]);

struct own_look;

/* One kind; own_kinds[] has them all. */
struct own_kind {
	enum nonet_scheme scheme;
	const char *word;       /* the files are NAME.word */
	uint32_t number;        /* in the header */
	uint32_t layout;        /* the same; 0: it depends, and look() checks it */
	size_t size_min;        /* of the kind's part, in bytes */
	const char *const *did; /* what the trace's numbers mean; NULL last */
	/* Tell what @look->payload says. Return: 0, or -ENOMEM; -EBADMSG: it can't be one. */
	int (*look)(struct own_look *look);
	/* Of one whose file goes on behind that: what is there, for who wants to know all. The same; @fd: its file */
	int (*look_on)(struct own_look *look, int fd, nonet_time deadline);
};

/* Ends with one without a word. */
extern const struct own_kind own_kinds[];

/* The kind that a file's name says, and how long the name is without that; NULL: it is no object's. */
const struct own_kind *own_kind_of(const char *file, size_t *ret_size);

/* An object that was looked at. */
struct own_look {
	const struct domain_look *domain;
	const struct own_kind *kind;
	uint64_t number; /* of its file */
	struct nonet_inspect_object object;
	struct object_header header;
	void *payload; /* a copy, of @size bytes */
	size_t size;
	uint64_t file;               /* how long its file is */
	struct own_channel *channel; /* of a channel, else NULL */
	struct nonet_inspect_member *members;
	size_t count, capacity;
};

/*
 * Look at @file in @domain's directory.
 * @deadline: look on, until then; NONET_NOW: don't
 *
 * Return: 0, also if it is damaged or may not be read: @object's flags and what is known tell; or
 *   -ENOENT      it isn't there
 *   others       as open(2); -ENOMEM
 */
int own_look(struct own_look *ret_look, const struct domain_look *domain, const struct own_kind *kind, const char *file,
	     nonet_time deadline);
void own_look_done(struct own_look *look);

/* For the kinds: somebody holds it, by this claim, since then (0: not known). Return: 0 or -ENOMEM. */
int own_look_add_claim(struct own_look *look, uint64_t claim, int64_t since);

/*
 * For the kinds: of @number permits each is somebody's, a process's, or free. Each process is told once, with how many
 * it has; the dead are one. @ret_free: that nobody has who lives. Return: 0 or -ENOMEM.
 */
int own_look_add_permits(struct own_look *look, const _Atomic uint64_t *claims, uint32_t number, uint32_t *ret_free);

/* For the kinds: somebody waits by this claim, which is a thread's or a process's; passed over if he is dead. */
int own_look_add_waiter(struct own_look *look, uint64_t claim, bool is_process);

#endif
