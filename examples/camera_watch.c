/* SPDX-License-Identifier: Apache-2.0 */
/* Of camera.c: one who watches, where the camera writes; and that nothing was copied, as the kernel's counters show. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nonet/channel.h>

#include "camera.h"

/* Bytes that system calls have moved, and that are in memory of our own: a copy would be in one or the other. */
static long copied(void)
{
	long in, out, resident, shared;
	FILE *io = fopen("/proc/self/io", "r");
	FILE *memory = fopen("/proc/self/statm", "r");

	if (!io || fscanf(io, "rchar: %ld wchar: %ld", &in, &out) != 2)
		exit(2);
	if (!memory || fscanf(memory, "%*d %ld %ld", &resident, &shared) != 2)
		exit(2);
	fclose(io);
	fclose(memory);
	return in + out + (resident - shared) * sysconf(_SC_PAGESIZE);
}

int watch(const char *address, int told)
{
	const struct nonet_subscriber_options options = {.size = sizeof(options), .flags = NONET_SUBSCRIBER_END};
	struct nonet_subscriber *subscriber;
	struct nonet_message frame;
	struct nonet_error error;
	long copies = copied(), seen = 0;
	int result = nonet_subscriber_open(address, &options, &subscriber, &error);

	if (result < 0)
		fprintf(stderr, "%s\n", error.text);
	if (result < 0 || write(told, "x", 1) != 1)
		return 1;
	while ((result = nonet_subscriber_take(subscriber, nonet_after(NONET_S(9)), &frame)) == 0) {
		const unsigned char *pixels = frame.data; /* not ours: the camera's */
		seen += frame.size == FRAME && pixels[0] == frame.sequence && pixels[FRAME - 1] == frame.sequence;
		nonet_subscriber_release(subscriber, &frame);
	}
	nonet_subscriber_close(subscriber);
	copies = copied() - copies;
	printf("watched %ld frames of %ld bytes; copied %ld bytes in all\n", seen, FRAME, copies);
	return result != -EPIPE || seen != FRAMES || copies > FRAME / 4;
}
