/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PEERS_SESSION_H
#define BENCH_PEERS_SESSION_H

#include <stdbool.h>

#include <nonet/time.h>

#include "../line.h"
#include "peer.h"

/* The two processes that measure one peer at one size: begun, waited for, killed if they take too long, cleaned up
 * after. */

#define SESSION_RUNS 64

struct session_options {
	int runs;            /* that count, of latency and of throughput */
	nonet_time slice;    /* about how long one takes */
	size_t samples;      /* round trips that one has at least */
	nonet_time patience; /* how long all of a peer at one size may take */
	int cpus[2];
};

/* A peer that can be asked for. */
struct session_entry {
	const char *name;
	const char *package;     /* of Debian 12, with its headers; NULL: built in */
	const char *what;        /* in a few words */
	const struct peer *peer; /* built in; else NULL, and it is in the module */
	const char *module;      /* its path */
};

/* One run that counts: the line was the same before and after it. */
struct session_run {
	const char *class; /* "near" or "far" */
	double line;       /* ns */
	double p50;        /* of latency, ns */
	double p99;
	double rate; /* of throughput, messages per second */
};

struct session_outcome {
	int error;     /* negative errno: it couldn't be measured */
	char why[256]; /* then a sentence */
	char mode[96];
	char version[96];
	int latencies;
	int streams;
	int discarded; /* runs during which the cores were moved */
	struct session_run latency[2 * SESSION_RUNS];
	struct session_run stream[2 * SESSION_RUNS];
};

/* What the processes share, beside what they give the peer. */
struct session_shared {
	struct line line;
	struct session_outcome outcome;
};

/*
 * session_run() - measure
 * @ret_outcome: what came of it; its error too
 *
 * Return: 0, or -EINTR: somebody pressed the interrupt key. Nothing is left either way.
 */
int session_run(const struct session_entry *entry, size_t size, const struct session_options *options,
		struct session_outcome *ret_outcome);

/* SIGINT and SIGTERM end session_run(). */
void session_catch(void);

#endif
