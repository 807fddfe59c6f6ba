/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message queues by the plain calls, as a program uses them that knows nothing of nonet:
 *
 *   plain_queue posix send NAME PRIORITY TEXT    plain_queue sysv send KEY TYPE TEXT
 *   plain_queue posix recv NAME                  plain_queue sysv recv KEY TYPE
 *   plain_queue posix make NAME                  plain_queue sysv make KEY
 *   plain_queue posix remove NAME                plain_queue sysv remove KEY
 *
 * recv prints PRIORITY or TYPE, a space, and the message. Both wait for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

struct message {
	long type;
	char text[8192];
};

static int done(const char *what, long result)
{
	if (result < 0)
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return result < 0;
}

static int posix(const char *verb, char *argv[])
{
	char text[8192];
	unsigned priority;
	ssize_t size;
	mqd_t queue;

	if (strcmp(verb, "remove") == 0)
		return done("mq_unlink", mq_unlink(argv[0]));
	queue = mq_open(argv[0], strcmp(verb, "make") == 0 ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0600, NULL);
	if (queue == (mqd_t)-1)
		return done("mq_open", -1);
	if (strcmp(verb, "send") == 0)
		return done("mq_send", mq_send(queue, argv[2], strlen(argv[2]), (unsigned)atoi(argv[1])));
	if (strcmp(verb, "recv") != 0)
		return 0;
	size = mq_receive(queue, text, sizeof(text), &priority);
	if (size >= 0)
		printf("%u %.*s\n", priority, (int)size, text);
	return done("mq_receive", size);
}

static int sysv(const char *verb, char *argv[])
{
	const key_t key = (key_t)strtoul(argv[0], NULL, 0);
	struct message message;
	ssize_t size;
	int id = msgget(key, strcmp(verb, "make") == 0 ? IPC_CREAT | IPC_EXCL | 0600 : 0);

	if (id < 0)
		return done("msgget", -1);
	if (strcmp(verb, "remove") == 0)
		return done("msgctl", msgctl(id, IPC_RMID, NULL));
	if (strcmp(verb, "send") == 0) {
		message.type = atol(argv[1]);
		memcpy(message.text, argv[2], strlen(argv[2]));
		return done("msgsnd", msgsnd(id, &message, strlen(argv[2]), 0));
	}
	if (strcmp(verb, "recv") != 0)
		return 0;
	size = msgrcv(id, &message, sizeof(message.text), atol(argv[1]), 0);
	if (size >= 0)
		printf("%ld %.*s\n", message.type, (int)size, message.text);
	return done("msgrcv", size);
}

int main(int argc, char *argv[])
{
	if (argc < 4)
		return 2;
	return strcmp(argv[1], "posix") == 0 ? posix(argv[2], argv + 3) : sysv(argv[2], argv + 3);
}
