/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

#include "doctor.h"

/* A pipe as the kernel makes it, and what it makes for a user over the soft limit: pages. */
#define PIPE_PAGES      16
#define PIPE_PAGES_OVER 2

/* How much a pipe of ours holds now: the soft limit is known, but not how much of it our user has used. */
static int try_pipe(uint64_t *ret_capacity)
{
	int ends[2], capacity, r = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	capacity = fcntl(ends[0], F_GETPIPE_SZ);
	if (capacity < 0)
		r = -errno;
	else
		*ret_capacity = (uint64_t)capacity;
	close(ends[0]);
	close(ends[1]);
	return r;
}

static void look_at_pipe_pages(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char soft_path[] = "/proc/sys/fs/pipe-user-pages-soft";
	static const char hard_path[] = "/proc/sys/fs/pipe-user-pages-hard";
	uint64_t soft, hard, page = (uint64_t)sysconf(_SC_PAGESIZE), capacity = PIPE_PAGES * page;
	int r = doctor_number(doctor, soft_path, &soft);

	if (r < 0) {
		doctor_cant_tell(finding, soft_path, r);
		return;
	}
	r = doctor_number(doctor, hard_path, &hard);
	if (r < 0) {
		doctor_cant_tell(finding, hard_path, r);
		return;
	}
	soft = soft ? soft : DOCTOR_UNLIMITED;
	hard = hard ? hard : DOCTOR_UNLIMITED;
	r = doctor_can_try(doctor) ? try_pipe(&capacity) : 0;
	if (r < 0) {
		doctor_found(finding, DOCTOR_PROBLEM, "A new pipe was refused: %s", strerror(-r));
		doctor_means(finding,
			     "Your processes have as many pages in pipes as the hard limit of %s allows, or "
			     "the machine has no more files: no program of yours gets another pipe.",
			     DOCTOR_COUNT(hard));
		doctor_mend_as_root(doctor, finding, "sysctl -w fs.pipe-user-pages-hard=0");
	} else if (capacity < PIPE_PAGES * page) {
		doctor_found(finding, DOCTOR_NOTE, "A new pipe of yours holds only %s: you are over the soft limit",
			     DOCTOR_SIZE(capacity));
		doctor_means(finding,
			     "Your processes have more than %s pages in pipes. New pipes are small, so that "
			     "writers wait more often, and no pipe can be made larger (-EPERM).",
			     DOCTOR_COUNT(soft));
		doctor_mend_as_root(doctor, finding, "sysctl -w fs.pipe-user-pages-soft=%" PRIu64,
				    soft == DOCTOR_UNLIMITED ? 0 : soft * 4);
	} else if ((soft < 1024 || hard < 1024) && !doctor_may(doctor, CAP_SYS_RESOURCE) &&
		   !doctor_may(doctor, CAP_SYS_ADMIN)) {
		doctor_found(finding, hard < PIPE_PAGES ? DOCTOR_PROBLEM : DOCTOR_NOTE,
			     "All your pipes together may hold %s pages (soft), %s (hard)", DOCTOR_COUNT(soft),
			     DOCTOR_COUNT(hard));
		doctor_means(finding,
			     "A pipe takes %d. Over the soft limit a new one gets %d, over the hard limit it "
			     "is refused with -ENFILE.",
			     PIPE_PAGES, PIPE_PAGES_OVER);
		doctor_mend_as_root(doctor, finding,
				    "sysctl -w fs.pipe-user-pages-soft=16384 fs.pipe-user-pages-hard=0");
	} else {
		doctor_found(finding, DOCTOR_OK, "All your pipes together may hold %s pages (soft), %s (hard)",
			     DOCTOR_COUNT(soft), DOCTOR_COUNT(hard));
	}
}

static void look_at_pipe_size(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/fs/pipe-max-size";
	uint64_t size;
	int r = doctor_number(doctor, path, &size);

	if (r < 0) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	doctor_found(finding, size < 1048576 ? DOCTOR_NOTE : DOCTOR_OK, "A pipe can be made to hold %s",
		     DOCTOR_SIZE(size));
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "To ask for a larger capacity is refused with -EPERM, unless you are root; large "
			      "messages take more system calls.");
	doctor_mend_as_root(doctor, finding, "sysctl -w fs.pipe-max-size=1048576");
}

static void no_posix_queues(struct doctor_finding *finding)
{
	doctor_found(finding, DOCTOR_NOTE, "There is no fs.mqueue: this kernel has no POSIX message queues");
	doctor_means(finding, "posixmq: addresses can't be used here; sysvmsg: and queue: don't need them.");
}

static void look_at_mqueue_mount(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct doctor_mount mount;
	int r = doctor_mount_find(doctor, doctor_mount_of_type, "mqueue", &mount);

	if (r > 0) {
		doctor_found(finding, DOCTOR_OK, "POSIX message queues are listed at %s", mount.point);
	} else if (r == 0) {
		doctor_found(finding, DOCTOR_NOTE, "No mqueue filesystem is mounted");
		doctor_means(finding, "POSIX message queues work, but nobody sees which there are, how full they are, "
				      "or removes one that a dead program left.");
		doctor_mend_as_root(doctor, finding, "mount -t mqueue -o X-mount.mkdir mqueue /dev/mqueue");
	} else {
		doctor_cant_tell(finding, "/proc/self/mountinfo", r);
	}
}

static void look_at_mqueue_limits(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const paths[] = {"/proc/sys/fs/mqueue/msg_max", "/proc/sys/fs/mqueue/msgsize_max",
					    "/proc/sys/fs/mqueue/queues_max"};
	uint64_t limits[3];
	size_t i;
	int r;

	for (i = 0; i < 3; i++) {
		r = doctor_number(doctor, paths[i], &limits[i]);
		if (r == -ENOENT && doctor_sees_settings(doctor)) {
			no_posix_queues(finding);
			return;
		}
		if (r < 0) {
			doctor_cant_tell(finding, paths[i], r);
			return;
		}
	}
	doctor_found(finding,
		     limits[2] < 8                         ? DOCTOR_PROBLEM
		     : limits[0] <= 10 || limits[1] < 8192 ? DOCTOR_NOTE
							   : DOCTOR_OK,
		     "%" PRIu64 " POSIX queues at most, of %" PRIu64 " messages of %s each", limits[2], limits[0],
		     DOCTOR_SIZE(limits[1]));
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "A queue asked for with more or larger messages is refused with -EINVAL, one queue more "
			      "with -ENOSPC; a sender that is ahead by so many messages waits.");
	doctor_mend_as_root(doctor, finding,
			    "sysctl -w fs.mqueue.msg_max=1024 fs.mqueue.msgsize_max=65536 fs.mqueue.queues_max=1024");
}

/* What mq_open(3) charges for the defaults of 10 messages of 8 KiB: mq_overview(7) has the formula. */
#define MQUEUE_DEFAULT_BYTES ((uint64_t)10 * (8192 + 48 + 48))
#define MQUEUE_ENOUGH        (8 * MQUEUE_DEFAULT_BYTES)

static void look_at_mqueue_bytes(const struct doctor *doctor, struct doctor_finding *finding)
{
	uint64_t soft, hard;
	int r = doctor_rlimit(doctor, "Max msgqueue size", &soft, &hard);

	if (r < 0) {
		doctor_cant_tell(finding, "/proc/self/limits", r);
		return;
	}
	if (soft == DOCTOR_UNLIMITED) {
		doctor_found(finding, DOCTOR_OK, "Your POSIX queues may take any amount of memory");
		return;
	}
	doctor_found(finding,
		     soft < MQUEUE_DEFAULT_BYTES ? DOCTOR_PROBLEM
		     : soft < MQUEUE_ENOUGH      ? DOCTOR_NOTE
						 : DOCTOR_OK,
		     "Your POSIX queues may take %s together: %" PRIu64 " queues of 10 messages of 8 KiB",
		     DOCTOR_SIZE(soft), soft / MQUEUE_DEFAULT_BYTES);
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "A queue counts as if it were full, whether it is or not; one that doesn't fit any more "
			      "is refused with -EMFILE.");
	if (hard >= MQUEUE_ENOUGH)
		doctor_mend(finding, "ulimit -Sq %s", hard == DOCTOR_UNLIMITED ? "unlimited" : DOCTOR_COUNT(hard));
	else
		doctor_mend_limit(doctor, finding, "msgqueue", 819200);
}

const struct doctor_check doctor_pipes[] = {
	{"pipe-pages", "fs.pipe-user-pages: what a user's pipes may hold", look_at_pipe_pages},
	{"pipe-size", "fs.pipe-max-size: the largest pipe", look_at_pipe_size},
	{NULL, NULL, NULL},
};

const struct doctor_check doctor_posix_queues[] = {
	{"mqueue-mount", "where POSIX message queues can be seen", look_at_mqueue_mount},
	{"mqueue-limits", "fs.mqueue: how many POSIX queues, of what size", look_at_mqueue_limits},
	{"mqueue-bytes", "RLIMIT_MSGQUEUE: what a user's queues may take", look_at_mqueue_bytes},
	{NULL, NULL, NULL},
};
