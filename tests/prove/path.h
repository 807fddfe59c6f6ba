/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_PATH_H
#define PROVE_PATH_H

#include "prove/scene.h"
#include "prove/tracee.h"

/* The way of one victim through the operation, instruction by instruction. */

struct prove_step {
	uintptr_t at;        /* the next instruction */
	uint32_t occurrence; /* the how-many-th time that it is */
	bool asleep;         /* in the system call before it, not stopped */
	/* What is shared isn't as a step before, or the kernel was asked in between, or is so after the next; or an
	 * end. */
	bool distinct;
};

struct prove_path {
	struct prove_step *steps; /* [0] is the entry; [count - 1] the return, or a sleep that nobody ends */
	size_t count;
	size_t distinct;
};

/* Step @tracee, from its entry on, and write down how it goes. False: the run has failed. */
bool prove_path_record(struct prove_path *ret_path, struct prove_scene *scene, struct prove_tracee *tracee);
void prove_path_done(struct prove_path *path);

/*
 * Start a victim and bring it to step @index: by a breakpoint, so that it costs the same wherever it is; by single
 * steps if the scene says .stepping, or the instruction is in a long loop. If it doesn't come by there, since its way
 * depends on the time, it is where it got to instead, and the scene's .astray is set. A NULL @path leaves it at the
 * entry.
 */
bool prove_path_reach(const struct prove_path *path, size_t index, struct prove_scene *scene,
		      struct prove_tracee *tracee, enum prove_role role, const struct prove_operation *operation,
		      uintptr_t symbol);

#endif
