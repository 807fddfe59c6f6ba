/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fork.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* There is no such page: before the library is loaded, and if it can't be made. */
static _Atomic unsigned fork_none;

/*
 * A page that the kernel empties in every child (MADV_WIPEONFORK in madvise(2)), made when the library is loaded. The
 * word at its beginning is the process's generation; 0: the process is new, and nobody has asked yet.
 */
_Atomic unsigned *sys_fork_page = &fork_none;

/* The largest generation that was ever given out here or in an ancestor. */
static _Atomic unsigned fork_last = 1;

/* Before the constructors of whoever has us linked in statically: they may make objects already. */
__attribute__((constructor(101))) static void fork_watch(void)
{
	void *page = mmap(NULL, sizeof(*sys_fork_page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	if (madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) < 0) {
		munmap(page, sizeof(*sys_fork_page));
		return;
	}
	atomic_store_explicit((_Atomic unsigned *)page, 1, memory_order_relaxed);
	sys_fork_page = page;
}

unsigned sys_generation_first(void)
{
	unsigned now = 0;
	unsigned next;

	/* An emulator, or no memory when the library was loaded. */
	if (sys_fork_page == &fork_none)
		return (unsigned)getpid();
	/*
	 * Several threads may be here. Whoever stores the page's word first has named the process; and the number was
	 * stored in fork_last before, so that a child forked in between doesn't get it too.
	 */
	next = atomic_fetch_add_explicit(&fork_last, 1, memory_order_relaxed) + 1;
	return atomic_compare_exchange_strong_explicit(sys_fork_page, &now, next, memory_order_relaxed,
						       memory_order_relaxed)
		       ? next
		       : now;
}
