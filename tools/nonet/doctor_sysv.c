/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

/* The kernel has room for so many objects of each kind, and not for more than 32768 (IPCMNI). */
#define IDS_MAX        32000
#define SEMAPHORES_MAX 1024000000

static void no_sysv(struct doctor_finding *finding)
{
	doctor_found(finding, DOCTOR_NOTE, "This kernel has no System V IPC, or doesn't show it here");
	doctor_means(finding, "sysvmsg:, sysvshm: and sysvsem: addresses can't be used; the POSIX ones and nonet's own "
			      "don't need it.");
}

/* Return: non-zero if the finding is complete, since there is nothing to look at. */
static int unreadable(const struct doctor *doctor, struct doctor_finding *finding, const char *path, int code)
{
	if (code == -ENOENT && doctor_sees_settings(doctor))
		no_sysv(finding);
	else if (code < 0)
		doctor_cant_tell(finding, path, code);
	return code < 0;
}

static void look_at_queues(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char limit_path[] = "/proc/sys/kernel/msgmni", used_path[] = "/proc/sysvipc/msg";
	uint64_t limit, used;

	if (unreadable(doctor, finding, limit_path, doctor_number(doctor, limit_path, &limit)) ||
	    unreadable(doctor, finding, used_path, doctor_rows(doctor, used_path, &used)))
		return;
	doctor_found(finding, doctor_fullness(used, limit),
		     "%" PRIu64 " System V message queues exist, of %" PRIu64 " at most", used, limit);
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "At the limit nobody gets a new queue (-ENOSPC). They stay until they are removed, "
			      "whoever made them: \"ipcs -q -p\" lists them.");
	if (limit < IDS_MAX)
		doctor_mend_as_root(doctor, finding, "sysctl -w kernel.msgmni=%d", IDS_MAX);
}

static void look_at_queue_size(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char queue_path[] = "/proc/sys/kernel/msgmnb", message_path[] = "/proc/sys/kernel/msgmax";
	uint64_t queue, message;

	if (unreadable(doctor, finding, queue_path, doctor_number(doctor, queue_path, &queue)) ||
	    unreadable(doctor, finding, message_path, doctor_number(doctor, message_path, &message)))
		return;
	doctor_found(finding,
		     message > queue  ? DOCTOR_PROBLEM
		     : queue <= 16384 ? DOCTOR_NOTE
				      : DOCTOR_OK,
		     "A System V queue holds %s, and one message %s", DOCTOR_SIZE(queue), DOCTOR_SIZE(message));
	if (finding->level == DOCTOR_OK)
		return;
	if (message > queue)
		doctor_means(finding, "A message larger than the queue passes the check of its size and then waits "
				      "for ever for room that can't come, unless there is a deadline.");
	else
		doctor_means(finding, "A sender that is ahead by so much waits; a larger message is refused with "
				      "-EINVAL. A queue keeps the size that the limit had when it was made.");
	doctor_mend_as_root(doctor, finding, "sysctl -w kernel.msgmnb=%" PRIu64,
			    message > 524288 ? message * 2 : (uint64_t)1048576);
}

/* The sum of a column (from 0) of a table whose first line is a heading. */
static int sum_column(const struct doctor *doctor, const char *path, int column, uint64_t *ret_sum)
{
	FILE *file = doctor_open(doctor, path);
	char *line = NULL, *field, *rest;
	uint64_t sum = 0;
	size_t room = 0;
	int i, heading = 1;

	if (!file)
		return -errno;
	while (getline(&line, &room, file) >= 0) {
		field = strtok_r(line, " \t\n", &rest);
		for (i = 0; i < column && field; i++)
			field = strtok_r(NULL, " \t\n", &rest);
		if (!heading && field)
			sum += strtoull(field, NULL, 10);
		heading = 0;
	}
	free(line);
	fclose(file);
	*ret_sum = sum;
	return heading ? -EBADMSG : 0;
}

#define COLUMN_SHM_SIZE 3
#define COLUMN_SEM_SETS 3

static void look_at_segments(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const paths[] = {"/proc/sys/kernel/shmmni", "/proc/sys/kernel/shmall",
					    "/proc/sys/kernel/shmmax"};
	static const char used_path[] = "/proc/sysvipc/shm";
	uint64_t limits[3], used, bytes, page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t i;

	for (i = 0; i < 3; i++)
		if (unreadable(doctor, finding, paths[i], doctor_number(doctor, paths[i], &limits[i])))
			return;
	if (unreadable(doctor, finding, used_path, doctor_rows(doctor, used_path, &used)) ||
	    unreadable(doctor, finding, used_path, sum_column(doctor, used_path, COLUMN_SHM_SIZE, &bytes)))
		return;
	/* The kernel's default for both, "no limit", is 2^64 less 2^24. */
	limits[1] = limits[1] > DOCTOR_UNLIMITED / page ? DOCTOR_UNLIMITED : limits[1] * page;
	limits[2] = limits[2] > DOCTOR_UNLIMITED >> 1 ? DOCTOR_UNLIMITED : limits[2];
	if (doctor_fullness(used, limits[0]) >= doctor_fullness(bytes, limits[1])) {
		doctor_found(finding, doctor_fullness(used, limits[0]),
			     "%" PRIu64 " System V segments exist, of %" PRIu64 " at most, %s%s", used, limits[0],
			     limits[2] == DOCTOR_UNLIMITED ? "of any size" : "each of no more than ",
			     limits[2] == DOCTOR_UNLIMITED ? "" : DOCTOR_SIZE(limits[2]));
		if (limits[0] < IDS_MAX)
			doctor_mend_as_root(doctor, finding, "sysctl -w kernel.shmmni=%d", IDS_MAX);
	} else {
		doctor_found(finding, doctor_fullness(bytes, limits[1]), "System V segments have %s of %s at most",
			     DOCTOR_SIZE(bytes), DOCTOR_SIZE(limits[1]));
		doctor_mend_as_root(doctor, finding, "sysctl -w kernel.shmall=%" PRIu64, DOCTOR_UNLIMITED - (1 << 24));
	}
	if (finding->level != DOCTOR_OK) {
		doctor_means(finding, "At the limit nobody gets a new segment (-ENOSPC). They stay until they are "
				      "removed, whoever made them: \"ipcs -m -p\" lists them.");
	} else if (limits[2] < (uint64_t)64 << 20) {
		finding->level = limits[2] < 4096 ? DOCTOR_PROBLEM : DOCTOR_NOTE;
		doctor_means(finding, "A larger segment is refused with -EINVAL.");
		doctor_mend_as_root(doctor, finding, "sysctl -w kernel.shmmax=%" PRIu64, DOCTOR_UNLIMITED - (1 << 24));
	} else {
		finding->mend[0] = '\0';
	}
}

static void look_at_semaphores(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char limit_path[] = "/proc/sys/kernel/sem", used_path[] = "/proc/sysvipc/sem";
	uint64_t limits[4], sets, semaphores; /* in a set, in all, operations in a call, sets */

	if (unreadable(doctor, finding, limit_path, doctor_numbers(doctor, limit_path, limits, 4)) ||
	    unreadable(doctor, finding, used_path, doctor_rows(doctor, used_path, &sets)) ||
	    unreadable(doctor, finding, used_path, sum_column(doctor, used_path, COLUMN_SEM_SETS, &semaphores)))
		return;
	doctor_found(finding, doctor_fullness(sets, limits[3]),
		     "%" PRIu64 " System V semaphore sets exist, of %" PRIu64 " at most, with %" PRIu64
		     " semaphores of %" PRIu64,
		     sets, limits[3], semaphores, limits[1]);
	if (doctor_fullness(semaphores, limits[1]) > finding->level)
		finding->level = doctor_fullness(semaphores, limits[1]);
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "At the limit nobody gets a new set (-ENOSPC). They stay until they are removed, whoever "
			      "made them: \"ipcs -s -c\" lists them.");
	if (limits[3] < IDS_MAX)
		doctor_mend_as_root(doctor, finding, "sysctl -w kernel.sem='%" PRIu64 " %d %" PRIu64 " %d'", limits[0],
				    SEMAPHORES_MAX, limits[2], IDS_MAX);
}

const struct doctor_check doctor_sysv[] = {
	{"sysv-queues", "kernel.msgmni: System V message queues", look_at_queues},
	{"sysv-queue-size", "kernel.msgmnb, msgmax: what such a queue holds", look_at_queue_size},
	{"sysv-segments", "kernel.shmmni, shmall, shmmax: System V segments", look_at_segments},
	{"sysv-semaphores", "kernel.sem: System V semaphores", look_at_semaphores},
	{NULL, NULL, NULL},
};
