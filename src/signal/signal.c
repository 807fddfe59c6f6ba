/* SPDX-License-Identifier: Apache-2.0 */
#include "signal/signal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/flat.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"
#include "sys/proc.h"
#include "sys/process.h"
#include "sys/signals.h"

#define SIGNAL_NUMBERS 64

/* @synchronous: whether those are allowed that tell of an instruction. */
static int signal_mask(const int *numbers, size_t count, bool synchronous, uint64_t *ret_mask,
		       struct nonet_error *reterr)
{
	const uint64_t never = signal_bit(SIGKILL) | signal_bit(SIGSTOP);
	const uint64_t of_instruction = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGFPE) |
					signal_bit(SIGILL) | signal_bit(SIGTRAP) | signal_bit(SIGSYS);
	uint64_t mask = 0;

	for (size_t i = 0; i < count; i++) {
		if (!sys_signal_is_known(numbers[i]))
			return error_set(reterr, -EINVAL,
					 "%d is no signal that can be received: they go from 1 to %d, less %d to %d, "
					 "which the C library keeps to itself",
					 numbers[i], SIGRTMAX, SIGSYS + 1, SIGRTMIN - 1);
		if (signal_bit(numbers[i]) & never)
			return error_set(reterr, -EINVAL, "no process can receive %s: the kernel acts on it by itself",
					 nonet_signal_name(numbers[i]));
		if (!synchronous && signal_bit(numbers[i]) & of_instruction)
			return error_set(reterr, -EINVAL,
					 "%s can't be received as a message: it is raised by an instruction, which "
					 "can't go on before it is handled",
					 nonet_signal_name(numbers[i]));
		mask |= signal_bit(numbers[i]);
	}
	*ret_mask = mask;
	return 0;
}

static int signal_check_options(const struct nonet_signal_options *options, struct nonet_error *reterr)
{
	if (!options)
		return 0;
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the signal options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~NONET_SIGNAL_UNCHECKED || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the signal options have unknown flags or a reserved field set");
	return 0;
}

/* Refuses if a signal could go to another thread, past the receiver. We block them all already. */
static int signal_check_threads(uint64_t mask, struct nonet_error *reterr)
{
	struct sys_thread thread;
	int found = sys_thread_find_unblocked(mask, &thread);
	int number = 1;

	if (found == 0)
		return 0;
	if (found == -ENOENT || found == -EACCES)
		return error_set(
			reterr, found,
			"can't see from /proc/self/task whether another thread leaves the signals unblocked: %s; "
			"see to it yourself, and open with NONET_SIGNAL_UNCHECKED",
			error_reason(found));
	if (found < 0)
		return error_set(reterr, found,
				 "can't look at this process's threads in /proc/self/task, one of which could take the "
				 "signals: %s",
				 error_reason(found));
	while (!(mask & ~thread.blocked & signal_bit(number)))
		number++;
	return error_set(reterr, -EBUSY,
			 "thread %d (%s) of this process leaves %s unblocked, and would take it: open the receiver "
			 "before starting threads, or call nonet_signal_block() in each",
			 (int)thread.id, thread.name, nonet_signal_name(number));
}

/* With the signals blocked in this thread. */
static int signal_begin(struct nonet_signal *signal, bool check, struct nonet_error *reterr)
{
	int error = check ? signal_check_threads(signal->hold.mask, reterr) : 0;
	int fd;

	if (error < 0)
		return error;
	fd = sys_signalfd_create(signal->hold.mask);
	if (fd < 0)
		return error_set(reterr, fd, "can't make a receiver of signals: %s", error_reason(fd));
	signal->fd = fd;
	signal->generation = sys_generation();
	waitable_init(&signal->waitable, fd, NULL);
	return 0;
}

/* Lets through what only this receiver keeps from the calling thread. */
static void signal_free(struct nonet_signal *signal, bool holds)
{
	const uint64_t last = holds ? signal_release(&signal->hold) : 0;

	sys_free(signal);
	/* The kernel hands out what is pending at once: nothing may be left to do here but to return. */
	if (last)
		sys_signal_unblock(last);
}

static int signal_new(uint64_t mask, bool check, struct nonet_signal **ret_signal, struct nonet_error *reterr)
{
	struct nonet_signal *signal = sys_allocate(sizeof(*signal));
	int error;

	if (!signal || signal_holds_prepare() < 0) {
		sys_free(signal);
		return error_set(reterr, -ENOMEM, "no memory for a receiver of signals");
	}
	error = signal_hold(&signal->hold, mask);
	if (error < 0) {
		sys_free(signal);
		return error_set(reterr, error, "can't block signals: %s", error_reason(error));
	}
	error = signal_begin(signal, check, reterr);
	if (error < 0) {
		signal_free(signal, true);
		return error;
	}
	*ret_signal = signal;
	return 0;
}

int nonet_signal_open(const int *numbers, size_t count, const struct nonet_signal_options *options,
		      struct nonet_signal **ret_signal, struct nonet_error *reterr)
{
	uint64_t mask;
	int error = signal_check_options(options, reterr);

	if (error < 0)
		return error;
	if (count == 0)
		return error_set(reterr, -EINVAL, "a receiver of signals needs at least one to receive");
	error = signal_mask(numbers, count, false, &mask, reterr);
	if (error < 0)
		return error;
	return signal_new(mask, !options || !(options->flags & NONET_SIGNAL_UNCHECKED), ret_signal, reterr);
}

static bool signal_is_foreign(const struct nonet_signal *signal)
{
	return signal->generation != sys_generation();
}

struct nonet_signal *nonet_signal_close(struct nonet_signal *signal)
{
	if (!signal)
		return NULL;
	waitable_done(&signal->waitable);
	sys_close(&signal->fd);
	signal_free(signal, !signal_is_foreign(signal));
	return NULL;
}

static enum nonet_signal_how signal_how(const struct sys_signal *raw)
{
	switch (raw->code) {
	case SI_USER:
		/*
		 * Where the kernel had no memory, or its user's queue was full, it lets a signal through without what
		 * belongs to it: all zeros, which would say "from root, by kill(2)". Nobody has the number 0.
		 */
		return raw->pid ? NONET_SIGNAL_USER : NONET_SIGNAL_OTHER;
	case SI_TKILL:
		return NONET_SIGNAL_THREAD;
	case SI_QUEUE:
		return NONET_SIGNAL_QUEUE;
	case SI_TIMER:
		return NONET_SIGNAL_TIMER;
	case SI_KERNEL:
		return NONET_SIGNAL_KERNEL;
	default:
		return raw->number == SIGCHLD && raw->code > 0 ? NONET_SIGNAL_CHILD : NONET_SIGNAL_OTHER;
	}
}

FLAT int nonet_signal_receive(struct nonet_signal *signal, nonet_time deadline, struct nonet_signal_info *ret_info)
{
	enum nonet_signal_how how;
	struct sys_signal raw;
	int error;

	if (signal_is_foreign(signal))
		return -ECHILD;
	while ((error = sys_signalfd_read(signal->fd, &raw)) == -EAGAIN) {
		error = sys_poll_one(signal->fd, POLLIN, deadline);
		if (error < 0)
			return error;
	}
	if (error < 0)
		return error;
	how = signal_how(&raw);
	*ret_info = (struct nonet_signal_info){
		.number = raw.number,
		.pid = raw.pid,
		.uid = raw.uid,
		.value = how == NONET_SIGNAL_CHILD ? raw.status : raw.value,
		.how = (int32_t)how,
		.code = raw.code,
	};
	return 0;
}

int nonet_signal_fd(struct nonet_signal *signal)
{
	return signal_is_foreign(signal) ? -1 : signal->fd;
}

int nonet_signal_arm(struct nonet_signal *signal)
{
	return signal_is_foreign(signal) ? -ECHILD : 0;
}

struct nonet_waitable *nonet_signal_waitable(struct nonet_signal *signal)
{
	return &signal->waitable;
}

/* "SIGINT, SIGTERM"; what doesn't fit is left out. */
static void signal_list(uint64_t mask, char *text, size_t size)
{
	size_t done = 0;

	for (int number = 1; number <= SIGNAL_NUMBERS; number++) {
		const char *name = nonet_signal_name(number);

		if (!(mask & signal_bit(number)))
			continue;
		if (done + strlen(name) + sizeof(", ...") > size) {
			snprintf(text + done, size - done, "...");
			return;
		}
		done += (size_t)snprintf(text + done, size - done, "%s%s", done ? ", " : "", name);
	}
}

void nonet_signal_explain(struct nonet_signal *signal, int code, struct nonet_error *ret_error)
{
	char names[100] = "";

	signal_list(signal->hold.mask, names, sizeof(names));
	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "no signal is pending now (of %s)", names);
		return;
	case -ETIMEDOUT:
		error_set(ret_error, code, "no signal came before the deadline (of %s)", names);
		return;
	case -ECHILD:
		error_set(ret_error, code,
			  "this receiver of signals is the parent's: a forked child opens its own (for %s)", names);
		return;
	default:
		error_set(ret_error, code, "can't receive signals (%s): %s", names, error_reason(code));
		return;
	}
}

int nonet_signal_block(const int *numbers, size_t count, uint64_t *ret_before)
{
	uint64_t before;
	uint64_t mask;
	int error = signal_mask(numbers, count, true, &mask, NULL);

	if (error < 0)
		return error;
	error = sys_signal_block(mask, &before);
	if (error == 0 && ret_before)
		*ret_before = before;
	return error;
}

int nonet_signal_restore(uint64_t before)
{
	sys_signal_set_mask(before);
	return 0;
}
