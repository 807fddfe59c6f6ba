/* SPDX-License-Identifier: Apache-2.0 */
/* A process that uses the objects of a domain in which somebody is hostile, and looks at what comes of it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/deadline.h"
#include "hostile/hostile.h"

#define ROUNDS  300
#define HANDLES 3
#define CANARY  0x5c
#define AROUND  256

struct handle {
	void *before; /* canaries, next to the handle as far as malloc goes */
	void *object;
	void *behind;
};

struct victim {
	const struct hostile_plan *plan;
	struct test_random random;
	struct handle handles[HANDLES];
	void *clean[2]; /* in the other domain; in this one, if it is not written over. Or NULL */
	int schedstat, stat;
	char address[512];
};

static void fail(const struct victim *victim, const char *what, long long number)
{
	atomic_fetch_add(&victim->plan->board->failures, 1);
	fprintf(stderr, "# a victim of %s: %s (%lld)\n", victim->plan->kind->name, what, number);
}

/*
 * What the machine gave this thread: how long it ran, and how long it wanted to and wasn't let. By other threads:
 * /proc/thread-self/schedstat, in ns. By a hypervisor, which that counts as running: "steal" in /proc/stat, in ticks,
 * of all CPUs, as it isn't told of threads.
 */
struct given {
	nonet_time ran, waited, stolen;
};

static void read_text(int fd, char *text, size_t size)
{
	const ssize_t result = pread(fd, text, size - 1, 0);

	text[result > 0 ? result : 0] = '\0';
}

static struct given given(const struct victim *victim)
{
	unsigned long long ran, waited, stolen;
	struct given given = {0};
	char text[256];

	read_text(victim->schedstat, text, sizeof(text));
	if (sscanf(text, "%llu %llu", &ran, &waited) == 2) {
		given.ran = (nonet_time)ran;
		given.waited = (nonet_time)waited;
	}
	read_text(victim->stat, text, sizeof(text));
	if (sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &stolen) == 1)
		given.stolen = (nonet_time)stolen * (NONET_S(1) / sysconf(_SC_CLK_TCK));
	return given;
}

static void check_result(const struct victim *victim, int result)
{
	const int *allowed = victim->plan->kind->errors;

	if (result < 0 && result > -4096)
		victim->plan->board->results[-result]++;
	if (result >= 0)
		return;
	while (*allowed != 0 && *allowed != result)
		allowed++;
	if (*allowed == 0)
		fail(victim, "a result that no manual has", result);
}

struct call {
	nonet_time deadline, began;
	struct given given; /* until then */
};

static struct call call_begin(struct victim *victim)
{
	/* The last is longer than an interval: then there is a look around. */
	static const nonet_time waits[] = {0, 0, NONET_US(50), NONET_MS(1), NONET_MS(5)};
	const nonet_time wait =
		test_random_next(&victim->random) % 40 ? waits[test_random_next(&victim->random) % 5] : NONET_MS(120);
	struct call call = {.given = given(victim)};

	call.began = test_clock();
	call.deadline = wait ? call.began + wait : NONET_NOW;
	return call;
}

static void call_end(const struct victim *victim, const struct call *call)
{
	struct hostile_board *board = victim->plan->board;
	nonet_time late = test_clock() - (call->deadline == NONET_NOW ? call->began : call->deadline);
	int64_t before = atomic_load(&board->latest);
	struct given since = {0};

	atomic_fetch_add(&board->calls, 1);
	if (late > before) {
		since = given(victim);
		since.ran -= call->given.ran;
		since.waited -= call->given.waited;
		since.stolen -= call->given.stolen;
		late -= since.waited + since.stolen;
	}
	while (late > before && !atomic_compare_exchange_weak(&board->latest, &before, late))
		;
	if (late > HOSTILE_LATE * test_slowness()) {
		fail(victim, "late, in us after the deadline", (long long)late / 1000);
		fprintf(stderr, "#  having run for %lld us, not been let for %lld, nor by the host for %lld\n",
			(long long)since.ran / 1000, (long long)since.waited / 1000, (long long)since.stolen / 1000);
	}
}

static void *canary_new(void)
{
	void *canary = malloc(AROUND);

	if (canary)
		memset(canary, CANARY, AROUND);
	return canary;
}

static void canary_free(const struct victim *victim, void *canary)
{
	const unsigned char *bytes = canary;

	for (size_t i = 0; canary && i < AROUND; i++)
		if (bytes[i] != CANARY) {
			fail(victim, "something was written beside a handle, at byte", (long long)i);
			break;
		}
	free(canary);
}

static void handle_close(const struct victim *victim, struct handle *handle)
{
	victim->plan->kind->close(handle->object);
	canary_free(victim, handle->before);
	canary_free(victim, handle->behind);
	*handle = (struct handle){0};
}

static void handle_open(struct victim *victim, struct handle *handle, int (*open_it)(const char *, void **))
{
	struct call call;
	int result;

	if (handle->object)
		handle_close(victim, handle);
	handle->before = canary_new();
	call = call_begin(victim);
	call.deadline = NONET_NOW;
	result = open_it(victim->address, &handle->object);
	call_end(victim, &call);
	check_result(victim, result);
	if (result < 0 && handle->object)
		fail(victim, "an output of a call that failed", result);
	handle->behind = canary_new();
}

static void handle_use(struct victim *victim, void *object)
{
	struct call call = call_begin(victim);
	const int result = victim->plan->kind->use(object, &victim->random, call.deadline);

	call_end(victim, &call);
	check_result(victim, result);
}

struct thread {
	struct victim victim; /* its own: random numbers, schedstat */
	void *object;
};

/* A new thread takes a slot, and maybe ends with what it has. */
static void *thread_run(void *argument)
{
	struct thread *thread = argument;

	thread->victim.schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	handle_use(&thread->victim, thread->object);
	close(thread->victim.schedstat);
	return NULL;
}

static void thread_use(struct victim *victim, void *object)
{
	struct thread thread = {.victim = *victim, .object = object};
	pthread_t id;

	thread.victim.random.state = test_random_next(&victim->random);
	if (pthread_create(&id, NULL, thread_run, &thread) == 0)
		pthread_join(id, NULL);
}

/* What nobody writes over works as ever. */
static void count_up(const struct victim *victim, int which)
{
	struct hostile_board *board = victim->plan->board;
	const int result = victim->plan->kind->count(victim->clean[which], &board->number[which]);

	if (result < 0)
		fail(victim, "an object that nobody writes over", result);
	else
		atomic_fetch_add(&board->counted[which], 1);
}

static void one_round(struct victim *victim)
{
	struct handle *handle = &victim->handles[test_random_next(&victim->random) % HANDLES];

	switch (test_random_next(&victim->random) % 16) {
	case 0:
		handle_open(victim, handle, victim->plan->kind->open);
		break;
	case 1:
		handle_open(victim, handle, victim->plan->kind->make);
		break;
	case 2:
		if (handle->object)
			thread_use(victim, handle->object);
		break;
	case 3:
	case 4:
		for (int i = 0; i < 2; i++)
			if (victim->clean[i])
				count_up(victim, i);
		break;
	default:
		if (handle->object)
			handle_use(victim, handle->object);
		break;
	}
}

void hostile_victim(const struct hostile_plan *plan, const char *other, uint64_t seed)
{
	struct victim victim = {.plan = plan, .random = test_random_init(seed, 0)};
	char address[512];

	victim.schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	victim.stat = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	snprintf(victim.address, sizeof(victim.address), "%s:%s/m", plan->kind->scheme, plan->directory);
	snprintf(address, sizeof(address), "%s:%s/clean", plan->kind->scheme, other);
	if (plan->kind->open(address, &victim.clean[0]) < 0)
		fail(&victim, "no object in another domain", 0);
	snprintf(address, sizeof(address), "%s:%s/clean", plan->kind->scheme, plan->directory);
	if (plan->way == HOSTILE_OBJECT && plan->kind->open(address, &victim.clean[1]) < 0)
		fail(&victim, "no other object in the domain", 0);
	for (int i = 0; i < ROUNDS && !atomic_load(&plan->board->stop); i++)
		one_round(&victim);
	for (int i = 0; i < HANDLES; i++)
		handle_close(&victim, &victim.handles[i]);
	for (int i = 0; i < 2; i++)
		plan->kind->close(victim.clean[i]);
	close(victim.schedstat);
	close(victim.stat);
}
