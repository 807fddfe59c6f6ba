/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PEERS_FIGURES_H
#define BENCH_PEERS_FIGURES_H

#include "session.h"

enum figures_status {
	FIGURES_MEASURED,
	FIGURES_SKIPPED, /* it isn't here */
	FIGURES_FAILED,  /* at one size at least */
};

#define FIGURES_SIZES 5

/* What came of a peer. */
struct figures_peer {
	const struct session_entry *entry;
	enum figures_status status;
	char why[320]; /* skipped or failed: a sentence */
	char mode[96];
	char version[96];
};

/* A peer's figures at one size, with the cores near or far. */
struct figures_row {
	const char *peer;
	size_t size;
	const char *class;
	double p50; /* ns; 0: not measured with the cores there */
	double p99;
	double rate;          /* messages per second; 0: likewise */
	double line;          /* ns, the median of all runs */
	double latency_ratio; /* p50 / that of the limit "line" at this size, with the cores there; 0: not known */
	double rate_ratio;    /* rate / that of the limit "ring" */
	int runs;             /* the fewer of those of latency and throughput that were measured */
	int discarded;        /* of both classes */
};

struct figures {
	const struct session_options *options;
	struct figures_peer *peers;
	size_t peer_count;
	struct figures_row *rows; /* room for 2 * FIGURES_SIZES for each peer */
	size_t row_count;
	double others; /* what share of the CPUs others used */
};

/* Adds the rows of one outcome. */
void figures_add(struct figures *figures, const char *peer, size_t size, const struct session_outcome *outcome);
/* The table for people, and the JSON. Return: 0 or a negative errno. */
int figures_text(struct figures *figures);
int figures_json(struct figures *figures);

#endif
