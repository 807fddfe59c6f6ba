/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/domain_look.h"
#include "inspect/list.h"
#include "inspect/own.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/memory.h"

/*
 * Domains, and nonet's own objects in them. A domain is a directory with a .domain; where those are that somebody has
 * chosen, nobody keeps: so looked at are the users' default ones, and that which NONET_DOMAIN names.
 */
#define SHARED_MEMORY "/dev/shm"

struct domains {
	struct look *look;
	char home[OWN_HOME]; /* the default one, in which a name stands alone */
	bool home_seen;
};

static bool look_wants_own(const struct look *look)
{
	for (const struct own_kind *kind = own_kinds; kind->word; kind++)
		if (look_wants(look, kind->scheme))
			return true;
	return false;
}

/* One file of the domain. */
static int look_at_file(struct domains *domains, const struct domain_look *domain, const char *directory,
			const char *file, struct nonet_inspect_domain *told)
{
	struct look *look = domains->look;
	struct own_look own;
	char name[NAME_MAX + 1];
	size_t size;
	struct stat status;
	const struct own_kind *kind = own_kind_of(file, &size);
	int error;

	if (!kind)
		return 0;
	told->objects++;
	if (sys_stat_at(domain->directory, file, &status) == 0)
		told->bytes += (uint64_t)status.st_blocks * 512;
	if (!look_wants(look, kind->scheme))
		return 0;
	error = own_look(&own, domain, kind, file, NONET_NOW);
	if (error < 0) {
		look->list->coverage.places += error != -ENOENT;
		return look_may_go_on(error) ? 0 : error;
	}
	memcpy(name, file, size);
	name[size] = 0;
	error = list_add_own(look->list, &own.object, directory, name);
	own_look_done(&own);
	return error;
}

static int look_at_files(struct domains *domains, const struct domain_look *domain, const char *path,
			 struct nonet_inspect_domain *told)
{
	const char *directory = strcmp(path, domains->home) == 0 ? NULL : path;
	struct sys_directory entries;
	const char *name;
	unsigned char type;
	int more = sys_directory_open(domain->directory, ".", &entries);

	if (more < 0) {
		domains->look->list->coverage.places++;
		return look_may_go_on(more) ? 0 : more;
	}
	while ((more = sys_directory_next(&entries, &name, &type)) > 0) {
		if (nonet_clock() >= domains->look->deadline) {
			domains->look->list->coverage.places++;
			more = 0;
			break;
		}
		more = look_at_file(domains, domain, directory, name, told);
		if (more < 0)
			break;
	}
	sys_directory_close(&entries);
	return more;
}

static int list_add_domain(struct nonet_inspect_list *list, const struct nonet_inspect_domain *domain, const char *path)
{
	struct nonet_inspect_domain *larger = sys_reallocate(list->domains, (list->domain_count + 1) * sizeof(*larger));
	char *copy;

	if (!larger)
		return -ENOMEM;
	list->domains = larger;
	copy = sys_copy_string(path);
	if (!copy)
		return -ENOMEM;
	larger[list->domain_count] = *domain;
	larger[list->domain_count++].path = copy;
	return 0;
}

static int look_at_domain(struct domains *domains, const char *path)
{
	struct nonet_inspect_coverage *coverage = &domains->look->list->coverage;
	struct nonet_inspect_domain told = {0};
	struct domain_look domain;
	int error = domain_look_open(path, domains->look->deadline, &domain);

	if (error < 0) {
		/* Not made yet, or a directory that only has such a name. */
		coverage->places += error != -ENOENT && error != -ENOTDIR;
		return look_may_go_on(error) ? 0 : error;
	}
	told.flags = domain.is_damaged ? NONET_INSPECT_DAMAGED : 0;
	told.owner = domain.status.st_uid;
	told.group = domain.status.st_gid;
	told.mode = domain.status.st_mode & 0777;
	told.members = domain.member_count;
	told.bytes = (uint64_t)domain.bytes;
	told.created = domain.made;
	coverage->places += domain.is_cut_short;
	error = look_at_files(domains, &domain, path, &told);
	domain_look_close(&domain);
	return error < 0 ? error : list_add_domain(domains->look->list, &told, path);
}

static int look_at_folder(struct domains *domains, const char *folder)
{
	const char *prefix = &DOMAIN_DEFAULT[sizeof(SHARED_MEMORY)];
	char path[OWN_HOME];
	struct sys_directory entries;
	const char *name;
	unsigned char type;
	int more = sys_directory_open(AT_FDCWD, folder, &entries);

	if (more < 0) {
		domains->look->list->coverage.places += more != -ENOENT;
		return look_may_go_on(more) ? 0 : more;
	}
	while ((more = sys_directory_next(&entries, &name, &type)) > 0) {
		if ((type != DT_DIR && type != DT_UNKNOWN) || strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		domains->home_seen = domains->home_seen || strcmp(path, domains->home) == 0;
		more = look_at_domain(domains, path);
		if (more < 0)
			break;
	}
	sys_directory_close(&entries);
	return more;
}

int look_at_domains(struct look *look)
{
	return look_at_domains_in(SHARED_MEMORY, look);
}

int look_at_domains_in(const char *folder, struct look *look)
{
	struct domains domains = {.look = look};
	int error;

	if (!look_wants_own(look))
		return 0;
	own_home(domains.home);
	error = look_at_folder(&domains, folder);
	if (error == 0 && !domains.home_seen)
		error = look_at_domain(&domains, domains.home);
	return error;
}
