/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nonet/event.h>
#include <nonet/inspect.h>
#include <nonet/semaphore.h>

#include "domain/claim_layout.h"
#include "domain/domain_layout.h"
#include "domain/object_layout.h"
#include "harness/domain.h"
#include "harness/random.h"
#include "harness/test.h"
#include "semaphore/semaphore_layout.h"
#include "sync/doorbell_layout.h"
#include "sync/event_layout.h"

/* Looking at semaphores and events from outside: permits by process, what the dead had, who waits, whatever stands
 * there.
 */

#define SOON nonet_after(NONET_S(20))

static struct nonet_semaphore *make_semaphore(uint32_t value, uint32_t flags)
{
	const struct nonet_semaphore_options options = {.size = sizeof(options), .flags = flags, .value = value};
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_create("semaphore:s", &options, NONET_NOW, &semaphore, NULL), 0);
	return semaphore;
}

static struct nonet_event *make_event(uint32_t flags)
{
	const struct nonet_event_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_event *event = NULL;

	test_check_equal(nonet_event_create("event:e", &options, &event, NULL), 0);
	return event;
}

static struct nonet_inspect_state *look(const char *address)
{
	struct nonet_inspect_state *state = NULL;
	struct nonet_error error = {0};

	if (nonet_inspect_state(address, NULL, SOON, &state, &error) != 0)
		test_fail("%s", error.text);
	return state;
}

/* Once so many wait, and the object has these flags: a child that sleeps need not sleep there yet. */
static struct nonet_inspect_state *look_until(const char *address, uint64_t waiters, uint32_t flags)
{
	const nonet_time deadline = SOON;

	for (;;) {
		struct nonet_inspect_state *state = look(address);
		const struct nonet_inspect_object *object = nonet_inspect_state_object(state);

		if (object->waiters == waiters && object->flags == flags)
			return state;
		if (nonet_clock() >= deadline)
			test_fail("%s has %u waiters, and flags %u", address, (unsigned)object->waiters, object->flags);
		nonet_inspect_state_free(state);
	}
}

/* How many members have all of these flags, and are this process; @pid 0: any. */
static size_t count(const struct nonet_inspect_state *state, uint32_t flags, int32_t pid)
{
	const struct nonet_inspect_member *member;
	size_t found = 0;

	for (size_t i = 0; (member = nonet_inspect_state_member(state, i)); i++)
		found += (member->flags & flags) == flags && (pid == 0 || member->pid == pid);
	return found;
}

/* How many permits it has; the dead by @pid 0. */
static uint32_t permits_of(const struct nonet_inspect_state *state, int32_t pid)
{
	const struct nonet_inspect_member *member;

	for (size_t i = 0; (member = nonet_inspect_state_member(state, i)); i++)
		if (member->flags & NONET_INSPECT_HOLDS && member->pid == pid)
			return member->permits;
	return 0;
}

static int take(struct test_child_side *side, void *argument)
{
	const uint32_t *permits = argument;
	struct nonet_semaphore *semaphore = NULL;

	test_check_equal(nonet_semaphore_open("semaphore:s", NULL, NONET_NOW, &semaphore, NULL), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, *permits, 0, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "end");
	return 0;
}

DOMAIN_TEST(permits_are_told_by_process_and_those_of_the_dead_as_free)
{
	static const uint32_t one = 1, two = 2, three = 3;
	struct nonet_semaphore *semaphore = make_semaphore(5, 0);
	struct test_child *first = test_child_until(take, (void *)&two);
	struct test_child *second, *waiter, *behind;
	struct nonet_inspect_state *state = look("semaphore:s");
	const struct nonet_inspect_object *object = nonet_inspect_state_object(state);

	(void)side;
	(void)argument;
	/* One alone is the holder. */
	test_check_equal(object->known & (NONET_INSPECT_COUNT | NONET_INSPECT_ROOM | NONET_INSPECT_PID),
			 NONET_INSPECT_COUNT | NONET_INSPECT_ROOM | NONET_INSPECT_PID);
	test_check_equal(object->pid, test_child_pid(first));
	test_check(object->count == 3 && object->room == 5 && object->flags == 0);
	nonet_inspect_state_free(state);

	second = test_child_until(take, (void *)&one);
	waiter = test_child_start(take, (void *)&three);
	nonet_inspect_state_free(look_until("semaphore:s", 1, 0));
	behind = test_child_start(take, (void *)&one);
	state = look_until("semaphore:s", 2, 0);
	object = nonet_inspect_state_object(state);
	/* Who waits for three has collected the two that there were. */
	test_check_equal(object->count, 0);
	test_check_equal(object->waiters, 2);
	test_check(object->room == 5 && object->users == 5);
	test_check(!(object->known & NONET_INSPECT_PID) && object->pid == 0);
	test_check_equal(permits_of(state, test_child_pid(first)), 2);
	test_check_equal(permits_of(state, test_child_pid(second)), 1);
	test_check_equal(permits_of(state, test_child_pid(waiter)), 2);
	test_check_equal(count(state, NONET_INSPECT_HOLDS, 0), 3);
	test_check_equal(count(state, NONET_INSPECT_WAITS, 0), 2);
	test_check_equal(count(state, NONET_INSPECT_WAITS, test_child_pid(waiter)), 1);
	test_check_equal(count(state, NONET_INSPECT_WAITS, test_child_pid(behind)), 1);
	/* Permits are a process's, not a thread's. */
	test_check_equal(nonet_inspect_state_member(state, 0)->thread, 0);
	nonet_inspect_state_free(state);

	test_kill(behind);
	test_kill(waiter);
	test_kill(first);
	state = look("semaphore:s");
	object = nonet_inspect_state_object(state);
	test_check(object->count == 4 && object->waiters == 0 && object->users == 2);
	/* Nobody is told of it, so it isn't a holder's death. */
	test_check_equal(object->flags, 0);
	test_check_equal(count(state, NONET_INSPECT_HOLDS | NONET_INSPECT_DEAD, 0), 1);
	test_check_equal(permits_of(state, 0), 4);
	nonet_inspect_state_free(state);
	test_check_equal(nonet_semaphore_wait(semaphore, 4, 0, NONET_NOW), 0);
	test_child_tell(second, "end");
	test_check_equal(test_child_join(second), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

DOMAIN_TEST(what_only_counts_is_held_by_nobody)
{
	static const uint32_t three = 3;
	struct nonet_semaphore *semaphore = make_semaphore(2, NONET_SEMAPHORE_SIGNAL);
	struct test_child *waiter = test_child_start(take, (void *)&three);
	struct nonet_inspect_state *state;
	const struct nonet_inspect_object *object;

	(void)side;
	(void)argument;
	state = look_until("semaphore:s", 1, NONET_INSPECT_SIGNALS);
	object = nonet_inspect_state_object(state);
	test_check(object->count == 2 && !(object->known & NONET_INSPECT_ROOM));
	test_check_equal(count(state, NONET_INSPECT_HOLDS, 0), 0);
	test_check_equal(count(state, NONET_INSPECT_WAITS, test_child_pid(waiter)), 1);
	nonet_inspect_state_free(state);
	test_check_equal(nonet_semaphore_post(semaphore, 5, 0), 0);
	test_child_wait_state(waiter, "ready");
	state = look("semaphore:s");
	object = nonet_inspect_state_object(state);
	test_check(object->count == 4 && object->waiters == 0);
	nonet_inspect_state_free(state);
	test_child_tell(waiter, "end");
	test_check_equal(test_child_join(waiter), 0);
	nonet_semaphore_close(semaphore);
	return 0;
}

static int await_event(struct test_child_side *side, void *argument)
{
	struct nonet_event *event = NULL;

	(void)argument;
	test_check_equal(nonet_event_open("event:e", &event, NULL), 0);
	test_report(side, "ready");
	test_check_equal(nonet_event_wait(event, NONET_FOREVER), 0);
	nonet_event_close(event);
	return 0;
}

DOMAIN_TEST(an_event_is_told_with_its_count_and_who_waits_by_its_descriptor)
{
	struct nonet_event *event = make_event(NONET_EVENT_TRACE);
	const struct nonet_inspect_object *object;
	const struct nonet_inspect_operation *operation;
	struct nonet_inspect_state *state;
	struct test_child *sleeper;

	(void)side;
	(void)argument;
	test_check_equal(nonet_event_arm(event), 0);
	state = look("event:e");
	object = nonet_inspect_state_object(state);
	test_check(object->known & NONET_INSPECT_WAITERS && object->waiters == 1 && object->flags == 0);
	test_check(object->known & NONET_INSPECT_COUNT && object->count == 0);
	test_check_equal(count(state, NONET_INSPECT_WAITS, getpid()), 1);
	test_check_equal(nonet_inspect_state_member(state, 0)->thread, 0);
	nonet_inspect_state_free(state);

	sleeper = test_child_until(await_event, NULL);
	state = look_until("event:e", 1, NONET_INSPECT_SLEEPERS);
	object = nonet_inspect_state_object(state);
	test_check(!(object->known & NONET_INSPECT_WAITERS));
	nonet_inspect_state_free(state);

	test_check_equal(nonet_event_pulse(event), 0);
	test_check_equal(test_child_join(sleeper), 0);
	test_check_equal(nonet_event_set(event), 0);
	state = look("event:e");
	object = nonet_inspect_state_object(state);
	test_check_equal(object->flags, NONET_INSPECT_SET);
	test_check(object->count == 2 && object->known & NONET_INSPECT_WAITERS && object->waiters == 0);
	operation = nonet_inspect_state_operation(state, 1);
	test_check(operation && strcmp(operation->what, "set") == 0 && operation->value == 2);
	test_check(strcmp(nonet_inspect_state_operation(state, 0)->what, "pulsed") == 0);
	nonet_inspect_state_free(state);
	test_check_equal(nonet_event_clear(event), 1);
	state = look("event:e");
	test_check_equal(nonet_inspect_state_object(state)->flags, 0);
	test_check(strcmp(nonet_inspect_state_operation(state, 2)->what, "cleared") == 0);
	nonet_inspect_state_free(state);
	nonet_event_close(event);
	return 0;
}

DOMAIN_TEST(too_late_for_members_nobodys_permits_are_called_free)
{
	struct nonet_semaphore *semaphore = make_semaphore(3, 0);
	struct nonet_inspect_state *state = NULL;

	(void)side;
	(void)argument;
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(nonet_inspect_state("semaphore:s", NULL, NONET_NOW, &state, NULL), 0);
	test_check(!(nonet_inspect_state_object(state)->known & (NONET_INSPECT_COUNT | NONET_INSPECT_WAITERS)));
	test_check_equal(nonet_inspect_state_object(state)->room, 3);
	test_check(!nonet_inspect_state_member(state, 0));
	nonet_inspect_state_free(state);
	nonet_semaphore_close(semaphore);
	return 0;
}

static int open_file(const char *directory, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return test_must(open(path, O_RDWR | O_CLOEXEC));
}

/* What the semaphore's flags are after 4 bytes at @offset of its own part are @value. */
static uint32_t flags_after(const char *directory, size_t offset, uint32_t value)
{
	struct nonet_inspect_state *state;
	uint32_t flags, saved;
	int fd = open_file(directory, "s.semaphore");

	test_check_equal(pread(fd, &saved, 4, (off_t)(OBJECT_PAYLOAD + offset)), 4);
	test_check_equal(pwrite(fd, &value, 4, (off_t)(OBJECT_PAYLOAD + offset)), 4);
	state = look("semaphore:s");
	flags = nonet_inspect_state_object(state)->flags;
	nonet_inspect_state_free(state);
	test_check_equal(pwrite(fd, &saved, 4, (off_t)(OBJECT_PAYLOAD + offset)), 4);
	close(fd);
	return flags;
}

DOMAIN_TEST(what_a_semaphore_can_not_be_is_damaged)
{
	const size_t maximum = offsetof(struct semaphore_shared, maximum);
	const size_t flags = offsetof(struct semaphore_shared, flags);

	(void)side;
	nonet_semaphore_close(make_semaphore(3, 0));
	test_check_equal(flags_after(argument, maximum, 3), 0);
	test_check_equal(flags_after(argument, maximum, 0), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, maximum, 2), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, maximum, 4), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, maximum, UINT32_MAX), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, flags, SEMAPHORE_SIGNALS), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, flags, 2), NONET_INSPECT_DAMAGED);
	return 0;
}

/* Each permit and each bell another's, the living among them: told within bounds, and soon. */
DOMAIN_TEST(as_many_permits_and_bells_as_there_can_be)
{
	static uint64_t claims[SEMAPHORE_PERMITS];
	static struct object_bells bells;
	struct nonet_semaphore *semaphore = make_semaphore(SEMAPHORE_PERMITS, 0);
	struct nonet_inspect_state *state;
	int fd = open_file(argument, "s.semaphore");
	uint64_t mine;

	(void)side;
	test_check_equal(nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW), 0);
	test_check_equal(pread(fd, &mine, 8, OBJECT_PAYLOAD + sizeof(struct semaphore_shared)), 8);
	test_check(!claim_is_free(mine));
	for (uint32_t i = 0; i < SEMAPHORE_PERMITS; i++)
		claims[i] = i % 3 == 0 ? mine : claim_owner(1 + i % (DOMAIN_SLOTS - 1), 7 + i);
	atomic_store_explicit(&bells.used, UINT32_MAX, memory_order_relaxed);
	for (uint32_t i = 0; i < DOORBELL_ENTRIES; i++)
		atomic_store_explicit(&bells.armed[i], i % 2 ? mine | i : claim_owner(1 + i, 9), memory_order_relaxed);
	test_check_equal(pwrite(fd, claims, sizeof(claims), OBJECT_PAYLOAD + sizeof(struct semaphore_shared)),
			 sizeof(claims));
	test_check_equal(pwrite(fd, &bells, sizeof(bells), OBJECT_BELLS), sizeof(bells));
	state = look("semaphore:s");
	test_check_equal(permits_of(state, getpid()), (SEMAPHORE_PERMITS + 2) / 3);
	test_check_equal(permits_of(state, 0), SEMAPHORE_PERMITS - (SEMAPHORE_PERMITS + 2) / 3);
	test_check_equal(count(state, NONET_INSPECT_HOLDS, 0), 2);
	test_check_equal(nonet_inspect_state_object(state)->waiters, DOORBELL_ENTRIES / 2);
	nonet_inspect_state_free(state);
	close(fd);
	nonet_semaphore_close(semaphore);
	return 0;
}

/* Whatever stands in the object, with a member that lives: it is looked at, and nobody is harmed. */
DOMAIN_TEST(garbage_is_looked_at_without_harm)
{
	struct test_random random = test_random_init(test_seed(), 0);
	struct nonet_semaphore *semaphore = make_semaphore(64, 0);
	struct nonet_event *event = make_event(NONET_EVENT_TRACE);
	struct nonet_inspect_state *state = NULL;
	int files[2] = {open_file(argument, "s.semaphore"), open_file(argument, "e.event")};
	uint64_t word;

	(void)side;
	test_check_equal(nonet_semaphore_wait(semaphore, 5, 0, NONET_NOW), 0);
	test_check_equal(nonet_event_arm(event), 0);
	for (int turn = 0; turn < 200; turn++) {
		for (int i = 0; i < 2; i++) {
			word = test_random_next(&random);
			test_check_equal(
				pwrite(files[i], &word, 8, OBJECT_BELLS + (off_t)(test_random_next(&random) % 4088)),
				8);
			word = test_random_next(&random) >> test_random_next(&random) % 64;
			test_check_equal(pwrite(files[i], &word, 8,
						OBJECT_PAYLOAD + (off_t)(test_random_next(&random) % (i ? 56 : 600))),
					 8);
			word = test_random_next(&random);
			test_check_equal(pwrite(files[i], &word, 8, 64 + (off_t)(test_random_next(&random) % 3000)), 8);
			/* Poisoned, it would not be looked at. */
			word = 0;
			test_check_equal(pwrite(files[i], &word, 4, offsetof(struct object_header, poisoned)), 4);
			/* Every other time as a semaphore has to be, so that what follows is looked at too. */
			word = (uint64_t)64;
			if (turn % 2 && i == 0)
				test_check_equal(pwrite(files[i], &word, 8, OBJECT_PAYLOAD + 8), 8);
			test_check_equal(nonet_inspect_state(i ? "event:e" : "semaphore:s", NULL, SOON, &state, NULL),
					 0);
			for (size_t n = 0; nonet_inspect_state_operation(state, n); n++)
				test_check(nonet_inspect_state_operation(state, n)->what);
			for (size_t n = 0; nonet_inspect_state_member(state, n); n++)
				test_check(nonet_inspect_state_member(state, n)->permits <= 64);
			nonet_inspect_state_free(state);
		}
	}
	close(files[0]);
	close(files[1]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(permits_are_told_by_process_and_those_of_the_dead_as_free),
		test_case(what_only_counts_is_held_by_nobody),
		test_case(an_event_is_told_with_its_count_and_who_waits_by_its_descriptor),
		test_case(too_late_for_members_nobodys_permits_are_called_free),
		test_case(what_a_semaphore_can_not_be_is_damaged),
		test_case(as_many_permits_and_bells_as_there_can_be),
		test_case(garbage_is_looked_at_without_harm),
	};
	return test_main(tests);
}
