/* SPDX-License-Identifier: Apache-2.0 */
/* A signal handler ends a nonet_wait(): here SIGCHLD's, so that the end of a child is one event among others. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static struct nonet_wake *child_ended;

static void on_sigchld(int number)
{
	(void)number;
	nonet_wake_signal(child_ended); /* one of the few calls that a handler may make */
}

int main(void)
{
	const struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_NOCLDSTOP};
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_error error;
	int result, status;
	size_t count;
	pid_t pid;

	if (nonet_wake_new(&child_ended, &error) < 0 || nonet_wait_set_new(&set, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	result = nonet_wait_set_add(set, nonet_wake_waitable(child_ended), NONET_WAIT_RECEIVE, child_ended);
	if (sigaction(SIGCHLD, &action, NULL) < 0 || (pid = fork()) < 0) {
		perror("sigaction or fork");
		return 1;
	}
	if (pid == 0)
		_exit(7);

	/* However the signal falls, before the wait or in it, the wake object stays signalled until it is cleared. */
	if (result == 0)
		result = nonet_wait(set, &event, 1, nonet_after(NONET_S(5)), &count);
	if (result < 0) {
		fprintf(stderr, "waiting for the child: %s\n", nonet_error_name(result));
		return 1;
	}
	if (nonet_wake_clear(child_ended) != 1 || waitpid(pid, &status, WNOHANG) != pid) {
		fprintf(stderr, "the child hasn't ended yet\n");
		return 1;
	}
	printf("the child ended with status %d\n", WEXITSTATUS(status));
	nonet_wait_set_free(set);
	nonet_wake_free(child_ended);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 7;
}
