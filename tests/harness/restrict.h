/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_RESTRICT_H
#define HARNESS_RESTRICT_H

#define TEST_CALLS_END (-1)

/*
 * From here on this thread may make no other system calls than those of the lists, which end with TEST_CALLS_END, as
 * @lists does with NULL; besides write(2) and exit_group(2). Another ends the process, which says which it was. For a
 * process of the test's own: it can't be undone.
 *
 * With a sanitizer or under valgrind, which make calls of their own, nothing happens.
 */
void test_restrict_to(const int *const *lists);

#endif
