/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/fault.h"

/* Up to here glibc's malloc(3) has blocks at hand, which its calloc(3) passes by (seen in 2.36). */
#define MEMORY_SMALL 1024

void *sys_allocate(size_t size)
{
	void *memory;

	if (sys_fault(SYS_CALL_ALLOCATE) < 0)
		return NULL;
	if (size > MEMORY_SMALL)
		return calloc(1, size);
	/* Of malloc(3), or realloc(3), and memset(3) GCC makes a calloc(3) again. */
	memory = reallocarray(NULL, 1, size);
	return memory ? memset(memory, 0, size) : NULL;
}

void *sys_allocate_buffer(size_t size)
{
	void *memory;

	if (sys_fault(SYS_CALL_ALLOCATE) < 0)
		return NULL;
	return posix_memalign(&memory, (size_t)sysconf(_SC_PAGESIZE), size) == 0 ? memory : NULL;
}

void *sys_reallocate(void *old, size_t size)
{
	if (sys_fault(SYS_CALL_ALLOCATE) < 0)
		return NULL;
	return realloc(old, size);
}

char *sys_copy_string(const char *string)
{
	if (sys_fault(SYS_CALL_ALLOCATE) < 0)
		return NULL;
	return strdup(string);
}

void *sys_free(void *memory)
{
	free(memory);
	return NULL;
}
