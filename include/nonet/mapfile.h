/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_MAPFILE_H
#define NONET_MAPFILE_H

#include <stddef.h>
#include <stdint.h>

#include <nonet/error.h>
#include <nonet/macro.h>
#include <nonet/time.h>
#include <nonet/wait.h>

NONET_BEGIN_DECLS

/*
 * Mapped files: a region of a file, or all of it, as memory that every process which maps it shares, and that is there
 * after the last has gone. The memory is guarded (nonet/guard.h): where somebody truncates the file, or a full file
 * system can't give a block, an access finds zeros, and all calls on the handle are -EBADMSG from then on.
 *
 * What is stored is seen by other mappings at once, and by read(2). It is in the file for good once
 * nonet_mapfile_sync() says so; until then a death of processes loses nothing, and a power failure may lose any of it,
 * in any order.
 *
 * A handle's memory may be used by any thread. Calls that change the mapping (grow, refresh, close) are for one thread,
 * while no other uses the memory or the handle. After fork() the child has the mapping too, and its handle works on;
 * only what waits is the parent's (-ECHILD): the child opens its own.
 */
struct nonet_mapfile;

/* Flags of struct nonet_mapfile_options. */
#define NONET_MAPFILE_READ_ONLY 1u /* map it for reading alone; stores to it are SIGSEGV */
#define NONET_MAPFILE_PRIVATE   2u /* what is stored stays this process's own, and never reaches the file */
#define NONET_MAPFILE_EXISTING  4u /* create: if there is one already, open it */

struct nonet_mapfile_options {
	uint32_t size;        /* sizeof(struct nonet_mapfile_options) */
	uint32_t flags;       /* NONET_MAPFILE_* */
	uint64_t offset;      /* where in the file the region begins, in bytes: a multiple of the page size */
	uint64_t length;      /* of the region, in bytes; 0: to the end of the file */
	uint32_t mode;        /* permissions of a new file, 0 to 0777, exact whatever the umask; 0 means 0600 */
	uint32_t reserved0;   /* zero */
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_mapfile_create() - make a file of zeros, and map it
 * @path:        its name; with NONET_MAPFILE_EXISTING a file that has it is opened
 * @options:     its length at least. The file is @options->offset + @options->length long
 * @ret_mapfile: closed with nonet_mapfile_close()
 * @reterr:      NULL, or where to put the sentence
 *
 * It has its length, its blocks and its mode before it has its name, so that a creator who is killed leaves nothing
 * half-made. (Where a file system has no unnamed files, a file ".nonet-HEX" may be left.) A file system that can't
 * promise blocks (NFS before 4.2) gives a file with holes. The name is on the disk once nonet_mapfile_sync() with
 * NONET_MAPFILE_DURABLE says so.
 *
 * Return: 0, or
 *   -EEXIST      something has that name, and NONET_MAPFILE_EXISTING isn't set
 *   -EINVAL      bad @options: no length, an offset that is no multiple of the page size, PRIVATE
 *   -ENOSPC, -EDQUOT   no room on the file system
 *   -EFBIG       the length is more than the file system, the address space or RLIMIT_FSIZE allows; no SIGXFSZ
 *   -ENOMEM      no memory or address space; on tmpfs also as nonet_memory_create()
 *   -ENODATA, -ERANGE, -ENOTSUP   as nonet_mapfile_open(), with NONET_MAPFILE_EXISTING
 *   -ENOENT, -ENOTDIR, -EACCES, -EPERM, -ELOOP, -ENAMETOOLONG, -EROFS, -EIO, -EMFILE, -ENFILE, -EAGAIN, -ENODEV,
 *   -ETXTBSY, -EBUSY   as open(2), linkat(2), fallocate(2), mmap(2)
 * On failure no new file is left behind.
 * Context: any thread; not in a signal handler.
 * Source: mmap(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_create(const char *path, const struct nonet_mapfile_options *options,
						       struct nonet_mapfile **ret_mapfile, struct nonet_error *reterr);

/**
 * nonet_mapfile_open() - map a file, or a region of it
 * @path:        its name
 * @options:     or NULL: all of it, for reading and writing
 * @ret_mapfile: closed with nonet_mapfile_close()
 * @reterr:      NULL, or where to put the sentence
 *
 * Return: 0, or
 *   -ENODATA     there are no bytes: the file is empty, or ends at the offset or before
 *   -ERANGE      the file ends before the end of the region
 *   -ENOTSUP     @path is no regular file; it is looked at, not opened, which could let the peer of a FIFO through
 *   -EINVAL      bad @options; an offset that is no multiple of the page size
 *   -EFBIG       the region is larger than the address space
 *   -EACCES      the mode doesn't let us, for reading and writing (or, with READ_ONLY or PRIVATE, for reading)
 *   -ENODEV      the file system has no mapped files
 *   -EPERM, -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EROFS, -ETXTBSY, -EBUSY, -EIO, -EMFILE, -ENFILE, -ENOMEM,
 *   -EAGAIN      as open(2), mmap(2)
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_open(const char *path, const struct nonet_mapfile_options *options,
						     struct nonet_mapfile **ret_mapfile, struct nonet_error *reterr);

/**
 * nonet_mapfile_close() - unmap it; the file stays, with what was stored
 * @mapfile: may be NULL; leaves its wait set
 *
 * Return: NULL.
 */
NONET_PUBLIC struct nonet_mapfile *nonet_mapfile_close(struct nonet_mapfile *mapfile);

/**
 * nonet_mapfile_unlink() - take a file's name away; who has it mapped keeps it
 * @path:   its name
 * @reterr: NULL, or where to put the sentence
 *
 * Return: 0, or -ENOTSUP (@path is no regular file: nothing else is ever removed), -ENOENT, -EACCES, -EPERM, -EROFS,
 *   -EBUSY, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EIO, -EMFILE, -ENFILE, -ENOMEM as unlink(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_unlink(const char *path, struct nonet_error *reterr);

/**
 * nonet_mapfile_base() - where the region is
 * @mapfile: a handle
 *
 * Return: its first byte, at a page's beginning; the same until the mapping is changed.
 */
NONET_PUBLIC void *nonet_mapfile_base(struct nonet_mapfile *mapfile);

/** nonet_mapfile_length() - how many bytes are mapped, from nonet_mapfile_base() on. */
NONET_PUBLIC size_t nonet_mapfile_length(struct nonet_mapfile *mapfile);

/**
 * nonet_mapfile_check() - whether the region was whole so far
 * @mapfile: a handle
 *
 * To be asked after reading what matters, and after storing: what was stored where the file had ended is nowhere.
 *
 * Return: 0, or -EBADMSG: somebody truncated the file under the mapping, or a block couldn't be had. Close it.
 * Context: any thread, signal handlers too. One load: no system call.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_check(struct nonet_mapfile *mapfile);

/**
 * nonet_mapfile_grow() - make the region longer, and the file if it has to be
 * @mapfile: mapped for writing, not PRIVATE
 * @length:  of the region, in bytes, at least
 *
 * The new bytes of the file are zeros, with their blocks. The base may move. Never shorter: if the region is that long
 * already, nothing happens.
 *
 * Return: 0, or
 *   -EPERM       it is mapped for reading alone, or PRIVATE, or the file may not grow
 *   -ENOSPC, -EDQUOT, -EFBIG, -ENOMEM, -EIO, -EAGAIN   no room; the region is as before the call
 *   -EBADMSG     the file was found truncated
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_grow(struct nonet_mapfile *mapfile, size_t length);

/**
 * nonet_mapfile_refresh() - map the file to its end, which somebody may have moved
 * @mapfile: a handle
 *
 * Return: 0, or
 *   -EBADMSG     the file ends before the end of the region, or was found truncated
 *   -EFBIG, -ENOMEM, -EIO, -EAGAIN   as before the call
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_refresh(struct nonet_mapfile *mapfile);

enum nonet_mapfile_sync {
	NONET_MAPFILE_START = 1, /* begin writing, and don't wait: a hint, which the kernel may have no use for */
	NONET_MAPFILE_WRITE,     /* what was stored in the range is on the device, and can be read back from it */
	NONET_MAPFILE_DURABLE,   /* all of the file, its size, and the name that it was made or opened by */
};

/**
 * nonet_mapfile_sync() - write what was stored to the file
 * @mapfile: mapped for writing, not PRIVATE
 * @offset:  in the region, in bytes
 * @length:  in bytes; 0: to the end of the region
 * @how:     how far
 *
 * WRITE and DURABLE wait for the device, for as long as it takes. An error of the device is told once, by the first
 * sync after it on each handle; what of the range is on the disk is then unknown, and trying again doesn't help.
 *
 * Return: 0, or
 *   -EINVAL      bad @how; the range isn't in the region
 *   -EPERM       it is mapped for reading alone, or PRIVATE: there is nothing to write
 *   -EIO, -ENOSPC, -EDQUOT   the device, or the file system, couldn't take it
 *   -EBUSY, -ENOMEM, -EACCES, -ENOENT, -ENOTDIR, -ELOOP, -ENFILE, -EMFILE, -EROFS
 *                as msync(2); DURABLE: the directory of the name couldn't be opened
 *   -EBADMSG     the file was found truncated
 * Source: msync(2), fsync(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_sync(struct nonet_mapfile *mapfile, size_t offset, size_t length,
						     enum nonet_mapfile_sync how);

enum nonet_mapfile_advice {
	NONET_MAPFILE_NORMAL = 1,
	NONET_MAPFILE_SEQUENTIAL, /* read far ahead */
	NONET_MAPFILE_RANDOM,     /* read nothing ahead */
	NONET_MAPFILE_SOON,       /* begin to read it now */
	NONET_MAPFILE_DONE,       /* these pages aren't needed: what was stored is kept */
	NONET_MAPFILE_HUGE,       /* use large pages, where the file system can */
};

/**
 * nonet_mapfile_advise() - say how a range will be used
 * @mapfile: a handle
 * @offset:  in the region, in bytes
 * @length:  in bytes; 0: to the end of the region
 * @advice:  how
 *
 * Nothing depends on it but speed. It holds until the mapping is changed; of a PRIVATE mapping it is for all of it, but
 * SOON. DONE on a PRIVATE mapping is refused, as it would lose what was stored.
 *
 * Return: 0, or
 *   -EINVAL      bad @advice; the range isn't in the region; the kernel has no large pages
 *   -EPERM       DONE, and PRIVATE
 *   -ENOMEM, -EIO, -EAGAIN, -EFAULT   as madvise(2)
 *   -EBADMSG     the file was found truncated
 * Source: madvise(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_advise(struct nonet_mapfile *mapfile, size_t offset, size_t length,
						       enum nonet_mapfile_advice advice);

/* Flags of struct nonet_mapfile_info. */
#define NONET_MAPFILE_IS_REMOVED 1u /* the file has no name any more */

struct nonet_mapfile_info {
	uint64_t file_size; /* of the file now, in bytes */
	uint64_t blocks;    /* bytes that it really takes on its file system: less than file_size if it has holes */
	uint64_t offset;    /* of the region in the file */
	uint64_t length;    /* of the region */
	uint32_t flags;     /* NONET_MAPFILE_IS_* */
	uint32_t mode;      /* permission bits */
	uint32_t uid;       /* its owner */
	uint32_t gid;
	uint64_t reserved[2]; /* zero */
};

/**
 * nonet_mapfile_info() - what the kernel knows of the file
 * @mapfile:  a handle
 * @ret_info: filled
 *
 * Return: 0, or
 *   -EBADMSG     the file was found truncated
 *   -EIO, -EACCES, -ENOMEM   as fstat(2)
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_info(struct nonet_mapfile *mapfile,
						     struct nonet_mapfile_info *ret_info);

/* What nonet_mapfile_changed() tells. Stores through a mapping are seen by nobody, and not told. */
#define NONET_MAPFILE_WRITTEN  1u  /* by a system call: write(2), truncation, allocation, a hole */
#define NONET_MAPFILE_GREW     2u  /* it is longer than what is mapped: nonet_mapfile_refresh() */
#define NONET_MAPFILE_SHRANK   4u  /* it is shorter than what is mapped: the region is damaged */
#define NONET_MAPFILE_REMOVED  8u  /* nothing has its name any more */
#define NONET_MAPFILE_REPLACED 16u /* another file has its name, as after a write of an editor */

/**
 * nonet_mapfile_changed() - wait for the file to change
 * @mapfile:     a handle
 * @deadline:    when to give up
 * @ret_changes: NONET_MAPFILE_*: what happened since the last time, or since the first call of this, of
 *               nonet_mapfile_fd() or nonet_mapfile_waitable(); never 0
 *
 * Changes that this process made are told like any other. To wait for what is stored in the memory, use an object made
 * for it: a queue, a semaphore, a pipe.
 *
 * Return: 0, or
 *   -EAGAIN      nothing, and @deadline is NONET_NOW
 *   -ETIMEDOUT   nothing before @deadline
 *   -ECHILD      the handle is the parent's: open one here
 *   -EMFILE, -ENFILE, -ENOSPC, -ENOMEM   no room for a watch (/proc/sys/fs/inotify/)
 *   -ENOENT      no /proc
 *   -EACCES, -EIO, -ENOTDIR, -ELOOP   as inotify_add_watch(2), open(2)
 * Source: inotify(7).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_changed(struct nonet_mapfile *mapfile, nonet_time deadline,
							uint32_t *ret_changes);

/**
 * nonet_mapfile_fd() - a descriptor that is readable once the file has changed
 * @mapfile: owns it; the watch begins with the first call
 *
 * Return: the descriptor, or an error as nonet_mapfile_changed().
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_fd(struct nonet_mapfile *mapfile);

/** nonet_mapfile_arm() - 1: call nonet_mapfile_changed() now, 0: the descriptor will tell. Or as nonet_mapfile_fd(). */
NONET_PUBLIC NONET_MUST_CHECK int nonet_mapfile_arm(struct nonet_mapfile *mapfile);

/**
 * nonet_mapfile_waitable() - what nonet_wait_set_add() wants
 * @mapfile: owns it
 *
 * Return: the waitable, or NULL: nonet_mapfile_fd() says why.
 */
NONET_PUBLIC struct nonet_waitable *nonet_mapfile_waitable(struct nonet_mapfile *mapfile);

/**
 * nonet_mapfile_explain() - say in a sentence why a call failed
 * @mapfile:   the handle that it was made on
 * @code:      what it returned
 * @ret_error: the sentence
 */
NONET_PUBLIC void nonet_mapfile_explain(struct nonet_mapfile *mapfile, int code, struct nonet_error *ret_error);

NONET_END_DECLS

#endif
