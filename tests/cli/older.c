/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded: a C library and a kernel of some years ago, where no call tells by failing. nonet doctor must see it. */
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

size_t confstr(int name, char *buffer, size_t size)
{
	(void)name;
	return (size_t)snprintf(buffer, size, "glibc 2.31") + 1;
}

int fstatfs(int fd, struct statfs *ret_status)
{
	(void)fd;
	memset(ret_status, 0, sizeof(*ret_status));
	ret_status->f_type = 0x09041934; /* ANON_INODE_FS_MAGIC: what a pidfd was before pidfs */
	return 0;
}
