/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_CORE_H
#define HARNESS_CORE_H

#include <stdbool.h>

#include "harness/child.h"

/* Processes that dump core (core(5)). */

/* Whether a process may dump, and the dump is a file "core" in its working directory. Never with a sanitizer. */
bool test_cores_are_files(void);
#define TEST_NO_CORES "cores aren't files named core here, RLIMIT_CORE forbids them, or there is a sanitizer"

/* By the process itself: what ends it from now on by SIGABRT dumps core into this directory. */
void test_core_in(const char *directory);

/* End a child that dumps, or has dumped; the dump goes with it. */
void test_core_end(struct test_child *child, const char *directory);

#endif
