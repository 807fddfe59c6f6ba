/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/sanitizer.h"

#include <stdlib.h>
#include <string.h>

/* Of LeakSanitizer, where it is linked in. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

bool test_under_valgrind(void)
{
	/* Valgrind loads its intercepts into the process that way; this needs no header of valgrind's. */
	const char *preload = getenv("LD_PRELOAD");

	return preload && (strstr(preload, "vgpreload") || strstr(preload, "valgrind"));
}

bool test_sees_lost_memory(void)
{
	const char *options = getenv("ASAN_OPTIONS");

	/* Asked by name, because the check runs even where leak detection was switched off. */
	return __lsan_do_recoverable_leak_check && !(options && strstr(options, "detect_leaks=0"));
}

bool test_lost_memory(void)
{
	return test_sees_lost_memory() && __lsan_do_recoverable_leak_check() != 0;
}
