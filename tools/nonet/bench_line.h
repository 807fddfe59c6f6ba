/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_BENCH_LINE_H
#define NONET_TOOL_BENCH_LINE_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * The raw line: one cache line that two processes on two cores hand to each other. A hypervisor may move the cores
 * while we measure, and a line then takes five times as long: every run is between two readings, and counts only if
 * both say the same of how near the cores are.
 */
struct bench_line {
	_Alignas(64) _Atomic uint32_t turn;
	char padding[60];
};

/* For about 5 ms, while the other process is in bench_line_answer(): ns for one hand-over, the median. */
double bench_line_ask(struct bench_line *line);
void bench_line_answer(struct bench_line *line);

/* Of a reading: whether somebody else had a core; and else, whether the cores aren't neighbours. */
int bench_line_is_busy(double hand_over);
int bench_line_is_far(double hand_over);

/* Between two looks: lets the core's other thread run, and the line be somebody else's. */
static inline void bench_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

#endif
