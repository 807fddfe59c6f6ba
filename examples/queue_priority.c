/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of jobs that outlives who sends them, and gives out the urgent ones first. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int send_job(struct nonet_queue *queue, const char *job, uint32_t priority)
{
	const struct nonet_queue_label label = {.size = sizeof(label), .priority = priority};

	return nonet_queue_send(queue, job, strlen(job), &label, nonet_after(NONET_S(1)));
}

int main(void)
{
	const struct nonet_queue_options options = {.size = sizeof(options), .depth = 4, .message_size = 64};
	struct nonet_queue_message message;
	struct nonet_queue *queue;
	struct nonet_error error;
	int jobs = 0, result, sent = 1;
	char address[64], job[64];

	snprintf(address, sizeof(address), "posixmq:/nonet-example-%d", (int)getpid());
	if (nonet_queue_create(address, &options, &queue, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	/* A handle of a queue is a child's too. This one is gone before anything is received. */
	if (fork() == 0)
		_exit(send_job(queue, "sweep the floor", 0) < 0 || send_job(queue, "answer the door", 5) < 0 ||
		      send_job(queue, "put out the fire", 9) < 0);
	wait(&sent);
	while ((result = nonet_queue_receive(queue, job, sizeof(job), NULL, NONET_NOW, &message)) == 0) {
		printf("%u: %.*s\n", message.priority, (int)message.size, job);
		jobs++;
	}
	if (result != -EAGAIN) {
		nonet_queue_explain(queue, result, &error);
		fprintf(stderr, "%s\n", error.text);
	}
	nonet_queue_close(queue);
	/* Without this it stays until the machine is switched off. */
	result = nonet_queue_unlink(address, &error);
	return result < 0 || sent != 0 || jobs != 3;
}
