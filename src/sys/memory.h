/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_MEMORY_H
#define SYS_MEMORY_H

#include <stddef.h>

/* The process's own memory. Zeroed; NULL if there is none. Freed with sys_free(). */
void *sys_allocate(size_t size);

/* Beginning at a page, and not zeroed: for bytes that the kernel copies, see ADR 0004. Freed with sys_free(). */
void *sys_allocate_buffer(size_t size);

/* @old grown or shrunk to @size, or NULL with @old as it was. What is new isn't zeroed. */
void *sys_reallocate(void *old, size_t size);

/* A copy of a string, or NULL. */
char *sys_copy_string(const char *string);

/* NULL is allowed; returns NULL. */
void *sys_free(void *memory);

#endif
