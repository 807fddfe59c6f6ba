/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SPAWN_H
#define SYS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where a descriptor of ours is to be in the child. */
struct sys_spawn_descriptor {
	int from;
	int to; /* no two have the same */
};

struct sys_spawn {
	const char *const *arguments;   /* at least one */
	const char *const *environment; /* NULL: ours */
	const char *directory;          /* NULL: where we are */
	const struct sys_spawn_descriptor *descriptors;
	size_t descriptors_count;
	int death_signal; /* 0: none */
	bool new_group;
};

/* What failed. */
enum sys_spawn_step {
	SYS_SPAWN_CLONE,
	SYS_SPAWN_GROUP,
	SYS_SPAWN_DEATH_SIGNAL,
	SYS_SPAWN_DESCRIPTORS,
	SYS_SPAWN_DIRECTORY,
	SYS_SPAWN_EXECUTE,
};

struct sys_spawned {
	pid_t pid;
	int pidfd; /* CLOEXEC */
};

/*
 * Start a program; returns once it has begun. No signal is handled meanwhile, so EINTR can't be. The caller sees to it
 * that its thread isn't cancelled.
 *
 * Return: 0, or -errno with *@ret_step; then the child has been reaped.
 */
int sys_spawn(const struct sys_spawn *spawn, struct sys_spawned *ret_spawned, enum sys_spawn_step *ret_step);

#endif
