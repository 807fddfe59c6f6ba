/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORM_MESSAGE_H
#define CONFORM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nonet/endpoint.h>

#include "conform/carrier.h"
#include "harness/child.h"

/* Messages whose every byte follows from their number, so that a lost, doubled, torn or mixed one is seen. */
void message_fill(void *ret_bytes, size_t size, uint64_t number);
bool message_is(const void *bytes, size_t size, uint64_t number);

/* Send and receive message @number of @size bytes; anything else fails the test, in a child too. */
#define message_send(endpoint, number, size)    message_send_at(TEST_HERE, (endpoint), (number), (size))
#define message_receive(endpoint, number, size) message_receive_at(TEST_HERE, (endpoint), (number), (size))
void message_send_at(const char *file, int line, struct nonet_endpoint *endpoint, uint64_t number, size_t size);
void message_receive_at(const char *file, int line, struct nonet_endpoint *endpoint, uint64_t number, size_t size);

/* Send messages of @size bytes with NONET_NOW until there is no room. Return: how many went in. */
uint64_t message_fill_up(struct nonet_endpoint *endpoint, size_t size);

/* Many messages one way: their sizes follow from the seed, evenly between the two, with small ones more often. */
struct transfer {
	struct pair *pair;
	uint64_t count;
	uint64_t seed;
	size_t smallest;
	size_t largest;
	bool for_ever; /* every other call without a deadline: other paths to the kernel */
};

size_t transfer_size(const struct transfer *transfer, uint64_t number);
/* One side's work, on an open endpoint. */
void transfer_send(const struct transfer *transfer, struct nonet_endpoint *endpoint);
void transfer_receive(const struct transfer *transfer, struct nonet_endpoint *endpoint);
/* The same as a child: opens, reports "ready", works, closes. @argument: a struct transfer. */
int transfer_sender(struct test_child_side *side, void *argument);
int transfer_receiver(struct test_child_side *side, void *argument);

/* A child that is one side of the pair that it is given: opens, reports "ready", and waits for its death. */
int idle_sender(struct test_child_side *side, void *pair);
int idle_receiver(struct test_child_side *side, void *pair);

#endif
