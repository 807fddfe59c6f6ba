/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <linux/capability.h>

#include "doctor.h"

static const char shm[] = "/dev/shm";
static const char mounts[] = "/proc/self/mountinfo";

static void not_mounted(const struct doctor *doctor, struct doctor_finding *finding)
{
	doctor_found(finding, DOCTOR_PROBLEM, "Nothing is mounted at /dev/shm");
	doctor_means(finding, "Shared memory and named semaphores (posixshm:, posixsem:, and nonet's domains) can't be "
			      "made, or lie on a disk.");
	doctor_mend_as_root(doctor, finding, "mount -t tmpfs -o X-mount.mkdir,nosuid,nodev,mode=1777 tmpfs /dev/shm");
}

/* Return: 0, or what stat(2) says; the mode as it is in the inode. */
static int mode_of(const struct doctor *doctor, const char *path, mode_t *ret_mode)
{
	char *whole = doctor_path(doctor, path);
	struct stat status;
	int r = -ENOMEM;

	if (whole) {
		r = stat(whole, &status) < 0 ? -errno : 0;
		free(whole);
	}
	if (r == 0)
		*ret_mode = status.st_mode & 07777;
	return r;
}

static void look_at_shm_mount(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct doctor_mount mount;
	mode_t mode;
	int r = doctor_mount_find(doctor, doctor_mount_at, shm, &mount);

	if (r == 0) {
		not_mounted(doctor, finding);
		return;
	}
	if (r < 0) {
		doctor_cant_tell(finding, mounts, r);
		return;
	}
	if (doctor_mount_option(mount.options, "ro") || doctor_mount_option(mount.super, "ro")) {
		doctor_found(finding, DOCTOR_PROBLEM, "/dev/shm is mounted read-only");
		doctor_means(finding, "Nobody can make shared memory or a named semaphore there: -EROFS.");
		doctor_mend_as_root(doctor, finding, "mount -o remount,rw /dev/shm");
		return;
	}
	r = mode_of(doctor, shm, &mode);
	if (r < 0) {
		doctor_cant_tell(finding, shm, r);
		return;
	}
	if (mode == 01777 && strcmp(mount.type, "tmpfs") == 0) {
		doctor_found(finding, DOCTOR_OK, "/dev/shm is a tmpfs that everybody can use");
	} else if (mode == 01777) {
		doctor_found(finding, DOCTOR_NOTE, "/dev/shm is on %s, and not a tmpfs", mount.type);
		doctor_means(finding, "What is shared there may be written to a disk again and again, and survives a "
				      "reboot half done.");
		doctor_mend_as_root(doctor, finding, "mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm");
	} else {
		doctor_found(finding, DOCTOR_PROBLEM, "/dev/shm has mode %04o instead of 1777", (unsigned)mode);
		doctor_means(finding, "%s",
			     mode & S_IWOTH && !(mode & S_ISVTX)
				     ? "Every user can remove or replace the shared memory of every other."
				     : "Other users than its owner can't make shared memory or named semaphores: "
				       "-EACCES.");
		doctor_mend_as_root(doctor, finding, "chmod 1777 /dev/shm");
	}
}

static void look_at_shm_noexec(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct doctor_mount mount;
	int r = doctor_mount_find(doctor, doctor_mount_at, shm, &mount);

	if (r < 0) {
		doctor_cant_tell(finding, mounts, r);
		return;
	}
	if (r == 0) {
		doctor_found(finding, DOCTOR_UNKNOWN, "Can't tell: nothing is mounted at /dev/shm");
		return;
	}
	if (!doctor_mount_option(mount.options, "noexec")) {
		doctor_found(finding, DOCTOR_OK, "Code may be run from /dev/shm");
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "/dev/shm is mounted noexec");
	doctor_means(finding, "nonet doesn't mind. A program that shares code there (compilers at run time do) is "
			      "refused with -EPERM.");
	doctor_mend_as_root(doctor, finding, "mount -o remount,exec /dev/shm");
}

/* Docker's and Podman's own mark. */
static int in_container(const struct doctor *doctor)
{
	static const char *const marks[] = {"/.dockerenv", "/run/.containerenv"};
	mode_t mode;
	size_t i;

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (mode_of(doctor, marks[i], &mode) == 0)
			return 1;
	return 0;
}

/* Less than that is soon gone; and what containers have where nobody asked for more. */
#define SHM_LITTLE ((uint64_t)16 << 20)
#define SHM_SMALL  ((uint64_t)64 << 20)
#define INODES_FEW 64

static void look_at_shm_space(const struct doctor *doctor, struct doctor_finding *finding)
{
	char *whole = doctor_path(doctor, shm);
	struct statvfs status;
	uint64_t size, left;
	int r = -ENOMEM, few;

	if (whole)
		r = statvfs(whole, &status) < 0 ? -errno : 0;
	free(whole);
	if (r < 0) {
		doctor_cant_tell(finding, shm, r);
		return;
	}
	size = status.f_blocks ? (uint64_t)status.f_blocks * status.f_frsize : DOCTOR_UNLIMITED;
	left = status.f_blocks ? (uint64_t)status.f_bavail * status.f_frsize : DOCTOR_UNLIMITED;
	few = status.f_files != 0 && status.f_favail < INODES_FEW;
	doctor_found(finding,
		     left < SHM_LITTLE || few ? DOCTOR_PROBLEM
		     : size <= SHM_SMALL      ? DOCTOR_NOTE
					      : DOCTOR_OK,
		     "/dev/shm has %s free of %s, and room for %s more names", DOCTOR_SIZE(left), DOCTOR_SIZE(size),
		     DOCTOR_COUNT(status.f_files ? status.f_favail : DOCTOR_UNLIMITED));
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "A segment that doesn't fit can't be made (-ENOSPC). A program that doesn't reserve its "
			      "memory first, as most don't, is killed by SIGBUS when it touches what isn't there.");
	if (in_container(doctor) && !doctor_may(doctor, CAP_SYS_ADMIN))
		doctor_mend(finding, "docker run --shm-size=1g IMAGE");
	else if (few && left >= SHM_LITTLE)
		doctor_mend_as_root(doctor, finding, "mount -o remount,nr_inodes=%" PRIu64 " /dev/shm",
				    (uint64_t)status.f_files + 100000);
	else
		doctor_mend_as_root(doctor, finding, "mount -o remount,size=%" PRIu64 "M /dev/shm",
				    size < (uint64_t)512 << 20 ? 1024 : (size >> 20) * 2);
}

const struct doctor_check doctor_memory[] = {
	{"shm-mount", "/dev/shm: mounted, writable, with the right mode", look_at_shm_mount},
	{"shm-space", "/dev/shm: how much fits in", look_at_shm_space},
	{"shm-noexec", "/dev/shm: whether code may be shared there", look_at_shm_noexec},
	{"cgroup-memory", "the memory limit of our control group", doctor_cgroup_memory},
	{"remove-ipc", "whether a logout deletes shared memory (logind)", doctor_remove_ipc},
	{NULL, NULL, NULL},
};
