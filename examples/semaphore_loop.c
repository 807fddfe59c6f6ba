/* SPDX-License-Identifier: Apache-2.0 */
/* A semaphore in a nonet_wait(): work is counted by a POSIX semaphore that any program may post. */
#include <semaphore.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

/* A program that knows nothing of nonet. */
static int give_work(const char *name)
{
	sem_t *work = sem_open(name, 0);

	return work == SEM_FAILED || sem_post(work) < 0 || sem_post(work) < 0;
}

int main(void)
{
	struct nonet_wait_event event;
	struct nonet_semaphore *work;
	struct nonet_wait_set *set;
	struct nonet_error error;
	char address[80];
	size_t count;
	int result, done = 0;

	snprintf(address, sizeof(address), "posixsem:/example-%d", (int)getpid());
	if (nonet_semaphore_create(address, NULL, NONET_NOW, &work, &error) < 0 ||
	    nonet_wait_set_new(&set, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0)
		_exit(give_work(address + sizeof("posixsem:") - 1));
	result = nonet_wait_set_add(set, nonet_semaphore_waitable(work), NONET_WAIT_RECEIVE, work);

	/* Readiness is a hint: whoever is first has the permit, so it is tried for without waiting. */
	while (result == 0 && done < 2) {
		result = nonet_wait(set, &event, 1, nonet_after(NONET_S(5)), &count);
		while (result == 0 && nonet_semaphore_wait(work, 1, 0, NONET_NOW) == 0)
			printf("piece of work %d\n", ++done);
	}
	wait(NULL);
	nonet_wait_set_free(set);
	nonet_semaphore_close(work);
	return nonet_semaphore_unlink(address, &error) < 0 || done != 2;
}
