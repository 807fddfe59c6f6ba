/* SPDX-License-Identifier: Apache-2.0 */
/* A record of a file, locked by another process, waited for together with a timer: when it ticks, we ask for the lock.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

#define RECORD 7 /* of 128 bytes each */

int main(void)
{
	const struct nonet_filelock_options options = {.size = sizeof(options), .flags = NONET_FILELOCK_CREATE};
	struct nonet_filelock *lock, *theirs;
	struct nonet_pipe *asked, *ask;
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_timer *timer;
	char path[64], address[96];
	uint64_t ticks = 0;
	size_t count;
	int result;

	snprintf(path, sizeof(path), "/tmp/nonet-lock-wait-%d", (int)getpid());
	snprintf(address, sizeof(address), "ofdlock:%s,%d+128", path, RECORD * 128);
	if (nonet_filelock_open(address, &options, &theirs, NULL) < 0 ||
	    nonet_filelock_lock(theirs, NONET_FILELOCK_EXCLUSIVE, NONET_NOW) < 0 ||
	    nonet_pipe_new(NULL, &asked, &ask, NULL) < 0)
		return 1;
	if (fork() == 0) { /* who has the handle has the lock: now the child, until we ask, or die */
		nonet_pipe_close(ask);
		_exit(nonet_pipe_read(asked, &(char){0}, 1, NONET_FOREVER, &count) != -EPIPE);
	}
	nonet_filelock_close(theirs);
	nonet_pipe_close(asked);
	if (nonet_filelock_open(address, &options, &lock, NULL) < 0 || nonet_wait_set_new(&set, NULL) < 0 ||
	    nonet_timer_new(&timer, NULL) < 0 || nonet_timer_set(timer, nonet_after(NONET_MS(10)), 0) < 0 ||
	    nonet_wait_set_add(set, nonet_filelock_waitable(lock), NONET_WAIT_RECEIVE, lock) < 0 ||
	    nonet_wait_set_add(set, nonet_timer_waitable(timer), NONET_WAIT_RECEIVE, timer) < 0)
		return 1;
	/* Ready means: taken for us. The call makes it ours. */
	while ((result = nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, NONET_NOW)) == -EAGAIN) {
		if (nonet_wait(set, &event, 1, nonet_after(NONET_S(5)), &count) < 0)
			break;
		if (event.data == timer && nonet_timer_take(timer, NONET_NOW, &ticks) == 0)
			ask = nonet_pipe_close(ask); /* the end of the pipe is what it waits for */
	}
	printf("record %d: %s\n", RECORD, nonet_error_name(result));
	nonet_filelock_close(lock);
	nonet_timer_free(timer);
	nonet_wait_set_free(set);
	unlink(path);
	return result < 0 || ticks == 0 || wait(NULL) < 0;
}
