/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/cancel.h"
#include "sys/fault.h"
#include "sys/files.h"
#include "sys/process.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int sys_map(int fd, off_t offset, size_t size, unsigned how, void **ret_base)
{
	const int protection = PROT_READ | (how & SYS_MAP_WRITE ? PROT_WRITE : 0);
	const size_t first = how & SYS_MAP_SPARSE ? (size_t)sys_page_size() : size;
	int error = sys_fault(SYS_CALL_MMAP);
	void *base;

	if (error < 0)
		return error;
	base = mmap(NULL, first, protection, how & SYS_MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED, fd, offset);
	if (base == MAP_FAILED)
		return -errno;
	if (how & SYS_MAP_SPARSE) {
		/* What grows is as locked as it was: so one page is unlocked, and counted against RLIMIT_MEMLOCK. */
		(void)munlock(base, first);
		error = sys_remap(base, first, size, true, &base);
		if (error < 0) {
			(void)munmap(base, first);
			return error;
		}
	}
	*ret_base = base;
	return 0;
}

int sys_unmap(void *base, size_t size)
{
	/* What the kernel may lack is memory to split a mapping; ours go whole. */
	(void)sys_fault(SYS_CALL_MUNMAP);
	return munmap(base, size) < 0 ? -errno : 0;
}

int sys_map_reserve(size_t size, void **ret_base)
{
	int error = sys_fault(SYS_CALL_MMAP);
	void *base;

	if (error < 0)
		return error;
	base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	*ret_base = base;
	return 0;
}

int sys_map_at(void *base, int fd, off_t offset, size_t size, unsigned how)
{
	const int protection = PROT_READ | (how & SYS_MAP_WRITE ? PROT_WRITE : 0);
	const int now = how & SYS_MAP_NOW ? MAP_POPULATE : 0;
	int error = sys_fault(SYS_CALL_MMAP);

	if (error < 0)
		return error;
	/* MAP_SHARED for the zeros too: the OOM reaper discards what is private, before the kernel walks our lists. */
	if (mmap(base, size, protection, MAP_SHARED | MAP_FIXED | now | (fd < 0 ? MAP_ANONYMOUS : 0), fd, offset) ==
	    MAP_FAILED)
		return -errno;
	return 0;
}

int sys_remap(void *base, size_t old_size, size_t size, bool may_move, void **ret_base)
{
	int error = sys_fault(SYS_CALL_MREMAP);
	void *moved;

	if (error < 0)
		return error;
	moved = mremap(base, old_size, size, may_move ? MREMAP_MAYMOVE : 0);
	if (moved == MAP_FAILED)
		return -errno;
	*ret_base = moved;
	return 0;
}

int sys_map_sync(void *base, size_t size)
{
	int result = sys_fault(SYS_CALL_MSYNC);

	if (result < 0)
		return result;
	/* By syscall(2): see sys/cancel.h. */
	do
		result = (int)syscall(SYS_msync, base, size, MS_SYNC);
	while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : 0;
}

int sys_map_advise(void *base, size_t size, enum sys_map_advice advice)
{
	static const int numbers[] = {
		[SYS_MAP_NORMAL] = MADV_NORMAL,           [SYS_MAP_SEQUENTIAL] = MADV_SEQUENTIAL,
		[SYS_MAP_RANDOM] = MADV_RANDOM,           [SYS_MAP_SOON] = MADV_WILLNEED,
		[SYS_MAP_DONE] = MADV_DONTNEED,           [SYS_MAP_HUGE] = MADV_HUGEPAGE,
		[SYS_MAP_POPULATE] = MADV_POPULATE_WRITE, [SYS_MAP_NOT_FORKED] = MADV_DONTFORK,
		[SYS_MAP_NOT_DUMPED] = MADV_DONTDUMP,
	};
	int error = sys_fault(SYS_CALL_MADVISE);

	if (error < 0)
		return error;
	do
		error = madvise(base, size, numbers[advice]);
	while (error < 0 && errno == EINTR);
	return error < 0 ? -errno : 0;
}

/* "NAME:  N kB" in @text, in bytes; 0 if it isn't there. */
static uint64_t mapping_line(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

int sys_memory_available(uint64_t *ret_memory, uint64_t *ret_swap)
{
	uint64_t memory;
	char text[4096];
	ssize_t size;
	int cancel;
	int fd = sys_open("/proc/meminfo", O_RDONLY);

	if (fd < 0)
		return fd;
	size = sys_fault(SYS_CALL_READ);
	if (size == 0) {
		cancel = sys_cancel_off();
		do
			size = read(fd, text, sizeof(text) - 1);
		while (size < 0 && errno == EINTR);
		sys_cancel_restore(cancel);
		if (size < 0)
			size = -errno;
	}
	sys_close(&fd);
	if (size < 0)
		return (int)size;
	text[size] = '\0';
	memory = mapping_line(text, "MemAvailable:");
	if (memory == 0)
		return -ENOENT;
	*ret_memory = memory;
	*ret_swap = mapping_line(text, "SwapFree:");
	return 0;
}

int sys_map_populate(void *base, size_t size)
{
	return sys_map_advise(base, size, SYS_MAP_POPULATE);
}
