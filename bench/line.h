/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LINE_H
#define BENCH_LINE_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * The raw line: one cache line handed to and fro by two threads on two cores. A hypervisor may move the cores while we
 * measure, and a line then costs five times as much: every run is taken between two readings.
 */
struct line {
	_Alignas(64) _Atomic uint32_t turn;
	char padding[60];
};

/* For about 5 ms, while the other thread is in line_answer(): ns for one hand-over, the median of many short blocks. */
double line_ask(struct line *line);
void line_answer(struct line *line);

/* "near" or "far"; NULL: somebody else had a core. */
const char *line_class(double hand_over);

#endif
