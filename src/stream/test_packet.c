/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/packet.h"

#include <errno.h>

#include "harness/test.h"
#include "sys/fault.h"

static const uint8_t wanted[10] = "0123456789";

/* As a receiving call would put it, through readv(2)'s eyes. */
static void arrive(const struct iovec *vector, int parts)
{
	size_t at = 0;

	for (int i = 0; i < parts; i++)
		for (size_t j = 0; j < vector[i].iov_len && at < sizeof(wanted); j++, at++)
			((uint8_t *)vector[i].iov_base)[j] = wanted[at];
}

static void what_does_not_fit_is_put_together_and_held(void **state)
{
	(void)state;
	for (size_t capacity = 0; capacity < sizeof(wanted); capacity++) {
		struct packet packet = {.bytes = NULL};
		struct iovec vector[2];
		uint8_t buffer[10] = {0};

		assert_int_equal(packet_vector(&packet, buffer, capacity, sizeof(wanted), vector), 2);
		assert_int_equal(vector[0].iov_len + vector[1].iov_len, sizeof(wanted));
		arrive(vector, 2);
		assert_false(packet_is_held(&packet));
		assert_int_equal(packet_keep(&packet, buffer, capacity), -EMSGSIZE);
		assert_true(packet_is_held(&packet));
		assert_memory_equal(packet.bytes, wanted, sizeof(wanted));
		packet_done(&packet);
		assert_null(packet.bytes);
	}
}

static void a_buffer_that_is_large_enough_costs_no_memory(void **state)
{
	struct packet packet = {.bytes = NULL};
	struct iovec vector[2];
	uint8_t buffer[10];

	(void)state;
	sys_fault_arm_kind(SYS_CALL_ALLOCATE, ENOMEM);
	assert_int_equal(packet_vector(&packet, buffer, sizeof(buffer), sizeof(buffer), vector), 1);
	assert_int_equal(packet_vector(&packet, buffer, sizeof(buffer) - 1, sizeof(buffer), vector), -ENOMEM);
	assert_int_equal(packet_allocate(&packet, 1), -ENOMEM);
	sys_fault_disarm();
	assert_null(packet.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_does_not_fit_is_put_together_and_held),
		test_case(a_buffer_that_is_large_enough_costs_no_memory),
	};

	return test_main(tests);
}
