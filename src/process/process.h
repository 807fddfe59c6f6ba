/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include <stdbool.h>

#include <nonet/process.h>

#include "waitable/waitable.h"

struct nonet_process {
	struct nonet_waitable waitable;
	int pidfd;
	pid_t pid;
	bool child;          /* ours to reap, in the process of @generation */
	bool ended;          /* @status is known, and final */
	unsigned generation; /* of the process that spawned it */
	struct nonet_process_status status;
	struct nonet_pipe *input, *output, *error;
};

/* A handle that holds no process yet, to be freed by sys_free(); or NULL, after it said that there is no memory. */
struct nonet_process *process_new(struct nonet_error *reterr);

/* Let it hold one: @pidfd is the handle's from now on. */
void process_hold(struct nonet_process *process, int pidfd, pid_t pid, bool child);

#endif
