/* SPDX-License-Identifier: Apache-2.0 */
/* Real-time signals between two processes: none is lost, none overtakes another, and a full queue is told. */
#include <nonet/signal.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness/test.h"

#define SIGNALS 1000000

/* How many of its user's may be pending for the receiver. */
#define ROOM 500

struct traffic {
	pid_t receiver;
	int room[2]; /* a pipe: a byte whenever the receiver has emptied its queue */
	int count;
};

/* After this, a byte comes once the queue was emptied since the call. */
static void forget_room(int fd)
{
	char bytes[64];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static int send_all(struct test_child_side *side, void *argument)
{
	const struct traffic *traffic = argument;
	struct pollfd item = {.fd = traffic->room[0], .events = POLLIN};
	struct nonet_error error;
	int full = 0;

	for (int i = 0; i < traffic->count; i++) {
		int result = nonet_signal_send(traffic->receiver, SIGRTMIN + 2, &i, &error);

		while (result == -EAGAIN) {
			if (full++ == 0) {
				test_check(strstr(error.text, "RLIMIT_SIGPENDING"));
				test_report_number(side, i);
			}
			forget_room(traffic->room[0]);
			result = nonet_signal_send(traffic->receiver, SIGRTMIN + 2, &i, &error);
			if (result == -EAGAIN)
				test_check(test_poll(&item, 1, test_deadline()) == 1);
		}
		test_check_equal(result, 0);
	}
	return 0;
}

/* The kernel lets an ordinary signal through without its sender: nobody may pose so as root. */
static int receive_without_room(struct test_child_side *side, void *argument)
{
	const struct rlimit none = {0, 0};
	const int number = SIGTERM;
	struct nonet_signal_info info;
	struct nonet_signal *signal;

	(void)side;
	(void)argument;
	test_check_equal(nonet_signal_open(&number, 1, NULL, &signal, NULL), 0);
	test_must(setrlimit(RLIMIT_SIGPENDING, &none));
	(void)!nonet_signal_send(getpid(), SIGTERM, &number, NULL);
	test_check_equal(nonet_signal_receive(signal, test_deadline(), &info), 0);
	test_check_equal(info.pid, 0);
	test_check_equal(info.how, NONET_SIGNAL_OTHER);
	nonet_signal_close(signal);
	return 0;
}

static void a_sender_that_is_not_known_is_not_vouched_for(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(receive_without_room, NULL)), 0);
}

/*
 * Whenever there is nothing, a byte says that the queue is empty; one that finds the pipe full adds nothing. Again and
 * again, as the limit is of all that the user has pending: others can have filled it, and nobody tells when they have
 * taken theirs.
 */
static int receive_or_tell_of_room(struct nonet_signal *signal, int room, struct nonet_signal_info *ret_info)
{
	const nonet_time deadline = test_deadline();
	int result = nonet_signal_receive(signal, NONET_NOW, ret_info);

	while ((result == -EAGAIN || result == -ETIMEDOUT) && nonet_clock() < deadline) {
		(void)!write(room, "", 1);
		result = nonet_signal_receive(signal, nonet_after(NONET_MS(50)), ret_info);
	}
	return result;
}

static void a_million_keep_their_order(void **state)
{
	struct traffic traffic = {.receiver = getpid(), .count = (int)test_scaled(SIGNALS)};
	struct nonet_signal *signal;
	struct nonet_signal_info info;
	struct rlimit before, limit;
	struct test_child *sender;
	int64_t accepted;

	(void)state;
	test_must(pipe2(traffic.room, O_CLOEXEC | O_NONBLOCK));
	test_must(getrlimit(RLIMIT_SIGPENDING, &before));
	limit = (struct rlimit){.rlim_cur = ROOM, .rlim_max = before.rlim_max};
	test_must(setrlimit(RLIMIT_SIGPENDING, &limit));
	test_check_equal(nonet_signal_open((const int[]){SIGRTMIN + 2}, 1, NULL, &signal, NULL), 0);

	sender = test_child_start(send_all, &traffic);
	/* Nothing is taken until the queue has been full for the first time. */
	accepted = test_child_number(sender);
	test_check(accepted > 0 && accepted <= ROOM + 1);
	for (int i = 0; i < traffic.count; i++) {
		test_check_equal(receive_or_tell_of_room(signal, traffic.room[1], &info), 0);
		test_check_equal(info.value, i);
		if (i % 10000 == 0)
			test_watchdog_extend(NONET_S(30));
	}
	test_check_equal(test_child_join(sender), 0);
	test_check_equal(nonet_signal_receive(signal, NONET_NOW, &info), -EAGAIN);
	test_note("%d signals, the queue was full after %lld", traffic.count, (long long)accepted);
	nonet_signal_close(signal);
	test_must(setrlimit(RLIMIT_SIGPENDING, &before));
	close(traffic.room[0]);
	close(traffic.room[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_million_keep_their_order),
		test_case(a_sender_that_is_not_known_is_not_vouched_for),
	};

	return test_main(tests);
}
