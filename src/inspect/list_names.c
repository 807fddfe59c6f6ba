/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/list.h"
#include "inspect/mounts.h"
#include "inspect/processes.h"
#include "sys/files.h"
#include "sys/look.h"
#include "sys/memory.h"
#include "sys/sockets.h"

/*
 * FIFOs and UNIX sockets. A socket and the file that is its name are two things (unix(7)): the kernel's table has the
 * sockets with the names as they were given to bind(2); a file that stands for none of them is looked for where such
 * names usually are, and asked whether any socket is bound to it. A FIFO is known to be in use by the descriptors of
 * processes.
 */
static const char *const places[] = {"/run", "/tmp", "/var/tmp", "/dev/shm"};

/* How deep below a place. */
#define DEPTH_MAX 8

/* __SO_ACCEPTCON of <linux/net.h>, in the flags of /proc/net/unix: listen(2) was called. */
#define SOCKET_LISTENS 0x10000

struct name {
	enum nonet_scheme scheme;
	char *path; /* or abstract, beginning with '@' */
	size_t size;
	uint64_t inode; /* of the socket, or of the FIFO's file */
	uint64_t device;
	uint32_t flags;
	pid_t last; /* who was counted last */
	uint64_t users;
};

struct names {
	struct look *look;
	struct mounts mounts;
	struct name *list;
	size_t count, capacity;
	size_t sockets; /* the first so many, in the order of their inodes */
};

static int names_add(struct names *names, struct name name, const char *path)
{
	if (names->count == names->capacity) {
		size_t capacity = names->capacity ? 2 * names->capacity : 64;
		struct name *larger = sys_reallocate(names->list, capacity * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		names->list = larger;
		names->capacity = capacity;
	}
	name.size = strlen(path);
	name.path = sys_copy_string(path);
	if (!name.path)
		return -ENOMEM;
	names->list[names->count++] = name;
	return 0;
}

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		sys_free(names->list[i].path);
	sys_free(names->list);
}

static int socket_scheme(unsigned type, enum nonet_scheme *ret_scheme)
{
	switch (type) {
	case SOCK_STREAM:
		*ret_scheme = NONET_SCHEME_UNIX;
		return 0;
	case SOCK_SEQPACKET:
		*ret_scheme = NONET_SCHEME_UNIX_SEQPACKET;
		return 0;
	case SOCK_DGRAM:
		*ret_scheme = NONET_SCHEME_UNIX_DGRAM;
		return 0;
	default:
		return -EINVAL;
	}
}

/* "ADDRESS: USERS PROTOCOL FLAGS TYPE STATE INODE NAME", and no name for most. */
static int names_add_socket(struct names *names, const char *line)
{
	struct name name = {0};
	unsigned flags, type;
	unsigned long inode;
	int at = 0;

	if (sscanf(line, "%*x: %*x %*x %x %x %*x %lu %n", &flags, &type, &inode, &at) != 3 || at == 0 || !line[at])
		return 0;
	if (socket_scheme(type, &name.scheme) < 0 || !look_wants(names->look, name.scheme))
		return 0;
	/* What was accepted has the listener's name; and a relative name is known only to who gave it. */
	if ((name.scheme != NONET_SCHEME_UNIX_DGRAM && !(flags & SOCKET_LISTENS)) ||
	    (line[at] != '/' && line[at] != '@'))
		return 0;
	name.inode = inode;
	name.flags = flags & SOCKET_LISTENS ? NONET_INSPECT_LISTENING : 0;
	return names_add(names, name, line + at);
}

static int compare_inodes(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static int names_add_sockets(struct names *names)
{
	char *text, *line, *next;
	int error = sys_read_text(AT_FDCWD, "/proc/net/unix", &text);

	if (error < 0) {
		names->look->list->coverage.places++;
		return look_may_go_on(error) ? 0 : error;
	}
	for (line = text; line && *line && error == 0; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		error = names_add_socket(names, line);
	}
	sys_free(text);
	names->sockets = names->count;
	if (names->count > 0)
		qsort(names->list, names->count, sizeof(*names->list), compare_inodes);
	return error;
}

static void name_count(struct name *name, pid_t pid)
{
	name->users += name->last != pid;
	name->last = pid;
}

static struct name *names_find_fifo(struct names *names, const struct stat *info)
{
	for (size_t i = names->sockets; i < names->count; i++)
		if (names->list[i].inode == info->st_ino && names->list[i].device == info->st_dev)
			return &names->list[i];
	return NULL;
}

/* The inode of the file behind a descriptor, without asking its file system, which may not answer: Linux 5.14. */
static uint64_t link_inode(const struct process_link *link)
{
	struct sys_lines lines;
	uint64_t inode = 0;

	if (process_link_open(link, &lines) < 0)
		return 0;
	while (inode == 0 && sys_lines_next(&lines) > 0) {
		const char *value = sys_lines_value(&lines, "ino");

		if (value)
			inode = strtoull(value, NULL, 10);
	}
	sys_lines_close(&lines);
	return inode;
}

/* A path that a descriptor leads to. It may be one of another mount namespace: then the same path here is another file.
 */
static int names_add_open(struct names *names, const struct process_link *link)
{
	struct name *name;
	struct stat info;

	if (mounts_may_hang(&names->mounts, link->text) || sys_stat_at(AT_FDCWD, link->text, &info) < 0 ||
	    !S_ISFIFO(info.st_mode) || link_inode(link) != info.st_ino)
		return 0;
	name = names_find_fifo(names, &info);
	if (!name) {
		const struct name added = {.scheme = NONET_SCHEME_FIFO, .inode = info.st_ino, .device = info.st_dev};
		int error = names_add(names, added, link->text);

		if (error < 0)
			return error;
		name = &names->list[names->count - 1];
	}
	name_count(name, link->pid);
	return 0;
}

static int names_count_link(void *data, const struct process_link *link)
{
	struct names *names = data;
	struct name key, *found;

	if (*link->text == '/')
		return look_wants(names->look, NONET_SCHEME_FIFO) ? names_add_open(names, link) : 0;
	if (names->sockets == 0 || sscanf(link->text, "socket:[%lu]", &key.inode) != 1)
		return 0;
	found = bsearch(&key, names->list, names->sockets, sizeof(*names->list), compare_inodes);
	if (found)
		name_count(found, link->pid);
	return 0;
}

static bool names_have(const struct names *names, const char *path)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i].path, path) == 0)
			return true;
	return false;
}

/* A name that none of the sockets and FIFOs found so far has. */
static int names_add_file(struct names *names, int directory, const char *file, bool is_socket, const char *path)
{
	struct name name = {.scheme = is_socket ? NONET_SCHEME_UNIX : NONET_SCHEME_FIFO};
	int fd, bound;

	if (names_have(names, path))
		return 0;
	name.flags = NONET_INSPECT_STALE;
	if (is_socket) {
		fd = sys_open_at(directory, file, O_PATH | O_NOFOLLOW);
		if (fd < 0)
			return look_may_go_on(fd) ? 0 : fd;
		bound = sys_socket_is_bound(fd);
		sys_close(&fd);
		if (bound < 0)
			return bound;
		/* By somebody in another network namespace, or under another path. */
		if (bound)
			name.flags = 0;
	}
	return names_add(names, name, path);
}

/* @path names the directory behind @directory; it has room for more. */
static int names_walk(struct names *names, struct sys_directory *directory, char *path, dev_t device, int depth);

static int names_walk_into(struct names *names, int directory, const char *name, char *path, dev_t device, int depth)
{
	struct sys_directory *inner;
	struct stat info;
	int error = sys_stat_at(directory, name, &info);

	/* Other file systems are left alone: they may be huge, or far away. */
	if (error < 0 || info.st_dev != device || depth == DEPTH_MAX)
		return 0;
	/* Too large for a stack that is as deep as the tree. */
	inner = sys_allocate(sizeof(*inner));
	if (!inner)
		return -ENOMEM;
	error = sys_directory_open(directory, name, inner);
	if (error == 0) {
		error = names_walk(names, inner, path, device, depth);
		sys_directory_close(inner);
	} else if (look_may_go_on(error)) {
		names->look->list->coverage.places += error != -ENOENT;
		error = 0;
	}
	sys_free(inner);
	return error;
}

static int names_walk(struct names *names, struct sys_directory *directory, char *path, dev_t device, int depth)
{
	const size_t length = strlen(path);
	const char *name;
	unsigned char type;
	int error;

	while ((error = sys_directory_next(directory, &name, &type)) > 0) {
		if (nonet_clock() >= names->look->deadline) {
			names->look->list->coverage.places++;
			error = 0;
			break;
		}
		if (length + strlen(name) + 2 > PATH_MAX)
			continue;
		sprintf(path + length, "/%s", name);
		error = 0;
		if (type == DT_DIR)
			error = names_walk_into(names, directory->fd, name, path, device, depth + 1);
		else if (type == DT_FIFO && look_wants(names->look, NONET_SCHEME_FIFO))
			error = names_add_file(names, directory->fd, name, false, path);
		else if (type == DT_SOCK && look_wants(names->look, NONET_SCHEME_UNIX))
			error = names_add_file(names, directory->fd, name, true, path);
		path[length] = 0;
		if (error < 0)
			break;
	}
	return error < 0 && look_may_go_on(error) ? 0 : error;
}

static int names_look_for_files(struct names *names)
{
	char path[PATH_MAX];
	struct stat info;
	int error = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && error == 0; i++) {
		if (sys_stat_at(AT_FDCWD, places[i], &info) < 0)
			continue;
		strcpy(path, places[i]);
		error = names_walk_into(names, AT_FDCWD, places[i], path, info.st_dev, 0);
	}
	return error;
}

/* The kernel shows the NULs of an abstract name as @, the first one and others. */
static int names_report(const struct names *names, const struct name *name)
{
	struct nonet_inspect_object object = {.scheme = name->scheme, .flags = name->flags};
	struct stat info;

	object.known = NONET_INSPECT_USERS;
	object.users = name->users;
	if (*name->path == '@')
		return list_add_abstract(names->look->list, &object, name->path + 1, name->size - 1);
	if (mounts_may_hang(&names->mounts, name->path))
		return list_add_name(names->look->list, &object, name->path);
	if (sys_stat_at(AT_FDCWD, name->path, &info) == 0) {
		object_set_stat(&object, &info);
		object.known |= NONET_INSPECT_CREATED;
		object.created = sys_birth_time(AT_FDCWD, name->path);
		if (object.created == 0)
			object.created = (int64_t)info.st_ctim.tv_sec * NONET_S(1) + info.st_ctim.tv_nsec;
	} else {
		object.flags |= NONET_INSPECT_REMOVED;
	}
	return list_add_name(names->look->list, &object, name->path);
}

int look_at_names(struct look *look)
{
	struct names names = {.look = look};
	const bool sockets = look_wants(look, NONET_SCHEME_UNIX) || look_wants(look, NONET_SCHEME_UNIX_SEQPACKET) ||
			     look_wants(look, NONET_SCHEME_UNIX_DGRAM);
	int error = 0;

	if (!sockets && !look_wants(look, NONET_SCHEME_FIFO))
		return 0;
	error = mounts_read(&names.mounts);
	if (error == 0 && sockets)
		error = names_add_sockets(&names);
	if (error == 0)
		error = processes_each_link("/proc", look->deadline, names_count_link, &names, &look->list->coverage);
	if (error == 0)
		error = names_look_for_files(&names);
	for (size_t i = 0; i < names.count && error == 0; i++)
		error = names_report(&names, &names.list[i]);
	mounts_done(&names.mounts);
	names_done(&names);
	return error;
}
