/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_MAPPING_H
#define SYS_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Mapped memory. Each returns 0 or -errno. None is interrupted, but sys_map_sync(), which is begun anew then. */

enum {
	SYS_MAP_WRITE = 1,   /* else it can only be read */
	SYS_MAP_PRIVATE = 2, /* what is written stays ours */
	SYS_MAP_SPARSE = 4,  /* of mostly holes, which mlockall(2) with MCL_FUTURE doesn't fill; not of large pages */
	SYS_MAP_NOW = 8,     /* sys_map_at(): touched for writing as sys_map_populate() does, if it can be */
};

int sys_map(int fd, off_t offset, size_t size, unsigned how, void **ret_base);
int sys_unmap(void *base, size_t size);

/* Addresses that nothing else gets, without memory behind them. */
int sys_map_reserve(size_t size, void **ret_base);
/* Map a file there, or, with @fd -1, zeros of our own that the kernel may not take back for lack of memory. */
int sys_map_at(void *base, int fd, off_t offset, size_t size, unsigned how);

/* Grow or shrink, at another place if @may_move, with all that was there. */
int sys_remap(void *base, size_t old_size, size_t size, bool may_move, void **ret_base);

/* What was stored is on the device. */
int sys_map_sync(void *base, size_t size);

/* How many bytes of memory, and of swap, the machine could give now (MemAvailable, SwapFree): 0, -ENOENT without /proc.
 */
int sys_memory_available(uint64_t *ret_memory, uint64_t *ret_swap);

enum sys_map_advice {
	SYS_MAP_NORMAL,
	SYS_MAP_SEQUENTIAL,
	SYS_MAP_RANDOM,
	SYS_MAP_SOON,
	SYS_MAP_DONE, /* loses what is private */
	SYS_MAP_HUGE, /* -EINVAL if the kernel was built without large pages */
	SYS_MAP_POPULATE,
	SYS_MAP_NOT_FORKED, /* a child doesn't have it */
	SYS_MAP_NOT_DUMPED, /* it is in no core dump */
};
int sys_map_advise(void *base, size_t size, enum sys_map_advice advice);

/* Touch each page for writing, so that no later access can lack memory: -ENOMEM, -EFAULT. Linux 5.14. */
int sys_map_populate(void *base, size_t size);

#endif
