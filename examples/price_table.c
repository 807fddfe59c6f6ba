/* SPDX-License-Identifier: Apache-2.0 */
/* A table that many read and few change: who is killed halfway through a change is told of, and a reader mends it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/rwlock.h>

struct table {
	long price, with_tax; /* the second follows from the first */
};

/* A writer that doesn't get to its second line. */
static void change_halfway(const char *address, struct table *table, int told)
{
	struct nonet_rwlock *rwlock;
	if (nonet_rwlock_open(address, &rwlock, NULL) < 0 || nonet_rwlock_write_lock(rwlock, NONET_FOREVER) < 0)
		_exit(1);
	table->price = 200;
	_exit(write(told, "x", 1) < 0 || pause());
}

static int read_table(struct nonet_rwlock *rwlock, struct table *table)
{
	int result = nonet_rwlock_read_lock(rwlock, nonet_after(NONET_S(5)));
	if (result == -EOWNERDEAD) { /* held for writing, so that we can */
		printf("a writer died; mending %ld, %ld\n", table->price, table->with_tax);
		table->with_tax = table->price * 12 / 10;
		result = nonet_rwlock_recover(rwlock);
		result = result < 0 ? result : nonet_rwlock_downgrade(rwlock);
	}
	if (result == 0)
		printf("%ld, with tax %ld\n", table->price, table->with_tax);
	return result < 0 ? result : nonet_rwlock_unlock(rwlock);
}

int main(void)
{
	char directory[] = "/dev/shm/nonet-prices-XXXXXX", address[64], file[64], byte;
	const int shared = MAP_SHARED | MAP_ANONYMOUS;
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, shared, -1, 0);
	struct nonet_rwlock *rwlock;
	int ends[2], failed, writer;
	if (table == MAP_FAILED || !mkdtemp(directory) || pipe(ends) < 0)
		return 1;
	snprintf(address, sizeof(address), "rwlock:%s/prices", directory);
	snprintf(file, sizeof(file), "%s/.domain", directory);
	*table = (struct table){100, 120};
	failed = nonet_rwlock_create(address, NULL, &rwlock, NULL) < 0 || read_table(rwlock, table) < 0;
	if ((writer = fork()) == 0)
		change_halfway(address, table, ends[1]);
	failed |= read(ends[0], &byte, 1) != 1 || kill(writer, SIGKILL) < 0 || read_table(rwlock, table) < 0;
	failed |= table->with_tax != 240 || waitpid(writer, NULL, 0) != writer;
	nonet_rwlock_close(rwlock);
	return failed || nonet_rwlock_unlink(address, NULL) < 0 || unlink(file) < 0 || rmdir(directory) < 0;
}
