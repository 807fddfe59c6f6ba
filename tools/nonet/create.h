/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CREATE_H
#define CREATE_H

#include <stdint.h>

#include <nonet/address.h>

/* What `nonet create` is to make. */
struct create_wish {
	const char *given;
	struct nonet_address *address;
	uint32_t mode;
	uint64_t size, depth, message_size, value, count; /* 0: not said */
	int has_value;
	uint64_t rank, readers;
	int recursive, trace, signals, set;
	uint64_t publishers, subscribers, clients, lane;
	int has_policy;
	uint32_t policy;
};

/* Make it, or say why not. .address is set meanwhile. Return: a status. */
int create_object(struct create_wish *wish);

#endif
