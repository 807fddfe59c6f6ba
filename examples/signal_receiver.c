/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as messages in a wait set, beside a timer: numbered jobs by a real-time signal, and SIGTERM for the end. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int send_jobs(pid_t to)
{
	struct nonet_error error;

	for (int job = 1; job <= 3; job++) {
		/* Each is queued; if the queue were full, this would say so. */
		if (nonet_signal_send(to, SIGRTMIN, &job, &error) < 0) {
			fprintf(stderr, "%s\n", error.text);
			return 1;
		}
	}
	return nonet_signal_send(to, SIGTERM, NULL, NULL) < 0;
}

int main(void)
{
	const int numbers[] = {SIGTERM, SIGRTMIN};
	int jobs = 0, ended = 0, result = 0, status = 1;
	struct nonet_signal_info info;
	struct nonet_wait_event event;
	struct nonet_signal *signal;
	struct nonet_wait_set *set;
	struct nonet_error error;
	size_t count;

	/* Before anybody may send, and before threads are started: they inherit what is blocked here. */
	if (nonet_signal_open(numbers, 2, NULL, &signal, &error) < 0 || nonet_wait_set_new(&set, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0)
		_exit(send_jobs(getppid()));
	result = nonet_wait_set_add(set, nonet_signal_waitable(signal), NONET_WAIT_RECEIVE, signal);
	while (result == 0 && !(ended && jobs == 3)) {
		result = nonet_wait(set, &event, 1, nonet_after(NONET_S(5)), &count);
		while (result == 0 && nonet_signal_receive(signal, NONET_NOW, &info) == 0) {
			printf("%s from process %d, value %d\n", nonet_signal_name(info.number), info.pid, info.value);
			jobs += info.number == SIGRTMIN;
			ended |= info.number == SIGTERM; /* ordinary signals overtake real-time ones */
		}
	}
	wait(&status);
	nonet_signal_close(signal);
	nonet_wait_set_free(set);
	return result < 0 || status != 0;
}
