/* SPDX-License-Identifier: Apache-2.0 */
/* Only one of us at a time: a lock that goes with its process, however that ends, and who has it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

/* Who has the lock, in programs that know nothing of nonet too. */
static void say_who(const char *address)
{
	const struct nonet_inspect_holder *holder;
	struct nonet_inspect_holders *holders;

	if (nonet_inspect_holders(address, NULL, nonet_after(NONET_S(5)), &holders, NULL) < 0)
		return;
	for (size_t i = 0; (holder = nonet_inspect_holders_get(holders, i)) != NULL; i++)
		printf("%s, process %d, %s it\n", holder->name, holder->pid, holder->waits ? "waits for" : "has");
	nonet_inspect_holders_free(holders);
}

/* 0 once it is ours. It stays so until the process ends: nothing has to be cleaned up, and no number to be believed. */
static int be_the_only_one(const char *address, nonet_time deadline)
{
	const struct nonet_filelock_options options = {.size = sizeof(options), .flags = NONET_FILELOCK_CREATE};
	static struct nonet_filelock *lock; /* for as long as the process lives */
	struct nonet_error error;
	int result = nonet_filelock_open(address, &options, &lock, &error);

	if (result == 0 && (result = nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, deadline)) < 0)
		nonet_filelock_explain(lock, result, &error);
	if (result < 0) {
		fprintf(stderr, "%s\n", error.text);
		lock = nonet_filelock_close(lock);
	}
	return result;
}

int main(void)
{
	char path[64], address[80], byte;
	int ends[2], failed;
	pid_t first;

	snprintf(path, sizeof(path), "/tmp/nonet-lock-once-%d", (int)getpid());
	snprintf(address, sizeof(address), "flock:%s", path);
	if (pipe(ends) < 0 || (first = fork()) < 0)
		return 1;
	if (first == 0)
		_exit(be_the_only_one(address, NONET_NOW) < 0 || write(ends[1], "x", 1) < 0 || pause());
	close(ends[1]); /* so that the read below ends with it */
	failed = read(ends[0], &byte, 1) != 1 || be_the_only_one(address, nonet_after(NONET_MS(50))) != -ETIMEDOUT;
	say_who(address);
	kill(first, SIGKILL); /* without a word of unlocking */
	failed |= be_the_only_one(address, nonet_after(NONET_S(5))) != 0;
	unlink(path);
	return failed || waitpid(first, NULL, 0) != first;
}
