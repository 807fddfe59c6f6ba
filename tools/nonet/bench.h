/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_H
#define NONET_TOOL_BENCH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <nonet/time.h>

#include "bench_histogram.h"
#include "bench_line.h"

/*
 * How fast messages go on this machine. A row is a case that is measured, and limits beside it: what the hardware, the
 * kernel or a bare ring takes for the same work. Processes of their own play them in turns, each on its own CPU:
 *
 *   cmd_bench.c        the command: which rows, and what becomes of their results
 *   bench_rows.c       the rows, and their goals
 *   bench_run.c        a row: its processes
 *   bench_lead.c       what the first of them does: runs between two readings of the raw line, and what they come to
 *   bench_loops.h      messages to and fro, or one way
 *   bench_raw.c        the hardware's limits; bench_ring.c: a bare ring; bench_bytes.c, bench_queues.c: the
 *                      kernel's mechanisms; bench_channel.c, bench_crowd.c: nonet's channel
 *   bench_print.c      the table and the JSON; bench_keep.c: the file of results; bench_plot.c: the picture
 */

/* How who receives waits, or what is done instead of messages to and fro. */
enum bench_mode {
	BENCH_POLL,     /* he looks all the time */
	BENCH_ADAPTIVE, /* he looks for some microseconds, then sleeps */
	BENCH_ASLEEP,   /* he sleeps at once, in the call */
	BENCH_EPOLL,    /* he sleeps in epoll_wait(2) */
	BENCH_STREAM,   /* one way, as fast as it goes */
	BENCH_BURST,    /* one way, and read only afterwards: what publishing takes */
	BENCH_LOAD,     /* one way, at so many a second, whether or not it keeps up */
};

/* BENCH_LOAD: messages a second. */
#define BENCH_RATE 100000

struct bench_way;

/* One thing to do. */
struct bench_case {
	const char *what;
	const struct bench_way *way; /* NULL: none */
	enum bench_mode mode;
	unsigned int kind; /* the way's own */
	size_t size;       /* of a message, in bytes */
	unsigned int subscribers;
	unsigned int publishers;
};

#define BENCH_LIMITS 3

struct bench_row {
	const char *group; /* what it is called by on the command line */
	struct bench_case subject;
	struct bench_case limits[BENCH_LIMITS]; /* the best of them counts */
	/* Of times the largest ratio to the limit, of rates the smallest, on near and far cores; 0: none. */
	double near, far;
};

/* The rows, and how many. */
const struct bench_row *bench_rows(size_t *ret_count);

/* All are of the runs on cores that were equally near; 0 where that isn't measured. */
struct bench_result {
	int code;     /* negative errno: it couldn't be measured, and the rest is empty */
	int far;      /* the cores */
	double each;  /* ns: one way, or for a message of a stream or burst; the median of the runs */
	double limit; /* that of the best limit, and which it is; 0: none */
	size_t best;  /* in row->limits */
	double ratio; /* of times, or of rates; the median of the runs' */
	double p99;   /* ns, as the next two; negative: not measured */
	double p999;
	double max;
	double line; /* ns that a cache line took */
	unsigned int runs;
	unsigned int discarded; /* runs in which the cores were moved, or unlike most */
};

#define BENCH_SLICES 4

struct bench_options {
	nonet_time length; /* about how long a row is measured */
	unsigned int runs;
	unsigned int slices; /* of each case in a run, 1 to BENCH_SLICES */
	int cpus[4];         /* where processes are pinned: the first one, and the others in turns */
	size_t cpus_count;
};

/*
 * Measures a row. Return: 0, also if it couldn't be measured, which @ret_result tells; or what the verb is to return: a
 * signal came.
 */
int bench_run(const struct bench_row *row, const struct bench_options *options, struct bench_result *ret_result);

/* Whether it is told how many go in a second, and not how long one takes; and, of those, how many bytes. */
int bench_is_rate(const struct bench_row *row);
int bench_has_bytes(const struct bench_row *row);

/* The goal on cores such as those of the result; 0: none. Whether it is kept. */
double bench_goal(const struct bench_row *row, const struct bench_result *result);
int bench_holds(const struct bench_row *row, const struct bench_result *result);
const char *bench_mode_name(enum bench_mode mode);

/* What the processes of a row share. */
struct bench_shared {
	struct bench_line line;

	/* [BENCH-ORDER] Who sees a new order sees what it is; who sees that it is answered, what came of it. */
	_Alignas(64) _Atomic uint32_t orders;  /* how many there ever were; who waits for the next sleeps on it */
	uint32_t order;                        /* which link; or ORDER_LINE, ORDER_END */
	_Alignas(64) _Atomic uint32_t answers; /* to the order */
	_Atomic uint32_t joined;               /* how many processes are ready */
	_Atomic int32_t failed;                /* the first failure of anybody: a negative errno */

	/* The number of the last message of a stream; or, to and fro, 1: the next is the last. 0: not known yet. */
	_Alignas(64) _Atomic uint64_t last;

	_Alignas(64) struct bench_histogram run; /* of the run that is being made */
	struct bench_result result;
};

/* A case in the hands of one of its processes. */
struct bench_link {
	const struct bench_case *what;
	struct bench_shared *shared;
	unsigned int place;     /* 0: who leads and measures */
	unsigned int followers; /* how many there are beside him, in all cases of the row */
	int crowded;            /* some share a CPU: they don't look without sleeping */
	uint64_t block;         /* messages between two looks at the clock */
	uint64_t sum;           /* of all that was read, so that it is read */
	char *message;          /* what is sent: what->size bytes, from a page's beginning */
	char *buffer;           /* where what comes is copied to */
	void *state;            /* the way's own, from its prepare() on */
};

/* What one slice of a case came to. */
struct bench_slice {
	nonet_time length; /* about how long it is to take */
	double each;       /* ns, as in the result */
};

/* How something is done. All calls return 0 or a negative errno, and may be NULL: nothing to do. */
struct bench_way {
	/* In the command, which starts the processes and has none of the CPUs; discard() also after a failure. */
	int (*prepare)(struct bench_link *link);
	void (*discard)(struct bench_link *link);
	/* In each process; one after the other, the first one first. */
	int (*join)(struct bench_link *link);
	/* A slice, by the first process and by the others. */
	int (*lead)(struct bench_link *link, struct bench_slice *slice);
	int (*follow)(struct bench_link *link);
};

/* Beside each, the kinds that it has. */
extern const struct bench_way bench_way_line;   /* BENCH_PAUSE, BENCH_NO_PAUSE */
extern const struct bench_way bench_way_copy;   /* through shared memory: BENCH_PLAIN, BENCH_STRING, BENCH_MOVING */
extern const struct bench_way bench_way_memcpy; /* within one process */
extern const struct bench_way bench_way_futex;
extern const struct bench_way bench_way_ring;  /* BENCH_SINGLE, BENCH_BATCH, BENCH_BATCH_STRING */
extern const struct bench_way bench_way_bytes; /* BENCH_PIPE, BENCH_UNIX_STREAM, BENCH_UNIX_PACKET, BENCH_EVENTFD */
extern const struct bench_way bench_way_posixmq;
extern const struct bench_way bench_way_sysvmsg;
extern const struct bench_way bench_way_channel; /* BENCH_COPIED, BENCH_COPIED_IN, BENCH_LOANED, BENCH_UNTOUCHED */
extern const struct bench_way bench_way_crowd;   /* bursts, loads, and several publishers: BENCH_LOANED */

/* The kinds that a way has. */
enum {
	BENCH_PAUSE = 0, /* line: looks with a pause between two */
	BENCH_NO_PAUSE,

	BENCH_PLAIN = 0, /* copy: by memcpy(3) */
	BENCH_STRING,    /* by the processor's own instruction for it, where there is one */
	BENCH_MOVING,    /* by memcpy(3), each behind the one before, as in a ring */

	BENCH_SINGLE = 0, /* ring: shows each message */
	BENCH_BATCH,
	BENCH_BATCH_STRING,

	BENCH_PIPE = 0,
	BENCH_UNIX_STREAM,
	BENCH_UNIX_PACKET,
	BENCH_EVENTFD,

	BENCH_COPIED = 0, /* channel: copied in, and out */
	BENCH_COPIED_IN,  /* copied in, and read in place */
	BENCH_LOANED,     /* written and read in place */
	BENCH_UNTOUCHED,  /* neither written nor read */
};

/* The first process's part: all runs. In bench_lead.c. @links: the subject's, and its limits'. */
int bench_lead(const struct bench_row *row, const struct bench_options *options, struct bench_link *links,
	       size_t count);
/* The others': whatever is ordered, until the end. */
int bench_follow(struct bench_link *links);

/* Waits some ms at most until *@word isn't @seen any more; wakes who does. */
void bench_await_change(_Atomic uint32_t *word, uint32_t seen);
void bench_tell_change(_Atomic uint32_t *word);

/*
 * For who leads a slice: has the others follow. @last: the number of the last message, or 0: not known yet. Then waits
 * until they have; several times in a slice, if need be.
 */
void bench_order(struct bench_link *link, uint64_t last);
int bench_answered(struct bench_link *link);
/* Without waiting: 1, 0, or the negative errno of who failed. */
int bench_has_answered(struct bench_link *link);

#endif
