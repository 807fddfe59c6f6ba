/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_TEST_QUEUE_H
#define QUEUE_TEST_QUEUE_H

#include <stdio.h>

#include <nonet/queue.h>

#include "harness/test.h"

/* What the tests of queues share. Addresses are static memory for eight. */

static inline char *new_text(void)
{
	static char texts[8][128];
	static unsigned int next;

	return texts[next++ % 8];
}

static inline const char *new_posix(void)
{
	char *text = new_text();

	snprintf(text, 128, "posixmq:/%s", test_name("queue"));
	return text;
}

static inline const char *new_sysv(void)
{
	char *text = new_text();

	snprintf(text, 128, "sysvmsg:%#x", (unsigned int)test_sysv_key());
	return text;
}

/* For four messages of 8192 bytes, where it may be chosen: all POSIX queues of a user share RLIMIT_MSGQUEUE. */
static inline struct nonet_queue *make(const char *address)
{
	const struct nonet_queue_options options = {.size = sizeof(options),
						    .depth = strncmp(address, "posixmq", 7) == 0 ? 4 : 0};
	struct nonet_queue *queue = NULL;

	test_check_equal(nonet_queue_create(address, &options, &queue, NULL), 0);
	return queue;
}

static inline void unmake(struct nonet_queue *queue, const char *address)
{
	nonet_queue_close(queue);
	test_check_equal(nonet_queue_unlink(address, NULL), 0);
}

static inline struct nonet_queue_select selecting(enum nonet_queue_which which, int64_t type)
{
	return (struct nonet_queue_select){.size = sizeof(struct nonet_queue_select), .which = which, .type = type};
}

static inline struct nonet_queue_label labelled(uint32_t priority, int64_t type)
{
	return (struct nonet_queue_label){.size = sizeof(struct nonet_queue_label), .priority = priority, .type = type};
}

#endif
