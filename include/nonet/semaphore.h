/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_SEMAPHORE_H
#define NONET_SEMAPHORE_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Semaphores: a number of permits that processes take and give. Two carriers, chosen by the address:
 *
 *   posixsem:/NAME   a POSIX semaphore (sem_overview(7)). Nothing is undone: the permits of a process that dies are
 *                    gone until somebody posts them
 *   sysvsem:KEY[N]   semaphore N (from 0, which is also meant without [N]) of a System V set (sysvipc(7)); sysvsem:id=N
 *                    and sysvsem:PATH#PROJ too. With NONET_SEMAPHORE_UNDO the kernel gives back what a process has
 *                    taken, however it ends; several permits, and several semaphores of the set, are taken at once or
 *                    not at all
 *
 * They are the kernel's and the C library's own objects: programs that call semop(2) or sem_wait(3) take part. Both
 * stay until they are removed, and forget their value when the machine stops.
 *
 * A handle may be used by many threads at once. After fork() the child uses it too; but waiting for it with others
 * (nonet_semaphore_arm()) is -ECHILD there, until the child opens its own. What a parent took with
 * NONET_SEMAPHORE_UNDO is undone when the parent ends, not the child; execve(2) keeps it.
 *
 * Who may write to the file of a POSIX semaphore can kill whoever uses it next: by cutting the file off (SIGBUS), or by
 * writing nonsense into it, on which the C library aborts. So it is with sem_open(3) too; nobody can do that to a
 * System V set.
 */
struct nonet_semaphore;

/* Flags of struct nonet_semaphore_options. */
#define NONET_SEMAPHORE_MAY_EXIST  1u /* create: one that is there is opened, and stays as it is */
#define NONET_SEMAPHORE_UNFINISHED 2u /* open: a System V set that nobody gave a value too; it has permits 0 */

struct nonet_semaphore_options {
	uint32_t size;        /* sizeof(struct nonet_semaphore_options) */
	uint32_t flags;       /* NONET_SEMAPHORE_* */
	uint32_t mode;        /* create: permissions, to 0777, exact whatever the umask; 0: 0600 */
	uint32_t value;       /* create: permits at first, of each of a set */
	uint32_t count;       /* create: how many are in the set; 0: as many as the address needs. open: 0 */
	uint32_t reserved_32; /* zero */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_semaphore_create() - make a semaphore, or a set of them
 * @address:       posixsem:/NAME, sysvsem:KEY[N] or sysvsem:PATH#PROJ
 * @options:       or NULL
 * @deadline:      with NONET_SEMAPHORE_MAY_EXIST, as for nonet_semaphore_open(); else nothing waits
 * @ret_semaphore: closed with nonet_semaphore_close()
 * @reterr:        NULL, or where to put the sentence
 *
 * Nobody sees a POSIX semaphore before it has its value and mode. A System V set is there before it has its values;
 * nonet_semaphore_open() waits for them, and so does a program that waits for sem_otime (semctl(2)).
 *
 * Return: 0, or
 *   -EEXIST      there is one. Of PATH#PROJ it may be that of another path: ftok(3) keeps 16 bits of a file's number
 *   -EINVAL      not an address of a semaphore; it has id=; bad @options; more semaphores than kernel.sem allows
 *   -EOVERFLOW   @options->value is over 32767 (System V) or SEM_VALUE_MAX (POSIX)
 *   -ENOSPC      no room: kernel.sem limits sets and semaphores, /dev/shm is full
 *   -EOPNOTSUPP  POSIX semaphores come one by one, not in sets; or the file system in /dev/shm has no nameless files
 *   -EAGAIN      others make and remove it all the time
 *   -EACCES, -EPERM, -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -EDQUOT, -EIO, -EMFILE, -ENFILE, -ENOMEM,
 *   -EIDRM       as open(2), linkat(2), semget(2), semctl(2), ftok(3)
 *   with NONET_SEMAPHORE_MAY_EXIST also what nonet_semaphore_open() returns, but -ENOENT
 * On failure there is none that wasn't there before.
 * Context: any thread; not in a signal handler.
 * Source: sem_open(3), semget(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_create(const char *address,
							 const struct nonet_semaphore_options *options,
							 nonet_time deadline, struct nonet_semaphore **ret_semaphore,
							 struct nonet_error *reterr);

/**
 * nonet_semaphore_open() - open a semaphore that is there
 * @address:       posixsem:/NAME, sysvsem:KEY[N], sysvsem:id=N or sysvsem:PATH#PROJ
 * @options:       or NULL
 * @deadline:      when to give up waiting for a System V set to get its values
 * @ret_semaphore: closed with nonet_semaphore_close()
 * @reterr:        NULL, or where to put the sentence
 *
 * Between semget(2) and its first values a System V set has other permits than its maker wants. It is taken for
 * finished once there was a semop(2), or all of its semaphores have been given a value (GETPID in semctl(2)). The
 * kernel has no event for that: it is looked at again at growing intervals of at most 5 ms.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EAGAIN, -ETIMEDOUT   the set isn't finished now, or wasn't by @deadline: its maker died, or means the zeros
 *                of a new set: then NONET_SEMAPHORE_UNFINISHED opens it
 *   -EINVAL      not an address of a semaphore, bad @options, or the set has no semaphore of that index
 *   -EIDRM       the set id=N isn't there, or not any more
 *   -ENOTSUP     the file isn't a semaphore's
 *   -EACCES      no permission: it takes reading, and for POSIX semaphores writing
 *   -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM, -EIO, -EPERM, -EROFS   as open(2), ftok(3)
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_open(const char *address,
						       const struct nonet_semaphore_options *options,
						       nonet_time deadline, struct nonet_semaphore **ret_semaphore,
						       struct nonet_error *reterr);

/**
 * nonet_semaphore_close() - close a handle; the semaphore stays, and so does what was taken
 * @semaphore: may be NULL; removed from its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_semaphore *nonet_semaphore_close(struct nonet_semaphore *semaphore);

/**
 * nonet_semaphore_unlink() - remove a semaphore
 * @address: as for nonet_semaphore_open(); System V sets are removed whole, so without [N]
 * @reterr:  NULL, or where to put the sentence
 *
 * A POSIX semaphore only loses its name: who has it open goes on. A System V set is gone at once: who waits for it
 * or uses it is told -EIDRM.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EINVAL      not an address of a semaphore, or it has [N]
 *   -EIDRM       there is no set id=N
 *   -ENOTSUP     the file isn't a semaphore's, and stays
 *   -EPERM, -EACCES   it is another user's
 *   -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -EIO, -EMFILE, -ENFILE, -ENOMEM   as unlink(2), ftok(3)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_unlink(const char *address, struct nonet_error *reterr);

/* Flags of nonet_semaphore_wait(), nonet_semaphore_post() and struct nonet_semaphore_operation. */
#define NONET_SEMAPHORE_UNDO 1u /* sysvsem: undone when this process ends, however it does */

/**
 * nonet_semaphore_wait() - take permits
 * @semaphore: a semaphore
 * @permits:   how many, at once; 1 for a POSIX semaphore
 * @flags:     NONET_SEMAPHORE_UNDO or 0
 * @deadline:  when to give up; NONET_NOW: only try
 *
 * Who waits for a POSIX semaphore looks again every 100 ms: a waiter that was woken, and killed before it ran, has
 * taken the wake of another with it.
 *
 * Return: 0, or
 *   -EAGAIN      they aren't there, and @deadline is NONET_NOW
 *   -ETIMEDOUT   they weren't all there at one time before @deadline
 *   -EIDRM       the set was removed
 *   -EINVAL      @permits is 0, or more than a semaphore can hold; unknown @flags
 *   -EOPNOTSUPP  a POSIX semaphore gives one permit at a time, and undoes nothing: sysvsem: does
 *   -EOVERFLOW   this process would have more than 32767 to undo
 *   -EACCES      the set may only be read
 *   -ENOSPC, -ENOMEM   no room to note what is to be undone
 * On failure nothing was taken.
 * Context: any thread; not in a signal handler.
 * Source: semtimedop(2), sem_clockwait(3).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_wait(struct nonet_semaphore *semaphore, uint32_t permits,
						       uint32_t flags, nonet_time deadline);

/**
 * nonet_semaphore_post() - give permits
 * @semaphore: a semaphore
 * @permits:   how many
 * @flags:     with NONET_SEMAPHORE_UNDO what was taken with it is no longer undone, or else these permits are
 *
 * Of System V at once; of POSIX one after the other: who is killed meanwhile has given some. Never waits.
 *
 * Return: 0, or
 *   -EOVERFLOW   it would have more than it can hold: 32767 (System V), SEM_VALUE_MAX (POSIX); or this process more
 *                than 32767 to undo
 *   -EINVAL      @permits is 0; unknown @flags
 *   -EOPNOTSUPP, -EIDRM, -EACCES, -ENOSPC, -ENOMEM   as nonet_semaphore_wait()
 * On failure nothing was given.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_post(struct nonet_semaphore *semaphore, uint32_t permits,
						       uint32_t flags);

/* One of several operations that happen at once. */
struct nonet_semaphore_operation {
	uint32_t index;    /* in the set: whatever [N] the address has */
	uint32_t flags;    /* NONET_SEMAPHORE_UNDO or 0 */
	int32_t change;    /* above 0: give so many; below 0: take so many; 0: wait until there is none */
	uint32_t reserved; /* zero */
};

/**
 * nonet_semaphore_operate() - do several operations on a set at once, or none of them
 * @semaphore:  any semaphore of the set
 * @operations: in this order, as if nobody else did anything meanwhile
 * @count:      how many, at least 1; kernel.sem allows 500
 * @deadline:   when to give up
 *
 * Return: 0, or
 *   -EAGAIN, -ETIMEDOUT   one of them had to wait until then
 *   -EINVAL      no operations, an index that the set doesn't have, a change over 32767, unknown flags
 *   -E2BIG       more of them than kernel.sem allows
 *   -EOPNOTSUPP  a POSIX semaphore does one at a time, of one permit: sysvsem: does
 *   -EIDRM, -EOVERFLOW, -EACCES, -ENOSPC, -ENOMEM   as nonet_semaphore_wait(), nonet_semaphore_post()
 * On failure nothing was done.
 * Source: semtimedop(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_operate(struct nonet_semaphore *semaphore,
							  const struct nonet_semaphore_operation *operations,
							  size_t count, nonet_time deadline);

/**
 * nonet_semaphore_value() - how many permits there are
 * @semaphore: a semaphore
 * @ret_value: as many; others may have changed it since
 *
 * Return: 0, or -EIDRM, -EACCES.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_value(struct nonet_semaphore *semaphore, uint32_t *ret_value);

/* What is known of a semaphore. -1: nobody can say. */
struct nonet_semaphore_info {
	uint32_t value;
	uint32_t maximum;     /* that the value can have */
	uint32_t index;       /* in the set */
	uint32_t count;       /* of the set */
	int32_t waiters;      /* who wait for permits, nonet_semaphore_arm() among them */
	int32_t zero_waiters; /* who wait for it to have none */
	int32_t last_pid;     /* who changed it last, or armed it; 0: nobody in our PID namespace */
	uint32_t reserved;
};

/**
 * nonet_semaphore_look() - find out who uses a semaphore
 * @semaphore: a semaphore
 * @ret_info:  each of it at a moment of its own
 *
 * The kernel counts who waits for System V semaphores, and knows who operated last, which is often who holds the
 * permit. Of POSIX semaphores it knows nothing, and the C library doesn't tell.
 *
 * Return: 0, or -EIDRM, -EACCES.
 * Source: GETNCNT, GETZCNT and GETPID in semctl(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_look(struct nonet_semaphore *semaphore,
						       struct nonet_semaphore_info *ret_info);

/**
 * nonet_semaphore_fd() - a descriptor for poll(2): POLLIN once there may be a permit
 * @semaphore: a semaphore
 *
 * Neither carrier has one: it is an eventfd, rung by a helper thread, which the first call of this, of
 * nonet_semaphore_arm() or nonet_semaphore_waitable() starts. It takes no permit, nor the wake of another waiter. In a
 * System V semaphore it waits as a waiter does, a thread for each. A POSIX semaphore has no such wait: it is looked at
 * every 10 ms while armed, until it leaves its wait set, by one thread for all of the process.
 *
 * Return: the descriptor, owned by @semaphore, or -EMFILE, -ENFILE, -ENOMEM: no helper; -ECHILD: in a forked child.
 */
NONET_PUBLIC int nonet_semaphore_fd(struct nonet_semaphore *semaphore);

/**
 * nonet_semaphore_arm() - make ready to sleep on the descriptor
 * @semaphore: a semaphore
 *
 * Return: 1: there may be a permit now; 0: the descriptor will tell; -ECHILD: in a forked child; -EMFILE, -ENFILE,
 * -ENOMEM: no helper.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_arm(struct nonet_semaphore *semaphore);

/** nonet_semaphore_waitable() - what nonet_wait_set_add() wants. Owned by @semaphore. */
NONET_PUBLIC struct nonet_waitable *nonet_semaphore_waitable(struct nonet_semaphore *semaphore);

/**
 * nonet_semaphore_explain() - say in a sentence why a call failed
 * @semaphore: the semaphore that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_semaphore_explain(struct nonet_semaphore *semaphore, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
