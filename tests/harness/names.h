/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_NAMES_H
#define HARNESS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "harness/fail.h"

/*
 * test_directory_new() - an empty directory of the test's own, mode 0700, below TMPDIR or /tmp
 *
 * Its path is short enough for UNIX sockets in it (at most 40 bytes without TMPDIR).
 */
#define test_directory_new() test_directory_new_at(TEST_HERE)
const char *test_directory_new_at(const char *file, int line);

/* Remove it; fails if it isn't empty, and says what was in it. NULL is allowed. */
#define test_directory_free(path) test_directory_free_at(TEST_HERE, (path))
void test_directory_free_at(const char *file, int line, const char *path);

/* PATH/NAME in static memory: four results live at a time. */
const char *test_path(const char *directory, const char *name);

/*
 * The process that the test program began as: its children have it too. Called before the first of them is started.
 */
pid_t test_program(void);

/*
 * A name that no other process uses, for abstract sockets and objects in /dev/shm:
 * "nonet-test-PROGRAM-PID-N-WORD", static memory as above.
 */
const char *test_name(const char *word);

/* A key that no other process uses, for System V objects: the leak check looks for it. */
int32_t test_sysv_key(void);

/* Whether a key is one that test_sysv_key() made in this process. */
bool test_sysv_key_is_own(int32_t key);

/* Whether @name is one that test_name() made in this test program, or a child of it. */
bool test_name_is_own(const char *name);

#endif
