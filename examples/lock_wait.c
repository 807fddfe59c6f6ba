/* SPDX-License-Identifier: Apache-2.0 */
/* A record of a file, locked by another process, waited for together with a timer that goes on ticking. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

#define RECORD 7 /* of 128 bytes each */

static struct nonet_filelock *open_record(const char *path, int *ret_result)
{
	const struct nonet_filelock_options options = {.size = sizeof(options), .flags = NONET_FILELOCK_CREATE};
	struct nonet_filelock *lock = NULL;
	char address[96];

	snprintf(address, sizeof(address), "ofdlock:%s,%d+128", path, RECORD * 128);
	*ret_result = nonet_filelock_open(address, &options, &lock, NULL);
	return lock;
}

int main(void)
{
	struct nonet_filelock *lock, *other;
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_timer *timer;
	uint64_t ticks = 0;
	size_t count;
	char path[64];
	int result;

	snprintf(path, sizeof(path), "/tmp/nonet-lock-wait-%d", (int)getpid());
	other = open_record(path, &result);
	if (result < 0 || nonet_filelock_lock(other, NONET_FILELOCK_EXCLUSIVE, NONET_NOW) < 0)
		return 1;
	if (fork() == 0) /* who has the handle has the lock: now the child, for 50 ms */
		_exit(usleep(50000) < 0);
	nonet_filelock_close(other);
	lock = open_record(path, &result);
	if (result < 0 || nonet_wait_set_new(&set, NULL) < 0 || nonet_timer_new(&timer, NULL) < 0 ||
	    nonet_timer_set(timer, nonet_after(NONET_MS(10)), NONET_MS(10)) < 0 ||
	    nonet_wait_set_add(set, nonet_filelock_waitable(lock), NONET_WAIT_RECEIVE, lock) < 0 ||
	    nonet_wait_set_add(set, nonet_timer_waitable(timer), NONET_WAIT_RECEIVE, timer) < 0)
		return 1;
	/* Ready means: taken for us. The call makes it ours. */
	while ((result = nonet_filelock_lock(lock, NONET_FILELOCK_EXCLUSIVE, NONET_NOW)) == -EAGAIN) {
		if (nonet_wait(set, &event, 1, nonet_after(NONET_S(5)), &count) < 0)
			break;
		if (event.data == timer && nonet_timer_take(timer, NONET_NOW, &ticks) == 0)
			printf("still waiting\n");
	}
	printf("record %d: %s\n", RECORD, nonet_error_name(result));
	nonet_filelock_close(lock);
	nonet_timer_free(timer);
	nonet_wait_set_free(set);
	unlink(path);
	return result < 0 || ticks == 0 || wait(NULL) < 0;
}
