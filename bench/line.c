/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include "statistics.h"

#include <nonet/time.h>

#define LINE_READING NONET_MS(5)
#define LINE_ROUNDS  200u
#define LINE_BLOCKS  512
#define LINE_STOP    UINT32_MAX

/* Measured: 35 to 65 ns within a complex, 240 to 280 ns between two. */
#define LINE_FAR 120.0
/* No line takes so long: it was a core that was waited for. */
#define LINE_BUSY 1000.0

static inline void line_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb" ::: "memory");
#endif
}

/* [LINE-TURN] The other side may go on once it sees the number that is its turn; nothing else is shared. */
double line_ask(struct line *line)
{
	nonet_time start = nonet_clock();
	nonet_time before = start;
	double blocks[LINE_BLOCKS];
	uint32_t turn = 0;
	int count = 0;

	while (count < LINE_BLOCKS && before - start < LINE_READING) {
		nonet_time now;

		for (unsigned round = 0; round < LINE_ROUNDS; round++) {
			atomic_store_explicit(&line->turn, ++turn, memory_order_release); /* [LINE-TURN] */
			turn++;
			while (atomic_load_explicit(&line->turn, memory_order_acquire) != turn) /* [LINE-TURN] */
				line_relax();
		}
		now = nonet_clock();
		blocks[count++] = (double)(now - before) / (2.0 * LINE_ROUNDS);
		before = now;
	}
	atomic_store_explicit(&line->turn, LINE_STOP, memory_order_release); /* [LINE-TURN] */
	return statistics_median(blocks, (size_t)count);
}

void line_answer(struct line *line)
{
	uint32_t expected = 1;

	for (;;) {
		uint32_t turn = atomic_load_explicit(&line->turn, memory_order_acquire); /* [LINE-TURN] */

		if (turn == LINE_STOP)
			break;
		if (turn == expected) {
			atomic_store_explicit(&line->turn, turn + 1, memory_order_release); /* [LINE-TURN] */
			expected += 2;
		} else {
			line_relax();
		}
	}
	atomic_store_explicit(&line->turn, 0, memory_order_release); /* [LINE-TURN] */
}

const char *line_class(double hand_over)
{
	if (hand_over >= LINE_BUSY)
		return NULL;
	return hand_over < LINE_FAR ? "near" : "far";
}
