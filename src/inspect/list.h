/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_LIST_H
#define INSPECT_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <nonet/inspect.h>

/* A list while it is filled. The addresses are blocks of their own, freed with the list. */
struct nonet_inspect_list {
	struct nonet_inspect_object *objects;
	size_t count, capacity;
	struct nonet_inspect_domain *domains;
	size_t domain_count;
	struct nonet_inspect_coverage coverage;
};

/* What a probe works with. */
struct look {
	struct nonet_inspect_list *list;
	uint64_t schemes;
	nonet_time deadline;
};

static inline bool look_wants(const struct look *look, enum nonet_scheme scheme)
{
	return look->schemes & NONET_INSPECT_SCHEME(scheme);
}

/* Add what @object says, with an address of @scheme, by a name (its bytes, unescaped) or a System V key or id. */
int list_add_name(struct nonet_inspect_list *list, const struct nonet_inspect_object *object, const char *name);
int list_add_abstract(struct nonet_inspect_list *list, const struct nonet_inspect_object *object, const char *name,
		      size_t size);
/* @directory: of the domain; NULL: the default one */
int list_add_own(struct nonet_inspect_list *list, const struct nonet_inspect_object *object, const char *directory,
		 const char *name);
int list_add_sysv(struct nonet_inspect_list *list, const struct nonet_inspect_object *object, uint32_t key);

/* The owner, mode and age of a file. */
void object_set_stat(struct nonet_inspect_object *object, const struct stat *info);

/* Whether an error is about one thing that was looked at, which is then passed over; or ends the looking. */
bool look_may_go_on(int error);

/* The probes. Each adds what it finds of the wanted schemes. Return: 0, or what the looking ends with. */
int look_at_sysv(struct look *look);
int look_at_posix(struct look *look);
int look_at_names(struct look *look);
int look_at_locks(struct look *look);
int look_at_domains(struct look *look);

/* With another folder in the place of /proc: for tests, which make one. */
int look_at_locks_in(const char *proc, struct look *look);
/* With another folder in the place of /dev/shm. */
int look_at_domains_in(const char *folder, struct look *look);

#endif
