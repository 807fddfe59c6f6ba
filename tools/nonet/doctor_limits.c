/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <linux/capability.h>

#include "doctor.h"

static const char limits_file[] = "/proc/self/limits";

/* What a shell's user gets for the asking; programs that close every descriptor up to the limit stay quick. */
#define OPEN_FILES_PLENTY 65536
#define OPEN_FILES_FEW    1024

static void look_at_open_files(const struct doctor *doctor, struct doctor_finding *finding)
{
	uint64_t soft, hard, wanted;
	int r = doctor_rlimit(doctor, "Max open files", &soft, &hard);

	if (r < 0) {
		doctor_cant_tell(finding, limits_file, r);
		return;
	}
	doctor_found(finding,
		     soft < 256               ? DOCTOR_PROBLEM
		     : soft <= OPEN_FILES_FEW ? DOCTOR_NOTE
					      : DOCTOR_OK,
		     "A process may have %s descriptors open, and may raise that to %s", DOCTOR_COUNT(soft),
		     DOCTOR_COUNT(hard));
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "Every endpoint, connection and timer takes one. With none left calls fail with "
			      "-EMFILE, and a descriptor sent over a UNIX socket can't be received.");
	wanted = hard < OPEN_FILES_PLENTY ? hard : OPEN_FILES_PLENTY;
	if (wanted > OPEN_FILES_FEW)
		doctor_mend(finding, "ulimit -Sn %" PRIu64, wanted);
	else
		doctor_mend_limit(doctor, finding, "nofile", OPEN_FILES_PLENTY);
}

static void look_at_system_files(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/fs/file-nr";
	uint64_t numbers[3]; /* open, free, limit */
	int r = doctor_numbers(doctor, path, numbers, 3);

	if (r < 0) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	doctor_found(finding, doctor_fullness(numbers[0], numbers[2]),
		     "%" PRIu64 " files are open on this machine, of %" PRIu64 " at most", numbers[0], numbers[2]);
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "At the limit every open, pipe and socket of ordinary users fails with -ENFILE.");
	doctor_mend_as_root(doctor, finding, "sysctl -w fs.file-max=%" PRIu64, numbers[2] * 2);
}

#define LOCKED_ENOUGH 65536

static void look_at_locked_memory(const struct doctor *doctor, struct doctor_finding *finding)
{
	uint64_t soft, hard;
	int r = doctor_rlimit(doctor, "Max locked memory", &soft, &hard);

	if (r < 0) {
		doctor_cant_tell(finding, limits_file, r);
		return;
	}
	if (soft >= LOCKED_ENOUGH || doctor_may(doctor, CAP_IPC_LOCK)) {
		doctor_found(finding, DOCTOR_OK, "A process may lock %s in memory%s", DOCTOR_SIZE(soft),
			     soft >= LOCKED_ENOUGH ? "" : ", and you aren't bound by it");
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "A process may lock only %s in memory", DOCTOR_SIZE(soft));
	doctor_means(finding, "Segments that are to stay in memory (mlock) are refused with -ENOMEM beyond that, so "
			      "that a first touch may wait for the disk.");
	if (hard >= LOCKED_ENOUGH)
		doctor_mend(finding, "ulimit -Sl %s",
			    hard == DOCTOR_UNLIMITED ? "unlimited" : DOCTOR_COUNT(hard / 1024));
	else
		doctor_mend_limit(doctor, finding, "memlock", 8388608);
}

static void look_at_signal_queue(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/self/status";
	uint64_t used, limit;
	char text[64];
	int r = doctor_field(doctor, path, "SigQ:", text, sizeof(text)); /* used/limit */

	if (r == 0 && sscanf(text, "%" SCNu64 "/%" SCNu64, &used, &limit) != 2)
		r = -EBADMSG;
	if (r < 0) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	doctor_found(finding, doctor_fullness(used, limit),
		     "%" PRIu64 " signals of yours are queued or reserved by timers, of %" PRIu64 " at most", used,
		     limit);
	if (finding->level == DOCTOR_OK && limit < 1024)
		finding->level = DOCTOR_NOTE;
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "All processes of yours together. At the limit a signal with a value can't be sent "
			      "(-EAGAIN) and timer_create(2) fails; signals without value still arrive, but lose who "
			      "sent them.");
	doctor_mend_limit(doctor, finding, "sigpending", limit < 16384 ? 32768 : limit * 2);
}

static void look_at_core_dumps(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/kernel/core_pattern";
	char pattern[256];
	uint64_t soft, hard;
	int r = doctor_line(doctor, path, pattern, sizeof(pattern)), piped;

	if (r < 0) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	r = doctor_rlimit(doctor, "Max core file size", &soft, &hard);
	if (r < 0) {
		doctor_cant_tell(finding, limits_file, r);
		return;
	}
	/* A program is handed the dump whatever the limit, except the 1 that the kernel sets for that program itself.
	 */
	piped = pattern[0] == '|';
	if (piped ? soft == 1 : soft == 0) {
		doctor_found(finding, DOCTOR_OK, "A process that crashes dumps no core");
		return;
	}
	if (piped)
		doctor_found(finding, DOCTOR_NOTE, "A process that crashes is dumped to a program (%.*s)",
			     (int)strcspn(pattern + 1, " "), pattern + 1);
	else
		doctor_found(finding, DOCTOR_NOTE, "A process that crashes dumps up to %s to a file",
			     soft == DOCTOR_UNLIMITED ? "all its memory" : DOCTOR_SIZE(soft));
	doctor_means(finding, "Until the dump is written the process counts as alive: its locks are held, its sockets "
			      "and pidfd tell nobody of its death. That is seconds for each GiB. SIGKILL dumps "
			      "nothing.");
	doctor_mend(finding, "%s", piped ? "prlimit --core=1: --pid $$" : "ulimit -c 0");
}

static void look_at_epoll_watches(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/fs/epoll/max_user_watches";
	uint64_t limit;
	int r = doctor_number(doctor, path, &limit);

	if (r < 0) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	doctor_found(finding,
		     limit < 256     ? DOCTOR_PROBLEM
		     : limit < 16384 ? DOCTOR_NOTE
				     : DOCTOR_OK,
		     "Your wait sets may have %" PRIu64 " members, all together", limit);
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "All epoll sets of all processes of yours share them; the next member is refused with "
			      "-ENOSPC.");
	doctor_mend_as_root(doctor, finding, "sysctl -w fs.epoll.max_user_watches=1000000");
}

static void look_at_inotify(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char instances_path[] = "/proc/sys/fs/inotify/max_user_instances";
	static const char watches_path[] = "/proc/sys/fs/inotify/max_user_watches";
	uint64_t instances, watches;
	int r = doctor_number(doctor, instances_path, &instances);

	if (r < 0) {
		doctor_cant_tell(finding, instances_path, r);
		return;
	}
	r = doctor_number(doctor, watches_path, &watches);
	if (r < 0) {
		doctor_cant_tell(finding, watches_path, r);
		return;
	}
	doctor_found(finding,
		     instances == 0 || watches == 0      ? DOCTOR_PROBLEM
		     : instances < 128 || watches < 8192 ? DOCTOR_NOTE
							 : DOCTOR_OK,
		     "You may have %" PRIu64 " inotify objects with %" PRIu64 " watches, all together", instances,
		     watches);
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "Editors and file managers take them too. With none left nobody can be told that a file "
			      "changed: -EMFILE or -ENOSPC.");
	doctor_mend_as_root(doctor, finding,
			    "sysctl -w fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288");
}

const struct doctor_check doctor_limits[] = {
	{"open-files", "RLIMIT_NOFILE: descriptors of a process", look_at_open_files},
	{"system-files", "fs.file-max: open files of the whole machine", look_at_system_files},
	{"epoll-watches", "fs.epoll.max_user_watches: members of wait sets", look_at_epoll_watches},
	{"inotify", "fs.inotify: who can be told of file changes", look_at_inotify},
	{"signal-queue", "RLIMIT_SIGPENDING: signals that wait to be taken", look_at_signal_queue},
	{"locked-memory", "RLIMIT_MEMLOCK: memory that may not be swapped out", look_at_locked_memory},
	{"core-dumps", "RLIMIT_CORE: dumps, which delay a death's notice", look_at_core_dumps},
	{NULL, NULL, NULL},
};
