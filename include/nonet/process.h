/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_PROCESS_H
#define NONET_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/pipe.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Processes, held by a descriptor (pidfd): whatever becomes of a process's number, a handle means that process and no
 * other. One that we spawned is ours to reap; of any other we only learn that it ended.
 *
 * One thread at a time waits for a process or stops it; others may signal it meanwhile. After fork() the child holds
 * its parent's processes as another's: it can signal them, and learns that they ended, not how.
 */
struct nonet_process;

/* How a process ended. */
enum nonet_process_how {
	/* Nobody can say how: not our child, reaped elsewhere in this program, or SIGCHLD is ignored. */
	NONET_PROCESS_ENDED = 1,
	NONET_PROCESS_EXITED, /* code is its exit status */
	NONET_PROCESS_KILLED, /* code is the signal's number */
};

struct nonet_process_status {
	int32_t how;  /* NONET_PROCESS_* */
	int32_t code; /* 0 to 255, or a signal, or 0 */
	uint32_t core_dumped;
	uint32_t reserved;
};

/* Where one of a child's three streams leads. */
enum nonet_process_stream_kind {
	NONET_PROCESS_INHERIT = 0, /* to where ours does; nowhere if it is closed */
	NONET_PROCESS_NULL,        /* /dev/null */
	NONET_PROCESS_PIPE,        /* to us: nonet_process_input(), _output(), _error() */
	NONET_PROCESS_DESCRIPTOR,  /* to a descriptor of ours, which stays ours */
};

struct nonet_process_stream {
	uint32_t kind;      /* NONET_PROCESS_* */
	int32_t descriptor; /* with NONET_PROCESS_DESCRIPTOR */
};

/* A descriptor that the child gets beside its streams. */
struct nonet_process_descriptor {
	int32_t ours;   /* stays ours */
	int32_t theirs; /* its number in the child, above 2 */
};

#define NONET_PROCESS_DESCRIPTORS_MAX 253

/* Flags of struct nonet_process_options. */
#define NONET_PROCESS_NEW_GROUP 1u /* the child leads a process group of its own: nonet_signal_send_group() */

struct nonet_process_options {
	uint32_t size;  /* sizeof(struct nonet_process_options) */
	uint32_t flags; /* NONET_PROCESS_* */
	struct nonet_process_stream input;
	struct nonet_process_stream output;
	struct nonet_process_stream error;
	const char *const *environment; /* "NAME=value"..., ended by NULL; NULL: ours. PATH is looked up in ours */
	const char *directory;          /* where it starts; NULL: where we are. A relative program is looked up there */
	const struct nonet_process_descriptor *descriptors;
	uint32_t descriptors_count; /* at most NONET_PROCESS_DESCRIPTORS_MAX */
	/* Sent to the child when the thread that spawned it ends, not only the process; 0: none. Not to a set-user-ID
	 * program. */
	int32_t death_signal;
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_process_spawn() - run a program
 * @arguments:   argv, ended by NULL; the first is also the program, looked up in PATH unless it has a slash
 * @options:     or NULL
 * @ret_process: the child, closed with nonet_process_close()
 * @reterr:      NULL, or where to put the sentence
 *
 * Returns once the program has begun, or couldn't. Of our descriptors the child has its three streams, CLOEXEC or not,
 * and what @options names, nothing else. Its signal mask is empty, our handlers are gone, SIGPIPE has its default
 * action, other ignored signals stay ignored. No handler that pthread_atfork(3) knows is run.
 *
 * Return: 0, or
 *   -ENOENT      no such program, or @options->directory, or the interpreter of a script, or no /dev/null
 *   -EACCES, -ENOEXEC, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -E2BIG, -ETXTBSY, -EIO, -EPERM, -EISDIR, -ELIBBAD   as
 *                execve(2), chdir(2): the sentence says which
 *   -EBADF       a descriptor in @options isn't open
 *   -EINVAL      no argument; bad @options
 *   -EAGAIN      the limit of processes (RLIMIT_NPROC, cgroup pids.max)
 *   -EMFILE, -ENFILE, -ENOMEM   no descriptors, no memory
 * On failure there is no child, and nothing is left behind but, where the program couldn't begin, a SIGCHLD.
 * Context: any thread; not in a signal handler. Not a cancellation point.
 * Source: clone(2) with CLONE_VM, CLONE_VFORK and CLONE_PIDFD, execve(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_process_spawn(const char *const *arguments,
						      const struct nonet_process_options *options,
						      struct nonet_process **ret_process, struct nonet_error *reterr);

/**
 * nonet_process_open() - hold a process that somebody else started
 * @pid:         its number; the process that has it now
 * @ret_process: closed with nonet_process_close()
 * @reterr:      NULL, or where to put the sentence
 *
 * Who starts a process by other means and opens it here reaps it by those means too.
 *
 * Return: 0, or
 *   -ESRCH       there is none
 *   -EINVAL      @pid isn't above 0, or is the number of a thread that isn't its process's first
 *   -EMFILE, -ENFILE, -ENOMEM, -ENODEV   as pidfd_open(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_process_open(pid_t pid, struct nonet_process **ret_process,
						     struct nonet_error *reterr);

/**
 * nonet_process_take_pidfd() - hold the process that a descriptor stands for
 * @fd:          a pidfd; on success the handle's, set to -1, and CLOEXEC
 * @ret_process: closed with nonet_process_close()
 * @reterr:      NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -EBADF       @fd isn't open, or isn't a pidfd
 *   -EINVAL      it stands for one thread (PIDFD_THREAD, Linux 6.9), not for a process
 *   -ENOMEM
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_process_take_pidfd(int *fd, struct nonet_process **ret_process,
							   struct nonet_error *reterr);

/**
 * nonet_process_wait() - wait until a process has ended
 * @process:    a process
 * @deadline:   when to give up
 * @ret_status: how it ended; may be NULL
 *
 * Our child is reaped, and its status kept: asking again is fine.
 *
 * Return: 0, or -EAGAIN, -ETIMEDOUT (it still runs), -ENOMEM.
 * Source: pidfd_open(2), waitid(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_process_wait(struct nonet_process *process, nonet_time deadline,
						     struct nonet_process_status *ret_status);

/**
 * nonet_process_stop() - have a process end, by force if need be
 * @process:    a process
 * @grace:      until when it may end by itself: a time, as deadlines are
 * @deadline:   when to give up; at or before @grace, no force is used
 * @ret_status: how it ended; may be NULL
 *
 * SIGTERM, and SIGCONT so that a stopped process gets it; at @grace SIGKILL. Its own children are not stopped.
 *
 * Return: 0 it ended by itself, or had ended before; 1 SIGKILL was needed (of a process that isn't our child: was
 *   sent); or
 *   -EAGAIN, -ETIMEDOUT   it hasn't ended. What was sent stays sent: a process in an uninterruptible sleep ends later
 *   -EPERM       it is another user's
 *   -EINVAL      it is outside our PID namespace
 *   -ENOMEM
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_process_stop(struct nonet_process *process, nonet_time grace,
						     nonet_time deadline, struct nonet_process_status *ret_status);

/**
 * nonet_process_signal() - send a signal to a process
 * @process: a process
 * @number:  which
 * @value:   as for nonet_signal_send()
 *
 * Return: as nonet_signal_send_pidfd(), -ESRCH if the process has ended and was reaped.
 * Context: any thread.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_process_signal(struct nonet_process *process, int number, const int *value);

/** nonet_process_pid() - its number; 0 if it isn't known: it is outside our PID namespace, or had ended before. */
NONET_PUBLIC pid_t nonet_process_pid(struct nonet_process *process);

/** nonet_process_input() - the writer to the child's standard input; NULL without one. Owned by @process. */
NONET_PUBLIC struct nonet_pipe *nonet_process_input(struct nonet_process *process);
/** nonet_process_output() - the reader of the child's standard output; NULL without one. Owned by @process. */
NONET_PUBLIC struct nonet_pipe *nonet_process_output(struct nonet_process *process);
/** nonet_process_error() - the reader of the child's standard error; NULL without one. Owned by @process. */
NONET_PUBLIC struct nonet_pipe *nonet_process_error(struct nonet_process *process);

/** nonet_process_finish_input() - close the writer to the child's standard input, so that it finds the end. */
NONET_PUBLIC void nonet_process_finish_input(struct nonet_process *process);

/** nonet_process_fd() - the pidfd, for poll(2): POLLIN once the process has ended. Owned by @process. */
NONET_PUBLIC int nonet_process_fd(struct nonet_process *process);

/** nonet_process_arm() - make ready to sleep on the descriptor. Return: 0: the descriptor tells all. */
NONET_PUBLIC NONET_MUST_CHECK int nonet_process_arm(struct nonet_process *process);

/** nonet_process_waitable() - what nonet_wait_set_add() wants; ready once the process has ended. Owned by @process. */
NONET_PUBLIC struct nonet_waitable *nonet_process_waitable(struct nonet_process *process);

/**
 * nonet_process_explain() - say in a sentence why a call failed
 * @process:   the process that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_process_explain(struct nonet_process *process, int code, struct nonet_error *ret_error);

/**
 * nonet_process_close() - let go of a process
 * @process: may be NULL; removed from its wait set. Its pipes are closed
 *
 * A child that has ended is reaped. One that still runs goes on, and isn't reaped by us any more: after its end it
 * stays a zombie until this program waits for it by other means, or ends itself.
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_process *nonet_process_close(struct nonet_process *process);

NONET_END_DECLS

#endif
