/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_CHILD_PRIVATE_H
#define HARNESS_CHILD_PRIVATE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "harness/child.h"

/* Each end sends whole messages (SOCK_SEQPACKET): one of these letters, then the text or the bytes. */
#define TEST_MESSAGE_STATE  'S'
#define TEST_MESSAGE_BYTES  'B'
#define TEST_MESSAGE_FAILED 'F'

/* With what a child ends after a failed check. */
#define TEST_STATUS_FAILED 99
/* ... and with what it ends if its parent is gone. */
#define TEST_STATUS_ORPHAN 98

struct test_message {
	char kind; /* 0: nothing came, and nothing will */
	size_t size;
	char bytes[TEST_REPORT_MAX + 1]; /* a NUL behind the last byte */
};

struct test_child {
	struct test_child *next;
	unsigned long number; /* counts up, so that a leak check knows which came after its begin */
	const char *name;
	pid_t pid;
	int pidfd;
	int socket;
};

struct test_child_side {
	int socket;
};

/* Tell the parent and _exit() if this process is a child, else return. */
void test_child_side_failed(const char *file, int line, const char *text);

/* Make a fresh fork() a child of the harness: death signal, stdout, crash handlers. @side has to stay, or is NULL. */
void test_child_begin(pid_t parent, struct test_child_side *side);
/* _exit(), with the coverage written where there is any. */
_Noreturn void test_child_exit(int status);

/* A descriptor for a process, CLOEXEC. */
int test_pidfd_open(pid_t pid);
/* Reap the process of @pidfd, which has to have ended. Return: exit status or -signal. */
int test_reap(int pidfd, pid_t pid);

/* The next message that is already there; kind 0 for none. */
void test_child_next_message(struct test_child *child, struct test_message *ret_message);
/* Kill if need be, reap, close, free. Return: exit status or -signal. */
int test_child_free(struct test_child *child, bool kill);

/* The number that the next child gets. */
unsigned long test_children_number(void);
/* Kill and free the children from number @since on that still have a handle, each named on @out. Return: how many. */
int test_children_abandoned(unsigned long since, FILE *out);

/* Remove the test directories that nobody freed. */
void test_directories_abandon(void);

/* Remember the crash handlers of before cmocka's, which would run the parent's code in a child. */
void test_crash_handlers_save(void);
void test_crash_handlers_restore(void);

#endif
