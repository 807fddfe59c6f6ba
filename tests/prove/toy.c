/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/toy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* How long a sleeper goes without a look at the owner's life. */
#define INTERVAL NONET_MS(4)
#define WAITERS  0x80000000u

struct page {
	_Atomic uint32_t owner; /* slot | WAITERS; 0: free */
	_Atomic uint32_t undo;  /* 1: the counter is being changed, and was as in .undo_* */
	_Atomic uint64_t low;
	_Atomic uint64_t high; /* ~low */
	_Atomic uint64_t undo_low;
	_Atomic uint64_t undo_high;
};

struct toy {
	struct page *page;
	int fd;
	uint32_t slot;
	pid_t pid;
};

struct toy *toy_open(const char *path, int slot)
{
	struct flock life = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4096 + slot, .l_len = 1};
	struct toy *toy = malloc(sizeof(*toy));

	if (!toy)
		return NULL;
	toy->slot = (uint32_t)slot;
	toy->pid = getpid();
	toy->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (toy->fd < 0 || ftruncate(toy->fd, 4096) < 0 || fcntl(toy->fd, F_SETLKW, &life) < 0)
		abort();
	toy->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, toy->fd, 0);
	if (toy->page == MAP_FAILED)
		abort();
	if (atomic_load(&toy->page->low) == 0 && atomic_load(&toy->page->high) == 0)
		atomic_store(&toy->page->high, ~(uint64_t)0);
	return toy;
}

void toy_close(struct toy *toy)
{
	munmap(toy->page, 4096);
	close(toy->fd);
	free(toy);
}

static nonet_time now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return NONET_S(time.tv_sec) + time.tv_nsec;
}

static int dead(const struct toy *toy, uint32_t slot)
{
	struct flock life = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4096 + slot, .l_len = 1};

	return slot != toy->slot && fcntl(toy->fd, F_GETLK, &life) == 0 && life.l_type == F_UNLCK;
}

static void wake(struct toy *toy)
{
	syscall(SYS_futex, &toy->page->owner, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void recover(struct page *page)
{
	if (!atomic_load(&page->undo))
		return;
	atomic_store(&page->low, atomic_load(&page->undo_low));
	atomic_store(&page->high, atomic_load(&page->undo_high));
	atomic_store(&page->undo, 0);
}

int toy_lock(struct toy *toy, nonet_time deadline)
{
	struct timespec interval = {.tv_nsec = INTERVAL};
	uint32_t mine = toy->slot;
	uint32_t seen;

	if (toy->pid != getpid())
		return -ECHILD;
	for (;;) {
		seen = atomic_load(&toy->page->owner);
		if ((seen & ~WAITERS) == 0 || dead(toy, seen & ~WAITERS)) {
			if (!atomic_compare_exchange_strong(&toy->page->owner, &seen, mine | (seen & WAITERS)))
				continue;
			recover(toy->page);
			return 0;
		}
		if (now() >= deadline)
			return -ETIMEDOUT;
		if (!(seen & WAITERS) && !atomic_compare_exchange_strong(&toy->page->owner, &seen, seen | WAITERS))
			continue;
		syscall(SYS_futex, &toy->page->owner, FUTEX_WAIT, seen | WAITERS, &interval, NULL, 0);
		mine = toy->slot | WAITERS; /* others may sleep on */
	}
}

int toy_unlock(struct toy *toy)
{
	uint32_t seen = atomic_load(&toy->page->owner);

	if (toy->pid != getpid())
		return -ECHILD;
	if ((seen & ~WAITERS) != toy->slot)
		return -EPERM;
	seen = atomic_exchange(&toy->page->owner, 0);
	if (seen & WAITERS)
		wake(toy);
	return 0;
}

static void change(struct page *page, uint64_t amount)
{
	uint64_t low = atomic_load(&page->low);
	uint64_t high = atomic_load(&page->high);

	atomic_store(&page->undo_low, low);
	atomic_store(&page->undo_high, high);
	atomic_store(&page->undo, 1);
	atomic_store(&page->low, low + amount);
	atomic_store(&page->high, high - amount);
	atomic_store(&page->undo, 0);
}

int toy_add(struct toy *toy, uint64_t amount, nonet_time deadline)
{
	int result = toy_lock(toy, deadline);

	if (result < 0)
		return result;
	change(toy->page, amount);
	return toy_unlock(toy);
}

int toy_read(struct toy *toy, nonet_time deadline, uint64_t *ret_value)
{
	uint64_t low, high;
	int result = toy_lock(toy, deadline);

	if (result < 0)
		return result;
	low = atomic_load(&toy->page->low);
	high = atomic_load(&toy->page->high);
	result = toy_unlock(toy);
	if (result < 0)
		return result;
	if (high != ~low)
		return -EBADMSG;
	*ret_value = low;
	return 0;
}
