/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_LEAK_H
#define HARNESS_LEAK_H

#include <stdio.h>

#include "harness/fail.h"

/*
 * What a test must not leave behind, compared with what there was before:
 *   descriptors        new ones, ones closed that were open, ones that became another file
 *   System V objects   sets of semaphores, queues and segments whose key is of test_sysv_key()
 *   POSIX queues       whose name is of test_name(); where no mqueue file system is mounted, only root sees them
 *   children           running or unreaped; of the harness's children those without test_kill() or test_child_join()
 *   threads            new ones; one that is just ending gets a second to go
 *   mappings           files and shared memory by what is mapped, private memory by its sum. Left out: the heap,
 *                      stacks, loaded libraries, and private growth by whole thread stacks (glibc keeps those of ended
 *                      threads). Not looked at with a sanitizer or under valgrind, where test_main() says so; private
 *                      memory only under test_main(), which keeps malloc from mapping any.
 *   names              in test_directory_new() directories; abstract sockets of this process; in /dev/shm those of
 *                      test_name(), and what the library has not finished
 *
 * test_case() (harness/test.h) does all this around each test. By hand:
 *
 *   struct test_leak *leak = test_leak_begin();
 *   ...
 *   test_leak_end(leak);
 */
struct test_leak;

struct test_leak *test_leak_begin(void);

/* Fail with a sentence for each leak. Frees @leak. */
#define test_leak_end(leak) test_leak_end_at(TEST_HERE, (leak))
void test_leak_end_at(const char *file, int line, struct test_leak *leak);

/*
 * The same without failing: writes a line per leak to @out and returns how many there are. Leaked children are killed
 * and reaped, so that they don't disturb what follows. Frees @leak.
 */
int test_leak_check(struct test_leak *leak, FILE *out);

/* Whether POSIX queues can be listed by this process. */
int test_leak_sees_queues(void);

/* Whether mappings are looked at in this process. */
int test_leak_sees_mappings(void);

#endif
