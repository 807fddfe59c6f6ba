/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* Where a version of cgroups keeps what. */
struct version {
	const char *limit, *used, *cache; /* files; and the key in memory.stat of what is given back at once */
	const char *unlimit;              /* what to write to the limit to have none */
};

static const struct version version_1 = {
	"memory.limit_in_bytes",
	"memory.usage_in_bytes",
	"total_inactive_file",
	"-1",
};
static const struct version version_2 = {"memory.max", "memory.current", "inactive_file", "max"};

/* The tightest group on the way from ours up to the root. */
struct tightest {
	uint64_t limit, left;
	char group[768];
};

static int is_version_1(const struct doctor_mount *mount, const void *data)
{
	(void)data;
	return strcmp(mount->type, "cgroup") == 0 && doctor_mount_option(mount->super, "memory");
}

/* Lines are hierarchy:controllers:path; version 2 is 0::path. Return: 0, or -ENOENT if we are in no such group. */
static int find_group(const struct doctor *doctor, int version, char *ret_group, size_t size)
{
	FILE *file = doctor_open(doctor, "/proc/self/cgroup");
	char *line = NULL, *controllers, *path;
	size_t room = 0;
	int r = -ENOENT;

	if (!file)
		return -errno;
	while (r < 0 && getline(&line, &room, file) >= 0) {
		controllers = strchr(line, ':');
		path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (version == 2 ? strcmp(line, "0:") == 0 : !!doctor_mount_option(controllers + 1, "memory")) {
			snprintf(ret_group, size, "%s", path);
			r = 0;
		}
	}
	free(line);
	fclose(file);
	return r;
}

/* 0 where there is none: the root of version 2 has no limit. */
static int look_at_group(const struct doctor *doctor, const struct version *version, const char *group,
			 struct tightest *tightest)
{
	uint64_t limit, used, cache = 0, left;
	char path[832], text[64];
	int r;

	snprintf(path, sizeof(path), "%s/%s", group, version->limit);
	r = doctor_number(doctor, path, &limit);
	if (r == -ENOENT)
		return 0;
	/* Version 1 says "no limit" by the largest number of whole pages. */
	if (r < 0 || limit > DOCTOR_UNLIMITED >> 2)
		return r;
	snprintf(path, sizeof(path), "%s/%s", group, version->used);
	r = doctor_number(doctor, path, &used);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/memory.stat", group);
	if (doctor_field(doctor, path, version->cache, text, sizeof(text)) == 0)
		cache = strtoull(text, NULL, 10);
	used -= cache < used ? cache : used;
	left = used < limit ? limit - used : 0;
	if (left >= tightest->left)
		return 0;
	tightest->limit = limit;
	tightest->left = left;
	snprintf(tightest->group, sizeof(tightest->group), "%s", group);
	return 0;
}

/* @group is as /proc/self/cgroup has it. In a container it may lie outside of what is mounted: then that's our root. */
static int climb(const struct doctor *doctor, const struct version *version, const struct doctor_mount *mount,
		 const char *group, struct tightest *ret_tightest)
{
	size_t root = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
	char path[768];
	int r;

	if (strncmp(group, mount->root, root) == 0 && (group[root] == '/' || group[root] == '\0'))
		group += root;
	else
		group = "";
	if (strstr(group, "/.."))
		group = "";
	snprintf(path, sizeof(path), "%s%s", mount->point, strcmp(group, "/") == 0 ? "" : group);
	for (;;) {
		r = look_at_group(doctor, version, path, ret_tightest);
		if (r < 0 || strlen(path) <= strlen(mount->point))
			return r;
		*strrchr(path, '/') = '\0';
	}
}

#define GROUP_CHARACTERS "/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.,:@+-\\"

static void judge(const struct doctor *doctor, const struct version *version, const struct tightest *tightest,
		  struct doctor_finding *finding)
{
	if (tightest->limit == DOCTOR_UNLIMITED) {
		doctor_found(finding, DOCTOR_OK, "No control group of yours has a memory limit");
		return;
	}
	doctor_found(finding, tightest->left < (uint64_t)16 << 20 ? DOCTOR_PROBLEM : DOCTOR_NOTE,
		     "Your control group may use %s of memory, and %s of it are left", DOCTOR_SIZE(tightest->limit),
		     DOCTOR_SIZE(tightest->left));
	doctor_means(finding, "Shared memory counts too, also what is only reserved: to reserve more than is left is "
			      "no -ENOSPC but an OOM kill, by SIGKILL, of one of the group's processes. What /dev/shm "
			      "shows as free says nothing about that.");
	/* Groups are named by whoever may make them, and the command is for root's shell: nothing odd may be in it. */
	if (tightest->group[strspn(tightest->group, GROUP_CHARACTERS)] == '\0')
		doctor_mend(finding, "echo %s | %stee '%s/%s'", version->unlimit, doctor->uid == 0 ? "" : "sudo ",
			    tightest->group, version->limit);
}

void doctor_cgroup_memory(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct tightest tightest = {.limit = DOCTOR_UNLIMITED, .left = DOCTOR_UNLIMITED};
	const struct version *version = &version_1;
	struct doctor_mount mount;
	char group[512];
	int r = find_group(doctor, 1, group, sizeof(group));

	if (r == -ENOENT) {
		version = &version_2;
		r = find_group(doctor, 2, group, sizeof(group));
	}
	if (r == -ENOENT) {
		doctor_found(finding, DOCTOR_OK, "This kernel has no control groups for memory");
		return;
	}
	if (r < 0) {
		doctor_cant_tell(finding, "/proc/self/cgroup", r);
		return;
	}
	if (version == &version_1)
		r = doctor_mount_find(doctor, is_version_1, NULL, &mount);
	else
		r = doctor_mount_find(doctor, doctor_mount_of_type, "cgroup2", &mount);
	if (r == 0) {
		doctor_found(finding, DOCTOR_UNKNOWN,
			     "Can't tell: you are in control group %s, but no cgroup filesystem is mounted", group);
		return;
	}
	if (r < 0) {
		doctor_cant_tell(finding, "/proc/self/mountinfo", r);
		return;
	}
	r = climb(doctor, version, &mount, group, &tightest);
	if (r < 0)
		doctor_cant_tell(finding, mount.point, r);
	else
		judge(doctor, version, &tightest, finding);
}
