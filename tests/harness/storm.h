/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_STORM_H
#define HARNESS_STORM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nonet/time.h>

#include "harness/fail.h"

/*
 * A storm of SIGUSR1, to show that EINTR never gets out: a helper process sends it at 10 kHz to each victim. A victim
 * first installs the handler, without SA_RESTART:
 *
 *   test_storm_victim();
 *   storm = test_storm_start((pid_t[]){getpid(), test_child_pid(child)}, 2, NONET_S(5));
 *   ...
 *   sent = test_storm_stop(storm);
 *   assert_true(sent > 0 && test_storm_received() > 0);
 */
struct test_storm;

/* Install the handler in this process (its children inherit it) and let SIGUSR1 through in this thread. */
void test_storm_victim(void);

/* How many signals this process's handler has seen since test_storm_victim(): fewer than sent, as signals merge. */
uint64_t test_storm_received(void);

/*
 * Start: @pids, @count, @limit. Returns once the first round has been sent. The storm ends by itself after @limit, when
 * no victim is left, or with the thread that started it.
 */
#define test_storm_start(...) test_storm_start_at(TEST_HERE, __VA_ARGS__)
struct test_storm *test_storm_start_at(const char *file, int line, const pid_t *pids, size_t count, nonet_time limit);

/* Stop, and free. Return: how many signals were really sent. */
#define test_storm_stop(storm) test_storm_stop_at(TEST_HERE, (storm))
uint64_t test_storm_stop_at(const char *file, int line, struct test_storm *storm);

#endif
