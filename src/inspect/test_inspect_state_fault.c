/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include <nonet/event.h>
#include <nonet/inspect.h>
#include <nonet/mutex.h>
#include <nonet/semaphore.h>

#include "harness/domain.h"
#include "harness/fault.h"
#include "harness/test.h"
#include "inspect/list.h"
#include "sys/memory.h"

/* Looking at one of nonet's own objects, and at all, with every system call failing in turn. */

static const char *looked_at;

static int look_at_one(void *state, void *outputs)
{
	(void)state;
	return nonet_inspect_state(looked_at, NULL, NONET_FOREVER, outputs, NULL);
}

static void free_one(void *state, void *outputs)
{
	struct nonet_inspect_state **told = outputs;

	(void)state;
	test_check(strcmp(nonet_inspect_state_object(*told)->address, looked_at) == 0);
	nonet_inspect_state_free(*told);
}

DOMAIN_TEST(looking_at_an_object_fails_cleanly)
{
	static const char *const addresses[] = {"mutex:m", "semaphore:s", "event:e"};
	static const int allowed[] = {-ENOENT, 0};
	const struct nonet_semaphore_options options = {.size = sizeof(options), .value = 3};
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_event *event = NULL;
	struct nonet_mutex *mutex = NULL;

	(void)side;
	(void)argument;
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_check_equal(nonet_semaphore_create("semaphore:s", &options, NONET_NOW, &semaphore, NULL), 0);
	test_check_equal(nonet_semaphore_wait(semaphore, 2, 0, NONET_NOW), 0);
	test_check_equal(nonet_event_create("event:e", NULL, &event, NULL), 0);
	test_check_equal(nonet_event_arm(event), 0);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		looked_at = addresses[i];
		test_fault_sweep(&(struct test_operation){
			.name = looked_at,
			.run = look_at_one,
			.release = free_one,
			.outputs_size = sizeof(struct nonet_inspect_state *),
			.allowed = allowed,
			.persistent = true,
		});
	}
	return 0;
}

/* As nonet_inspect_objects(), but that other domains than ours aren't the test's to count. */
static int look_at_all(void *state, void *outputs)
{
	struct nonet_inspect_list *list = sys_allocate(sizeof(*list));
	struct look look = {
		.list = list,
		.schemes = NONET_INSPECT_SCHEME(NONET_SCHEME_MUTEX),
		.deadline = NONET_FOREVER,
	};
	int error = list ? look_at_domains_in(state, &look) : -ENOMEM;

	if (error < 0)
		nonet_inspect_free(list);
	else
		*(struct nonet_inspect_list **)outputs = list;
	return error;
}

static void free_all(void *state, void *outputs)
{
	struct nonet_inspect_list **list = outputs;

	(void)state;
	/* What isn't shown is owned up to. */
	test_check(nonet_inspect_get(*list, 0) || nonet_inspect_get_coverage(*list)->places > 0);
	nonet_inspect_free(*list);
}

/* The directory of the domain, where there are no domains below. */
static char *nowhere;

static int set_nowhere(void **ret_state)
{
	*ret_state = nowhere;
	return 0;
}

DOMAIN_TEST(looking_at_all_fails_cleanly)
{
	static const int allowed[] = {-ENOMEM, -EMFILE, -ENFILE, 0};
	struct nonet_mutex *mutex = NULL;

	(void)side;
	nowhere = argument;
	test_check_equal(nonet_mutex_create("mutex:m", NULL, &mutex, NULL), 0);
	test_fault_sweep(&(struct test_operation){
		.name = "inspect domains",
		.setup = set_nowhere,
		.run = look_at_all,
		.release = free_all,
		.outputs_size = sizeof(struct nonet_inspect_list *),
		.allowed = allowed,
		.persistent = true,
	});
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(looking_at_an_object_fails_cleanly),
		test_case(looking_at_all_fails_cleanly),
	};
	return test_main(tests);
}
