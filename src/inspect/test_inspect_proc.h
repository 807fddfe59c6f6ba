/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_TEST_INSPECT_PROC_H
#define INSPECT_TEST_INSPECT_PROC_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/test.h"
#include "inspect/inspect_holders.h"

/*
 * A /proc of our own making, for what the real one doesn't show when we want it: a file that the kernel calls 00:2a:77,
 * whatever stat(2) says of it, on mount 9.
 */
static const char *proc;

static inline void proc_write(const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	fd = (int)test_must(open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
	test_check_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline void proc_mkdir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	test_must(mkdir(path, 0700));
}

/* A process with descriptor 5 open on the file, and what follows there. */
static inline void proc_process(int pid, const char *name, const char *fdinfo)
{
	char path[64];
	char text[512];

	snprintf(path, sizeof(path), "%d", pid);
	proc_mkdir(path);
	snprintf(path, sizeof(path), "%d/fdinfo", pid);
	proc_mkdir(path);
	snprintf(path, sizeof(path), "%d/task", pid);
	proc_mkdir(path);
	snprintf(path, sizeof(path), "%d/comm", pid);
	proc_write(path, name);
	snprintf(path, sizeof(path), "%d/mountinfo", pid);
	proc_write(path, "8 1 0:5 / / rw - x y z\n9 1 0:42 / /mnt rw - x y z\n");
	snprintf(path, sizeof(path), "%d/fdinfo/5", pid);
	snprintf(text, sizeof(text), "pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t77\n%s", fdinfo);
	proc_write(path, text);
}

/* What our descriptors are, whichever number they get, that of a watch too. */
static inline void proc_descriptors(const char *text)
{
	for (int fd = 0; fd < 32; fd++) {
		char name[48];

		snprintf(name, sizeof(name), "thread-self/fdinfo/%d", fd);
		proc_write(name, text);
	}
}

static inline int proc_make(void **state)
{
	(void)state;
	proc = test_directory_new();
	proc_mkdir("thread-self");
	proc_mkdir("thread-self/fdinfo");
	proc_write("thread-self/mountinfo", "8 1 0:5 / / rw - x y z\n9 1 0:42 / /mnt rw - x y z\n");
	proc_descriptors("pos:\t0\nflags:\t012000000\nmnt_id:\t9\nino:\t77\n");
	proc_write("locks", "");
	return 0;
}

static inline int proc_forget(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	return where->level == 0 ? 0 : remove(path);
}

static inline int proc_remove(void **state)
{
	(void)state;
	test_must(nftw(proc, proc_forget, 8, FTW_DEPTH | FTW_PHYS));
	test_directory_free(proc);
	return 0;
}

static const struct test_fixture with_proc = {.setup = proc_make, .teardown = proc_remove, .time = NONET_S(200)};

static inline int proc_look(const char *scheme, struct nonet_inspect_holders **ret_holders, struct nonet_error *reterr)
{
	char address[128];

	/* Any file: what it is, our thread-self says. */
	snprintf(address, sizeof(address), "%s:%s/locks", scheme, proc);
	return inspect_holders_in(proc, address, NULL, NONET_FOREVER, ret_holders, reterr);
}

#endif
