/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <nonet/time.h>

/*
 * What nonet's calls cost over the shortest sequence of system calls with the same guarantees.
 *
 * A case is one thing to do, and has three ways of doing it, which are measured in turns:
 *   nonet   the public call, through the shared library
 *   bare    what an expert would write by hand to get the same guarantees (bare_*.c): the yardstick
 *   naked   the plain call, which waits for ever, may be cut short, and raises SIGPIPE (naked.c)
 */

enum bench_way_index {
	WAY_NONET,
	WAY_BARE,
	WAY_NAKED,
	WAYS,
};

enum bench_metric {
	METRIC_CALL,       /* one process: put, then take, and nobody sleeps. CPU time, children's too, ns */
	METRIC_LATENCY,    /* two processes that sleep in turns: round trip / 2, p50. ns */
	METRIC_THROUGHPUT, /* one process puts, the other takes. Messages per second */
	METRIC_HERD,       /* as many processes as the size says want one thing. Times that one had it per second */
	METRIC_ONCE,       /* from one event to another, once in each slice: the median. ns */
	METRICS,
};

#define BIT(metric)  (1u << (metric))
#define BENCH_JUDGED (BIT(METRIC_LATENCY) | BIT(METRIC_THROUGHPUT))
#define BENCH_ALL    (BIT(METRIC_CALL) | BENCH_JUDGED)

struct bench_slice {
	double each;  /* ns */
	double least; /* METRIC_HERD: what the least-served process has had since it was opened, of an even share */
};

/*
 * Two ends, a and b, each of which can put to and take from the other. Every function returns 0 or a negative errno.
 * Both ends are opened before the partner process is forked; each process then closes the one that isn't its own. A
 * case that is only ever measured in one process may have one end for both. close takes NULL.
 */
struct bench_way {
	int (*open)(size_t size, void **ret_a, void **ret_b);
	int (*put)(void *end, const void *message, size_t size, nonet_time deadline);
	int (*take)(void *end, void *buffer, size_t size, nonet_time deadline); /* succeeds only with exactly @size */
	void (*close)(void *end);
	/* Instead of put and take, for METRIC_HERD and METRIC_ONCE: one slice. open gives one end. */
	int (*slice)(void *end, struct bench_slice *ret_slice);
};

#define BENCH_SIZES 5

struct bench_case {
	const char *what;
	size_t sizes[BENCH_SIZES]; /* of a message in bytes, ended by 0; of a wait set, a herd: how many */
	unsigned metrics;          /* BIT()s of what is measured */
	unsigned judged;           /* BIT()s of what has to keep the goal */
	double goal;               /* the largest ratio that is good enough; 0: that of the options */
	double limit;              /* instead of a ratio, the longest time that is good enough, ns; 0: none */
	const struct bench_way *ways[WAYS];
};

/* Ended by one without a name. */
extern const struct bench_case pipe_cases[];
extern const struct bench_case unix_cases[];
extern const struct bench_case connect_cases[];
extern const struct bench_case socket_cases[];
extern const struct bench_case queue_cases[];
extern const struct bench_case wait_cases[];
extern const struct bench_case signal_cases[];
extern const struct bench_case semaphore_cases[];
extern const struct bench_case mutex_cases[];
extern const struct bench_case sync_cases[];
extern const struct bench_case condition_cases[];
extern const struct bench_case filelock_cases[];
extern const struct bench_case endpoint_cases[];
extern const struct bench_case memory_cases[];
extern const struct bench_case mapfile_cases[];

/* Ways that more than one table uses. */
extern const struct bench_way nonet_pipe_messages;
extern const struct bench_way nonet_stream_messages;
extern const struct bench_way nonet_seqpacket_taken;

/* naked.c, naked_other.c; the last three beside their bare ways */
extern const struct bench_way naked_pipe;
extern const struct bench_way naked_stream;
extern const struct bench_way naked_seqpacket;
extern const struct bench_way naked_datagram;
extern const struct bench_way naked_tcp;
extern const struct bench_way naked_udp;
extern const struct bench_way naked_tcp_connect;
extern const struct bench_way naked_stream_descriptors;
extern const struct bench_way naked_seqpacket_descriptors;
extern const struct bench_way naked_mqueue;
extern const struct bench_way naked_sysv_queue;
extern const struct bench_way naked_connect;
extern const struct bench_way naked_wait_ready;
extern const struct bench_way naked_wait_pipe;
extern const struct bench_way naked_timer;
extern const struct bench_way naked_signal;
extern const struct bench_way naked_signal_talk;
extern const struct bench_way naked_process;
extern const struct bench_way naked_ofdlock;
extern const struct bench_way naked_posixlock;
extern const struct bench_way naked_flock;

struct bench_options {
	int runs;         /* paired runs; the ratio is the median of theirs */
	int slices;       /* of each way in a run, taken in turns */
	nonet_time slice; /* about how long one takes */
	double goal;      /* the largest ratio that is good enough, where the case has none of its own */
	unsigned metrics; /* BIT()s of those that are wanted */
	double others;    /* what share of the CPUs others used meanwhile; not an option, but reported with them */
	int cpus[2];      /* where the two processes are pinned; may be the same */
};

struct bench_result {
	const char *what;
	size_t size;
	enum bench_metric metric;
	bool judged;
	double goal;        /* its ratio's */
	double limit;       /* or its time's, ns; 0: none */
	int error;          /* negative errno: it couldn't be measured, and the rest is empty */
	double value[WAYS]; /* median of the runs: ns, or messages per second */
	double tail[WAYS];  /* of METRIC_LATENCY the p99; of METRIC_HERD what the least-served had, of an even share */
	double ratio;       /* time of nonet / time of bare, median of the runs */
	double ratio_min;
	double ratio_max;
	double line;       /* ns for one hand-over of a cache line, median of the runs; 0 on one core */
	const char *class; /* "near", "far", "one core", "both" */
	int discarded;     /* runs thrown away since the cores were moved in between */
};

/* Run one case at one size; up to METRICS results. */
int bench_run(const struct bench_case *item, size_t size, const struct bench_options *options,
	      struct bench_result *ret_results);

/* Nothing but one way's calls, put and take in this process, for a profiler. */
int bench_loop(const struct bench_case *item, size_t size, enum bench_way_index way, nonet_time duration);

const char *bench_metric_name(enum bench_metric metric);
const char *bench_metric_unit(enum bench_metric metric);
int bench_pin(int cpu);
int bench_pin_both(const int cpus[2]);

/* The table for people, and the JSON. */
int report_text(const struct bench_result *results, size_t count, const struct bench_options *options);
int report_json(const struct bench_result *results, size_t count, const struct bench_options *options);
bool report_holds(const struct bench_result *result);

#endif
