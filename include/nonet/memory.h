/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_MEMORY_H
#define NONET_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Shared memory, over three carriers:
 *   posixshm:/NAME                      POSIX, a file in /dev/shm: shm_overview(7)
 *   sysvshm:KEY, id=N or PATH#PROJ      System V: shmget(2)
 *   no address                          a memfd, given to others through a UNIX socket, and sealed: memfd_create(2)
 *
 * An object has its size, its room and its mode before anybody can open it, so that a full /dev/shm is an error at
 * creation, and a creator who is killed leaves nothing half-made. The memory is guarded (nonet/guard.h): a peer that
 * truncates or punches it gives zeros and -EBADMSG, not a dead process. Which bytes to believe is the program's to
 * say: whoever may write to the memory may write anything to it at any time.
 *
 * A handle's memory may be used by any thread. Calls that change the mapping (grow, refresh, seal, close) are for one
 * thread, while no other uses the memory or the handle. After fork() the child has the memory too, and its handle works
 * on; only what waits is the parent's (-ECHILD): the child opens its own.
 */
struct nonet_memory;

/* Flags of struct nonet_memory_options. */
#define NONET_MEMORY_READ_ONLY 1u /* map it for reading alone; stores to it are SIGSEGV */
#define NONET_MEMORY_EXISTING  2u /* create: if there is one already, open it */
#define NONET_MEMORY_HUGE      4u /* with huge pages, if there are any; nonet_memory_info() tells */
#define NONET_MEMORY_HUGE_ONLY 8u /* with huge pages, or not at all */

/* What can't be done to a memfd any more, by anybody: F_ADD_SEALS in fcntl(2). */
#define NONET_MEMORY_SEAL_SIZE    1u /* change its size */
#define NONET_MEMORY_SEAL_WRITERS 2u /* write, but through mappings that there are: the maker's */
#define NONET_MEMORY_SEAL_CONTENT 4u /* write; the handle that sets it can only read from then on */
#define NONET_MEMORY_SEAL_SEALS   8u /* add another seal */

struct nonet_memory_options {
	uint32_t size;        /* sizeof(struct nonet_memory_options) */
	uint32_t flags;       /* NONET_MEMORY_* */
	uint64_t length;      /* of the memory, in bytes. Creating: 1 or more. Opening: at least so many; 0: any */
	uint32_t mode;        /* permissions of a new object, 0 to 0777, exact whatever the umask; 0 means 0600 */
	uint32_t seals;       /* nonet_memory_take_fd(): NONET_MEMORY_SEAL_* that have to be there */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_memory_create() - make a named object, and map it
 * @address:    posixshm: or sysvshm:
 * @options:    its length at least
 * @ret_memory: closed with nonet_memory_close(); the object stays until nonet_memory_unlink()
 * @reterr:     NULL, or where to put the sentence
 *
 * The memory is all zeros, and all there. Of huge pages POSIX has only those that the kernel puts together by itself,
 * where /sys/kernel/mm/transparent_hugepage/shmem_enabled lets it; System V takes them from the pool
 * (/proc/sys/vm/nr_hugepages), and rounds the length up.
 *
 * Return: 0, or
 *   -EEXIST      there is such an object, and NONET_MEMORY_EXISTING isn't set
 *   -EINVAL      bad @address or @options; no length; id=N, which the kernel chooses
 *   -EFBIG       the length is more than any address space, the kernel's limit (shmmax), or RLIMIT_FSIZE (no SIGXFSZ)
 *   -ENOSPC      no room in /dev/shm, or for another segment (shmmni, shmall); no huge pages, with HUGE_ONLY
 *   -ENOMEM      no memory, or no address space; more than the machine, or a control group that we are in, may give,
 *                which is looked at before, from 1 MiB on: beyond that the kernel doesn't refuse, but kills
 *   -ERANGE      there is an object, and it is smaller than the length
 *   -ENOTSUP     what has the name is no shared memory
 *   -EOPNOTSUPP  the address names no shared memory; with HUGE_ONLY, the kernel has no huge pages for this carrier
 *   -EACCES, -EPERM, -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -EDQUOT, -EIO, -EMFILE, -ENFILE, -EAGAIN,
 *   -ENODEV      as open(2), linkat(2), shmget(2), ftok(3), mmap(2)
 * On failure no new object is left behind.
 * Context: any thread; not in a signal handler.
 * Source: shm_overview(7), shmget(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_create(const char *address, const struct nonet_memory_options *options,
						      struct nonet_memory **ret_memory, struct nonet_error *reterr);

/**
 * nonet_memory_open() - map an object that somebody made
 * @address:    posixshm: or sysvshm:
 * @options:    or NULL
 * @ret_memory: closed with nonet_memory_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * All of it, as long as it is now. A PATH#PROJ that means another object by accident (ftok(3) keeps 16 bits of the
 * file's number) can't be told from the right one, but by its length, its owner and what is in it.
 *
 * Return: 0, or
 *   -ENOENT      there is no such object, or no file for PATH#PROJ
 *   -ENODATA     it is of length 0: its maker has not given it one, or was killed before that
 *   -ERANGE      it is smaller than @options->length
 *   -EFBIG       it is larger than the address space
 *   -ENOTSUP     what has the name is no shared memory
 *   -EOPNOTSUPP  the address names no shared memory
 *   -EINVAL      bad @address or @options
 *   -EACCES      its mode doesn't let us, for reading and writing (or, with READ_ONLY, for reading)
 *   -EPERM, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EIO, -EMFILE, -ENFILE, -ENOMEM, -EAGAIN, -ENODEV
 *                as open(2), shmat(2), mmap(2)
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_open(const char *address, const struct nonet_memory_options *options,
						    struct nonet_memory **ret_memory, struct nonet_error *reterr);

/**
 * nonet_memory_new() - make memory without a name (memfd), and map it
 * @options:    its length at least; no mode
 * @ret_memory: closed with nonet_memory_close(); the memory goes with the last descriptor and mapping
 * @reterr:     NULL, or where to put the sentence
 *
 * Given to others by nonet_memory_descriptor() and nonet_unix_send_descriptors(); they nonet_memory_take_fd() it. With
 * HUGE its pages are huge where the pool has enough of them, and the length is rounded up to them; else they are
 * ordinary ones.
 *
 * Return: 0, or
 *   -EINVAL      bad @options, no length
 *   -EFBIG, -ENOSPC, -ENOMEM   as nonet_memory_create()
 *   -EOPNOTSUPP  with HUGE_ONLY: the kernel has no huge pages
 *   -EMFILE, -ENFILE, -EACCES, -EPERM, -EIO, -EAGAIN, -ENODEV   as memfd_create(2), fallocate(2), mmap(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_new(const struct nonet_memory_options *options,
						   struct nonet_memory **ret_memory, struct nonet_error *reterr);

/**
 * nonet_memory_take_fd() - map memory whose descriptor was received or inherited
 * @fd:         of a memfd or of POSIX shared memory; on success the handle's, and set to -1
 * @options:    or NULL
 * @ret_memory: closed with nonet_memory_close()
 * @reterr:     NULL, or where to put the sentence
 *
 * It is looked at before it is trusted: that it is memory and not a file on a disk, that it has the seals that
 * @options asks for, and at least the length. The descriptor is closed at exec from now on.
 *
 * Return: 0, or
 *   -EBADF       @fd isn't open
 *   -ENOTSUP     it isn't shared memory
 *   -EPERM       a seal is missing
 *   -ENODATA, -ERANGE, -EFBIG   as nonet_memory_open()
 *   -EACCES      it can only be read (the descriptor is read-only, or sealed against writing): set READ_ONLY
 *   -EINVAL      bad @options
 *   -ENOMEM, -EIO, -EAGAIN, -ENODEV, -ENFILE   as mmap(2), fstatfs(2)
 * On failure @fd is as it was.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_take_fd(int *fd, const struct nonet_memory_options *options,
						       struct nonet_memory **ret_memory, struct nonet_error *reterr);

/**
 * nonet_memory_close() - unmap it; the object stays as it is
 * @memory: may be NULL; leaves its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_memory *nonet_memory_close(struct nonet_memory *memory);

/**
 * nonet_memory_unlink() - take an object's name away; who has it mapped keeps it
 * @address: posixshm: or sysvshm:
 * @reterr:  NULL, or where to put the sentence
 *
 * A System V segment that is still attached somewhere is marked: its key is free for another, its id works on until the
 * last one detaches.
 *
 * Return: 0, or
 *   -ENOENT      there is no such object
 *   -ENOTSUP     what has the name is no shared memory, and stays
 *   -EOPNOTSUPP  the address names no shared memory
 *   -EINVAL      bad @address
 *   -EACCES, -EPERM, -EROFS, -EBUSY, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EIO, -EMFILE, -ENFILE, -ENOMEM
 *                as unlink(2), shmctl(2), ftok(3)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_unlink(const char *address, struct nonet_error *reterr);

/**
 * nonet_memory_base() - where the memory is
 * @memory: a handle
 *
 * Return: its first byte, aligned to a page at least; the same until the mapping is changed.
 */
NONET_PUBLIC void *nonet_memory_base(struct nonet_memory *memory);

/** nonet_memory_length() - how many bytes of it are mapped, from nonet_memory_base() on. */
NONET_PUBLIC size_t nonet_memory_length(struct nonet_memory *memory);

/**
 * nonet_memory_check() - whether the memory was whole so far
 * @memory: a handle
 *
 * To be asked after reading what matters: zeros that stand for a hole are memory like any other. What a peer cleared
 * without cutting it off can't be seen.
 *
 * Return: 0, or -EBADMSG: somebody truncated it, or punched a hole that couldn't be filled. Close it.
 * Context: any thread, signal handlers too. One load: no system call.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_check(struct nonet_memory *memory);

/**
 * nonet_memory_grow() - make the object longer, and map all of it
 * @memory: a handle
 * @length: in bytes, at least
 *
 * The new bytes are zeros, and all there. The base may move; other handles see the new length with
 * nonet_memory_refresh(). If it is that long already, this is nonet_memory_refresh().
 *
 * Return: 0, or
 *   -EOPNOTSUPP  System V segments can't grow
 *   -EPERM       the handle is read-only, or the size sealed
 *   -ENOSPC, -EFBIG, -ENOMEM, -EDQUOT, -EIO, -EAGAIN   no room for it; as before the call
 *   -EBADMSG     the memory was found damaged
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_grow(struct nonet_memory *memory, size_t length);

/**
 * nonet_memory_refresh() - map as much as there is by now
 * @memory: a handle
 *
 * Return: 0, or
 *   -EBADMSG     it is shorter than it was, or was found damaged
 *   -EFBIG, -ENOMEM, -EIO, -EAGAIN   as before the call
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_refresh(struct nonet_memory *memory);

/**
 * nonet_memory_seal() - let nobody change what @seals says, from now on
 * @memory: made by nonet_memory_new(), or taken
 * @seals:  NONET_MEMORY_SEAL_*, at least one
 *
 * With SEAL_CONTENT the base may move, and can only be read.
 *
 * Return: 0, or
 *   -EOPNOTSUPP  only memory without a name can be sealed
 *   -EINVAL      bad @seals
 *   -EPERM       it was sealed against seals, or the descriptor is read-only
 *   -EBUSY       SEAL_CONTENT, and somebody else has it mapped for writing
 *   -ENOMEM, -EACCES, -EAGAIN, -ENODEV   as mmap(2); not sealed
 *   -EBADMSG     the memory was found damaged
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_seal(struct nonet_memory *memory, uint32_t seals);

/**
 * nonet_memory_descriptor() - the memory's own descriptor, to pass on
 * @memory: owns it
 *
 * Whoever has it can write to the memory, unless it is sealed: a read-only one could be opened anew for writing.
 *
 * Return: the descriptor, or -EOPNOTSUPP: System V segments have none.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_descriptor(struct nonet_memory *memory);

/* Flags of struct nonet_memory_info. */
#define NONET_MEMORY_IS_HUGE    1u /* of huge pages from the pool */
#define NONET_MEMORY_IS_REMOVED 2u /* it has no name any more, and goes with the last who has it */
#define NONET_MEMORY_IS_SEALED  4u /* one seal at least is set */

struct nonet_memory_info {
	uint64_t length;  /* of the object now, in bytes */
	uint64_t page;    /* size of its pages, in bytes; 0: not known */
	int64_t attached; /* how often it is mapped; -1: the kernel doesn't count (only System V's) */
	uint32_t flags;   /* NONET_MEMORY_IS_* */
	uint32_t seals;   /* NONET_MEMORY_SEAL_* */
	uint32_t mode;    /* permission bits */
	uint32_t uid;     /* its owner */
	uint32_t gid;
	int32_t id;           /* System V: as ipcs(1) shows it; else -1 */
	int32_t creator;      /* System V: the process that made it; else 0 */
	int32_t last;         /* System V: the process that attached or detached last; 0: none */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_memory_info() - what the kernel knows of the object
 * @memory:   a handle
 * @ret_info: filled
 *
 * Return: 0, or
 *   -EBADMSG     the memory was found damaged
 *   -EACCES      System V: we may not read it (any more)
 *   -ENOENT      System V: somebody destroyed it, and the kernel can't name it any more
 *   -EIO, -ENOMEM, -EPERM   as fstat(2), fstatfs(2), shmctl(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_info(struct nonet_memory *memory, struct nonet_memory_info *ret_info);

/**
 * nonet_memory_find() - the same without mapping it
 * @address:  posixshm: or sysvshm:
 * @ret_info: filled; for posixshm: page and seals are 0
 * @reterr:   NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -ENOENT, -ENOTSUP, -EOPNOTSUPP, -EINVAL, -EACCES, -EPERM, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EIO, -EMFILE, -ENFILE,
 *   -ENOMEM      as nonet_memory_open()
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_find(const char *address, struct nonet_memory_info *ret_info,
						    struct nonet_error *reterr);

/* What nonet_memory_changed() tells. Stores through a mapping are seen by nobody, and not told. */
#define NONET_MEMORY_WRITTEN  1u  /* by a system call: write(2), truncation, allocation, a hole */
#define NONET_MEMORY_GREW     2u  /* it is longer than what is mapped: nonet_memory_refresh() */
#define NONET_MEMORY_SHRANK   4u  /* it is shorter than what is mapped: the memory is damaged */
#define NONET_MEMORY_REMOVED  8u  /* nothing has its name any more */
#define NONET_MEMORY_REPLACED 16u /* another object has its name */

/**
 * nonet_memory_changed() - wait for the object to change
 * @memory:      a handle
 * @deadline:    when to give up
 * @ret_changes: NONET_MEMORY_*: what happened since the last time, or since the first call of this, of
 *               nonet_memory_fd() or nonet_memory_waitable(); never 0
 *
 * Changes that this process made are told like any other. Of a memfd newer kernels (6.18 does) tell only truncation;
 * that it was grown by nonet_memory_grow() is told too. To wait for what is stored in the memory, use an object made
 * for it: a queue, a semaphore, a pipe.
 *
 * Return: 0, or
 *   -EAGAIN      nothing, and @deadline is NONET_NOW
 *   -ETIMEDOUT   nothing before @deadline
 *   -EOPNOTSUPP  the kernel tells nothing of System V segments
 *   -ECHILD      the handle is the parent's: open one here
 *   -EMFILE, -ENFILE, -ENOSPC, -ENOMEM   no room for a watch (/proc/sys/fs/inotify/)
 *   -ENOENT      no /proc
 *   -EACCES, -EIO, -ENOTDIR, -ELOOP   as inotify_add_watch(2), open(2)
 * Source: inotify(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_changed(struct nonet_memory *memory, nonet_time deadline,
						       uint32_t *ret_changes);

/**
 * nonet_memory_fd() - a descriptor that is readable once the object has changed
 * @memory: owns it; the watch begins with the first call
 *
 * Return: the descriptor, or an error as nonet_memory_changed().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_fd(struct nonet_memory *memory);

/** nonet_memory_arm() - 1: call nonet_memory_changed() now, 0: the descriptor will tell. Or as nonet_memory_fd(). */
NONET_PUBLIC NONET_MUST_CHECK int nonet_memory_arm(struct nonet_memory *memory);

/**
 * nonet_memory_waitable() - what nonet_wait_set_add() wants
 * @memory: owns it
 *
 * Return: the waitable, or NULL: nonet_memory_fd() says why.
 */
NONET_PUBLIC struct nonet_waitable *nonet_memory_waitable(struct nonet_memory *memory);

/**
 * nonet_memory_explain() - say in a sentence why a call failed
 * @memory:    the handle that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_memory_explain(struct nonet_memory *memory, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
