/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_PAUSE_H
#define SYNC_PAUSE_H

#include <stdbool.h>

/* Looking again without sleeping. */

/* Whether anybody else could get on meanwhile: not where there is one CPU (sys_processors()). Found out once. */
bool pause_helps(void);

/* Between two looks: lets the core's other thread run, and the line be somebody else's. */
static inline void pause_once(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

#endif
