/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and answers over one System V queue: type 1 asks the server, an answer has the asker's number as type. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

#define CLIENTS 3

static int send_as(struct nonet_queue *queue, int64_t type, int number)
{
	const struct nonet_queue_label label = {.size = sizeof(label), .type = type};

	return nonet_queue_send(queue, &number, sizeof(number), &label, nonet_after(NONET_S(5)));
}

static int receive_as(struct nonet_queue *queue, int64_t type, int *number)
{
	const struct nonet_queue_select select = {.size = sizeof(select), .which = NONET_QUEUE_TYPE, .type = type};
	struct nonet_queue_message message;

	return nonet_queue_receive(queue, number, sizeof(*number), &select, nonet_after(NONET_S(5)), &message);
}

int main(void)
{
	int failed = 0, asker, answer, status;
	struct nonet_queue *queue;
	struct nonet_error error;
	char address[64];

	snprintf(address, sizeof(address), "sysvmsg:%u", 0x65000000u | (unsigned)getpid());
	if (nonet_queue_create(address, NULL, &queue, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	/* No process has the number 1 but init, so no answer is taken for a question. */
	for (int i = 0; i < CLIENTS; i++)
		if (fork() == 0)
			_exit(send_as(queue, 1, getpid()) < 0 || receive_as(queue, getpid(), &answer) < 0 ||
			      answer != 2 * getpid());
	for (int i = 0; i < CLIENTS && !failed; i++)
		failed = receive_as(queue, 1, &asker) < 0 || send_as(queue, asker, 2 * asker) < 0;
	for (int i = 0; i < CLIENTS; i++)
		failed |= wait(&status) < 0 || status != 0;
	printf("%d clients were answered%s\n", CLIENTS, failed ? ", but not all" : "");
	nonet_queue_close(queue);
	return nonet_queue_unlink(address, &error) < 0 || failed;
}
