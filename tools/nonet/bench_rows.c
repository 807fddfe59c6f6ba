/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stddef.h>

/* What is measured, beside what, and the goals. */

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)

/* What a figure is compared with. */
enum limit {
	LIMIT_NONE,
	LIMIT_LINE,    /* the raw line, or one with a message in it, whichever is faster */
	LIMIT_COPY,    /* a copy through shared memory, or a bare ring */
	LIMIT_RING,    /* the fastest of the bare rings */
	LIMIT_FUTEX,   /* asleep in futex(2) */
	LIMIT_EVENTFD, /* asleep in epoll_wait(2) for an eventfd(2) */
	LIMIT_POLL,    /* itself, polling */
	LIMIT_SMALL,   /* itself, 8 bytes */
	LIMIT_FEWER,   /* itself, with one subscriber less */
};

#define SIZES 6

/* Rows that differ in the size alone. */
struct plan {
	const char *what;
	unsigned int kind;
	enum bench_mode mode;
	size_t sizes[SIZES]; /* ended by 0 */
	enum limit limit;
	double near, far;                     /* the goals, as in struct bench_row */
	unsigned int subscribers, publishers; /* 0: 1 */
};

static const struct plan line_plans[] = {
	{"line", BENCH_PAUSE, BENCH_POLL, {8}},
	{"line, no pause", BENCH_NO_PAUSE, BENCH_POLL, {8}},
	{NULL},
};

static const struct plan copy_plans[] = {
	{"copy", BENCH_PLAIN, BENCH_POLL, {8, 56, 64, KIB, 64 * KIB, MIB}},
	{"copy, rep movsb", BENCH_STRING, BENCH_POLL, {KIB, 64 * KIB, MIB}},
	{"copy, moving on", BENCH_MOVING, BENCH_POLL, {KIB}},
	{NULL},
};

static const struct plan memcpy_plans[] = {
	{"memcpy", 0, BENCH_STREAM, {KIB, 64 * KIB, MIB}},
	{NULL},
};

static const struct plan futex_plans[] = {
	{"futex", 0, BENCH_ASLEEP, {8}},
	{NULL},
};

static const struct plan ring_plans[] = {
	{"ring", BENCH_SINGLE, BENCH_POLL, {8, 64, KIB, 64 * KIB, MIB}},
	{"ring", BENCH_SINGLE, BENCH_STREAM, {8, 64, KIB, 64 * KIB, MIB}},
	{"ring, batches", BENCH_BATCH, BENCH_STREAM, {8, 64, KIB, 64 * KIB, MIB}},
	{"ring, batches, rep movsb", BENCH_BATCH_STRING, BENCH_STREAM, {KIB, 64 * KIB, MIB}},
	{NULL},
};

static const struct plan pipe_plans[] = {
	{"pipe", BENCH_PIPE, BENCH_POLL, {8, KIB, 64 * KIB, MIB}},
	{"pipe", BENCH_PIPE, BENCH_ASLEEP, {8}},
	{"pipe", BENCH_PIPE, BENCH_STREAM, {8, KIB, 64 * KIB, MIB}},
	{NULL},
};

/* A packet of 1 MiB is more than a socket has room for, if the machine wasn't set so. */
static const struct plan unix_plans[] = {
	{"UNIX stream", BENCH_UNIX_STREAM, BENCH_POLL, {8, KIB, 64 * KIB, MIB}},
	{"UNIX stream", BENCH_UNIX_STREAM, BENCH_ASLEEP, {8}},
	{"UNIX stream", BENCH_UNIX_STREAM, BENCH_STREAM, {8, KIB, 64 * KIB, MIB}},
	{"UNIX packet", BENCH_UNIX_PACKET, BENCH_POLL, {8, KIB, 64 * KIB}},
	{"UNIX packet", BENCH_UNIX_PACKET, BENCH_ASLEEP, {8}},
	{"UNIX packet", BENCH_UNIX_PACKET, BENCH_STREAM, {8, KIB, 64 * KIB}},
	{NULL},
};

/* Of queues a message may have 8 KiB. */
static const struct plan posix_plans[] = {
	{"POSIX queue", 0, BENCH_POLL, {8, KIB}},
	{"POSIX queue", 0, BENCH_ASLEEP, {8}},
	{"POSIX queue", 0, BENCH_STREAM, {8, KIB}},
	{NULL},
};

static const struct plan sysv_plans[] = {
	{"System V queue", 0, BENCH_POLL, {8, KIB}},
	{"System V queue", 0, BENCH_ASLEEP, {8}},
	{"System V queue", 0, BENCH_STREAM, {8, KIB}},
	{NULL},
};

static const struct plan eventfd_plans[] = {
	{"eventfd", BENCH_EVENTFD, BENCH_POLL, {8}},
	{"eventfd", BENCH_EVENTFD, BENCH_ASLEEP, {8}},
	{"eventfd", BENCH_EVENTFD, BENCH_EPOLL, {8}},
	{NULL},
};

/* With its header of 8 bytes a message of up to 56 is in one line. */
static const struct plan channel_plans[] = {
	{"channel, copied in", BENCH_COPIED_IN, BENCH_POLL, {8, 56}, LIMIT_LINE, 1.2, 1.2},
	{"channel, copied in", BENCH_COPIED_IN, BENCH_POLL, {64}, LIMIT_COPY},
	{"channel, copied in", BENCH_COPIED_IN, BENCH_POLL, {KIB}, LIMIT_COPY, 1.25, 1.25},
	{"channel, copied in", BENCH_COPIED_IN, BENCH_POLL, {64 * KIB, MIB}, LIMIT_COPY, 1.1, 1.1},
	{"channel, copied", BENCH_COPIED, BENCH_POLL, {8, 56}, LIMIT_LINE, 1.2, 1.2},
	{"channel, copied", BENCH_COPIED, BENCH_POLL, {64, KIB, 64 * KIB, MIB}, LIMIT_COPY},
	{"channel, loaned", BENCH_LOANED, BENCH_POLL, {8, 56}, LIMIT_LINE, 1.2, 1.2},
	{"channel, loaned", BENCH_LOANED, BENCH_POLL, {64, KIB, 64 * KIB, MIB}, LIMIT_COPY},
	{"channel, untouched", BENCH_UNTOUCHED, BENCH_POLL, {MIB}, LIMIT_SMALL, 1.2, 1.2},
	{"channel, copied in", BENCH_COPIED_IN, BENCH_ADAPTIVE, {8, KIB}, LIMIT_POLL, 1.5, 1.5},
	{"channel, copied in", BENCH_COPIED_IN, BENCH_ASLEEP, {8}, LIMIT_FUTEX, 1.05, 1.05},
	{"channel, copied in", BENCH_COPIED_IN, BENCH_EPOLL, {8}, LIMIT_EVENTFD, 1.1, 1.1},
	{"channel, loaned", BENCH_LOANED, BENCH_STREAM, {8}, LIMIT_RING},
	{"channel, loaned", BENCH_LOANED, BENCH_STREAM, {64}, LIMIT_RING, 1.5, 0.95},
	{"channel, loaned", BENCH_LOANED, BENCH_STREAM, {KIB, 64 * KIB, MIB}, LIMIT_RING, 1, 1},
	{"channel, copied", BENCH_COPIED, BENCH_STREAM, {8, 64, KIB, 64 * KIB, MIB}, LIMIT_RING},
	{"channel, untouched", BENCH_UNTOUCHED, BENCH_STREAM, {MIB}, LIMIT_NONE},
	{"channel, 2 subscribers", BENCH_LOANED, BENCH_STREAM, {64, KIB}, LIMIT_NONE, 0, 0, 2},
	{"channel, 3 subscribers", BENCH_LOANED, BENCH_STREAM, {64, KIB}, LIMIT_NONE, 0, 0, 3},
	{NULL},
};

static const struct plan crowd_plans[] = {
	{"channel, 2 subscribers", BENCH_LOANED, BENCH_BURST, {56}, LIMIT_FEWER, 1.05, 1.05, 2},
	{"channel, 3 subscribers", BENCH_LOANED, BENCH_BURST, {56}, LIMIT_FEWER, 1.05, 1.05, 3},
	{"channel, 2 publishers", BENCH_LOANED, BENCH_STREAM, {64, KIB}, LIMIT_NONE, 0, 0, 1, 2},
	{"channel, 100,000 a second", BENCH_LOANED, BENCH_LOAD, {8}, LIMIT_NONE},
	{NULL},
};

static const struct family {
	const char *group;
	const struct bench_way *way;
	const struct plan *plans; /* ended by one without a name */
} families[] = {
	{"line", &bench_way_line, line_plans},          {"copy", &bench_way_copy, copy_plans},
	{"memcpy", &bench_way_memcpy, memcpy_plans},    {"futex", &bench_way_futex, futex_plans},
	{"ring", &bench_way_ring, ring_plans},          {"pipe", &bench_way_bytes, pipe_plans},
	{"unix", &bench_way_bytes, unix_plans},         {"posix-queue", &bench_way_posixmq, posix_plans},
	{"sysv-queue", &bench_way_sysvmsg, sysv_plans}, {"eventfd", &bench_way_bytes, eventfd_plans},
	{"channel", &bench_way_channel, channel_plans}, {"channel", &bench_way_crowd, crowd_plans},
};

#define ROWS 128

static struct bench_case case_of(const struct family *family, const struct plan *plan, size_t size)
{
	return (struct bench_case){
		.what = plan->what,
		.way = family->way,
		.mode = plan->mode,
		.kind = plan->kind,
		.size = size,
		.subscribers = plan->subscribers ? plan->subscribers : 1,
		.publishers = plan->publishers ? plan->publishers : 1,
	};
}

/* A limit, behind those that the row has. */
static void add(struct bench_row *row, const char *what, const struct bench_way *way, unsigned int kind,
		enum bench_mode mode, size_t size)
{
	size_t i = 0;

	while (row->limits[i].way)
		i++;
	row->limits[i] = (struct bench_case){
		.what = what,
		.way = way,
		.mode = mode,
		.kind = kind,
		.size = size,
		.subscribers = 1,
		.publishers = 1,
	};
}

static void add_copies(struct bench_row *row, size_t size)
{
	add(row, "copy", &bench_way_copy, BENCH_PLAIN, BENCH_POLL, size);
	if (size >= KIB)
		add(row, "copy, rep movsb", &bench_way_copy, BENCH_STRING, BENCH_POLL, size);
	add(row, "ring", &bench_way_ring, BENCH_SINGLE, BENCH_POLL, size);
}

static void add_rings(struct bench_row *row, size_t size)
{
	add(row, "ring", &bench_way_ring, BENCH_SINGLE, BENCH_STREAM, size);
	add(row, "ring, batches", &bench_way_ring, BENCH_BATCH, BENCH_STREAM, size);
	if (size >= KIB)
		add(row, "ring, batches, rep movsb", &bench_way_ring, BENCH_BATCH_STRING, BENCH_STREAM, size);
}

static void add_limits(enum limit limit, struct bench_row *row)
{
	const struct bench_case *subject = &row->subject;

	switch (limit) {
	case LIMIT_NONE:
		break;
	case LIMIT_LINE:
		add(row, "line", &bench_way_line, BENCH_PAUSE, BENCH_POLL, 8);
		add(row, "copy", &bench_way_copy, BENCH_PLAIN, BENCH_POLL, subject->size);
		break;
	case LIMIT_COPY:
		add_copies(row, subject->size);
		break;
	case LIMIT_RING:
		add_rings(row, subject->size);
		break;
	case LIMIT_FUTEX:
		add(row, "futex", &bench_way_futex, 0, BENCH_ASLEEP, 8);
		break;
	case LIMIT_EVENTFD:
		add(row, "eventfd", &bench_way_bytes, BENCH_EVENTFD, BENCH_EPOLL, 8);
		break;
	case LIMIT_POLL:
		add(row, "channel, polling", subject->way, subject->kind, BENCH_POLL, subject->size);
		break;
	case LIMIT_SMALL:
		add(row, "channel, 8 bytes", &bench_way_channel, BENCH_LOANED, BENCH_POLL, 8);
		break;
	case LIMIT_FEWER:
		add(row, "channel, one subscriber less", subject->way, subject->kind, subject->mode, subject->size);
		row->limits[0].subscribers = subject->subscribers - 1;
		break;
	}
}

/* The rows of one family, behind @count others. Return: how many there are then. */
static size_t add_rows(const struct family *family, struct bench_row *rows, size_t count)
{
	const struct plan *plan;
	size_t i;

	for (plan = family->plans; plan->what; plan++) {
		for (i = 0; i < SIZES && plan->sizes[i] > 0 && count < ROWS; i++) {
			rows[count] = (struct bench_row){
				.group = family->group,
				.subject = case_of(family, plan, plan->sizes[i]),
				.near = plan->near,
				.far = plan->far,
			};
			add_limits(plan->limit, &rows[count]);
			count++;
		}
	}
	return count;
}

const struct bench_row *bench_rows(size_t *ret_count)
{
	static struct bench_row rows[ROWS];
	size_t i, count = 0;

	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		count = add_rows(&families[i], rows, count);
	*ret_count = count;
	return rows;
}

int bench_is_rate(const struct bench_row *row)
{
	return row->subject.mode == BENCH_STREAM;
}

int bench_has_bytes(const struct bench_row *row)
{
	return row->subject.way != &bench_way_channel || row->subject.kind != BENCH_UNTOUCHED;
}

double bench_goal(const struct bench_row *row, const struct bench_result *result)
{
	return result->far ? row->far : row->near;
}

int bench_holds(const struct bench_row *row, const struct bench_result *result)
{
	const double goal = bench_goal(row, result);

	if (result->code < 0)
		return 0;
	return bench_is_rate(row) ? result->ratio >= goal : result->ratio <= goal;
}

const char *bench_mode_name(enum bench_mode mode)
{
	static const char *const names[] = {
		[BENCH_POLL] = "poll",   [BENCH_ADAPTIVE] = "adaptive", [BENCH_ASLEEP] = "asleep",
		[BENCH_EPOLL] = "epoll", [BENCH_STREAM] = "stream",     [BENCH_BURST] = "burst",
		[BENCH_LOAD] = "load",
	};

	return names[mode];
}
