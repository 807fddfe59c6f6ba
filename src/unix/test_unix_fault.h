/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIX_TEST_UNIX_FAULT_H
#define UNIX_TEST_UNIX_FAULT_H

#include <unistd.h>

#include "harness/fault.h"
#include "unix/test_unix.h"

/* What the two fault sweeps of UNIX sockets share. */

static char path[100];
static enum nonet_unix_type swept; /* the type of this round */

static const struct nonet_unix_options sized = {.size = sizeof(sized), .buffer_size = 100000};

struct ends {
	struct nonet_unix *first;
	struct nonet_unix *second;
};

static inline void close_ends(void *state, void *outputs)
{
	struct ends *ends = outputs;

	(void)state;
	close_pair(ends->first, ends->second);
}

static inline void close_first(void *state, void *outputs)
{
	(void)state;
	nonet_unix_close(((struct ends *)outputs)->first);
}

/* Which types an operation is for. */
#define STREAM    1u
#define SEQPACKET 2u
#define DATAGRAM  4u
#define CONNECTED (STREAM | SEQPACKET)
#define ALL       (CONNECTED | DATAGRAM)

#define A_POINTER .outputs_size = sizeof(void *)
#define A_SIZE    .outputs_size = sizeof(size_t)

struct fault_row {
	unsigned types;
	struct test_operation operation;
};

static inline void sweep_all(const struct fault_row *rows, size_t count)
{
	struct test_sweep total = {0};
	struct test_sweep sweep;
	const char *directory = test_directory_new();

	snprintf(path, sizeof(path), "%s/socket", directory);
	for_each_type (type) {
		swept = type;
		for (size_t i = 0; i < count; i++) {
			if (!(rows[i].types & 1u << (type - 1)))
				continue;
			test_fault_sweep_count(&rows[i].operation, &sweep);
			total.injections += sweep.injections;
			total.fired += sweep.fired;
			total.absorbed += sweep.absorbed;
		}
	}
	test_note("%zu injections, %zu hit, %zu absorbed", total.injections, total.fired, total.absorbed);
	test_directory_free(directory);
}

#endif
