/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

#include "doctor.h"
#include "doctor_try.h"

static void look_at_proc(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct doctor_mount mount;
	char text[64];
	int r = doctor_field(doctor, "/proc/self/status", "Pid:", text, sizeof(text));

	if (r < 0) {
		doctor_found(finding, DOCTOR_PROBLEM, "/proc can't be read: %s", strerror(-r));
		doctor_means(finding, "Nothing can be said of limits and of other processes, and a program can't see "
				      "its own descriptors and mappings.");
		doctor_mend_as_root(doctor, finding, "mount -t proc proc /proc");
		return;
	}
	r = doctor_mount_find(doctor, doctor_mount_at, "/proc", &mount);
	if (r > 0 && doctor_mount_option(mount.super, "subset")) {
		doctor_found(finding, DOCTOR_NOTE, "/proc is mounted with subset=pid");
		doctor_means(finding, "The machine's limits and its System V objects can't be seen here.");
		doctor_mend_as_root(doctor, finding, "mount -t proc proc /proc");
		return;
	}
	doctor_found(finding, DOCTOR_OK, "/proc can be read");
}

static void look_at_hidepid(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct doctor_mount mount;
	int r = doctor_mount_find(doctor, doctor_mount_at, "/proc", &mount);
	const char *value;

	if (r == 0) {
		doctor_found(finding, DOCTOR_UNKNOWN, "Can't tell: /proc isn't a mount of its own");
		return;
	}
	if (r < 0) {
		doctor_cant_tell(finding, "/proc/self/mountinfo", r);
		return;
	}
	value = doctor_mount_option(mount.super, "hidepid");
	if (!value || *value == '0' || strncmp(value, "off", 3) == 0) {
		doctor_found(finding, DOCTOR_OK, "/proc shows the processes of all users");
		return;
	}
	if (doctor_may(doctor, CAP_SYS_PTRACE)) {
		doctor_found(finding, DOCTOR_OK, "/proc hides others' processes (hidepid), but not from you");
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "/proc hides others' processes from you (hidepid=%.*s)",
		     (int)strcspn(value, ","), value);
	doctor_means(finding, "Who holds an object or waits for it can't be told if it is another user's process: it "
			      "looks as if nobody did.");
	doctor_mend_as_root(doctor, finding, "mount -o remount,hidepid=0 /proc");
}

static void look_at_ptrace(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/kernel/yama/ptrace_scope";
	uint64_t scope = 0;
	int r = doctor_number(doctor, path, &scope), may = doctor_may(doctor, CAP_SYS_PTRACE);

	if (r < 0 && (r != -ENOENT || !doctor_sees_settings(doctor))) { /* without Yama there is none */
		doctor_cant_tell(finding, path, r);
		return;
	}
	if (scope >= 3) {
		doctor_found(finding, DOCTOR_NOTE, "Nobody may look into another process (yama: ptrace_scope 3)");
		doctor_means(finding, "What a process waits for and how full its pipes are can't be seen, by root "
				      "neither. Only a reboot with another setting changes it.");
		doctor_mend(finding, "grep -r ptrace_scope /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d");
	} else if (may) {
		doctor_found(finding, DOCTOR_OK, "You may look into every process");
	} else if (scope == 0) {
		doctor_found(finding, DOCTOR_OK, "You may look into your own processes");
	} else {
		doctor_found(finding, DOCTOR_NOTE, "You may look into %s (yama: ptrace_scope %" PRIu64 ")",
			     scope == 1 ? "no process but your children" : "no process", scope);
		doctor_means(finding, "Who has an object open is seen, but what a process waits for "
				      "(/proc/PID/syscall) and how full its pipes are (pidfd_getfd) is not. Root "
				      "isn't bound by it.");
		doctor_mend_as_root(doctor, finding, "sysctl -w kernel.yama.ptrace_scope=0");
	}
}

static const char without_user_namespaces[] =
	"Containers and sandboxes without root don't start, and nonet's own tests of namespaces are skipped. Its "
	"library needs none.";

static void look_at_user_namespaces(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const struct {
		const char *path, *name;
		uint64_t bad, good;
		int binds_root;
	} switches[] = {
		{"/proc/sys/user/max_user_namespaces", "user.max_user_namespaces", 0, 15000, 1},
		{"/proc/sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone", 0, 1, 0},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
		 "kernel.apparmor_restrict_unprivileged_userns", 1, 0, 0},
	};
	uint64_t value;
	size_t i;
	int r;

	for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		r = doctor_number(doctor, switches[i].path, &value);
		if (r == -ENOENT) /* each belongs to a kernel, or a distribution's */
			continue;
		if (r < 0) {
			doctor_cant_tell(finding, switches[i].path, r);
			return;
		}
		if (value != switches[i].bad || (!switches[i].binds_root && doctor_may(doctor, CAP_SYS_ADMIN)))
			continue;
		doctor_found(finding, DOCTOR_NOTE, "You may not make user namespaces (%s=%" PRIu64 ")",
			     switches[i].name, value);
		doctor_means(finding, "%s", without_user_namespaces);
		doctor_mend_as_root(doctor, finding, "sysctl -w %s=%" PRIu64, switches[i].name, switches[i].good);
		return;
	}
	r = doctor_can_try(doctor) ? doctor_try_user_namespace() : 0;
	if (r == 0) {
		doctor_found(finding, DOCTOR_OK, "You may make user namespaces");
		return;
	}
	if (r > 0) {
		doctor_cant_tell(finding, "a child to try it in", -r);
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "You may not make user namespaces: %s", strerror(-r));
	doctor_means(finding, "%s", without_user_namespaces);
	if (r == -EPERM)
		doctor_mend(finding, "docker run --security-opt seccomp=unconfined IMAGE");
}

static void look_at_io_uring(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/kernel/io_uring_disabled"; /* from Linux 6.6 on */
	uint64_t disabled = 0;
	int r = doctor_number(doctor, path, &disabled), tried = doctor_can_try(doctor) ? doctor_try_io_uring() : 0;

	if (r < 0 && r != -ENOENT) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	if (disabled == 0 && tried == 0) {
		doctor_found(finding, DOCTOR_OK, "Programs may use io_uring");
		return;
	}
	if (disabled == 1 && doctor_may(doctor, CAP_SYS_ADMIN) && tried == 0) {
		doctor_found(finding, DOCTOR_OK, "You may use io_uring, ordinary users only in one group");
		return;
	}
	if (disabled > 0)
		doctor_found(finding, DOCTOR_NOTE, "Io_uring is %s (kernel.io_uring_disabled=%" PRIu64 ")",
			     disabled == 1 ? "for one group of users only" : "off for everybody", disabled);
	else
		doctor_found(finding, DOCTOR_NOTE, "Io_uring is refused: %s", strerror(-tried));
	doctor_means(finding, "nonet doesn't use it. A program that does, as some databases and runtimes, fails or "
			      "falls back to slower calls.");
	if (disabled > 0)
		doctor_mend_as_root(doctor, finding, "sysctl -w kernel.io_uring_disabled=0");
	else if (tried != -ENOSYS)
		doctor_mend(finding, "docker run --security-opt seccomp=unconfined IMAGE");
}

/* The kernel's first namespaces have fixed numbers: linux/nsfs.h, from Linux 6.18 on, has had them since ever. */
#define PID_NAMESPACE_FIRST  0xEFFFFFFCu
#define TIME_NAMESPACE_FIRST 0xEFFFFFFAu

/* Return: the number, or a negative errno. */
static int64_t namespace_of(const struct doctor *doctor, const char *path)
{
	char *whole = doctor_path(doctor, path), target[64];
	ssize_t size = whole ? readlink(whole, target, sizeof(target) - 1) : -1;
	int code = whole ? errno : ENOMEM;
	uint32_t number;

	free(whole);
	if (size < 0)
		return -code;
	target[size] = '\0';
	return sscanf(target, "%*[a-z]:[%" SCNu32 "]", &number) == 1 ? (int64_t)number : -EBADMSG;
}

static void look_at_pid_namespace(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/self/ns/pid";
	int64_t number = namespace_of(doctor, path);

	if (number == PID_NAMESPACE_FIRST || number == -ENOENT) {
		doctor_found(finding, DOCTOR_OK, "Process numbers are the machine's own");
	} else if (number < 0) {
		doctor_cant_tell(finding, path, (int)number);
	} else {
		doctor_found(finding, DOCTOR_NOTE, "You are in a PID namespace of your own, as in a container");
		doctor_means(finding, "Processes outside aren't seen, and one that a peer outside names by number is "
				      "another here. Who holds an object shared with them looks as if he weren't "
				      "there.");
		doctor_mend(finding, "docker run --pid=host IMAGE");
	}
}

static void look_at_time_namespace(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/self/ns/time";
	int64_t number = namespace_of(doctor, path);

	if (number == TIME_NAMESPACE_FIRST || number == -ENOENT) {
		doctor_found(finding, DOCTOR_OK, "The monotonic clock is the machine's own");
	} else if (number < 0) {
		doctor_cant_tell(finding, path, (int)number);
	} else {
		doctor_found(finding, DOCTOR_NOTE, "You are in a time namespace of your own");
		doctor_means(finding, "The monotonic clock differs from that of processes outside: a deadline or stamp "
				      "that a program passes to them by value is wrong there. nonet never does.");
	}
}

const struct doctor_check doctor_access[] = {
	{"proc", "whether /proc can be read", look_at_proc},
	{"hidepid", "whether /proc hides the processes of others", look_at_hidepid},
	{"ptrace", "kernel.yama.ptrace_scope: looking into processes", look_at_ptrace},
	{"user-namespaces", "whether user namespaces may be made, and tried", look_at_user_namespaces},
	{"io-uring", "kernel.io_uring_disabled, and tried", look_at_io_uring},
	{"pid-namespace", "whose process numbers we see", look_at_pid_namespace},
	{"time-namespace", "whose clock we see", look_at_time_namespace},
	{NULL, NULL, NULL},
};
