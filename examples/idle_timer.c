/* SPDX-License-Identifier: Apache-2.0 */
/* A timer among the things waited for: here it ends a connection on which nothing came for 100 ms. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int be_silent(struct nonet_unix *other)
{
	char text[64];
	size_t size;

	return nonet_unix_receive(other, text, sizeof(text), nonet_after(NONET_S(5)), &size) != -EPIPE;
}

int main(void)
{
	struct nonet_unix *ours, *theirs;
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct nonet_timer *timer;
	struct nonet_error error;
	int result, status;
	size_t count;

	if (nonet_unix_pair(NONET_UNIX_STREAM, NULL, &ours, &theirs, &error) < 0 ||
	    nonet_timer_new(&timer, &error) < 0 || nonet_wait_set_new(&set, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (fork() == 0) {
		nonet_unix_close(ours); /* else it would hold our side open itself, and never be hung up on */
		_exit(be_silent(theirs));
	}
	nonet_unix_close(theirs);

	result = nonet_wait_set_add(set, nonet_unix_waitable(ours), NONET_WAIT_RECEIVE, ours);
	if (result == 0)
		result = nonet_wait_set_add(set, nonet_timer_waitable(timer), NONET_WAIT_RECEIVE, timer);
	if (result == 0)
		result = nonet_timer_set(timer, nonet_after(NONET_MS(100)), 0); /* and again when a message has come */
	if (result == 0)
		result = nonet_wait(set, &event, 1, nonet_after(NONET_S(5)), &count);
	if (result < 0) {
		fprintf(stderr, "%s\n", nonet_error_name(result));
		return 1;
	}
	printf("%s\n", event.data == timer ? "nothing for 100 ms: hang up" : "something came, or it is gone");
	nonet_unix_close(ours);
	nonet_timer_free(timer);
	nonet_wait_set_free(set);
	return wait(&status) < 0 || status != 0 || event.data != timer;
}
