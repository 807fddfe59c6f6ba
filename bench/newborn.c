/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "bare_mutex.h"

/*
 * nonet-bench-newborn ADDRESS|PATH: open a mutex of nonet's, or the C library's in a file, and take it for the first
 * time. Writes to its output what first.c reads: struct bench_slice's times of the two.
 */

static int newborn_nonet(const char *address, nonet_time stamps[FIRSTS + 1])
{
	struct nonet_mutex *mutex;
	int error;

	stamps[0] = nonet_clock();
	error = nonet_mutex_open(address, &mutex, NULL);
	stamps[1] = nonet_clock();
	if (!error)
		error = nonet_mutex_lock(mutex, NONET_FOREVER);
	stamps[2] = nonet_clock();
	return error ? error : nonet_mutex_unlock(mutex);
}

static int newborn_bare(const char *path, nonet_time stamps[FIRSTS + 1])
{
	pthread_mutex_t *mutex;
	int error;

	stamps[0] = nonet_clock();
	error = bare_mutex_open(path, &mutex);
	stamps[1] = nonet_clock();
	if (!error)
		error = -pthread_mutex_lock(mutex);
	stamps[2] = nonet_clock();
	return error ? error : -pthread_mutex_unlock(mutex);
}

int main(int argc, char **argv)
{
	double times[FIRSTS];
	nonet_time stamps[FIRSTS + 1];
	int error;

	if (argc != 2) {
		fprintf(stderr, "nonet-bench-newborn: is started by nonet-bench-wrappers\n");
		return 2;
	}
	/* The first look at the clock isn't what is measured. */
	(void)nonet_clock();
	error = strncmp(argv[1], "mutex:", 6) == 0 ? newborn_nonet(argv[1], stamps) : newborn_bare(argv[1], stamps);
	if (error)
		return 1;
	for (int what = 0; what < FIRSTS; what++)
		times[what] = (double)(stamps[what + 1] - stamps[what]);
	return write(STDOUT_FILENO, times, sizeof(times)) != sizeof(times);
}
