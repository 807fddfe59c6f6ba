/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "sys/files.h"
#include "sys/look.h"
#include "sys/memory.h"

/* As they begin: fuse has subtypes, nfs versions. */
static const char *const remote[] = {"nfs", "cifs",  "smb",    "fuse",      "9p",       "ceph",   "afs",
				     "gfs", "ocfs2", "lustre", "glusterfs", "virtiofs", "autofs", "coda"};

struct mount {
	char where[PATH_MAX];
	char type[64];
};

int mounts_read(struct mounts *ret_mounts)
{
	ret_mounts->text = NULL;
	return sys_read_text(AT_FDCWD, "/proc/self/mountinfo", &ret_mounts->text);
}

void mounts_done(struct mounts *mounts)
{
	mounts->text = sys_free(mounts->text);
}

/* The next word of a line, with \040 and its like undone; NULL at the line's end. */
static const char *mount_word(const char *at, char *ret_word, size_t capacity)
{
	size_t used = 0;

	at += strspn(at, " ");
	if (*at == '\0' || *at == '\n')
		return NULL;
	while (*at != ' ' && *at != '\n' && *at) {
		char byte = *at++;

		if (byte == '\\' && at[0] >= '0' && at[0] <= '3' && at[1] && at[2]) {
			byte = (char)((at[0] - '0') << 6 | (at[1] - '0') << 3 | (at[2] - '0'));
			at += 3;
		}
		if (used + 1 < capacity)
			ret_word[used++] = byte;
	}
	ret_word[used] = '\0';
	return at;
}

/* "ID PARENT DEVICE ROOT WHERE OPTIONS [MORE]... - TYPE SOURCE OPTIONS". Return: the next line, NULL at the end. */
static const char *mount_read(const char *line, struct mount *ret_mount)
{
	const char *end = strchr(line, '\n'), *at = line;
	char word[PATH_MAX];

	*ret_mount = (struct mount){.type = ""};
	for (int i = 0; i < 4 && at; i++)
		at = mount_word(at, word, sizeof(word));
	at = at ? mount_word(at, ret_mount->where, sizeof(ret_mount->where)) : NULL;
	while (at && (at = mount_word(at, word, sizeof(word))) && strcmp(word, "-") != 0)
		;
	if (at)
		(void)mount_word(at, ret_mount->type, sizeof(ret_mount->type));
	return end ? end + 1 : NULL;
}

static bool mount_is_remote(const struct mount *mount)
{
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if (strncmp(mount->type, remote[i], strlen(remote[i])) == 0)
			return true;
	return false;
}

bool mounts_may_hang(const struct mounts *mounts, const char *path)
{
	const char *line = mounts->text;
	struct mount mount;

	while (line && *line) {
		size_t size;

		line = mount_read(line, &mount);
		size = strlen(mount.where);
		/* Also what is mounted over it later, and may not be remote: rather one name too few. */
		if (mount_is_remote(&mount) && strncmp(path, mount.where, size) == 0 &&
		    (path[size] == '/' || path[size] == '\0' || size == 1))
			return true;
	}
	return false;
}

int mounts_open(const struct mounts *mounts, const char *type)
{
	const char *line = mounts->text;
	struct mount mount;

	while (line && *line) {
		line = mount_read(line, &mount);
		if (strcmp(mount.type, type) == 0)
			return sys_open(mount.where, O_RDONLY | O_DIRECTORY);
	}
	return -ENOENT;
}
