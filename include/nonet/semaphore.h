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
 * Semaphores: a number of permits that processes take and give. Three carriers, chosen by the address:
 *
 *   semaphore:NAME, semaphore:DIR/NAME
 *                    nonet's own, in the default domain (nonet(7)) or that in a directory. It has as many permits as it
 *                    was made with, at most 32767; each is a process's or free. Any thread of the process that took one
 *                    may give it back, nobody else; and when a process ends, however it does, what it had is free at
 *                    once, exactly. Several are taken at once or not at all. Made with NONET_SEMAPHORE_SIGNAL it only
 *                    counts, to 1073741823: one posts, another waits, and a death undoes nothing
 *   posixsem:/NAME   a POSIX semaphore (sem_overview(7)). Nothing is undone: the permits of a process that dies are
 *                    gone until somebody posts them
 *   sysvsem:KEY[N]   semaphore N (from 0, which is also meant without [N]) of a System V set (sysvipc(7)); sysvsem:id=N
 *                    and sysvsem:PATH#PROJ too. With NONET_SEMAPHORE_UNDO the kernel gives back what a process has
 *                    taken, however it ends; several permits, and several semaphores of the set, are taken at once or
 *                    not at all
 *
 * The last two are the kernel's and the C library's own objects: programs that call semop(2) or sem_wait(3) take part.
 * All stay until they are removed, and forget their value when the machine stops.
 *
 * Of nonet's own a free permit is taken and given without a system call. One process or thread at a time waits for
 * permits, the others wait for their turn, and nobody who comes later takes a permit past the one whose turn it is. A
 * turn goes to whoever is there first, mostly to who has slept longest: nobody is passed over for ever, but two may be
 * served in another order than they came. A thread that dies inside a system call ends when that returns, maybe after
 * others have its process's permits.
 *
 * A handle may be used by many threads at once. After fork() the child uses it too, but of nonet's own (-ECHILD): it
 * opens its own; and waiting for it with others
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
#define NONET_SEMAPHORE_SIGNAL     4u /* create: a semaphore: that only counts; to others it says nothing */

struct nonet_semaphore_options {
	uint32_t size;        /* sizeof(struct nonet_semaphore_options) */
	uint32_t flags;       /* NONET_SEMAPHORE_* */
	uint32_t mode;        /* create: permissions, to 0777, exact whatever the umask; 0: 0600 */
	uint32_t value;       /* create: permits at first, of each of a set; of semaphore: all that there are */
	uint32_t count;       /* create: how many are in the set; 0: as many as the address needs. open: 0 */
	uint32_t reserved_32; /* zero */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_semaphore_create() - make a semaphore, or a set of them
 * @address:       semaphore:NAME, posixsem:/NAME, sysvsem:KEY[N] or sysvsem:PATH#PROJ
 * @options:       or NULL
 * @deadline:      with NONET_SEMAPHORE_MAY_EXIST, as for nonet_semaphore_open(); else nothing waits
 * @ret_semaphore: closed with nonet_semaphore_close()
 * @reterr:        NULL, or where to put the sentence
 *
 * Nobody sees a semaphore of a domain, or a POSIX one, before it has its value and mode. A System V set is there before
 * it has its values; nonet_semaphore_open() waits for them, and so does a program that waits for sem_otime (semctl(2)).
 *
 * Return: 0, or
 *   -EEXIST      there is one. Of PATH#PROJ it may be that of another path: ftok(3) keeps 16 bits of a file's number
 *   -EINVAL      not an address of a semaphore; it has id=; bad @options; more semaphores than kernel.sem allows; no
 *                permits for a semaphore: that doesn't only count
 *   -EOVERFLOW   @options->value is over 32767 (System V, a domain's), 1073741823 (a domain's that counts) or
 *                SEM_VALUE_MAX (POSIX)
 *   -ENOSPC      no room: kernel.sem limits sets and semaphores, /dev/shm is full
 *   -EOPNOTSUPP  only System V semaphores come in sets; or the file system in /dev/shm has no nameless files
 *   -EAGAIN      others make and remove it all the time
 *   -EPERM, -EPROTO, -EXDEV, -EBADMSG, -EUSERS, -ESTALE   of a domain's: as nonet_mutex_create()
 *   -EACCES, -EPERM, -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -EDQUOT, -EIO, -EMFILE, -ENFILE, -ENOMEM,
 *   -EIDRM, -EFBIG, -EISDIR, -ENOLCK, -ENOSYS, -ENODEV, -ETXTBSY   as open(2), mkdir(2), fallocate(2), mmap(2),
 *                fcntl(2), getrandom(2), linkat(2), semget(2), semctl(2), ftok(3)
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
 * @address:       semaphore:NAME, posixsem:/NAME, sysvsem:KEY[N], sysvsem:id=N or sysvsem:PATH#PROJ
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
 *   -EACCES      no permission: it takes reading, and writing but for those of System V
 *   -EPERM, -EPROTO, -EXDEV, -EBADMSG, -EUSERS, -ESTALE   of a domain's: as nonet_mutex_open()
 *   -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EMFILE, -ENFILE, -ENOMEM, -EIO, -EPERM, -EROFS, -ENOSPC, -EDQUOT, -EFBIG,
 *   -EOPNOTSUPP, -ENOLCK, -ENODEV, -ETXTBSY   as open(2), fallocate(2), mmap(2), fcntl(2), ftok(3)
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
 * A POSIX semaphore, or a domain's, only loses its name: who has it open goes on. A System V set is gone at once: who
 * waits for it or uses it is told -EIDRM.
 *
 * Return: 0, or
 *   -ENOENT      there is none
 *   -EINVAL      not an address of a semaphore, or it has [N]
 *   -EIDRM       there is no set id=N
 *   -ENOTSUP     the file isn't a semaphore's, and stays
 *   -EPERM, -EACCES   it is another user's
 *   -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -EIO, -EMFILE, -ENFILE, -ENOMEM   as unlink(2), ftok(3)
 *   of a domain's also what nonet_mutex_unlink() returns
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_unlink(const char *address, struct nonet_error *reterr);

/* Flags of nonet_semaphore_wait(), nonet_semaphore_post() and struct nonet_semaphore_operation. */
#define NONET_SEMAPHORE_UNDO 1u /* undone when this process ends, however it does; of semaphore: it always is */

/**
 * nonet_semaphore_wait() - take permits
 * @semaphore: a semaphore
 * @permits:   how many, at once; 1 for a POSIX semaphore
 * @flags:     NONET_SEMAPHORE_UNDO or 0
 * @deadline:  when to give up; NONET_NOW: only try
 *
 * Who waits for a POSIX semaphore, or a domain's, looks again every 100 ms: a waiter that was woken, and killed before
 * it ran, has taken the wake of another with it. Of a domain's the death of any of 127 holders wakes the one whose turn
 * it is at once (as nonet_mutex_lock() says it), of more within those 100 ms.
 *
 * Return: 0, or
 *   -EAGAIN      they aren't there, and @deadline is NONET_NOW; of a domain's also: another comes first, who waits or
 *                just tries for several
 *   -ETIMEDOUT   they weren't all there at one time before @deadline
 *   -EIDRM       the set was removed
 *   -EINVAL      @permits is 0, or more than a semaphore can hold; unknown @flags
 *   -EOPNOTSUPP  a POSIX semaphore gives one permit at a time, and undoes nothing: sysvsem: does; one that only counts
 *                undoes nothing: semaphore: without NONET_SEMAPHORE_SIGNAL does
 *   -EOVERFLOW   this process would have more than 32767 to undo
 *   -EACCES      the set may only be read
 *   -ENOSPC, -ENOMEM   no room to note what is to be undone
 *   -ECHILD      a domain's: the handle is the parent's
 *   -EBADMSG     a domain's: the memory was damaged; this object can't be used any more
 *   -ESTALE      a domain's: it was removed, and others may have another semaphore by this name
 *   -EUSERS, -EDQUOT, -EFBIG, -EMFILE, -ENFILE, -EIO, -ENOLCK   a domain's, the first time in this process or thread;
 *                so are -ENOSPC, -ENOMEM, -EACCES, -EINVAL, -EAGAIN, -EOPNOTSUPP: as nonet_mutex_lock()
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
 * Of System V at once, and so of a domain's that only counts; of POSIX one after the other, and so of a domain's whose
 * permits are owned: who is killed meanwhile has given some, and of a domain's the rest then too. Never waits.
 *
 * Return: 0, or
 *   -EOVERFLOW   it would have more than it can hold: 32767 (System V), SEM_VALUE_MAX (POSIX), 1073741823 (a domain's
 *                that only counts); or this process more than 32767 to undo
 *   -EPERM       a domain's, whose permits are owned: this process doesn't have so many
 *   -EINVAL      @permits is 0; unknown @flags
 *   -EOPNOTSUPP, -EIDRM, -EACCES, -ENOSPC, -ENOMEM, -ECHILD, -EBADMSG   as nonet_semaphore_wait(), and of a domain's
 *                what that returns the first time
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
 *   -EOPNOTSUPP  a POSIX semaphore does one at a time, of one permit, a domain's one, that isn't for zero: sysvsem:
 * does -EIDRM, -EOVERFLOW, -EACCES, -ENOSPC, -ENOMEM   as nonet_semaphore_wait(), nonet_semaphore_post() On failure
 * nothing was done. Source: semtimedop(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_operate(struct nonet_semaphore *semaphore,
							  const struct nonet_semaphore_operation *operations,
							  size_t count, nonet_time deadline);

/**
 * nonet_semaphore_value() - how many permits there are
 * @semaphore: a semaphore
 * @ret_value: as many; others may have changed it since. What dead processes had counts as free
 *
 * Return: 0, or -EIDRM, -EACCES; -ECHILD, -EBADMSG.
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
 * permit. Of POSIX semaphores it knows nothing, and the C library doesn't tell. Who has the permits of a domain's is
 * told by nonet_semaphore_holders().
 *
 * Return: 0, or -EIDRM, -EACCES; -ECHILD, -EBADMSG.
 * Source: GETNCNT, GETZCNT and GETPID in semctl(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_look(struct nonet_semaphore *semaphore,
						       struct nonet_semaphore_info *ret_info);

/* Who has permits of a domain's semaphore. */
struct nonet_semaphore_holder {
	int32_t pid;      /* 0: a process outside our PID namespace, or a dead one */
	uint32_t member;  /* of the domain */
	uint32_t permits; /* that it has */
	uint32_t flags;   /* NONET_SEMAPHORE_IS_DEAD: free for whoever asks */
	char name[24];    /* of the process, as it said */
};

#define NONET_SEMAPHORE_IS_DEAD 1u
#define NONET_SEMAPHORE_HOLDERS 256 /* that can be asked for at once */

/**
 * nonet_semaphore_holders() - find out who has its permits
 * @semaphore:   a domain's, whose permits are owned
 * @ret_holders: room for @max of them; each as it was at some moment; what members say of themselves isn't checked
 * @max:         at most NONET_SEMAPHORE_HOLDERS; if there are more, only so many are told
 * @ret_count:   how many were filled in
 *
 * Return: 0, or
 *   -EOPNOTSUPP  nobody knows of whom permits of others are
 *   -EINVAL      @max is over NONET_SEMAPHORE_HOLDERS
 *   -ECHILD, -EBADMSG   as nonet_semaphore_wait()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_semaphore_holders(struct nonet_semaphore *semaphore,
							  struct nonet_semaphore_holder *ret_holders, size_t max,
							  size_t *ret_count);

/**
 * nonet_semaphore_fd() - a descriptor for poll(2): POLLIN once there may be a permit
 * @semaphore: a semaphore
 *
 * Of a domain's it is a FIFO, as nonet_event_fd() says it; who dies with a permit rings it too. The two others have
 * none: it is an eventfd, rung by a helper thread, which the first call of this, of nonet_semaphore_arm() or
 * nonet_semaphore_waitable() starts. It takes no permit, nor the wake of another waiter. In a System V semaphore it
 * waits as a waiter does, a thread for each. A POSIX semaphore has no such wait: it is looked at every 10 ms while
 * armed, until it leaves its wait set, by one thread for all of the process.
 *
 * Return: the descriptor, owned by @semaphore, or -EMFILE, -ENFILE, -ENOMEM: no helper; -ECHILD: in a forked child; of
 * a domain's what nonet_event_fd() returns.
 */
NONET_PUBLIC int nonet_semaphore_fd(struct nonet_semaphore *semaphore);

/**
 * nonet_semaphore_arm() - make ready to sleep on the descriptor
 * @semaphore: a semaphore
 *
 * Return: 1: there may be a permit now; 0: the descriptor will tell; -ECHILD: in a forked child; -EMFILE, -ENFILE,
 * -ENOMEM: no helper; of a domain's what nonet_event_fd() returns.
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
