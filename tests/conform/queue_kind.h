/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORM_QUEUE_KIND_H
#define CONFORM_QUEUE_KIND_H

#include <nonet/queue.h>

#include "harness/test.h"

/*
 * What the suites of queues share: each is a program that is run once per carrier, with its scheme as the argument.
 */

/* Of the carrier that this run is for. */
extern bool queue_is_posix;

/* Read the argument; then as test_main(). */
#define queue_main(argc, argv, tests) \
	queue_main_run(__FILE__, (argc), (argv), (tests), sizeof(tests) / sizeof((tests)[0]))
int queue_main_run(const char *file, int argc, char **argv, const struct CMUnitTest *tests, size_t count);

/* A queue for a test: made, opened both ways; closed and removed. Its address is static memory for 8 of them. */
#define QUEUE_MESSAGE_SIZE 8192
struct nonet_queue *queue_make(const char **ret_address);
/* ... with room for so many messages of @message_size. */
struct nonet_queue *queue_make_for(uint32_t depth, uint64_t message_size, const char **ret_address);
void queue_unmake(struct nonet_queue *queue, const char *address);

const char *queue_new_address(void);

/* Another handle. @flags: NONET_QUEUE_SEND, RECEIVE; 0: both. */
struct nonet_queue *queue_open_as(const char *address, uint32_t flags);

/* Message @number of @size bytes: sent and received, or the test fails. */
#define queue_put(queue, number, size, deadline)  queue_put_at(TEST_HERE, (queue), (number), (size), (deadline))
#define queue_take(queue, number, size, deadline) queue_take_at(TEST_HERE, (queue), (number), (size), (deadline))
void queue_put_at(const char *file, int line, struct nonet_queue *queue, uint64_t number, size_t size,
		  nonet_time deadline);
void queue_take_at(const char *file, int line, struct nonet_queue *queue, uint64_t number, size_t size,
		   nonet_time deadline);

/* Fill it with messages of @size bytes. Return: how many. */
uint64_t queue_fill(struct nonet_queue *queue, size_t size);

/* Nothing is there to be received at once. */
bool queue_is_empty(struct nonet_queue *queue);

#endif
