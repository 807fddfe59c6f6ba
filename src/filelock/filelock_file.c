/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "filelock/filelock.h"
#include "sys/files.h"
#include "sys/fork.h"
#include "sys/memory.h"

/*
 * close(2) of any descriptor drops all classic locks that the process has on its file (O_PATH ones excepted: they open
 * nothing). So:
 *
 * 1. The table has the file of each classic handle of this process, each file once.
 * 2. Nothing in the library closes a descriptor of a file in the table: it is parked with the one there, and closed
 *    right after it. Of other objects (a mapped file, a descriptor that was received) sys_close() hands it over.
 *
 * A child has no classic locks: its table begins empty.
 */
static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list table = {&table, &table};

static pthread_once_t table_once = PTHREAD_ONCE_INIT;
static int table_once_error;

/* Whoever held the mutex isn't here; and what is in the table is the parent's. */
static void table_forked(void)
{
	pthread_mutex_init(&table_mutex, NULL);
	list_init(&table);
}

static void table_watch_for_forks(void)
{
	table_once_error = -pthread_atfork(NULL, NULL, table_forked);
}

static struct filelock_file *table_find(dev_t device, ino_t inode)
{
	struct list *node;

	list_for_each (node, &table) {
		struct filelock_file *file = container_of(node, struct filelock_file, in_table);

		if (file->device == device && file->inode == inode)
			return file;
	}
	return NULL;
}

static bool table_has(const struct stat *status)
{
	bool has;

	pthread_mutex_lock(&table_mutex);
	has = table_find(status->st_dev, status->st_ino) != NULL;
	pthread_mutex_unlock(&table_mutex);
	return has;
}

/* By sys_close(). Without memory to remember it by, the descriptor stays open for good: better than a lock less. */
static bool table_keep(int fd, dev_t device, ino_t inode)
{
	struct filelock_file *classic;
	struct filelock_file *file;

	pthread_mutex_lock(&table_mutex);
	classic = table_find(device, inode);
	file = classic ? sys_allocate(sizeof(*file)) : NULL;
	if (file) {
		file->fd = fd;
		list_init(&file->parked);
		list_add_last(&classic->parked, &file->in_table);
	}
	pthread_mutex_unlock(&table_mutex);
	return classic != NULL;
}

static int table_enter(struct filelock_file *file)
{
	int error = -EBUSY;

	sys_set_close_keeper(table_keep);
	pthread_mutex_lock(&table_mutex);
	if (!table_find(file->device, file->inode)) {
		list_add_last(&table, &file->in_table);
		file->classic = true;
		error = 0;
	}
	pthread_mutex_unlock(&table_mutex);
	return error;
}

/* Under the mutex; nobody's lock is dropped by it. */
static void file_free(struct filelock_file *file)
{
	sys_close_now(&file->fd);
	sys_free(file);
}

static void file_move_parked(struct filelock_file *file, struct list *to)
{
	struct list *node;
	struct list *after;

	list_for_each_safe (node, after, &file->parked) {
		list_remove(node);
		list_add_last(to, node);
	}
}

static void file_free_with_parked(struct filelock_file *file)
{
	struct list parked = {&parked, &parked};
	struct list *node;
	struct list *after;

	file_move_parked(file, &parked);
	file_free(file);
	list_for_each_safe (node, after, &parked)
		file_free(container_of(node, struct filelock_file, in_table));
}

void filelock_file_close(const struct nonet_filelock *lock, struct filelock_file *file)
{
	struct filelock_file *classic;

	if (!file)
		return;
	pthread_mutex_lock(&table_mutex);
	/* In a child the table doesn't know the parent's, nor may its neighbours there be touched. */
	if (file->classic && file->generation == sys_generation())
		list_remove(&file->in_table);
	classic = table_find(file->device, file->inode);
	if (!classic) {
		file_free_with_parked(file);
	} else {
		/* A child's is its parent's too. */
		if (lock->held != SYS_LOCK_NONE && !lock->carrier->of_process && file->generation == sys_generation())
			(void)lock->carrier->set(file->fd, SYS_LOCK_NONE, &lock->range, false);
		file_move_parked(file, &classic->parked);
		list_add_last(&classic->parked, &file->in_table);
	}
	pthread_mutex_unlock(&table_mutex);
}

/* 0 if a lock of this kind can be on such a file. */
static int file_check_type(const struct nonet_filelock *lock, const struct stat *status)
{
	if (S_ISREG(status->st_mode))
		return 0;
	return S_ISDIR(status->st_mode) && lock->carrier->any_access ? 0 : -ENOTSUP;
}

/* What was opened: it may be another than was looked at. */
static int file_look(const struct nonet_filelock *lock, struct filelock_file *file, struct stat *ret_status)
{
	int error = sys_stat_fd(file->fd, ret_status);

	if (error < 0)
		return error;
	file->device = ret_status->st_dev;
	file->inode = ret_status->st_ino;
	return file_check_type(lock, ret_status);
}

/* Whether a file that can't be opened for writing may be for reading, if that is all that the lock needs. */
static bool file_may_do_with_less(const struct nonet_filelock *lock, int error)
{
	return lock->carrier->any_access &&
	       (error == -EACCES || error == -EPERM || error == -EROFS || error == -EISDIR || error == -ETXTBSY);
}

static int file_reopen(int place, const char *path, int flags)
{
	int fd = sys_reopen(place, flags);

	/* There is no /proc: a changed root mostly has none. Who puts another file there meanwhile is found out. */
	return fd == -ENOENT ? sys_open(path, flags) : fd;
}

/* Opening a FIFO or a device would have effects, and a look at the file comes before the table is asked about it. */
static int file_open_existing(const struct nonet_filelock *lock, struct filelock_file *file)
{
	const char *path = filelock_path(lock);
	struct stat status;
	int place = sys_open(path, O_PATH);
	int error = place < 0 ? place : sys_stat_fd(place, &status);

	if (error == 0)
		error = file_check_type(lock, &status);
	if (error == 0 && lock->carrier->of_process && table_has(&status))
		error = -EBUSY;
	if (error == 0) {
		file->device = status.st_dev;
		file->inode = status.st_ino;
		file->read_only = lock->flags & NONET_FILELOCK_READ_ONLY;
		file->fd = file_reopen(place, path, (file->read_only ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY);
		if (!file->read_only && file->fd < 0 && file_may_do_with_less(lock, file->fd)) {
			file->read_only = true;
			file->fd = file_reopen(place, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
		}
		error = file->fd < 0 ? file->fd : file_look(lock, file, &status);
	}
	sys_close(&place);
	return error;
}

static int file_make(const struct nonet_filelock *lock, struct filelock_file *file)
{
	struct stat status;
	int error;

	file->read_only = lock->flags & NONET_FILELOCK_READ_ONLY;
	file->fd = sys_lock_file_create(filelock_path(lock), lock->mode);
	if (file->fd < 0)
		return file->fd;
	error = file_look(lock, file, &status);
	/* What the umask took. */
	if (error == 0 && (status.st_mode & 07777) != lock->mode)
		error = sys_chmod_fd(file->fd, lock->mode);
	if (error < 0)
		(void)sys_unlink_at(AT_FDCWD, filelock_path(lock));
	return error;
}

/* How often a file that isn't there, and then is, is looked at again before somebody is thought to be playing. */
#define FILE_TRIES 20

static int file_open_or_make(const struct nonet_filelock *lock, struct filelock_file *file)
{
	int error = -ENOENT;

	for (int tries = 0; tries < FILE_TRIES; tries++) {
		error = file_open_existing(lock, file);
		if (error != -ENOENT || !(lock->flags & NONET_FILELOCK_CREATE))
			break;
		error = file_make(lock, file);
		if (error != -EEXIST)
			break;
		error = -ENOENT;
	}
	return error;
}

int filelock_file_open(const struct nonet_filelock *lock, struct filelock_file **ret_file)
{
	struct filelock_file *file;
	int error;

	pthread_once(&table_once, table_watch_for_forks);
	if (table_once_error < 0)
		return table_once_error;
	file = sys_allocate(sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->fd = -1;
	file->generation = sys_generation();
	list_init(&file->in_table);
	list_init(&file->parked);
	error = file_open_or_make(lock, file);
	if (error == 0 && lock->carrier->of_process)
		error = table_enter(file);
	if (error < 0)
		filelock_file_close(lock, file);
	else
		*ret_file = file;
	return error;
}

int filelock_file_is_at_path(const struct nonet_filelock *lock)
{
	struct stat status;
	int place = sys_open(filelock_path(lock), O_PATH);
	int error = place < 0 ? place : sys_stat_fd(place, &status);

	sys_close(&place);
	if (error == -ENOENT)
		return 0;
	if (error < 0)
		return error;
	return status.st_dev == lock->file->device && status.st_ino == lock->file->inode;
}
