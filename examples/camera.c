/* SPDX-License-Identifier: Apache-2.0 */
/* A camera, 60 frames of 4 MB a second, and two that watch (camera_watch.c): nobody copies a frame. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nonet/channel.h>

#include "camera.h"

static int film(struct nonet_publisher *camera)
{
	nonet_time next = nonet_clock();
	void *frame;

	for (int i = 0; i < FRAMES; i++, next += NONET_S(1) / 60) {
		const struct timespec time = {next / NONET_S(1), next % NONET_S(1)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		/* The sensor fills what the watchers will see. It has room for four, and waits for who is behind. */
		if (nonet_publisher_loan(camera, FRAME, nonet_after(NONET_S(9)), &frame) < 0)
			return 1;
		memset(frame, i, FRAME);
		if (nonet_publisher_publish(camera, FRAME, 0) < 0)
			return 1;
	}
	return 0;
}

int main(void)
{
	const struct nonet_channel_options options = {.size = sizeof(options), .lane = 16 << 20};
	char directory[] = "/dev/shm/nonet-camera-XXXXXX", address[64], file[64], byte;
	struct nonet_publisher *camera = NULL;
	int ends[2], failed, status;

	if (!mkdtemp(directory) || pipe(ends) < 0)
		return 1;
	snprintf(address, sizeof(address), "channel:%s/frames", directory);
	snprintf(file, sizeof(file), "%s/.domain", directory);
	failed = nonet_channel_create(address, &options, NULL) < 0;
	for (int i = 0; i < 2 && !failed; i++) {
		if (fork() == 0)
			exit(watch(address, ends[1]));
		failed = read(ends[0], &byte, 1) != 1;
	}
	failed = failed || nonet_publisher_open(address, &camera, NULL) < 0 || film(camera) != 0;
	nonet_publisher_close(camera);
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed || nonet_channel_unlink(address, NULL) < 0 || unlink(file) < 0 || rmdir(directory) < 0;
}
