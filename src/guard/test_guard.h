/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_TEST_GUARD_H
#define GUARD_TEST_GUARD_H

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/test.h"

/* What the tests of guarded memory share. */

#define PAGE 4096

/* Compilers know nothing of signals: an access that nobody uses the value of is still to be made. */
static inline uint8_t touch(const void *address)
{
	uint8_t value;

	__asm__ volatile("" : : "r"(address) : "memory");
	value = *(const uint8_t *)address;
	__asm__ volatile("" : : "r"(value) : "memory");
	return value;
}

static inline void store(void *address, uint8_t value)
{
	*(uint8_t *)address = value;
	__asm__ volatile("" : : "r"(address) : "memory");
}

/* Memory of so many pages, each beginning with its number, cut off after @left pages by somebody else's descriptor. */
static inline struct nonet_memory *new_memory(size_t pages)
{
	struct nonet_memory_options options = {.size = sizeof(options), .length = pages * PAGE};
	struct nonet_memory *memory;

	test_check_equal(nonet_memory_new(&options, &memory, NULL), 0);
	for (size_t i = 0; i < pages; i++)
		store((uint8_t *)nonet_memory_base(memory) + i * PAGE, (uint8_t)(i + 1));
	return memory;
}

static inline void truncate_memory(struct nonet_memory *memory, size_t pages)
{
	test_must(ftruncate(nonet_memory_descriptor(memory), (off_t)(pages * PAGE)));
}

/* Memory that nonet knows nothing of, with nothing behind it. */
static inline uint8_t *new_stranger(void)
{
	int fd = (int)test_must(memfd_create("stranger", MFD_CLOEXEC));
	void *base = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	test_check(base != MAP_FAILED);
	close(fd);
	return base;
}

#endif
