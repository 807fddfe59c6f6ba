/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/error.h"
#include "sys/memory.h"

#define LIST_FIRST 64

bool look_may_go_on(int error)
{
	return error != -ENOMEM && error != -EMFILE && error != -ENFILE;
}

/* @address without its text, which is made. */
static int list_add(struct nonet_inspect_list *list, const struct nonet_inspect_object *object,
		    struct nonet_address *address)
{
	struct nonet_inspect_object *added;
	char *text;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : LIST_FIRST;
		struct nonet_inspect_object *larger = sys_reallocate(list->objects, capacity * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		list->objects = larger;
		list->capacity = capacity;
	}
	text = sys_allocate(
		address_text_bound(address->name_size + (address->directory ? strlen(address->directory) : 0)));
	if (!text)
		return -ENOMEM;
	address->scheme = object->scheme;
	address_write_text(address, text);
	added = &list->objects[list->count++];
	*added = *object;
	added->address = text;
	return 0;
}

int list_add_name(struct nonet_inspect_list *list, const struct nonet_inspect_object *object, const char *name)
{
	struct nonet_address address = {.name = name, .name_size = strlen(name)};

	return list_add(list, object, &address);
}

int list_add_abstract(struct nonet_inspect_list *list, const struct nonet_inspect_object *object, const char *name,
		      size_t size)
{
	struct nonet_address address = {.name = name, .name_size = size, .is_abstract = true};

	return list_add(list, object, &address);
}

int list_add_own(struct nonet_inspect_list *list, const struct nonet_inspect_object *object, const char *directory,
		 const char *name)
{
	struct nonet_address address = {.directory = directory, .name = name, .name_size = strlen(name)};

	return list_add(list, object, &address);
}

int list_add_sysv(struct nonet_inspect_list *list, const struct nonet_inspect_object *object, uint32_t key)
{
	struct nonet_address address = {.name = NULL};

	if (key != 0)
		address_set_number(&address, NONET_ADDRESS_KEY, key);
	else
		address_set_number(&address, NONET_ADDRESS_ID, object->id);
	return list_add(list, object, &address);
}

void object_set_stat(struct nonet_inspect_object *object, const struct stat *info)
{
	object->known |= NONET_INSPECT_OWNER;
	object->owner = info->st_uid;
	object->group = info->st_gid;
	object->mode = info->st_mode & 0777;
}

static int compare(const void *a, const void *b)
{
	const struct nonet_inspect_object *x = a, *y = b;

	int order;

	if (x->scheme != y->scheme)
		return x->scheme < y->scheme ? -1 : 1;
	order = strcmp(x->address, y->address);
	/* Of locks several have one address. */
	if (order == 0)
		order = (x->count > y->count) - (x->count < y->count);
	return order ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

int nonet_inspect_objects(uint64_t schemes, nonet_time deadline, struct nonet_inspect_list **ret_list,
			  struct nonet_error *reterr)
{
	static int (*const probes[])(struct look * look) = {look_at_sysv, look_at_posix, look_at_names, look_at_locks,
							    look_at_domains};
	struct nonet_inspect_list *list = sys_allocate(sizeof(*list));
	struct look look = {.list = list, .schemes = schemes, .deadline = deadline};
	int error = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]) && error == 0; i++)
		error = probes[i](&look);
	if (error < 0) {
		nonet_inspect_free(list);
		if (error == -ENOENT)
			return error_set(reterr, error, "can't look at this machine: /proc isn't mounted");
		return error_set(reterr, error, "can't look at this machine: %s", error_reason(error));
	}
	if (list->count > 0)
		qsort(list->objects, list->count, sizeof(*list->objects), compare);
	*ret_list = list;
	return 0;
}

size_t nonet_inspect_count(const struct nonet_inspect_list *list)
{
	return list->count;
}

const struct nonet_inspect_object *nonet_inspect_get(const struct nonet_inspect_list *list, size_t index)
{
	return index < list->count ? &list->objects[index] : NULL;
}

const struct nonet_inspect_domain *nonet_inspect_get_domain(const struct nonet_inspect_list *list, size_t index)
{
	return index < list->domain_count ? &list->domains[index] : NULL;
}

const struct nonet_inspect_coverage *nonet_inspect_get_coverage(const struct nonet_inspect_list *list)
{
	return &list->coverage;
}

struct nonet_inspect_list *nonet_inspect_free(struct nonet_inspect_list *list)
{
	if (!list)
		return NULL;
	for (size_t i = 0; i < list->count; i++)
		sys_free((void *)(uintptr_t)list->objects[i].address);
	for (size_t i = 0; i < list->domain_count; i++)
		sys_free((void *)(uintptr_t)list->domains[i].path);
	sys_free(list->domains);
	sys_free(list->objects);
	return sys_free(list);
}
