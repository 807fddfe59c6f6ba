/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "doctor_try.h"

/* What nonet wants of the kernel. A number says only since when Linux has it: it is found out by trying. */
struct feature {
	const char *what, *since;
	doctor_try *try_it;
	enum doctor_level level; /* where it is missing */
	const char *without;     /* what nonet does then */
};

static void look_at_feature(const struct doctor *doctor, const struct feature *feature, struct doctor_finding *finding)
{
	int r;

	if (!doctor_can_try(doctor)) {
		doctor_cant_try(finding);
		return;
	}
	r = feature->try_it();
	if (r == 0) {
		doctor_found(finding, DOCTOR_OK, "%s works", feature->what);
		return;
	}
	if (r > 0) {
		doctor_cant_tell(finding, feature->what, -r);
		return;
	}
	doctor_means(finding, "%s", feature->without);
	if (r == -EPERM || r == -EACCES) {
		doctor_found(finding, feature->level, "%s is refused, as by a container's seccomp filter: %s",
			     feature->what, strerror(-r));
		doctor_mend(finding, "docker run --security-opt seccomp=unconfined IMAGE");
	} else {
		doctor_found(finding, feature->level, "%s isn't there; Linux has it from %s on: %s", feature->what,
			     feature->since, strerror(-r));
	}
}

#define FEATURE(name, ...)                                                                      \
	static void look_at_##name(const struct doctor *doctor, struct doctor_finding *finding) \
	{                                                                                       \
		static const struct feature feature = {__VA_ARGS__};                            \
		look_at_feature(doctor, &feature, finding);                                     \
	}

FEATURE(nosignal, "pwritev2(RWF_NOSIGNAL)", "6.18", doctor_try_nosignal, DOCTOR_NOTE,
	"Instead SIGPIPE is blocked around each write to a pipe and taken back: as right, but three system calls more.")
FEATURE(pidfd, "pidfd_open(2)", "5.3", doctor_try_pidfd, DOCTOR_PROBLEM,
	"A process can be waited for and signalled only by its number, which another one may have by then. nonet "
	"refuses to do so: -ENOSYS.")
FEATURE(close_range, "close_range(CLOEXEC)", "5.11", doctor_try_close_range, DOCTOR_PROBLEM,
	"nonet_process_spawn() starts nothing: a child has of its parent's descriptors only what it is given, and "
	"nothing "
	"else keeps the others from it, however many there are.")
FEATURE(pidfs, "A pidfd's own inode (pidfs)", "6.9", doctor_try_pidfs, DOCTOR_NOTE,
	"Instead a process is told from a later one of the same number by its start time, which two that follow each "
	"other within 10 ms share.")
FEATURE(peer_pidfd, "SO_PEERPIDFD", "6.5", doctor_try_peer_pidfd, DOCTOR_NOTE,
	"Instead the pidfd of a UNIX socket's peer is opened by its number, which may be another's if the peer has "
	"died; nonet_unix_peer() says which it was.")
FEATURE(futex_waitv, "futex_waitv(2)", "5.16", doctor_try_futex_waitv, DOCTOR_NOTE,
	"Instead who waits for a shared lock looks every 100 ms whether its owner lives, instead of being told at "
	"once.")
FEATURE(membarrier, "membarrier(GLOBAL_EXPEDITED)", "4.16", doctor_try_membarrier, DOCTOR_NOTE,
	"Instead a channel's publisher has a fence in each message, some 10 ns.")
FEATURE(wipe_on_fork, "MADV_WIPEONFORK", "4.14", doctor_try_wipe_on_fork, DOCTOR_NOTE,
	"Instead each call that must know whether it is in a forked child asks getpid(2): a system call more.")
FEATURE(ofd_locks, "A lock of an open file (F_OFD_SETLK)", "3.15", doctor_try_ofd_lock, DOCTOR_PROBLEM,
	"ofdlock: addresses and the proof that a member of a domain lives need it, and nothing takes its place.")
FEATURE(future_write, "A memfd sealed with F_SEAL_FUTURE_WRITE", "5.1", doctor_try_future_write, DOCTOR_NOTE,
	"Memory that only its maker may write can't be handed to another user: nonet refuses, since nothing else "
	"keeps the receiver from writing.")
FEATURE(fallocate, "fallocate(2) on /dev/shm", "3.5", doctor_try_fallocate, DOCTOR_PROBLEM,
	"Segments can't be reserved when they are made, so that a full /dev/shm would be a SIGBUS later: nonet "
	"refuses to make them.")

static void look_at_version(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/kernel/osrelease";
	unsigned major, minor;
	char release[64];
	int r = doctor_line(doctor, path, release, sizeof(release));

	if (r == 0 && sscanf(release, "%u.%u", &major, &minor) != 2)
		r = -EBADMSG;
	if (r < 0) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	if (major > 6 || (major == 6 && minor >= 1)) {
		doctor_found(finding, DOCTOR_OK, "Linux %s", release);
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "Linux %s is older than what nonet is tested with", release);
	doctor_means(finding, "That is 6.1 and later. The other checks of this group say what is missing here.");
}

static void look_at_glibc(const struct doctor *doctor, struct doctor_finding *finding)
{
	char version[64] = "";
	unsigned major, minor;

	if (!doctor_can_try(doctor)) {
		doctor_cant_try(finding);
		return;
	}
	if (confstr(_CS_GNU_LIBC_VERSION, version, sizeof(version)) == 0 ||
	    sscanf(version, "glibc %u.%u", &major, &minor) != 2) {
		doctor_found(finding, DOCTOR_NOTE, "The C library isn't glibc");
		doctor_means(finding, "nonet is tested with glibc alone.");
	} else if (major > 2 || (major == 2 && minor >= 36)) {
		doctor_found(finding, DOCTOR_OK, "%s", version);
	} else {
		doctor_found(finding, DOCTOR_NOTE, "%s is older than what nonet is tested with", version);
		doctor_means(finding, "That is 2.36 and later.");
	}
}

/* "0-3,8": how many that are. */
static unsigned count_of_list(const char *list)
{
	unsigned count = 0, first, last;
	int used;

	while (sscanf(list, "%u%n", &first, &used) == 1) {
		list += used;
		last = first;
		if (*list == '-' && sscanf(list, "-%u%n", &last, &used) == 1)
			list += used;
		count += last - first + 1;
		list += *list == ',';
	}
	return count;
}

static void look_at_cpus(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/self/status";
	char list[256];
	int r = doctor_field(doctor, path, "Cpus_allowed_list:", list, sizeof(list));
	unsigned count = r == 0 ? count_of_list(list) : 0;

	if (count == 0) {
		doctor_cant_tell(finding, path, r < 0 ? r : -EBADMSG);
		return;
	}
	if (count > 1) {
		doctor_found(finding, DOCTOR_OK, "You may run on %u CPUs", count);
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "You may run on one CPU only");
	doctor_means(finding, "Whoever waits for another process gives it the CPU at once instead of spinning for it: "
			      "each message costs a change of process, and figures measured here say little of other "
			      "machines.");
	doctor_mend(finding, "taskset -pc 0-$(($(nproc --all) - 1)) $$");
}

const struct doctor_check doctor_kernel[] = {
	{"kernel", "the kernel's version", look_at_version},
	{"glibc", "the C library's version", look_at_glibc},
	{"cpus", "how many CPUs we may run on", look_at_cpus},
	{"nosignal", "writing without SIGPIPE, tried", look_at_nosignal},
	{"pidfd", "descriptors of processes, tried", look_at_pidfd},
	{"close-range", "closing a child's descriptors, tried", look_at_close_range},
	{"pidfs", "telling a process from a later one, tried", look_at_pidfs},
	{"peer-pidfd", "the pidfd of a UNIX socket's peer, tried", look_at_peer_pidfd},
	{"futex-waitv", "sleeping on several futexes, tried", look_at_futex_waitv},
	{"membarrier", "barriers in other processes, tried", look_at_membarrier},
	{"wipe-on-fork", "seeing a fork, tried", look_at_wipe_on_fork},
	{"ofd-locks", "locks of open files, tried", look_at_ofd_locks},
	{"future-write", "sealing shared memory for one writer, tried", look_at_future_write},
	{"fallocate", "reserving shared memory, tried", look_at_fallocate},
	{NULL, NULL, NULL},
};
