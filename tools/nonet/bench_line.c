/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_line.h"

#include <stddef.h>

#include <nonet/time.h>

#include "bench_statistics.h"

#define READING NONET_MS(5)
#define ROUNDS  200u
#define BLOCKS  512
#define STOP    UINT32_MAX

/* Measured: 35 to 65 ns within a complex of cores, 240 to 280 ns between two. */
#define FAR 120.0
/* No line takes so long: it was a core that was waited for. */
#define BUSY 1000.0

/* [BENCH-LINE] The other side may go on once it sees the number that is its turn; nothing else is shared. */
double bench_line_ask(struct bench_line *line)
{
	nonet_time start = nonet_clock(), before = start, now;
	double blocks[BLOCKS];
	uint32_t turn = 0;
	unsigned int round;
	size_t count = 0;

	while (count < BLOCKS && before - start < READING) {
		for (round = 0; round < ROUNDS; round++) {
			atomic_store_explicit(&line->turn, ++turn, memory_order_release); /* [BENCH-LINE] */
			turn++;
			while (atomic_load_explicit(&line->turn, memory_order_acquire) != turn) /* [BENCH-LINE] */
				bench_pause();
		}
		now = nonet_clock();
		blocks[count++] = (double)(now - before) / (2.0 * ROUNDS);
		before = now;
	}
	atomic_store_explicit(&line->turn, STOP, memory_order_release); /* [BENCH-LINE] */
	return statistics_median(blocks, count);
}

void bench_line_answer(struct bench_line *line)
{
	uint32_t expected = 1, turn;

	for (;;) {
		turn = atomic_load_explicit(&line->turn, memory_order_acquire); /* [BENCH-LINE] */
		if (turn == STOP)
			break;
		if (turn == expected) {
			atomic_store_explicit(&line->turn, turn + 1, memory_order_release); /* [BENCH-LINE] */
			expected += 2;
		} else {
			bench_pause();
		}
	}
	atomic_store_explicit(&line->turn, 0, memory_order_release); /* [BENCH-LINE] */
}

int bench_line_is_busy(double hand_over)
{
	return hand_over >= BUSY;
}

int bench_line_is_far(double hand_over)
{
	return hand_over >= FAR;
}
