/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* put queues a real-time signal with a value for this process; take reads it, with who sent it. */
struct bare_signal {
	int fd;
	pid_t pid;
	sigset_t before;
};

static int bare_signal_open(size_t size, void **ret_a, void **ret_b)
{
	struct bare_signal *own = malloc(sizeof(*own));
	sigset_t set;

	(void)size;
	if (!own)
		return -ENOMEM;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, &own->before);
	own->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	own->pid = getpid();
	*ret_a = *ret_b = own;
	return own->fd < 0 ? -errno : 0;
}

/* The process's number stays, its user may change. */
static int bare_signal_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	const struct bare_signal *own = end;
	siginfo_t info = {.si_signo = SIGRTMIN + 3, .si_code = SI_QUEUE};

	(void)message;
	(void)size;
	(void)deadline;
	info.si_pid = own->pid;
	info.si_uid = getuid();
	info.si_value.sival_int = 7;
	return syscall(SYS_rt_sigqueueinfo, own->pid, SIGRTMIN + 3, &info) < 0 ? -errno : 0;
}

static int bare_signal_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	const struct bare_signal *own = end;
	struct signalfd_siginfo info;
	int error;

	(void)buffer;
	(void)size;
	for (;;) {
		if (read(own->fd, &info, sizeof(info)) == sizeof(info))
			return info.ssi_int == 7 ? 0 : -EPROTO;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		error = bare_wait(own->fd, POLLIN, deadline);
		if (error < 0)
			return error;
	}
}

static void bare_signal_close(void *end)
{
	struct bare_signal *own = end;

	if (!own)
		return;
	close(own->fd);
	sigprocmask(SIG_SETMASK, &own->before, NULL);
	free(own);
}

/* As the plain calls do it: for ever, and with a number that may be another's. */
static int naked_signal_put(void *end, const void *message, size_t size, nonet_time deadline)
{
	(void)end;
	(void)message;
	(void)size;
	(void)deadline;
	return sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 7}) < 0 ? -errno : 0;
}

static int naked_signal_take(void *end, void *buffer, size_t size, nonet_time deadline)
{
	siginfo_t info;
	sigset_t set;

	(void)end;
	(void)buffer;
	(void)size;
	(void)deadline;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	return sigwaitinfo(&set, &info) < 0 ? -errno : 0;
}

const struct bench_way bare_signal = {bare_signal_open, bare_signal_put, bare_signal_take, bare_signal_close};
const struct bench_way naked_signal = {bare_signal_open, naked_signal_put, naked_signal_take, bare_signal_close};
