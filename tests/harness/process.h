/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_PROCESS_H
#define HARNESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* What a process's main thread is doing. */
struct test_activity {
	char state;              /* of proc(5): R, S, D, T, Z...; 0 for unknown */
	unsigned long long runs; /* times that it was switched to, or 0 */
	char call[128];          /* /proc/PID/syscall, or "" */
};

void test_process_activity(pid_t pid, struct test_activity *ret_activity);

/* Two looks in a row found it asleep, and it has not run in between. */
bool test_activity_is_asleep(const struct test_activity *before, const struct test_activity *now);

/* Print every thread of a process and, below it, of its descendants: its name, state and system call. */
void test_describe_process(pid_t pid, FILE *out);

/*
 * The children of a process's threads, by /proc/PID/task/TID/children.
 * Return: how many there are; only the first @max are stored.
 */
size_t test_process_children(pid_t pid, pid_t *ret_pids, size_t max);

/*
 * Wait until the other threads of this process sleep, at most a second. Before a fork(2) under a sanitizer: its
 * allocator has locks that a thread which is just starting may hold, and in the child nobody would let them go.
 */
void test_threads_settle(void);

/*
 * A child of clone(2) itself: the C library knows nothing of it, and gives it no list of robust mutexes. It dies with
 * its parent. @number: the process id that it has to get, which only root can choose; or 0.
 * Return: as fork(2).
 */
pid_t test_raw_child(pid_t number);

/* Up to @size - 1 bytes of a small file as a string without its last newline; "" if it can't be read. */
void test_read_file(const char *path, char *ret_text, size_t size);

#endif
