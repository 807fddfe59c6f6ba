/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_SIGNAL_H
#define NONET_SIGNAL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Signals, sent with a value, and received as messages rather than in handlers.
 *
 * A real-time signal (SIGRTMIN to SIGRTMAX) queues: each one sent is received, in order, and a full queue is -EAGAIN
 * to the sender. An ordinary one is a flag: sent again while it is pending it is one signal, and its value is the
 * first one's. Numbers are 1 to SIGRTMAX less those that the C library keeps for itself (32 and 33 with glibc).
 *
 * Whoever may signal a process can write any pid, uid and value into what it queues (rt_sigqueueinfo(2)). Only of
 * NONET_SIGNAL_USER and NONET_SIGNAL_THREAD does the kernel vouch for the sender.
 */
struct nonet_signal;

/* How a signal was sent. */
enum nonet_signal_how {
	NONET_SIGNAL_OTHER = 0, /* see code; with pid 0 the sender isn't known, and uid says nothing */
	NONET_SIGNAL_USER,   /* kill(2), or pidfd_send_signal(2) without a value: the kernel says who, by pid not 0 */
	NONET_SIGNAL_THREAD, /* tgkill(2): the kernel says who */
	NONET_SIGNAL_QUEUE,  /* with a value, or a real-time signal of nonet's: the sender says who it is */
	NONET_SIGNAL_KERNEL, /* a terminal's, a limit's... */
	NONET_SIGNAL_CHILD,  /* SIGCHLD: pid and uid are the child's, value its status */
	NONET_SIGNAL_TIMER,  /* timer_settime(2): value is the timer's */
};

struct nonet_signal_info {
	int32_t number;
	int32_t pid;   /* the sender's in our PID namespace; 0: not in it, or not known */
	uint32_t uid;  /* the sender's real one */
	int32_t value; /* 0 if it has none */
	int32_t how;   /* NONET_SIGNAL_* */
	int32_t code;  /* si_code in sigaction(2) */
	uint64_t reserved;
};

/* Flags of struct nonet_signal_options. */
#define NONET_SIGNAL_UNCHECKED 1u /* don't look for threads that leave a signal unblocked: you see to it (no /proc) */

struct nonet_signal_options {
	uint32_t size;        /* sizeof(struct nonet_signal_options) */
	uint32_t flags;       /* NONET_SIGNAL_* */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_signal_send() - send a signal to a process
 * @pid:    its number, above 0. Who has a pidfd uses nonet_signal_send_pidfd(): a number can be another's by now
 * @number: which signal
 * @value:  what the receiver gets with it, or NULL. A real-time signal without one has the value 0
 * @reterr: NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -ESRCH       there is no such process; one that ended and wasn't reaped still takes signals
 *   -EPERM       it is another user's
 *   -EAGAIN      a real-time signal, and as many as its user may have are pending already (RLIMIT_SIGPENDING); an
 *                ordinary one gets through, but without its value
 *   -EINVAL      no such @number, or @pid isn't above 0: nobody is signalled by accident
 * Context: any thread; not in a signal handler.
 * Source: kill(2), rt_sigqueueinfo(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_send(pid_t pid, int number, const int *value,
						    struct nonet_error *reterr);

/**
 * nonet_signal_send_pidfd() - send a signal to the process that a descriptor stands for, and never to another
 * @pidfd:  of pidfd_open(2), nonet_process_fd(), nonet_unix_peer_pidfd()... Stays the caller's. One that stands for a
 *          thread (PIDFD_THREAD, Linux 6.9) has the signal sent to that thread alone
 * @number: as for nonet_signal_send()
 * @value:  or NULL
 * @reterr: NULL, or where to put the sentence
 *
 * Return: as nonet_signal_send(); -EBADF: @pidfd isn't one; -EINVAL also if its process is outside our PID namespace.
 * Source: pidfd_send_signal(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_send_pidfd(int pidfd, int number, const int *value,
							  struct nonet_error *reterr);

/**
 * nonet_signal_send_group() - send an ordinary signal to each process of a group
 * @group:  its number, above 1
 * @number: which signal
 * @value:  NULL: the kernel carries none to a group
 * @reterr: NULL, or where to put the sentence
 *
 * Return: 0 if it was sent to at least one of them, or
 *   -EOPNOTSUPP  @value isn't NULL, or @number is a real-time signal: a member whose queue is full would lose it
 *                without anybody being told
 *   -ESRCH, -EPERM, -EINVAL   as nonet_signal_send(), -EPERM only if none of them may be signalled
 * Source: kill(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_send_group(pid_t group, int number, const int *value,
							  struct nonet_error *reterr);

/**
 * nonet_signal_send_thread() - send a signal to one thread
 * @process: the process it is of (its thread group)
 * @thread:  its number (gettid(2)); no other thread receives the signal
 * @number:  as for nonet_signal_send()
 * @value:   or NULL
 * @reterr:  NULL, or where to put the sentence
 *
 * Return: as nonet_signal_send(); -ESRCH also if @process has no such thread.
 * Source: tgkill(2), rt_tgsigqueueinfo(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_send_thread(pid_t process, pid_t thread, int number, const int *value,
							   struct nonet_error *reterr);

/**
 * nonet_signal_open() - receive signals as messages from now on
 * @numbers:    which
 * @count:      of @numbers, at least 1
 * @options:    or NULL
 * @ret_signal: the receiver, closed with nonet_signal_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * Blocks the signals in the calling thread, so that nothing but the receiver takes them. A signal to the process goes
 * to any thread that doesn't block it, so all have to: open before you start threads (they inherit the mask), or call
 * nonet_signal_block() in each. A thread that leaves one unblocked is found in /proc/self/task; one that unblocks it
 * later is not. Of two receivers for one signal, either may get it.
 *
 * What the program execs inherits the mask too; nonet_process_spawn() empties it.
 *
 * Return: 0, or
 *   -EINVAL      no such number; SIGKILL and SIGSTOP can't be blocked, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP and
 *                SIGSYS are about the instruction that raised them; @count 0; bad @options
 *   -EBUSY       another thread of this process leaves one of them unblocked; the sentence names both
 *   -ENOENT, -EACCES   /proc can't be read (see NONET_SIGNAL_UNCHECKED)
 *   -EMFILE, -ENFILE, -ENOMEM, -ENODEV, -EIO   no descriptors, no memory; as signalfd(2), open(2)
 * On failure the calling thread's mask is as before.
 * Context: any thread; not in a signal handler. In a forked child every call but close is -ECHILD.
 * Source: signalfd(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_open(const int *numbers, size_t count,
						    const struct nonet_signal_options *options,
						    struct nonet_signal **ret_signal, struct nonet_error *reterr);

/**
 * nonet_signal_receive() - take one signal
 * @signal:   a receiver
 * @deadline: when to give up
 * @ret_info: which it is, and who sent it
 *
 * Ordinary signals come before real-time ones, lower numbers before higher, and those of one real-time number in the
 * order in which they were sent. A signal to one thread (nonet_signal_send_thread()) is received by that thread alone.
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   none came
 *   -ECHILD      the receiver is the parent's
 *   -ENOMEM      no memory in the kernel
 * Context: any thread, several at once too; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_receive(struct nonet_signal *signal, nonet_time deadline,
						       struct nonet_signal_info *ret_info);

/**
 * nonet_signal_close() - receive them no more
 * @signal: may be NULL; removed from its wait set
 *
 * In the thread that opened it, signals are unblocked that its receivers blocked and that no other receiver of this
 * thread's is open for. Those of them that are still pending then do what they did before the open: end the program,
 * maybe. Receive until -EAGAIN first, if that isn't wanted.
 *
 * Another thread that closes, or a forked child, leaves all masks as they are: nobody can change another thread's. What
 * another receiver of the opener's is open for too is unblocked when the last of them is closed there; what none is
 * open for any more stays blocked, and is the opener's to unblock.
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_signal *nonet_signal_close(struct nonet_signal *signal);

/** nonet_signal_fd() - the receiver's descriptor, for poll(2): POLLIN. Owned by @signal; -1 in a forked child. */
NONET_PUBLIC int nonet_signal_fd(struct nonet_signal *signal);

/** nonet_signal_arm() - make ready to sleep on the descriptor. Return: 0: the descriptor tells all; -ECHILD. */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_arm(struct nonet_signal *signal);

/** nonet_signal_waitable() - what nonet_wait_set_add() wants. Owned by @signal. */
NONET_PUBLIC struct nonet_waitable *nonet_signal_waitable(struct nonet_signal *signal);

/**
 * nonet_signal_explain() - say in a sentence why a call failed
 * @signal:    the receiver that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_signal_explain(struct nonet_signal *signal, int code, struct nonet_error *ret_error);

/**
 * nonet_signal_block() - keep signals from the calling thread
 * @numbers:    which; any but SIGKILL and SIGSTOP
 * @count:      of @numbers
 * @ret_before: its mask before, for nonet_signal_restore(): bit N - 1 is signal N. May be NULL
 *
 * Return: 0, or -EINVAL: no such number.
 * Source: pthread_sigmask(3).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_block(const int *numbers, size_t count, uint64_t *ret_before);

/** nonet_signal_restore() - give the calling thread the mask back that nonet_signal_block() told. Return: 0. */
NONET_PUBLIC int nonet_signal_restore(uint64_t before);

/** nonet_signal_name() - "SIGTERM", "SIGRTMIN+3"; "unknown signal" of what is none. Static. */
NONET_PUBLIC const char *nonet_signal_name(int number);

/**
 * nonet_signal_number() - which signal a name means
 * @name: TERM, SIGTERM, sigterm, 15, RTMIN, RTMIN+3, SIGRTMAX-1
 *
 * Return: its number, above 0, or -EINVAL.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_signal_number(const char *name);

NONET_END_DECLS

#endif
