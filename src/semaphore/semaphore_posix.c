/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/error.h"
#include "base/time.h"
#include "semaphore/semaphore.h"
#include "sys/backing.h"
#include "sys/clock.h"
#include "sys/files.h"

/*
 * POSIX semaphores.
 *
 * sem_post(3) adds a permit and wakes one sleeper. Two things follow from that:
 * - A sleeper that was woken and is killed before it runs has taken the wake with it, and the next sleeps on beside a
 *   permit. So nobody sleeps for longer than WATCH_INTERVAL without looking again.
 * - A sleeper that doesn't want the permit would take wakes from those who do. So no helper thread can sleep there:
 *   all that are waited for by descriptor are looked at again and again by one, watcher/looker.h.
 */
#define WATCH_INTERVAL NONET_MS(100)

#define DIRECTORY SYS_POSIX_SEMAPHORE_DIRECTORY

static int posix_directory(void)
{
	return sys_open(DIRECTORY, O_PATH | O_DIRECTORY);
}

static int posix_refuse_create(const struct semaphore_place *place, int error, struct nonet_error *reterr)
{
	switch (error) {
	case -EEXIST:
		return error_set_exists(reterr, place->text);
	case -ENOSPC:
		return error_set(reterr, error,
				 "can't create %s: %s is full; remove what is in it, or mount -o remount,size=SIZE %s",
				 place->text, DIRECTORY, DIRECTORY);
	case -ENOENT:
	case -ENOTDIR:
		return error_set(reterr, error,
				 "can't create %s: there is no directory %s, where the C library has them; mount -t "
				 "tmpfs tmpfs %s",
				 place->text, DIRECTORY, DIRECTORY);
	default:
		return error_set(reterr, error, "can't create %s in %s: %s", place->text, DIRECTORY,
				 error_reason(error));
	}
}

/* Its name comes last: whoever sees it may use it. */
static int posix_make(struct nonet_semaphore *semaphore, uint32_t value, mode_t mode)
{
	int directory = posix_directory();
	int fd = directory < 0 ? directory : sys_create_unnamed(directory);
	int error = fd < 0 ? fd : sys_posix_semaphore_write(fd, value);

	/* The file system there isn't tmpfs, and has no such files. */
	if (error == -EISDIR)
		error = -EOPNOTSUPP;
	if (error == 0)
		error = sys_chmod_fd(fd, mode);
	if (error == 0)
		error = sys_posix_semaphore_map(fd, &semaphore->posix);
	if (error == 0) {
		error = sys_link_at(fd, directory, semaphore->place.file);
		if (error < 0)
			sys_posix_semaphore_unmap(semaphore->posix);
	}
	sys_close(&fd);
	sys_close(&directory);
	return error;
}

static int posix_create(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
			struct nonet_error *reterr)
{
	int error;

	if (options->count > 1)
		return error_set(reterr, -EOPNOTSUPP,
				 "can't create %s with %u semaphores: POSIX semaphores aren't in sets; sysvsem: are",
				 semaphore->place.text, options->count);
	if (options->value > SEM_VALUE_MAX)
		return error_set(reterr, -EOVERFLOW,
				 "can't create %s with %u permits: a POSIX semaphore has at most %d",
				 semaphore->place.text, options->value, SEM_VALUE_MAX);
	error = posix_make(semaphore, options->value, options->mode ? options->mode : 0600);
	if (error < 0)
		return posix_refuse_create(&semaphore->place, error, reterr);
	semaphore->count = 1;
	return 0;
}

/* The file behind a name, if it can be a semaphore's. Not following links, as sem_open(3). */
static int posix_open_file(int directory, const char *name)
{
	struct stat status;
	int fd = sys_open_regular(directory, name, O_RDWR | O_NOFOLLOW, &status);

	if (fd >= 0 && status.st_size < (off_t)sizeof(sem_t)) {
		sys_close(&fd);
		return -ENOTSUP;
	}
	return fd == -ELOOP ? -ENOTSUP : fd;
}

static int posix_refuse(const struct semaphore_place *place, const char *what, int error, struct nonet_error *reterr)
{
	switch (error) {
	case -ENOENT:
		return error_set(reterr, error, "can't %s %s: there is none (no file %s/%s)", what, place->text,
				 DIRECTORY, place->file);
	case -ENOTSUP:
		return error_set(reterr, error, "can't %s %s: the file %s/%s isn't a semaphore's", what, place->text,
				 DIRECTORY, place->file);
	case -EACCES:
		return error_set(reterr, error,
				 "can't %s %s: no permission to read and write %s/%s; its owner can chmod it", what,
				 place->text, DIRECTORY, place->file);
	default:
		return error_set(reterr, error, "can't %s %s (%s/%s): %s", what, place->text, DIRECTORY, place->file,
				 error_reason(error));
	}
}

static int posix_open(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
		      nonet_time deadline, struct nonet_error *reterr)
{
	int directory = posix_directory();
	int fd = directory;
	int error;

	(void)options;
	(void)deadline;
	if (directory >= 0)
		fd = posix_open_file(directory, semaphore->place.file);
	error = fd < 0 ? fd : sys_posix_semaphore_map(fd, &semaphore->posix);
	sys_close(&fd);
	sys_close(&directory);
	if (error < 0)
		return posix_refuse(&semaphore->place, "open", error, reterr);
	semaphore->count = 1;
	return 0;
}

static void posix_close(struct nonet_semaphore *semaphore)
{
	sys_posix_semaphore_unmap(semaphore->posix);
}

static int posix_unlink(const struct semaphore_place *place, struct nonet_error *reterr)
{
	struct stat status;
	int directory = posix_directory();
	int error = directory < 0 ? directory : sys_stat_at(directory, place->file, &status);

	if (error == 0 && (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(sem_t)))
		error = -ENOTSUP;
	if (error == 0)
		error = sys_unlink_at(directory, place->file);
	sys_close(&directory);
	if (error == -EACCES || error == -EPERM)
		return error_set(reterr, error, "can't remove %s (%s/%s): it is another user's", place->text, DIRECTORY,
				 place->file);
	return error < 0 ? posix_refuse(place, "remove", error, reterr) : 0;
}

int semaphore_posix_sleep(struct nonet_semaphore *semaphore, nonet_time deadline)
{
	nonet_time look;
	int error;

	for (;;) {
		look = nonet_after(WATCH_INTERVAL);
		error = sys_posix_semaphore_wait(semaphore->posix, deadline < look ? deadline : look);
		if (error != -ETIMEDOUT || (deadline != NONET_FOREVER && nonet_clock() >= deadline))
			return error;
	}
}

int semaphore_posix_wait(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags, nonet_time deadline)
{
	if (permits > 1 || flags)
		return permits > SEM_VALUE_MAX ? -EINVAL : -EOPNOTSUPP;
	return semaphore_posix_take(semaphore, deadline);
}

static int posix_post_many(struct nonet_semaphore *semaphore, uint32_t permits)
{
	int error = 0;
	uint32_t given;

	if (permits > SEM_VALUE_MAX - sys_posix_semaphore_value(semaphore->posix))
		return -EOVERFLOW;
	for (given = 0; given < permits; given++) {
		error = sys_posix_semaphore_post(semaphore->posix);
		if (error < 0)
			break;
	}
	/* Others have filled it up meanwhile. One permit is as good as another, so ours are taken back. */
	if (error < 0)
		while (given > 0 && sys_posix_semaphore_try(semaphore->posix) == 0)
			given--;
	return error;
}

int semaphore_posix_post(struct nonet_semaphore *semaphore, uint32_t permits, uint32_t flags)
{
	if (flags)
		return -EOPNOTSUPP;
	return permits == 1 ? sys_posix_semaphore_post(semaphore->posix) : posix_post_many(semaphore, permits);
}

static int posix_operate(struct nonet_semaphore *semaphore, const struct nonet_semaphore_operation *operations,
			 size_t count, nonet_time deadline)
{
	const int32_t change = operations->change;

	if (count > 1 || change == 0)
		return -EOPNOTSUPP;
	if (change > 0)
		return semaphore_posix_post(semaphore, (uint32_t)change, operations->flags);
	return semaphore_posix_wait(semaphore, 0 - (uint32_t)change, operations->flags, deadline);
}

static int posix_value(struct nonet_semaphore *semaphore, uint32_t *ret_value)
{
	*ret_value = sys_posix_semaphore_value(semaphore->posix);
	return 0;
}

static int posix_look(struct nonet_semaphore *semaphore, struct nonet_semaphore_info *ret_info)
{
	*ret_info = (struct nonet_semaphore_info){
		.value = sys_posix_semaphore_value(semaphore->posix),
		.maximum = SEM_VALUE_MAX,
		.count = 1,
		.waiters = -1,
		.zero_waiters = -1,
	};
	return 0;
}

static bool posix_is_ready(void *object)
{
	struct nonet_semaphore *semaphore = object;

	return sys_posix_semaphore_value(semaphore->posix) > 0;
}

static bool posix_explain(struct nonet_semaphore *semaphore, int code, struct nonet_error *ret_error)
{
	const char *text = semaphore->place.text;

	if (code == -EOPNOTSUPP)
		error_set(ret_error, code,
			  "%s is a POSIX semaphore: it gives one permit at a time, isn't in a set, can't be waited for "
			  "to "
			  "be empty, and undoes nothing for a process that dies; sysvsem: does all of these",
			  text);
	else if (code == -EAGAIN || code == -ETIMEDOUT)
		error_set(ret_error, code,
			  "%s has no permit%s. Nobody knows who has them; if one died with it, \"nonet post %s\" gives "
			  "it "
			  "back, and sysvsem: would have by itself",
			  text, code == -EAGAIN ? " now" : ", and had none before the deadline", text);
	else if (code == -EOVERFLOW)
		error_set(ret_error, code, "%s would have more permits than a POSIX semaphore can: %d", text,
			  SEM_VALUE_MAX);
	else
		return false;
	return true;
}

const struct semaphore_carrier semaphore_posix = {
	.create = posix_create,
	.open = posix_open,
	.close = posix_close,
	.unlink = posix_unlink,
	.operate = posix_operate,
	.value = posix_value,
	.look = posix_look,
	.is_ready = posix_is_ready,
	.explain = posix_explain,
};
