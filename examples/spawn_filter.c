/* SPDX-License-Identifier: Apache-2.0 */
/* A program as a filter: what we write goes through it, its exit status comes with its end. */
#include <errno.h>
#include <stdio.h>

#include <nonet/nonet.h>

/* All that it prints, until it ends its output. */
static int print_all(struct nonet_process *process, nonet_time deadline)
{
	char text[256];
	size_t size;
	int result;

	while ((result = nonet_pipe_read(nonet_process_output(process), text, sizeof(text), deadline, &size)) == 0)
		printf("%.*s", (int)size, text);
	return result;
}

int main(void)
{
	const char *const arguments[] = {"sort", "-n", NULL};
	const struct nonet_process_options options = {
		.size = sizeof(options),
		.input.kind = NONET_PROCESS_PIPE,
		.output.kind = NONET_PROCESS_PIPE,
	};
	const nonet_time deadline = nonet_after(NONET_S(5));
	struct nonet_process_status status = {.how = 0};
	struct nonet_process *sort, *missing;
	struct nonet_error error;
	int result;

	/* A program that can't begin is told here, in plain words, and not by a status that its end might have too. */
	if (nonet_process_spawn((const char *const[]){"no-such-program", NULL}, NULL, &missing, &error) < 0)
		printf("%s\n", error.text);
	if (nonet_process_spawn(arguments, &options, &sort, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	result = nonet_pipe_write(nonet_process_input(sort), "10\n9\n8\n", 7, deadline, NULL);
	nonet_process_finish_input(sort); /* it sorts once it has found the end */
	if (result == 0)
		result = print_all(sort, deadline); /* -EPIPE is the end of its output */
	if (nonet_process_wait(sort, deadline, &status) == 0)
		printf("sort ended with status %d\n", status.code);
	nonet_process_close(sort);
	return status.how != NONET_PROCESS_EXITED || status.code != 0 || result != -EPIPE;
}
