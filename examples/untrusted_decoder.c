/* SPDX-License-Identifier: Apache-2.0 */
/* Frames from a process that isn't trusted, without a copy: it can write into its own memory, and nothing else. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

#define FRAME  100000
#define FRAMES 20

/* The decoder: until somebody stops it. */
static int decode(struct nonet_unix *socket)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 1 << 20};
	struct nonet_publisher *publisher;
	void *frame;

	if (nonet_publisher_take_socket(&socket, &options, nonet_after(NONET_S(5)), &publisher, NULL) < 0)
		return 1;
	for (int i = 0; nonet_publisher_loan(publisher, FRAME, nonet_after(NONET_S(5)), &frame) == 0; i++) {
		memset(frame, i, FRAME);
		nonet_publisher_publish(publisher, FRAME, 0);
	}
	return 0;
}

int main(void)
{
	struct nonet_subscriber *frames = NULL;
	struct nonet_unix *ours, *theirs;
	struct nonet_message frame;
	struct nonet_error error;
	int seen = 0, result;
	pid_t decoder;

	if (nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0)
		return 1;
	decoder = fork();
	if (decoder == 0) {
		nonet_unix_close(ours);
		_exit(decode(theirs));
	}
	nonet_unix_close(theirs);
	result = nonet_subscriber_take_socket(&ours, NULL, nonet_after(NONET_S(5)), &frames, &error);
	while (result == 0 && (result = nonet_subscriber_take(frames, nonet_after(NONET_S(5)), &frame)) == 0) {
		/* It may lie about what is in a frame, or write to it now: so check what you copy, not what you see. */
		if (++seen == FRAMES)
			kill(decoder, SIGKILL);
		nonet_subscriber_release(frames, &frame);
	}
	printf("%s frames, then %s\n", seen >= FRAMES ? "enough" : "too few", nonet_error_name(result));
	nonet_subscriber_close(frames);
	waitpid(decoder, NULL, 0);
	return seen < FRAMES || result != -EPIPE;
}
