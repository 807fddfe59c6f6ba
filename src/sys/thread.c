/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "sys/cancel.h"
#include "sys/fault.h"

/* Of a helper's; what it calls needs little. The kernel gives pages only to what is used. */
#define THREAD_STACK (256 * 1024)

/* Held between begin and end. */
static pthread_mutex_t interrupts = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t interrupts_once = PTHREAD_ONCE_INIT;

/* The program's disposition, while ours is in its place. */
static struct sigaction interrupts_before;

static _Thread_local bool thread_is_helper;

static void interrupted(int number, siginfo_t *info, void *context)
{
	const struct sigaction *before = &interrupts_before;

	/* Ours, or one of the program's that came to a helper: it could as well have come to nobody. */
	if (thread_is_helper)
		return;
	/* Whether there is one first: the two share their place, and SA_SIGINFO may be set without. */
	if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN)
		return;
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(number, info, context);
	else
		before->sa_handler(number);
}

static bool is_ours(const struct sigaction *action)
{
	return action->sa_flags & SA_SIGINFO && action->sa_sigaction == interrupted;
}

/* Unless the program has set another meanwhile. */
static void interrupts_remove(void)
{
	struct sigaction now;

	sigaction(SIGURG, NULL, &now);
	if (is_ours(&now))
		sigaction(SIGURG, &interrupts_before, NULL);
}

/* Whoever was interrupting isn't in the child, and the helper neither. */
static void interrupts_forked(void)
{
	interrupts_remove();
	pthread_mutex_init(&interrupts, NULL);
}

static void interrupts_watch_for_forks(void)
{
	/* Without memory for it a child that is forked in these microseconds keeps our handler, which does no harm. */
	(void)pthread_atfork(NULL, NULL, interrupts_forked);
}

int sys_thread_create(const pthread_attr_t *attributes, void *(*function)(void *argument), void *argument,
		      pthread_t *ret_thread)
{
	sigset_t all;
	sigset_t before;
	int error = sys_fault(SYS_CALL_THREAD);

	if (error < 0)
		return error;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(ret_thread, attributes, function, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* EAGAIN, for RLIMIT_NPROC or no memory, would be taken for a deadline. */
	return error == 0 || error == EINVAL ? -error : -ENOMEM;
}

int sys_thread_start(const char *name, void *(*function)(void *argument), void *argument, pthread_t *ret_thread)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_once(&interrupts_once, interrupts_watch_for_forks);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	error = sys_thread_create(&attributes, function, argument, &thread);
	pthread_attr_destroy(&attributes);
	/* A program with much thread-local memory, which has its place on the stack. */
	if (error == -EINVAL)
		error = sys_thread_create(NULL, function, argument, &thread);
	if (error < 0)
		return error;
	(void)pthread_setname_np(thread, name);
	*ret_thread = thread;
	return 0;
}

void sys_thread_join(pthread_t thread)
{
	int cancel = sys_cancel_off();

	pthread_join(thread, NULL);
	sys_cancel_restore(cancel);
}

void sys_thread_detach(pthread_t thread)
{
	(void)pthread_detach(thread);
}

void sys_thread_allow_faults(void)
{
	sigset_t faults;

	sigemptyset(&faults);
	sigaddset(&faults, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &faults, NULL);
}

void sys_thread_allow_interrupts(void)
{
	sigset_t urgent;

	thread_is_helper = true;
	sigemptyset(&urgent);
	sigaddset(&urgent, SIGURG);
	pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
}

static void interrupts_install(void)
{
	/* Without SA_RESTART, which fcntl(2) and flock(2) would obey. */
	struct sigaction ours = {.sa_sigaction = interrupted, .sa_flags = SA_SIGINFO};
	struct sigaction now;

	sigaction(SIGURG, NULL, &now);
	/* Also if somebody saved it when it was there, and has put it back: it stands for what was there before. */
	if (is_ours(&now))
		return;
	/* In this order: the handler reads it as soon as it is there. */
	interrupts_before = now;
	ours.sa_mask = interrupts_before.sa_mask;
	ours.sa_flags |= interrupts_before.sa_flags & (SA_ONSTACK | SA_NODEFER);
	sigaction(SIGURG, &ours, NULL);
}

void sys_thread_interrupts_begin(void)
{
	pthread_mutex_lock(&interrupts);
	interrupts_install();
}

void sys_thread_interrupts_end(void)
{
	interrupts_remove();
	pthread_mutex_unlock(&interrupts);
}

void sys_thread_interrupt(pthread_t thread)
{
	/* The program may have set another since, and one that is ignored gets nobody out. */
	interrupts_install();
	pthread_kill(thread, SIGURG);
}
