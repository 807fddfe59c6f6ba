/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nonet/time.h>

#define FIRST NONET_S(1)
#define EVERY NONET_MS(200)

/* How much may pass between two looks at the clock. */
#define LOOK_MESSAGES 64
#define LOOK_BYTES    (256 * 1024)

static int active;
static volatile sig_atomic_t shown;
static nonet_time start, next;
static uint64_t messages, bytes;
static uint64_t unlooked_messages, unlooked_bytes;

void progress_start(int fd)
{
	active = isatty(STDERR_FILENO) && !isatty(fd);
	if (!active)
		return;
	start = nonet_clock();
	next = start + FIRST;
}

static const char *with_unit(double amount, char *text, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	for (; amount >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		amount /= 1024;
	snprintf(text, size, unit ? "%.1f %s" : "%.0f %s", amount, units[unit]);
	return text;
}

static void show(nonet_time now)
{
	char line[160], amount[32], rate[32];
	double seconds = (double)(now - start) / 1e9;
	int size;

	size = snprintf(line, sizeof(line), "\r\033[K%s, %s/s, %llu messages, %.0f s",
			with_unit((double)bytes, amount, sizeof(amount)),
			with_unit((double)bytes / seconds, rate, sizeof(rate)), (unsigned long long)messages, seconds);
	shown = 1;
	if (write(STDERR_FILENO, line, (size_t)size) < 0)
		active = 0;
}

void progress_add(size_t size)
{
	nonet_time now;

	if (!active)
		return;
	messages++;
	bytes += size;
	unlooked_bytes += size;
	if (++unlooked_messages < LOOK_MESSAGES && unlooked_bytes < LOOK_BYTES)
		return;
	unlooked_messages = 0;
	unlooked_bytes = 0;
	now = nonet_clock();
	if (now < next)
		return;
	next = now + EVERY;
	show(now);
}

void progress_erase(void)
{
	static const char erase[] = "\r\033[K";

	if (!shown)
		return;
	shown = 0;
	if (write(STDERR_FILENO, erase, sizeof(erase) - 1) < 0)
		active = 0;
}
