/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HERD_MOST  128
#define HERD_SLICE NONET_MS(40)
#define HERD_WORK  300
#define HERD_YIELD 64

/* Each has its line, so that they disturb each other by the lock alone. */
struct herd_count {
	_Alignas(64) _Atomic uint64_t had;
};

struct herd_shared {
	sem_t go;   /* given once to each for a slice */
	sem_t done; /* and given back by each */
	_Alignas(64) atomic_bool stop;
	_Alignas(64) uint64_t guarded;
	struct herd_count counts[HERD_MOST];
};

struct herd {
	const struct lock_kind *kind;
	void *lock;
	struct herd_shared *shared;
	size_t processes; /* that were started */
	pid_t pids[HERD_MOST];
};

/* To memory and back each time, as a compiler would for what it can't keep. */
static void herd_work(uint64_t *guarded)
{
	for (int i = 0; i < HERD_WORK; i++) {
		++*guarded;
		__asm__ __volatile__("" : "+m"(*guarded));
	}
}

static int herd_compete(struct herd *herd, size_t number)
{
	struct herd_shared *shared = herd->shared;
	_Atomic uint64_t *had = &shared->counts[number].had;
	uint64_t count = atomic_load_explicit(had, memory_order_relaxed);
	int error = 0;

	while (!error && !atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		error = herd->kind->lock(herd->lock);
		if (error)
			break;
		herd_work(&shared->guarded);
		if (count % HERD_YIELD == 0)
			sched_yield();
		atomic_store_explicit(had, ++count, memory_order_relaxed);
		error = herd->kind->unlock(herd->lock);
	}
	return error;
}

static _Noreturn void herd_member(struct herd *herd, size_t number)
{
	int error = herd->kind->enter(herd->lock);

	for (;;) {
		while (sem_wait(&herd->shared->go) < 0)
			;
		if (!error)
			error = herd_compete(herd, number);
		sem_post(&herd->shared->done);
	}
}

static int herd_start(struct herd *herd, size_t processes)
{
	const pid_t parent = getpid();

	while (herd->processes < processes) {
		const pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				_exit(1);
			herd_member(herd, herd->processes);
		}
		herd->pids[herd->processes++] = pid;
	}
	return 0;
}

void herd_close(void *end)
{
	struct herd *herd = end;

	if (!herd)
		return;
	for (size_t i = 0; i < herd->processes; i++)
		kill(herd->pids[i], SIGKILL);
	for (size_t i = 0; i < herd->processes; i++)
		waitpid(herd->pids[i], NULL, 0);
	herd->kind->remove(herd->lock);
	if (herd->shared)
		munmap(herd->shared, sizeof(*herd->shared));
	free(herd);
}

int herd_open(const struct lock_kind *kind, size_t processes, void **ret_herd)
{
	struct herd *herd = calloc(1, sizeof(*herd));
	int error;

	if (!herd || processes > HERD_MOST) {
		free(herd);
		return herd ? -EINVAL : -ENOMEM;
	}
	*ret_herd = herd;
	herd->kind = kind;
	herd->shared = mmap(NULL, sizeof(*herd->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (herd->shared == MAP_FAILED) {
		herd->shared = NULL;
		return -errno;
	}
	sem_init(&herd->shared->go, 1, 0);
	sem_init(&herd->shared->done, 1, 0);
	error = kind->make(&herd->lock);
	return error < 0 ? error : herd_start(herd, processes);
}

static uint64_t herd_sum(const struct herd *herd, uint64_t *ret_least)
{
	uint64_t sum = 0;

	*ret_least = UINT64_MAX;
	for (size_t i = 0; i < herd->processes; i++) {
		const uint64_t had = atomic_load_explicit(&herd->shared->counts[i].had, memory_order_relaxed);

		sum += had;
		*ret_least = had < *ret_least ? had : *ret_least;
	}
	return sum;
}

int herd_slice(void *end, struct bench_slice *ret_slice)
{
	struct herd *herd = end;
	const struct timespec slice = {.tv_nsec = HERD_SLICE};
	uint64_t least;
	uint64_t before;
	uint64_t after;
	nonet_time start;
	nonet_time stop;

	atomic_store_explicit(&herd->shared->stop, false, memory_order_relaxed);
	for (size_t i = 0; i < herd->processes; i++)
		sem_post(&herd->shared->go);
	before = herd_sum(herd, &least);
	start = nonet_clock();
	clock_nanosleep(CLOCK_MONOTONIC, 0, &slice, NULL);
	after = herd_sum(herd, &least);
	stop = nonet_clock();
	atomic_store_explicit(&herd->shared->stop, true, memory_order_relaxed);
	for (size_t i = 0; i < herd->processes; i++) {
		while (sem_wait(&herd->shared->done) < 0)
			;
	}
	if (after == before)
		return -ETIMEDOUT;
	ret_slice->each = (double)(stop - start) / (double)(after - before);
	ret_slice->least = (double)least * (double)herd->processes / (double)after;
	return 0;
}
