/* SPDX-License-Identifier: Apache-2.0 */
/* Others change it while somebody waits, and signals come all the time. */
#include <unistd.h>

#include <nonet/nonet.h>

#include "harness/storm.h"
#include "test_memory.h"

static int change_it(struct test_child_side *side, void *argument)
{
	struct memory_object *object = argument;
	struct nonet_memory *memory;

	test_check_equal(memory_open_again(object->address, object->memory, 0, &memory), 0);
	test_report(side, "ready");
	test_await(side, "grow");
	test_check_equal(nonet_memory_grow(memory, 3 * LENGTH), 0);
	test_await(side, "cut");
	test_must(ftruncate(nonet_memory_descriptor(memory), 0));
	test_await(side, "end");
	nonet_memory_close(memory);
	return 0;
}

void changes_end_a_wait(void **state)
{
	struct memory_object object = memory_make(LENGTH);
	struct nonet_wait_event event;
	struct nonet_wait_set *set;
	struct test_child *child;
	uint32_t changes = 0;
	size_t count;

	(void)state;
	if (memory_carrier == MEMORY_SYSV) {
		assert_int_equal(nonet_memory_changed(object.memory, NONET_NOW, &changes), -EOPNOTSUPP);
		assert_int_equal(nonet_memory_fd(object.memory), -EOPNOTSUPP);
		assert_null(nonet_memory_waitable(object.memory));
		assert_int_equal(nonet_memory_descriptor(object.memory), -EOPNOTSUPP);
		memory_drop(&object);
		return;
	}
	assert_int_equal(nonet_memory_changed(object.memory, NONET_NOW, &changes), -EAGAIN);
	assert_int_equal(nonet_memory_changed(object.memory, nonet_after(NONET_MS(1)), &changes), -ETIMEDOUT);
	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	assert_int_equal(nonet_wait_set_add(set, nonet_memory_waitable(object.memory), NONET_WAIT_RECEIVE, NULL), 0);
	assert_int_equal(nonet_memory_arm(object.memory), 0);
	child = test_child_until(change_it, &object);
	assert_int_equal(nonet_wait(set, &event, 1, NONET_NOW, &count), -EAGAIN);
	test_child_tell(child, "grow");
	assert_int_equal(nonet_wait(set, &event, 1, test_deadline(), &count), 0);
	assert_int_equal(nonet_memory_changed(object.memory, test_deadline(), &changes), 0);
	assert_int_equal(changes & ~NONET_MEMORY_WRITTEN, NONET_MEMORY_GREW);
	assert_int_equal(nonet_memory_refresh(object.memory), 0);
	test_child_tell(child, "cut");
	assert_int_equal(nonet_memory_changed(object.memory, test_deadline(), &changes), 0);
	assert_int_equal(changes, NONET_MEMORY_WRITTEN | NONET_MEMORY_SHRANK);
	assert_int_equal(nonet_memory_refresh(object.memory), -EBADMSG);
	assert_int_equal(nonet_memory_check(object.memory), -EBADMSG);
	test_child_tell(child, "end");
	assert_int_equal(test_child_join(child), 0);
	nonet_wait_set_free(set);
	memory_drop(&object);
}

void its_name_going_ends_a_wait(void **state)
{
	struct nonet_memory *second;
	uint32_t changes = 0;
	struct memory_object object;

	(void)state;
	memory_named_only();
	if (memory_carrier == MEMORY_SYSV)
		test_not_applicable("the kernel tells nothing of System V segments");
	object = memory_make(LENGTH);
	assert_int_equal(nonet_memory_arm(object.memory), 0);
	assert_int_equal(nonet_memory_unlink(object.address, NULL), 0);
	assert_int_equal(nonet_memory_changed(object.memory, test_deadline(), &changes), 0);
	assert_int_equal(changes, NONET_MEMORY_REMOVED);
	assert_int_equal(memory_create(object.address, LENGTH, &second), 0);
	/* Something else that is told, after which the name is looked at. */
	test_must(ftruncate(nonet_memory_descriptor(object.memory), LENGTH));
	assert_int_equal(nonet_memory_changed(object.memory, test_deadline(), &changes), 0);
	assert_int_equal(changes & NONET_MEMORY_REPLACED, NONET_MEMORY_REPLACED);
	nonet_memory_close(second);
	memory_drop(&object);
}

/* A large allocation on tmpfs is undone by each signal: tried as a whole it would never end. */
void a_storm_of_signals_shows_nowhere(void **state)
{
	struct test_storm *storm;
	struct memory_object object;
	uint32_t changes;
	uint64_t sent;

	(void)state;
	test_storm_victim();
	storm = test_storm_start((pid_t[]){getpid()}, 1, NONET_S(30));
	for (int i = 0; i < 10; i++) {
		object = memory_make(32u << 20);
		if (memory_carrier != MEMORY_SYSV) {
			assert_int_equal(nonet_memory_grow(object.memory, 64u << 20), 0);
			assert_int_equal(nonet_memory_length(object.memory), 64u << 20);
			/* What the growth said of itself. */
			while (nonet_memory_changed(object.memory, NONET_NOW, &changes) == 0)
				;
			assert_int_equal(nonet_memory_changed(object.memory, nonet_after(NONET_MS(20)), &changes),
					 -ETIMEDOUT);
		}
		memory_drop(&object);
	}
	sent = test_storm_stop(storm);
	test_note("%llu signals", (unsigned long long)sent);
	assert_true(sent > 0 && test_storm_received() > 0);
}
