/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/look.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/cancel.h"
#include "sys/fault.h"
#include "sys/files.h"
#include "sys/memory.h"

#define LOOK_TEXT_FIRST 4096
#define LOOK_TEXT_MAX   ((size_t)64 << 20)

int sys_directory_open(int at, const char *name, struct sys_directory *ret_directory)
{
	int fd = sys_open_at(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0)
		return fd;
	ret_directory->fd = fd;
	ret_directory->next = 0;
	ret_directory->end = 0;
	return 0;
}

void sys_directory_close(struct sys_directory *directory)
{
	sys_close(&directory->fd);
}

/* Return: 1 there are entries, 0 at the end. */
static int directory_fill(struct sys_directory *directory)
{
	long size = sys_fault(SYS_CALL_READDIR);

	if (size == 0) {
		size = syscall(SYS_getdents64, directory->fd, directory->entries, sizeof(directory->entries));
		size = size < 0 ? -errno : size;
	}
	if (size <= 0)
		return (int)size;
	directory->next = 0;
	directory->end = size;
	return 1;
}

int sys_directory_next(struct sys_directory *directory, const char **ret_name, unsigned char *ret_type)
{
	const struct dirent64 *entry;

	do {
		if (directory->next == directory->end) {
			int more = directory_fill(directory);

			if (more <= 0)
				return more;
		}
		entry = (const void *)(directory->entries + directory->next);
		directory->next += entry->d_reclen;
	} while (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
	*ret_name = entry->d_name;
	*ret_type = entry->d_type;
	return 1;
}

int sys_read_begin(int fd, void *buffer, size_t size)
{
	ssize_t count = sys_fault(SYS_CALL_READ);
	int cancel;

	if (count < 0)
		return (int)count;
	cancel = sys_cancel_off();
	do
		count = read(fd, buffer, size);
	while (count < 0 && errno == EINTR);
	sys_cancel_restore(cancel);
	return count < 0 ? -errno : (int)count;
}

int sys_read_at(int fd, void *buffer, size_t size, off_t offset)
{
	ssize_t count = sys_fault(SYS_CALL_READ);

	if (count < 0)
		return (int)count;
	do
		count = pread(fd, buffer, size, offset);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : (int)count;
}

static int read_all(int fd, char **text)
{
	size_t capacity = LOOK_TEXT_FIRST, used = 0;

	for (;;) {
		char *larger = sys_reallocate(*text, capacity);
		int count;

		if (!larger)
			return -ENOMEM;
		*text = larger;
		count = sys_read_begin(fd, *text + used, capacity - used - 1);
		if (count < 0)
			return count;
		used += (size_t)count;
		(*text)[used] = 0;
		if (count == 0)
			return 0;
		if (used + 1 == capacity)
			capacity *= 2;
		if (capacity > LOOK_TEXT_MAX)
			return -EFBIG;
	}
}

int sys_read_text(int at, const char *name, char **ret_text)
{
	int fd = sys_open_at(at, name, O_RDONLY);
	char *text = NULL;
	int error;

	if (fd < 0)
		return fd;
	error = read_all(fd, &text);
	sys_close(&fd);
	if (error < 0) {
		sys_free(text);
		return error;
	}
	*ret_text = text;
	return 0;
}

int sys_lines_open(int at, const char *name, struct sys_lines *ret_lines)
{
	const int fd = sys_open_at(at, name, O_RDONLY);

	if (fd < 0)
		return fd;
	ret_lines->fd = fd;
	ret_lines->next = 0;
	ret_lines->end = 0;
	return 0;
}

static int lines_fill(struct sys_lines *lines)
{
	int size = sys_read_begin(lines->fd, lines->buffer, sizeof(lines->buffer));

	if (size < 0)
		return size;
	lines->next = 0;
	lines->end = (size_t)size;
	return size > 0;
}

int sys_lines_next(struct sys_lines *lines)
{
	size_t length = 0;
	bool any = false;

	for (;;) {
		if (lines->next == lines->end) {
			int more = lines_fill(lines);

			if (more < 0)
				return more;
			/* A last line may have no end, as in "comm" of some kernels. */
			if (more == 0)
				break;
		}
		any = true;
		if (lines->buffer[lines->next++] == '\n')
			break;
		if (length + 1 < sizeof(lines->line))
			lines->line[length++] = lines->buffer[lines->next - 1];
	}
	lines->line[length] = 0;
	return any;
}

void sys_lines_close(struct sys_lines *lines)
{
	sys_close(&lines->fd);
}

const char *sys_lines_value(const struct sys_lines *lines, const char *key)
{
	const size_t length = strlen(key);
	const char *value = lines->line + length;

	if (strncmp(lines->line, key, length) != 0 || *value != ':')
		return NULL;
	value++;
	return value + strspn(value, " \t");
}

int sys_read_link(int at, const char *name, char *buffer, size_t capacity)
{
	ssize_t size = sys_fault(SYS_CALL_STAT);

	if (size < 0)
		return (int)size;
	size = readlinkat(at, name, buffer, capacity - 1);
	if (size < 0)
		return -errno;
	buffer[size] = 0;
	return (int)size;
}

int64_t sys_birth_time(int at, const char *name)
{
	struct statx info;

	if (sys_fault(SYS_CALL_STAT) < 0 || statx(at, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &info) < 0 ||
	    !(info.stx_mask & STATX_BTIME))
		return 0;
	return (int64_t)info.stx_btime.tv_sec * 1000000000 + info.stx_btime.tv_nsec;
}

int sys_queues_mount(void)
{
	int context = sys_fault(SYS_CALL_OPEN);
	int root;

	if (context < 0)
		return context;
	/* By number: glibc 2.36 has them, older ones and other libraries don't. */
	context = (int)syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	root = (int)syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (root == 0)
		root = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	if (root < 0)
		root = -errno;
	sys_close(&context);
	return root;
}

int sys_queue_look(int fd, uint64_t *ret_depth, uint64_t *ret_count)
{
	struct mq_attr attributes;
	int error = sys_fault(SYS_CALL_STAT);

	if (error < 0)
		return error;
	/* A file of mqueuefs is a queue's descriptor (mq_overview(7)). */
	if (mq_getattr(fd, &attributes) < 0)
		return -errno;
	*ret_depth = (uint64_t)attributes.mq_maxmsg;
	*ret_count = (uint64_t)attributes.mq_curmsgs;
	return 0;
}
