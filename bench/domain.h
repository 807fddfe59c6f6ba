/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_DOMAIN_H
#define BENCH_DOMAIN_H

#include <sys/types.h>

/* A domain's directory of one's own, so that nobody's objects are in the way, and all of it goes in the end. */
struct bench_domain {
	pid_t owner; /* who removes it; 0: it isn't there */
	char directory[64];
};

int bench_domain_make(struct bench_domain *domain);
/* In a child of its owner, nothing. */
void bench_domain_remove(struct bench_domain *domain);

#endif
