/* SPDX-License-Identifier: Apache-2.0 */
#include "filelock/filelock.h"

#include <errno.h>
#include <inttypes.h>

#include "base/error.h"
#include "base/flat.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/fork.h"
#include "sys/memory.h"

#define FILELOCK_FLAGS (NONET_FILELOCK_CREATE | NONET_FILELOCK_READ_ONLY | NONET_FILELOCK_CHECK_PATH)

/* Not to be inlined into a call whose usual way is short. */
#define FILELOCK_SELDOM __attribute__((noinline, cold))

/* The modes are numbered alike. */
_Static_assert(NONET_FILELOCK_NONE == (int)SYS_LOCK_NONE, "none");
_Static_assert(NONET_FILELOCK_SHARED == (int)SYS_LOCK_SHARED, "shared");
_Static_assert(NONET_FILELOCK_EXCLUSIVE == (int)SYS_LOCK_EXCLUSIVE, "exclusive");

static int filelock_check_options(const struct nonet_filelock_options *options, struct nonet_error *reterr)
{
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the options of a file lock have a size of %u, not %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~FILELOCK_FLAGS)
		return error_set(reterr, -EINVAL, "the flags %#x of a file lock have bits that aren't known",
				 options->flags);
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of a lock's file has more than permission bits",
				 options->mode);
	if (options->reserved || options->reserved2[0] || options->reserved2[1])
		return error_set(reterr, -EINVAL, "the reserved fields of a file lock's options aren't zero");
	return 0;
}

static const struct filelock_carrier *filelock_carrier(enum nonet_scheme scheme)
{
	switch (scheme) {
	case NONET_SCHEME_OFDLOCK:
		return &filelock_ofd;
	case NONET_SCHEME_POSIXLOCK:
		return &filelock_posix;
	case NONET_SCHEME_FLOCK:
		return &filelock_flock;
	default:
		return NULL;
	}
}

static int filelock_read_address(struct nonet_filelock *lock, const char *address, struct nonet_error *reterr)
{
	int error = nonet_address_parse(address, &lock->address, reterr);

	if (error < 0)
		return error;
	lock->carrier = filelock_carrier(nonet_address_scheme(lock->address));
	if (!lock->carrier)
		return error_set(reterr, -EOPNOTSUPP,
				 "%s: names something that is no file lock; ofdlock:, posixlock: and flock: do",
				 nonet_scheme_name(nonet_address_scheme(lock->address)));
	/* Without a range in the address both stay 0: the whole file. */
	(void)!nonet_address_number(lock->address, NONET_ADDRESS_START, &lock->range.start);
	(void)!nonet_address_number(lock->address, NONET_ADDRESS_LENGTH, &lock->range.length);
	return 0;
}

static int filelock_say_open(const struct nonet_filelock *lock, int error, struct nonet_error *reterr)
{
	const char *path = filelock_path(lock);

	switch (error) {
	case -EBUSY:
		return error_set(reterr, error,
				 "this process has a handle of classic locks for %s already, and a second one would "
				 "lock nobody out: use that one, or ofdlock:",
				 path);
	case -ENOTSUP:
		return error_set(reterr, error, "%s isn't a regular file%s, so it can't be locked with %s:", path,
				 lock->carrier->any_access ? " or a directory" : "", lock->carrier->scheme);
	case -EACCES:
	case -EPERM:
	case -EROFS:
		if (lock->flags & NONET_FILELOCK_READ_ONLY || lock->carrier->any_access)
			break;
		return error_set(reterr, error,
				 "can't open %s for writing, which an exclusive %s: needs: %s; a shared lock can be "
				 "taken if it is opened read-only, any with flock:",
				 path, lock->carrier->scheme, error_reason(error));
	case -EAGAIN:
		return error_set(reterr, error,
				 "somebody has a lease on %s, and has just been told to give it up: try again", path);
	case -ENOENT:
		if (lock->flags & NONET_FILELOCK_CREATE)
			break;
		return error_set(reterr, error, "there is no %s to lock; NONET_FILELOCK_CREATE would make it", path);
	default:
		break;
	}
	return error_set(reterr, error, "can't open %s to lock it: %s", path, error_reason(error));
}

int nonet_filelock_open(const char *address, const struct nonet_filelock_options *options,
			struct nonet_filelock **ret_lock, struct nonet_error *reterr)
{
	const struct nonet_filelock_options defaults = {.size = sizeof(defaults)};
	struct nonet_filelock *lock;
	int error;

	if (!options)
		options = &defaults;
	error = filelock_check_options(options, reterr);
	if (error < 0)
		return error;
	lock = sys_allocate(sizeof(*lock));
	if (!lock)
		return error_set(reterr, -ENOMEM, "no memory for a file lock's handle");
	waitable_init(&lock->waitable, -1, filelock_arm);
	lock->waitable.rest = filelock_rest;
	lock->flags = options->flags;
	lock->mode = options->mode ? options->mode : 0600;
	error = filelock_read_address(lock, address, reterr);
	if (error == 0) {
		error = filelock_file_open(lock, &lock->file);
		if (error < 0)
			filelock_say_open(lock, error, reterr);
	}
	if (error < 0) {
		nonet_address_free(lock->address);
		sys_free(lock);
		return error;
	}
	lock->wanted = lock->file->read_only && !lock->carrier->any_access ? SYS_LOCK_SHARED : SYS_LOCK_EXCLUSIVE;
	*ret_lock = lock;
	return 0;
}

struct nonet_filelock *nonet_filelock_close(struct nonet_filelock *lock)
{
	if (!lock)
		return NULL;
	waitable_done(&lock->waitable);
	filelock_free_watcher(lock);
	filelock_file_close(lock, lock->file);
	nonet_address_free(lock->address);
	return sys_free(lock);
}

/* What a forked child may not use. */
static bool filelock_is_foreign(const struct nonet_filelock *lock)
{
	return lock->carrier->of_process && lock->file->generation != sys_generation();
}

/*
 * The carrier's set, without a wait, called directly: right after a system call an indirect call and each return are
 * predicted wrongly where the kernel guards against that; here it was 4 % of a lock and unlock.
 */
static inline int filelock_try(const struct nonet_filelock *lock, enum sys_lock_mode mode)
{
	const int fd = lock->file->fd;

	if (lock->carrier == &filelock_flock)
		return sys_whole_lock(fd, mode, false);
	if (lock->carrier == &filelock_posix)
		return sys_posix_lock(fd, mode, &lock->range, false);
	return sys_ofd_lock(fd, mode, &lock->range, false);
}

/* After a set that failed. */
static void filelock_failed(struct nonet_filelock *lock)
{
	if (!lock->carrier->drops_on_change || lock->held == SYS_LOCK_NONE)
		return;
	/* flock(2) has dropped it, or not: so that we know. */
	(void)lock->carrier->set(lock->file->fd, SYS_LOCK_NONE, &lock->range, false);
	lock->held = SYS_LOCK_NONE;
}

static int filelock_set(struct nonet_filelock *lock, enum sys_lock_mode mode, bool wait)
{
	int error = lock->carrier->set(lock->file->fd, mode, &lock->range, wait);

	if (error < 0)
		filelock_failed(lock);
	else
		lock->held = mode;
	return error;
}

/* Where there can be no helper. */
static int filelock_wait_by_looking(struct nonet_filelock *lock, enum sys_lock_mode mode, nonet_time deadline)
{
	struct sys_retry retry = {0};
	int error;

	do {
		error = sys_retry_sleep(&retry, deadline);
		if (error == 0)
			error = filelock_set(lock, mode, false);
	} while (error == -EAGAIN);
	return error;
}

/* After a first try, which said @error. */
static int filelock_wait(struct nonet_filelock *lock, enum sys_lock_mode mode, nonet_time deadline, int error)
{
	if (error != -EAGAIN || deadline == NONET_NOW)
		return error;
	if (deadline == NONET_FOREVER) {
		do
			error = filelock_set(lock, mode, true);
		while (error == -EINTR);
		return error;
	}
	if (filelock_watch(lock) < 0)
		return filelock_wait_by_looking(lock, mode, deadline);
	error = filelock_wait_by_helper(lock, mode, deadline);
	if (error == 0)
		lock->held = mode;
	return error;
}

/* What holds nothing opens the file anew that has the path now. */
static int filelock_renew(struct nonet_filelock *lock)
{
	struct filelock_file *file;
	int error = filelock_file_open(lock, &file);

	if (error < 0)
		return error == -ENOENT && !(lock->flags & NONET_FILELOCK_CREATE) ? -ESTALE : error;
	filelock_file_close(lock, lock->file);
	lock->file = file;
	return 0;
}

/*
 * The lock has just been taken: is it on the file that others find at the path?
 *
 * Return: 1 yes; 0 no, nothing is held and the file has been opened anew; or -errno, and nothing is held.
 */
static int filelock_check_path(struct nonet_filelock *lock)
{
	int error = filelock_file_is_at_path(lock);

	if (error == 1)
		return 1;
	(void)filelock_set(lock, SYS_LOCK_NONE, false);
	lock->held = SYS_LOCK_NONE;
	return error < 0 ? error : filelock_renew(lock);
}

/* How often a file may be replaced between a look and the next, for who doesn't wait. */
#define FILELOCK_RENEWALS 20

static int filelock_take_checked(struct nonet_filelock *lock, enum sys_lock_mode mode, nonet_time deadline)
{
	/*
	 * What is held was checked when it was taken: who removes the path then, does so under our lock. Unless it goes
	 * before the new mode is there.
	 */
	const bool check = lock->flags & NONET_FILELOCK_CHECK_PATH &&
			   (lock->held == SYS_LOCK_NONE || (lock->carrier->drops_on_change && lock->held != mode));
	bool ours = filelock_stop_waiting(lock, mode);
	int error;

	if (ours)
		lock->held = mode;
	for (int renewals = 0;; renewals++) {
		error = ours ? 0 : filelock_wait(lock, mode, deadline, filelock_set(lock, mode, false));
		if (error < 0 || !check)
			return error;
		error = filelock_check_path(lock);
		if (error != 0)
			return error < 0 ? error : 0;
		ours = false;
		if (renewals >= FILELOCK_RENEWALS && (deadline == NONET_NOW || nonet_clock() >= deadline))
			return time_expired(deadline);
	}
}

FILELOCK_SELDOM static int filelock_take(struct nonet_filelock *lock, enum sys_lock_mode mode, nonet_time deadline)
{
	int error = filelock_take_checked(lock, mode, deadline);

	if (error < 0)
		filelock_want(lock, mode);
	return error;
}

/* The same, after a first try that said @error. */
FILELOCK_SELDOM static int filelock_take_after(struct nonet_filelock *lock, enum sys_lock_mode mode,
					       nonet_time deadline, int error)
{
	filelock_failed(lock);
	error = filelock_wait(lock, mode, deadline, error);
	if (error < 0)
		filelock_want(lock, mode);
	else
		lock->wanted = SYS_LOCK_NONE;
	return error;
}

FLAT int nonet_filelock_lock(struct nonet_filelock *lock, enum nonet_filelock_mode mode, nonet_time deadline)
{
	int error;

	if (mode != NONET_FILELOCK_SHARED && mode != NONET_FILELOCK_EXCLUSIVE)
		return -EINVAL;
	if (filelock_is_foreign(lock))
		return -ECHILD;
	if (mode == NONET_FILELOCK_EXCLUSIVE && lock->file->read_only && !lock->carrier->any_access)
		return -EBADF;
	if (lock->watcher || lock->flags & NONET_FILELOCK_CHECK_PATH)
		return filelock_take(lock, (enum sys_lock_mode)mode, deadline);
	/* Nobody waits for it by descriptor, nor ever has. */
	error = filelock_try(lock, (enum sys_lock_mode)mode);
	if (error < 0)
		return filelock_take_after(lock, (enum sys_lock_mode)mode, deadline, error);
	lock->held = (enum sys_lock_mode)mode;
	lock->wanted = SYS_LOCK_NONE;
	return 0;
}

FILELOCK_SELDOM static int filelock_unlock_watched(struct nonet_filelock *lock)
{
	(void)filelock_stop_waiting(lock, SYS_LOCK_NONE);
	return lock->held == SYS_LOCK_NONE ? 0 : filelock_set(lock, SYS_LOCK_NONE, false);
}

FLAT int nonet_filelock_unlock(struct nonet_filelock *lock)
{
	int error;

	if (filelock_is_foreign(lock))
		return -ECHILD;
	if (lock->watcher)
		return filelock_unlock_watched(lock);
	lock->wanted = SYS_LOCK_NONE;
	if (lock->held == SYS_LOCK_NONE)
		return 0;
	error = filelock_try(lock, SYS_LOCK_NONE);
	if (error == 0)
		lock->held = SYS_LOCK_NONE;
	return error;
}

enum nonet_filelock_mode nonet_filelock_get_mode(struct nonet_filelock *lock)
{
	return (enum nonet_filelock_mode)lock->held;
}

int nonet_filelock_set_range(struct nonet_filelock *lock, int64_t start, int64_t length)
{
	if (!lock->carrier->ranges)
		return -EOPNOTSUPP;
	if (start < 0 || length < 0 || (length && length - 1 > INT64_MAX - start))
		return -EINVAL;
	if (filelock_is_foreign(lock))
		return -ECHILD;
	if (lock->held != SYS_LOCK_NONE)
		return -EBUSY;
	(void)filelock_stop_waiting(lock, SYS_LOCK_NONE);
	lock->range = (struct sys_lock_range){.start = start, .length = length};
	return 0;
}

struct nonet_waitable *nonet_filelock_waitable(struct nonet_filelock *lock)
{
	int error = filelock_watch(lock);

	/* A child has a parent's descriptor too, but not the helper who would ring. */
	lock->waitable.fd = error < 0 ? error : watcher_fd(lock->watcher);
	return &lock->waitable;
}

int nonet_filelock_fd(struct nonet_filelock *lock)
{
	return nonet_filelock_waitable(lock)->fd;
}

int nonet_filelock_arm(struct nonet_filelock *lock)
{
	int fd = nonet_filelock_fd(lock);

	return fd < 0 ? fd : waitable_arm(&lock->waitable);
}
