/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/inventory.h"
#include "harness/leak.h"
#include "harness/names.h"

/* The file system of POSIX queues, where it isn't mounted: as root, a mount that nobody sees; -1. */
static int open_unmounted(void)
{
	int place = -1;
	int mount = -1;
	const int context = (int)syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC);

	if (context >= 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	if (mount >= 0)
		place = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount >= 0)
		close(mount);
	if (context >= 0)
		close(context);
	return place;
}

static DIR *open_queues(void)
{
	DIR *directory = opendir("/dev/mqueue");
	int place;

	if (!directory) {
		place = open_unmounted();
		directory = place < 0 ? NULL : fdopendir(place);
		if (!directory && place >= 0)
			close(place);
	}
	return directory;
}

int test_leak_sees_queues(void)
{
	DIR *directory = open_queues();

	if (directory)
		closedir(directory);
	return directory != NULL;
}

void inventory_mqueues(struct inventory *inventory)
{
	DIR *directory = open_queues();
	struct dirent *entry;

	/* The names of others are theirs: tests run side by side. */
	while (directory && (entry = readdir(directory)))
		if (test_name_is_own(entry->d_name))
			inventory_add(inventory, entry->d_name, "", 0);
	if (directory)
		closedir(directory);
}
