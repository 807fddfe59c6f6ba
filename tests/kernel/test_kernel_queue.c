/* SPDX-License-Identifier: Apache-2.0 */
/* What the library assumes of message queues. None of nonet's own code is called. */
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/test.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

struct message {
	long type;
	char bytes[100];
};

static int sysv_new(void)
{
	return (int)test_must(msgget(test_sysv_key(), IPC_CREAT | IPC_EXCL | 0600));
}

static void sysv_free(int id)
{
	test_must(msgctl(id, IPC_RMID, NULL));
}

static void sysv_send(int id, long type, size_t size)
{
	const struct message message = {.type = type};

	test_must(msgsnd(id, &message, size, IPC_NOWAIT));
}

static int sysv_count(int id)
{
	struct msqid_ds status;

	test_must(msgctl(id, IPC_STAT, &status));
	return (int)status.msg_qnum;
}

/* Waits for a message of @argument's queue with room for so many bytes, and says what came of it. */
struct waiter {
	int id;
	size_t room;
};

static int wait_for_message(struct test_child_side *side, void *argument)
{
	const struct waiter *waiter = argument;
	struct message message;

	test_report(side, "ready");
	test_report_number(side, msgrcv(waiter->id, &message, waiter->room, 0, 0) < 0 ? -errno : 0);
	return 0;
}

/* The first is woken with E2BIG, and the message goes to the next: nothing is taken by who has no room. */
static void a_waiter_without_room_is_woken_and_takes_nothing(void **state)
{
	const int id = sysv_new();
	struct waiter none = {id, 0};
	struct waiter room = {id, 100};
	struct test_child *watching;
	struct test_child *receiving;

	(void)state;
	watching = test_child_until(wait_for_message, &none);
	test_child_wait_blocked(watching);
	receiving = test_child_until(wait_for_message, &room);
	test_child_wait_blocked(receiving);
	sysv_send(id, 1, 10);
	test_check_equal(test_child_number(watching), -E2BIG);
	test_check_equal(test_child_number(receiving), 0);
	test_check_equal(test_child_join(watching), 0);
	test_check_equal(test_child_join(receiving), 0);
	/* One that is there is left; but an empty one fits into nothing. */
	sysv_send(id, 1, 10);
	watching = test_child_until(wait_for_message, &none);
	test_check_equal(test_child_number(watching), -E2BIG);
	test_check_equal(test_child_join(watching), 0);
	test_check_equal(sysv_count(id), 1);
	test_must(msgrcv(id, &(struct message){0}, 100, 0, IPC_NOWAIT));
	sysv_send(id, 1, 0);
	watching = test_child_until(wait_for_message, &none);
	test_check_equal(test_child_number(watching), 0);
	test_check_equal(test_child_join(watching), 0);
	test_check_equal(sysv_count(id), 0);
	sysv_free(id);
}

static void a_removed_queue_is_told_as_removed_or_unknown(void **state)
{
	const int id = sysv_new();
	struct waiter room = {id, 100};
	struct message message = {.type = 1};
	struct test_child *waiting = test_child_until(wait_for_message, &room);

	(void)state;
	test_child_wait_blocked(waiting);
	sysv_free(id);
	test_check_equal(test_child_number(waiting), -EIDRM);
	test_check_equal(test_child_join(waiting), 0);
	for (int i = 0; i < 2; i++) {
		/* With another queue in its place, the id isn't that one's. */
		const int other = i ? sysv_new() : -1;

		test_check(msgsnd(id, &message, 1, IPC_NOWAIT) < 0 && (errno == EINVAL || errno == EIDRM));
		test_check(msgrcv(id, &message, 1, 0, IPC_NOWAIT) < 0 && (errno == EINVAL || errno == EIDRM));
		test_check(msgctl(id, IPC_RMID, NULL) < 0 && (errno == EINVAL || errno == EIDRM));
		if (i)
			sysv_free(other);
	}
}

static void what_no_queue_takes_and_what_this_one_never_will(void **state)
{
	static char bytes[sizeof(long) + 100000] = {1};
	const int id = sysv_new();
	struct msqid_ds status;

	(void)state;
	test_must(msgctl(id, IPC_STAT, &status));
	test_check(msgsnd(id, bytes, 100000, IPC_NOWAIT) < 0 && errno == EINVAL);
	status.msg_qbytes = 10;
	test_must(msgctl(id, IPC_SET, &status));
	/* As if others had to be received first. */
	test_check(msgsnd(id, bytes, 11, IPC_NOWAIT) < 0 && errno == EAGAIN);
	test_must(msgsnd(id, bytes, 10, IPC_NOWAIT));
	/* An empty one has room as long as there are fewer messages than bytes. */
	for (int i = 0; i < 9; i++)
		test_must(msgsnd(id, bytes, 0, IPC_NOWAIT));
	test_check(msgsnd(id, bytes, 0, IPC_NOWAIT) < 0 && errno == EAGAIN);
	sysv_free(id);
}

static void a_copy_is_by_index_and_takes_nothing(void **state)
{
	const int id = sysv_new();
	struct message message;

	(void)state;
	if (msgrcv(id, &message, 0, 0, MSG_COPY | IPC_NOWAIT) < 0 && errno == ENOSYS) {
		sysv_free(id);
		test_skip("MSG_COPY", "to copy: this kernel was built without CONFIG_CHECKPOINT_RESTORE");
	}
	sysv_send(id, 5, 3);
	sysv_send(id, 4, 2);
	test_check_equal(test_must(msgrcv(id, &message, 100, 1, MSG_COPY | IPC_NOWAIT)), 2);
	test_check_equal(message.type, 4);
	test_check_equal(test_must(msgrcv(id, &message, 100, 0, MSG_COPY | IPC_NOWAIT)), 3);
	test_check_equal(message.type, 5);
	test_check(msgrcv(id, &message, 100, 2, MSG_COPY | IPC_NOWAIT) < 0 && errno == ENOMSG);
	test_check(msgrcv(id, &message, 1, 0, MSG_COPY | IPC_NOWAIT) < 0 && errno == E2BIG);
	test_check_equal(sysv_count(id), 2);
	sysv_free(id);
}

static char *mqueue_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "/%s", test_name("queue"));
	return name;
}

static void a_posix_queue_is_a_descriptor(void **state)
{
	struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 10};
	const char *name = mqueue_name();
	const mode_t old = umask(077);
	const int queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0666, &attributes);
	struct pollfd item = {.fd = queue, .events = POLLIN | POLLOUT};
	struct stat status;
	char text[128] = "";
	char path[32];
	int other;

	(void)state;
	umask(old);
	test_must(queue);
	test_check(fcntl(queue, F_GETFD) & FD_CLOEXEC);
	test_must(fstat(queue, &status));
	test_check_equal(status.st_mode & 07777, 0600);
	test_must(fchmod(queue, 0622));
	test_must(fstat(queue, &status));
	test_check_equal(status.st_mode & 07777, 0622);
	test_must(poll(&item, 1, 0));
	test_check_equal(item.revents, POLLOUT);
	test_must(mq_send(queue, "hello", 5, 3));
	test_must(poll(&item, 1, 0));
	test_check_equal(item.revents, POLLIN);
	test_check(mq_send(queue, "", 0, 3) < 0 && errno == EAGAIN);
	test_must(pread(queue, text, sizeof(text), 0));
	test_check(strncmp(text, "QSIZE:5 ", 8) == 0);
	/* A smaller buffer isn't filled, even if the message would fit. */
	test_check(mq_receive(queue, text, 9, NULL) < 0 && errno == EMSGSIZE);
	/* Opened anew by its descriptor, to do something else. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue);
	other = (int)test_must(open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	test_check_equal(test_must(mq_receive(queue, text, 10, NULL)), 5);
	test_must(mq_send(other, "again", 5, 3));
	test_check(mq_receive(other, text, 10, NULL) < 0 && errno == EBADF);
	close(other);
	test_must(mq_unlink(name));
	test_check_equal(test_must(mq_receive(queue, text, 10, NULL)), 5);
	close(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_waiter_without_room_is_woken_and_takes_nothing),
		test_case(a_removed_queue_is_told_as_removed_or_unknown),
		test_case(what_no_queue_takes_and_what_this_one_never_will),
		test_case(a_copy_is_by_index_and_takes_nothing),
		test_case(a_posix_queue_is_a_descriptor),
	};

	return test_main(tests);
}
