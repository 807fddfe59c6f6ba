/* SPDX-License-Identifier: Apache-2.0 */
#include "bare_talk.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bare.h"

/* Real-time signals of their own: what one way leaves behind is not the next one's. */
#define BARE_NUMBER  (SIGRTMIN + 4)
#define NAKED_NUMBER (SIGRTMIN + 5)

int bare_talk_open(int number, void **ret_a, void **ret_b)
{
	struct bare_talk *talk = calloc(1, sizeof(*talk));
	sigset_t set;

	if (!talk)
		return -ENOMEM;
	talk->shared = mmap(NULL, sizeof(*talk->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (talk->shared == MAP_FAILED) {
		free(talk);
		return -ENOMEM;
	}
	for (int side = 0; side < 2; side++)
		talk->ends[side] = (struct bare_talk_end){.talk = talk, .side = side, .fd = -1};
	talk->number = number;
	talk->open = 2;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_BLOCK, &set, &talk->before);
	*ret_a = &talk->ends[0];
	*ret_b = &talk->ends[1];
	return 0;
}

void bare_talk_here(struct bare_talk_end *end)
{
	atomic_store_explicit(&end->talk->shared->pids[end->side], getpid(), memory_order_relaxed);
}

pid_t bare_talk_peer(struct bare_talk_end *end, nonet_time deadline)
{
	while (end->peer == 0) {
		end->peer = atomic_load_explicit(&end->talk->shared->pids[!end->side], memory_order_relaxed);
		if (end->peer == 0 && nonet_clock() >= deadline)
			return -ETIMEDOUT;
		if (end->peer == 0)
			sched_yield();
	}
	return end->peer;
}

void bare_talk_close(struct bare_talk_end *end)
{
	struct bare_talk *talk = end->talk;

	if (--talk->open > 0)
		return;
	munmap(talk->shared, sizeof(*talk->shared));
	sigprocmask(SIG_SETMASK, &talk->before, NULL);
	free(talk);
}

static int bare_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_talk_open(BARE_NUMBER, ret_a, ret_b);
}

static int bare_put(void *argument, const void *message, size_t size, nonet_time deadline)
{
	siginfo_t info = {.si_signo = BARE_NUMBER, .si_code = SI_QUEUE};
	struct bare_talk_end *end = argument;
	const pid_t peer = bare_talk_peer(end, deadline);

	(void)message;
	(void)size;
	if (peer < 0)
		return peer;
	info.si_pid = atomic_load_explicit(&end->talk->shared->pids[end->side], memory_order_relaxed);
	info.si_uid = getuid();
	info.si_value.sival_int = 7;
	return syscall(SYS_rt_sigqueueinfo, peer, BARE_NUMBER, &info) < 0 ? -errno : 0;
}

static int bare_begin(struct bare_talk_end *end)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, BARE_NUMBER);
	end->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	bare_talk_here(end);
	return end->fd < 0 ? -errno : 0;
}

static int bare_take(void *argument, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_talk_end *end = argument;
	struct signalfd_siginfo info;
	int error = end->fd < 0 ? bare_begin(end) : 0;

	(void)buffer;
	(void)size;
	while (error == 0) {
		if (read(end->fd, &info, sizeof(info)) == sizeof(info))
			return info.ssi_int == 7 ? 0 : -EPROTO;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		error = bare_wait(end->fd, POLLIN, deadline);
	}
	return error;
}

static void bare_close(void *argument)
{
	struct bare_talk_end *end = argument;

	if (!end)
		return;
	if (end->fd >= 0)
		close(end->fd);
	bare_talk_close(end);
}

static int naked_open(size_t size, void **ret_a, void **ret_b)
{
	(void)size;
	return bare_talk_open(NAKED_NUMBER, ret_a, ret_b);
}

static int naked_put(void *argument, const void *message, size_t size, nonet_time deadline)
{
	const pid_t peer = bare_talk_peer(argument, deadline);

	(void)message;
	(void)size;
	if (peer < 0)
		return peer;
	return sigqueue(peer, NAKED_NUMBER, (union sigval){.sival_int = 7}) < 0 ? -errno : 0;
}

static int naked_take(void *argument, void *buffer, size_t size, nonet_time deadline)
{
	struct bare_talk_end *end = argument;
	sigset_t set;

	(void)buffer;
	(void)size;
	(void)deadline;
	if (end->fd < 0) {
		end->fd = 0;
		bare_talk_here(end);
	}
	sigemptyset(&set);
	sigaddset(&set, NAKED_NUMBER);
	return sigwaitinfo(&set, NULL) < 0 ? -errno : 0;
}

static void naked_close(void *end)
{
	if (end)
		bare_talk_close(end);
}

const struct bench_way bare_signal_talk = {bare_open, bare_put, bare_take, bare_close};
const struct bench_way naked_signal_talk = {naked_open, naked_put, naked_take, naked_close};
