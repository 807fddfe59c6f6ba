/* SPDX-License-Identifier: Apache-2.0 */
/* Two children have to end: one does when it is asked, the other has to be killed. */
#include <stdio.h>

#include <nonet/nonet.h>

/* Start a shell, stop it once it is ready, and tell how it ended: 1 if force was needed, 0 if not. */
static int stop_one(const char *script, nonet_time grace)
{
	const char *const arguments[] = {"sh", "-c", script, NULL};
	const struct nonet_process_options options = {
		.size = sizeof(options),
		.input.kind = NONET_PROCESS_PIPE, /* what it waits for, and never comes */
		.output.kind = NONET_PROCESS_PIPE,
		.death_signal = 9, /* should we die first */
	};
	struct nonet_process_status status;
	struct nonet_process *process;
	struct nonet_error error;
	char ready[6];
	int result;

	if (nonet_process_spawn(arguments, &options, &process, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return -1;
	}
	result = nonet_pipe_read_exactly(nonet_process_output(process), ready, 6, nonet_after(NONET_S(5)), NULL);
	/* SIGTERM now, SIGKILL after the grace; all in all ten seconds. */
	if (result == 0)
		result = nonet_process_stop(process, nonet_after(grace), nonet_after(NONET_S(10)), &status);
	if (result < 0) {
		nonet_process_explain(process, result, &error);
		fprintf(stderr, "%s\n", error.text);
	} else if (status.how == NONET_PROCESS_EXITED) {
		printf("process %d ended by itself, with status %d\n", (int)nonet_process_pid(process), status.code);
	} else {
		printf("process %d was ended by %s\n", (int)nonet_process_pid(process), nonet_signal_name(status.code));
	}
	nonet_process_close(process);
	return result;
}

int main(void)
{
	int obeys = stop_one("trap 'exit 3' TERM; echo ready; while :; do read x; done", NONET_S(5));
	int ignores = stop_one("trap '' TERM; echo ready; read x", NONET_MS(100));

	return obeys != 0 || ignores != 1;
}
