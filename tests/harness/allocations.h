/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_ALLOCATIONS_H
#define HARNESS_ALLOCATIONS_H

#include <errno.h>
#include <stdlib.h>

#include "harness/sanitizer.h"

/*
 * How often the program, the library included, has asked the C library for memory: this puts functions of its own in
 * the place of malloc(3) and its kin. For one source file of a program. With a sanitizer, which has its own, nothing is
 * counted; under valgrind neither.
 */
static unsigned allocations;

#if !TEST_SANITIZED
/* What the C library's own are called by who puts others in their place. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	allocations++;
	return __libc_realloc(old, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
	allocations++;
	*ret_memory = __libc_memalign(alignment, size);
	return *ret_memory ? 0 : ENOMEM;
}
#endif

#endif
