/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/channel.h>

#include "channel/test_channel_words.h"
#include "harness/domain.h"
#include "harness/test.h"

/*
 * What is between two steps: of one publisher, instruction by instruction, and what the dead leave there. Words that
 * only one who is killed at the right instruction leaves so are written by hand.
 */

static char bytes[1000];

static int send_bytes(struct nonet_publisher *publisher)
{
	return nonet_publisher_send(publisher, bytes, sizeof(bytes), NONET_NOW);
}

/* Runs a lane full, so that the next sends raise the floor, and waits to be led through them. */
static void publish_in_steps(void)
{
	struct nonet_publisher *publisher = words_publish();

	for (int i = 0; i < 60; i++)
		test_check_equal(send_bytes(publisher), 0);
	test_must(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	raise(SIGSTOP);
	for (int i = 0; i < 8; i++)
		test_check_equal(send_bytes(publisher), 0);
	_exit(0);
}

/* One who is being overtaken looks after every instruction of who overtakes him. */
DOMAIN_TEST(the_overtaken_look_at_any_moment)
{
	struct nonet_subscriber *subscriber;
	struct nonet_message message = {0};
	unsigned steps = 0;
	pid_t child;
	int status;

	(void)side;
	(void)argument;
	words_make(NONET_CHANNEL_DROP, 1);
	subscriber = words_subscribe(0);
	child = (pid_t)test_must(fork());
	if (child == 0)
		publish_in_steps();
	test_check_equal(test_must(waitpid(child, &status, 0)), child);
	test_check(WIFSTOPPED(status));
	for (int i = 0; i < 2; i++)
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, sizeof(bytes), NONET_NOW, NULL), 1000);
	while (WIFSTOPPED(status)) {
		/* Too large for no buffer, so that it stays the next. */
		test_check_equal(nonet_subscriber_receive(subscriber, bytes, 0, NONET_NOW, NULL), -EMSGSIZE);
		test_must(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL));
		test_check_equal(test_must(waitpid(child, &status, 0)), child);
		steps++;
	}
	test_check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	test_check_equal(nonet_subscriber_take(subscriber, NONET_NOW, &message), 0);
	test_check(message.lost > 0);
	test_check_equal(message.sequence, 2 + message.lost);
	test_note("looked after each of %u instructions", steps);
	nonet_subscriber_close(subscriber);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(the_overtaken_look_at_any_moment),
	};
	return test_main(tests);
}
