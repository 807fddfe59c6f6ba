/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/process.h>
#include <nonet/wait.h>

#include "interrupt.h"
#include "say.h"

/* The command itself measures nothing: it starts a row's processes, waits for the first of them, and cleans up. */

#define PLACES 4

/* A row takes twice its length at most, and whatever a machine that is busy otherwise adds. */
#define PATIENCE NONET_S(20)

struct play {
	const struct bench_row *row;
	const struct bench_options *options;
	struct bench_shared *shared;
	struct bench_link links[1 + BENCH_LIMITS];
	size_t count;
	unsigned int followers;
	pid_t pids[PLACES];
};

static void add_link(struct play *play, const struct bench_case *what)
{
	const unsigned int others = what->publishers > 1 ? what->publishers : what->subscribers;

	if (!what->way)
		return;
	play->links[play->count++] = (struct bench_link){.what = what, .shared = play->shared, .block = 1};
	if (others > play->followers)
		play->followers = others;
}

static int prepare(struct play *play)
{
	size_t i;
	int r = 0;

	play->followers = 1;
	add_link(play, &play->row->subject);
	for (i = 0; i < BENCH_LIMITS; i++)
		add_link(play, &play->row->limits[i]);
	for (i = 0; i < play->count && r == 0; i++) {
		play->links[i].followers = play->followers;
		play->links[i].crowded = play->followers > play->options->cpus_count - 1;
		if (play->links[i].what->way->prepare)
			r = play->links[i].what->way->prepare(&play->links[i]);
	}
	return r;
}

static void discard(struct play *play)
{
	size_t i;

	for (i = 0; i < play->count; i++)
		if (play->links[i].what->way->discard)
			play->links[i].what->way->discard(&play->links[i]);
}

static int pin(const struct bench_options *options, unsigned int place)
{
	const size_t others = options->cpus_count - 1;
	const int cpu = options->cpus[place == 0 ? 0 : 1 + (place - 1) % others];
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/* In memory already, and from the beginning of a page. */
static char *new_buffer(size_t size)
{
	const size_t room = (size + 4096) & ~(size_t)4095;
	char *buffer = aligned_alloc(4096, room);

	if (buffer)
		memset(buffer, 'n', room);
	return buffer;
}

/* Waits until so many processes are ready. [BENCH-JOIN] Who sees that sees what they have made. */
static int await_joined(struct bench_shared *shared, unsigned int count)
{
	uint32_t joined;

	/* [BENCH-JOIN] pair: play_part() */
	while ((joined = atomic_load_explicit(&shared->joined, memory_order_acquire)) != count) {
		if (atomic_load_explicit(&shared->failed, memory_order_relaxed) < 0)
			return atomic_load_explicit(&shared->failed, memory_order_relaxed);
		bench_await_change(&shared->joined, joined);
	}
	return 0;
}

static int join(struct play *play, unsigned int place)
{
	struct bench_link *link;
	size_t i;
	int r = 0;

	for (i = 0; i < play->count && r == 0; i++) {
		link = &play->links[i];
		link->place = place;
		link->message = new_buffer(link->what->size);
		link->buffer = new_buffer(link->what->size);
		if (!link->message || !link->buffer)
			r = -ENOMEM;
		else if (link->what->way->join)
			r = link->what->way->join(link);
	}
	return r;
}

/* They join one after the other; once all have, the first one leads. */
static int play_part(struct play *play, unsigned int place)
{
	struct bench_shared *shared = play->shared;
	int r = pin(play->options, place);

	if (r == 0)
		r = await_joined(shared, place);
	if (r == 0)
		r = join(play, place);
	if (r < 0)
		return r;
	atomic_store_explicit(&shared->joined, place + 1, memory_order_release); /* [BENCH-JOIN] */
	bench_tell_change(&shared->joined);
	if (place > 0)
		return bench_follow(play->links);
	r = await_joined(shared, play->followers + 1);
	return r < 0 ? r : bench_lead(play->row, play->options, play->links, play->count);
}

/*
 * Under a real-time policy whoever looks all the time leaves nothing of a CPU to his equals: the command, which is to
 * clean up when it is told to end, stays above its processes.
 */
static void step_back(void)
{
	const int policy = sched_getscheduler(0);
	struct sched_param parameters;

	if ((policy != SCHED_FIFO && policy != SCHED_RR) || sched_getparam(0, &parameters) < 0)
		return;
	if (parameters.sched_priority-- > sched_get_priority_min(policy))
		(void)sched_setparam(0, &parameters);
}

static _Noreturn void serve(struct play *play, unsigned int place)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};
	int32_t none = 0;
	size_t i;
	int r;

	step_back();
	/* Of a terminal's signals the command knows, and ends us. */
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	r = play_part(play, place);
	if (r < 0)
		atomic_compare_exchange_strong_explicit(&play->shared->failed, &none, r, memory_order_relaxed,
							memory_order_relaxed);
	_exit(r < 0);
}

static int start(struct play *play)
{
	const pid_t parent = getpid();
	unsigned int place;
	pid_t pid;

	for (place = 0; place <= play->followers; place++) {
		pid = fork();
		if (pid < 0)
			return -errno;
		if (pid == 0) {
			/* The command may have died before the first call: then nobody would send the signal. */
			if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
				serve(play, place);
			_exit(1);
		}
		play->pids[place] = pid;
	}
	return 0;
}

static void stop(struct play *play)
{
	unsigned int place;

	for (place = 0; place < PLACES; place++)
		if (play->pids[place] > 0)
			kill(play->pids[place], SIGKILL);
	for (place = 0; place < PLACES; place++)
		while (play->pids[place] > 0)
			if (waitpid(play->pids[place], NULL, 0) == play->pids[place] || errno != EINTR)
				play->pids[place] = 0;
}

/* Until the first process has ended. Return: 0, or a negative errno; -EINTR: a signal came. */
static int await(struct play *play)
{
	const nonet_time deadline = nonet_after(10 * play->options->length + PATIENCE);
	struct nonet_process *first = NULL;
	struct nonet_wait_set *set = NULL;
	struct nonet_wait_event event;
	size_t count;
	int r;

	r = nonet_wait_set_new(&set, NULL);
	if (r == 0)
		r = nonet_process_open(play->pids[0], &first, NULL);
	if (r == 0)
		r = nonet_wait_set_add(set, nonet_process_waitable(first), NONET_WAIT_RECEIVE, NULL);
	if (r == 0)
		r = nonet_wait_set_add(set, interrupt_waitable(), NONET_WAIT_RECEIVE, NULL);
	if (r == 0)
		r = nonet_wait(set, &event, 1, deadline, &count);
	nonet_process_close(first);
	nonet_wait_set_free(set);
	return interrupt_signal() ? -EINTR : r;
}

static int play(struct play *play)
{
	int r = prepare(play);

	if (r == 0)
		r = start(play);
	if (r == 0)
		r = await(play);
	stop(play);
	discard(play);
	if (r == 0)
		r = atomic_load_explicit(&play->shared->failed, memory_order_relaxed);
	/* Killed by others, it has measured nothing and failed at nothing. */
	return r == 0 && play->shared->result.runs == 0 ? -ECHILD : r;
}

int bench_run(const struct bench_row *row, const struct bench_options *options, struct bench_result *ret_result)
{
	struct play one = {.row = row, .options = options};
	int r;

	one.shared = mmap(NULL, sizeof(*one.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
			  -1, 0);
	if (one.shared == MAP_FAILED)
		return say_failure("no memory is left");
	r = play(&one);
	*ret_result = one.shared->result;
	ret_result->code = r;
	munmap(one.shared, sizeof(*one.shared));
	return r == -EINTR && interrupt_signal() ? -interrupt_signal() : 0;
}
