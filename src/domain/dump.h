/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_DUMP_H
#define DOMAIN_DUMP_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether a process is writing a core dump, which can take seconds, and none of its threads will write to its memory
 * any more. False where that isn't known.
 */
bool dump_is_written(pid_t pid);

#endif
