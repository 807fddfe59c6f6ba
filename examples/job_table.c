/* SPDX-License-Identifier: Apache-2.0 */
/* A job table guarded by a mutex: one worker is killed with a job in hand, and the next puts the table right. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

struct table {
	int waiting, in_hand, done; /* only who has the mutex looks: in between they needn't add up */
};

static int work(const char *address, struct table *table, int death)
{
	struct nonet_mutex *mutex;
	int result = nonet_mutex_open(address, &mutex, NULL);

	while (result == 0 && (result = nonet_mutex_lock(mutex, nonet_after(NONET_S(5)))) != -ETIMEDOUT) {
		if (result == -EOWNERDEAD) {
			dprintf(STDOUT_FILENO, "%d job was in the hand of one who died\n", table->in_hand);
			table->waiting += table->in_hand;
			table->in_hand = 0;
			result = nonet_mutex_recover(mutex);
		}
		if (result < 0 || table->waiting == 0)
			return result < 0 ? result : nonet_mutex_unlock(mutex);
		table->waiting--;
		table->in_hand++;
		raise(death); /* in the middle of its work, with the mutex; 0 is no signal */
		table->in_hand--;
		table->done++;
		result = nonet_mutex_unlock(mutex);
	}
	return result;
}

int main(void)
{
	char domain[] = "/dev/shm/nonet-example-XXXXXX", address[64];
	struct table *table = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct nonet_mutex *mutex;

	snprintf(address, sizeof(address), "mutex:%s/table", mkdtemp(domain) ? domain : "");
	if (table == MAP_FAILED || nonet_mutex_create(address, NULL, &mutex, NULL) < 0)
		return 1;
	table->waiting = 12;
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			_exit(work(address, table, i == 0 ? SIGKILL : 0) < 0);
		else if (i == 0)
			wait(NULL); /* it begins, so that there is a job to be killed with */
	while (wait(NULL) > 0)
		continue;
	dprintf(STDOUT_FILENO, "%d of 12 jobs are done, %d in hand\n", table->done, table->in_hand);
	return execlp("rm", "rm", "-r", table->done == 12 ? domain : "", NULL); /* the domain was ours alone */
}
