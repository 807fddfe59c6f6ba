/* SPDX-License-Identifier: Apache-2.0 */
/* Two printers for three processes; the permit of one that is killed while it prints comes back by itself. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int print(struct nonet_semaphore *printers, nonet_time deadline)
{
	int result = nonet_semaphore_wait(printers, 1, NONET_SEMAPHORE_UNDO, deadline);

	if (result < 0)
		return result;
	/* ... here it would print; this one hangs. */
	pause();
	return nonet_semaphore_post(printers, 1, NONET_SEMAPHORE_UNDO);
}

int main(void)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = 2};
	struct nonet_semaphore *printers;
	struct nonet_error error;
	char address[64];
	pid_t pids[2];
	int result;

	/* A key of our own; programs that know each other agree on one, or on sysvsem:PATH#PROJ. */
	snprintf(address, sizeof(address), "sysvsem:%d", 0x50000000 | (int)getpid());
	if (nonet_semaphore_create(address, &options, NONET_NOW, &printers, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(print(printers, NONET_FOREVER) < 0);
	}
	/* Each has one soon; then there is none for us. */
	while (nonet_semaphore_wait(printers, 1, NONET_SEMAPHORE_UNDO, NONET_NOW) == 0)
		result = nonet_semaphore_post(printers, 1, NONET_SEMAPHORE_UNDO);
	nonet_semaphore_explain(printers, -EAGAIN, &error);
	puts(error.text);

	kill(pids[0], SIGKILL);
	result = nonet_semaphore_wait(printers, 1, NONET_SEMAPHORE_UNDO, nonet_after(NONET_S(5)));
	printf("one was killed: %s\n", result == 0 ? "its permit is ours" : nonet_error_name(result));
	kill(pids[1], SIGKILL);
	while (wait(NULL) > 0)
		;
	nonet_semaphore_close(printers);
	return nonet_semaphore_unlink(address, &error) < 0 || result < 0;
}
