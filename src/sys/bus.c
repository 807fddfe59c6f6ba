/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/bus.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "sys/fault.h"
#include "sys/memory.h"

/*
 * [BUS-PREVIOUS]  Who had SIGBUS before us. A handler may be reading it in any thread at any time, so what was shown
 *                 once is never changed or freed; there are as many as there were different predecessors.
 */
struct bus_previous {
	struct bus_previous *next; /* shown before */
	struct sigaction action;
};

static struct bus_previous bus_default = {.action.sa_handler = SIG_DFL};
static _Atomic(struct bus_previous *) bus_previous = &bus_default;
/* All that there were; guarded by bus_mutex. */
static struct bus_previous *bus_known = &bus_default;
/* The handler was put in place, and not taken away; guarded by bus_mutex. */
static bool bus_installed;
/* NULL: everything is passed on. [BUS-PREVIOUS] is shown before. */
static _Atomic(sys_bus_mender *) bus_mender;

static pthread_mutex_t bus_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t bus_once = PTHREAD_ONCE_INIT;
static int bus_once_error;

static bool bus_is_handler(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO || (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* As it was before us. An instruction that faulted does it again, and the process ends there, with its core. */
static void bus_die(const siginfo_t *info)
{
	sigaction(SIGBUS, &bus_default.action, NULL);
	if (info->si_code <= 0)
		raise(SIGBUS);
}

static void bus_pass_on(int number, siginfo_t *info, void *context)
{
	/* [BUS-PREVIOUS] pair: bus_show() */
	const struct bus_previous *previous = atomic_load_explicit(&bus_previous, memory_order_acquire);
	const struct sigaction *action = &previous->action;
	sigset_t mask;

	if (!bus_is_handler(action)) {
		/* A fault can't be ignored: the kernel ends the process then. A signal that somebody sent can. */
		if (action->sa_handler == SIG_DFL || info->si_code > 0)
			bus_die(info);
		return;
	}
	if (action->sa_flags & (int)SA_RESETHAND)
		atomic_store_explicit(&bus_previous, &bus_default, memory_order_relaxed);
	mask = action->sa_mask;
	if (!(action->sa_flags & SA_NODEFER))
		sigaddset(&mask, SIGBUS);
	/* What was before is put back by the return from the handler, as always. */
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	if (action->sa_flags & SA_SIGINFO)
		action->sa_sigaction(number, info, context);
	else
		action->sa_handler(number);
}

static void bus_handler(int number, siginfo_t *info, void *context)
{
	const int saved = errno;
	/* [BUS-PREVIOUS] pair: sys_bus_install() */
	sys_bus_mender *mender = atomic_load_explicit(&bus_mender, memory_order_acquire);
	/* Not what kill(2) sent, nor what the memory's hardware or an unaligned access has to say. */
	bool mended = mender && info->si_code == BUS_ADRERR && mender(info->si_addr);

	errno = saved;
	if (!mended)
		bus_pass_on(number, info, context);
}

static bool bus_is_same(const struct sigaction *a, const struct sigaction *b)
{
	if (a->sa_flags != b->sa_flags || a->sa_handler != b->sa_handler)
		return false;
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&a->sa_mask, number) != sigismember(&b->sa_mask, number))
			return false;
	return true;
}

/* Remember a predecessor, and show it to the handler. */
static int bus_show(const struct sigaction *action)
{
	struct bus_previous *previous = bus_known;

	while (previous && !bus_is_same(&previous->action, action))
		previous = previous->next;
	if (!previous) {
		previous = sys_allocate(sizeof(*previous));
		if (!previous)
			return -ENOMEM;
		previous->action = *action;
		previous->next = bus_known;
		bus_known = previous;
	}
	/* [BUS-PREVIOUS] pair: bus_pass_on(), which may read all of it from now on. */
	atomic_store_explicit(&bus_previous, previous, memory_order_release);
	return 0;
}

/* The thread that held the lock, if one did, isn't here. What it does is complete at each step. */
static void bus_forked(void)
{
	pthread_mutex_init(&bus_mutex, NULL);
}

static void bus_watch_for_forks(void)
{
	bus_once_error = -pthread_atfork(NULL, NULL, bus_forked);
}

static bool bus_is_ours(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO && action->sa_sigaction == bus_handler;
}

static int bus_take(void)
{
	struct sigaction now;
	struct sigaction before;
	struct sigaction ours = {.sa_sigaction = bus_handler};
	int error = sys_fault(SYS_CALL_SIGACTION);

	if (error < 0)
		return error;
	if (sigaction(SIGBUS, NULL, &now) < 0)
		return -errno;
	if (bus_is_ours(&now))
		return 0;
	error = bus_show(&now);
	if (error < 0)
		return error;
	/*
	 * NODEFER: a predecessor's handler may come to guarded memory in its turn. What a predecessor says about stack
	 * and system calls is kept; without one, a program's alternate stack is used if there is one, and an ignored
	 * signal goes on interrupting nothing.
	 */
	ours.sa_flags = SA_SIGINFO | SA_NODEFER;
	ours.sa_flags |= bus_is_handler(&now) ? now.sa_flags & (SA_ONSTACK | SA_RESTART) : SA_ONSTACK | SA_RESTART;
	sigemptyset(&ours.sa_mask);
	if (sigaction(SIGBUS, &ours, &before) < 0)
		return -errno;
	/* Somebody was quicker, between the two calls. */
	return bus_is_ours(&before) ? 0 : bus_show(&before);
}

int sys_bus_install(sys_bus_mender *mender)
{
	int error;

	pthread_once(&bus_once, bus_watch_for_forks);
	if (bus_once_error < 0)
		return bus_once_error;
	pthread_mutex_lock(&bus_mutex);
	error = bus_take();
	if (error == 0) {
		bus_installed = true;
		/* [BUS-PREVIOUS] pair: bus_handler(); with it comes what the mender reads */
		atomic_store_explicit(&bus_mender, mender, memory_order_release);
	}
	pthread_mutex_unlock(&bus_mutex);
	return error;
}

int sys_bus_uninstall(void)
{
	struct sigaction now;
	int error = sys_fault(SYS_CALL_SIGACTION);

	if (error < 0)
		return error;
	pthread_once(&bus_once, bus_watch_for_forks);
	if (bus_once_error < 0)
		return bus_once_error;
	pthread_mutex_lock(&bus_mutex);
	atomic_store_explicit(&bus_mender, NULL, memory_order_relaxed);
	if (sigaction(SIGBUS, NULL, &now) < 0) {
		error = -errno;
	} else if (!bus_is_ours(&now)) {
		error = bus_installed ? -EBUSY : 0;
	} else {
		const struct bus_previous *previous = atomic_load_explicit(&bus_previous, memory_order_relaxed);

		error = sigaction(SIGBUS, &previous->action, NULL) < 0 ? -errno : 0;
		bus_installed = error < 0;
	}
	pthread_mutex_unlock(&bus_mutex);
	return error;
}

bool sys_bus_is_installed(void)
{
	return atomic_load_explicit(&bus_mender, memory_order_relaxed) != NULL;
}

int sys_bus_replace(void *page, size_t size, bool writable)
{
	const int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	/* Not promised by the kernel: a region may be larger than the machine's memory, and little of it is touched. */
	const int flags = MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
	int error = sys_fault(SYS_CALL_MMAP);

	if (error < 0)
		return error;
	if (mmap(page, size, protection, MAP_PRIVATE | flags, -1, 0) != MAP_FAILED)
		return 0;
	/* RLIMIT_DATA counts private memory alone (setrlimit(2)). A child then shares the zeros. */
	if (errno == ENOMEM && mmap(page, size, protection, MAP_SHARED | flags, -1, 0) != MAP_FAILED)
		return 0;
	return -errno;
}

bool sys_bus_is_replaced(void *page, size_t size)
{
	/* Allowed on private anonymous memory alone (madvise(2)); that a child finds zeros in it does no harm. */
	return madvise(page, size, MADV_WIPEONFORK) == 0;
}

void sys_bus_hold(sigset_t *ret_before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

void sys_bus_let(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

void sys_bus_pause(void)
{
	/* Not sched_yield(2), which leaves a real-time thread where it is. */
	(void)poll(NULL, 0, 1);
}
