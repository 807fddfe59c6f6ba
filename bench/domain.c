/* SPDX-License-Identifier: Apache-2.0 */
#include "domain.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int bench_domain_make(struct bench_domain *domain)
{
	static unsigned number;

	snprintf(domain->directory, sizeof(domain->directory), "/dev/shm/nonet-bench-%d-%u", (int)getpid(), number++);
	if (mkdir(domain->directory, 0700) < 0)
		return -errno;
	domain->owner = getpid();
	return 0;
}

void bench_domain_remove(struct bench_domain *domain)
{
	struct dirent *entry;
	DIR *directory;

	if (domain->owner != getpid())
		return;
	directory = opendir(domain->directory);
	while (directory && (entry = readdir(directory)) != NULL)
		(void)unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	(void)rmdir(domain->directory);
	domain->owner = 0;
}
