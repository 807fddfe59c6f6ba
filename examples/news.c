/* SPDX-License-Identifier: Apache-2.0 */
/* A channel: a child publishes, and we read in an epoll loop of our own: take until -EAGAIN, arm, sleep; then the end.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

#define CHANNEL "channel:example-news"

/* Written where it is read: no copy. */
static int publish(void)
{
	struct nonet_publisher *publisher = NULL;
	int result = nonet_publisher_open(CHANNEL, &publisher, NULL);
	void *buffer;

	for (int i = 1; i <= 3 && result == 0; i++) {
		result = nonet_publisher_loan(publisher, 64, nonet_after(NONET_S(5)), &buffer);
		if (result == 0)
			result = nonet_publisher_publish(publisher, (size_t)snprintf(buffer, 64, "item %d", i), 0);
	}
	nonet_publisher_close(publisher);
	return result < 0;
}

int main(void)
{
	const struct nonet_subscriber_options ends = {.size = sizeof(ends), .flags = NONET_SUBSCRIBER_END};
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC), result, status, messages = 0;
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_message message;

	if (nonet_channel_create(CHANNEL, NULL, NULL) < 0)
		return 1;
	result = nonet_subscriber_open(CHANNEL, &ends, &subscriber, NULL);
	if (fork() == 0) /* before nonet_subscriber_fd() starts a thread: a fork in that moment is no good */
		_exit(publish());
	if (result == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, nonet_subscriber_fd(subscriber), &event) < 0)
		result = -errno;
	while (result == 0 || result == -EAGAIN) {
		result = nonet_subscriber_take(subscriber, NONET_NOW, &message);
		if (result == 0) {
			printf("%.*s\n", (int)message.size, (const char *)message.data);
			messages++;
			result = nonet_subscriber_release(subscriber, &message);
		} else if (result == -EAGAIN && nonet_subscriber_arm(subscriber) == 0 &&
			   epoll_wait(epoll, &event, 1, 5000) == 0) {
			break; /* the loop is our own, and so is its time limit */
		}
	}
	nonet_subscriber_close(subscriber);
	close(epoll);
	return wait(&status) < 0 || nonet_channel_unlink(CHANNEL, NULL) < 0 || status || result != -EPIPE ||
	       messages != 3;
}
