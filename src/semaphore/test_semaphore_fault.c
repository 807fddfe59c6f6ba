/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <nonet/semaphore.h>

#include "harness/fault.h"
#include "harness/test.h"

/* Every call of semaphore.h on both carriers, with every one of its system calls failing in turn. */

static bool sysv; /* the carrier of this round */
static char address[200];

static const struct nonet_semaphore_options options = {.size = sizeof(options), .value = 1, .mode = 0640};
static const struct nonet_semaphore_options existing = {.size = sizeof(existing), .flags = NONET_SEMAPHORE_MAY_EXIST};

static nonet_time soon(void)
{
	return nonet_after(NONET_MS(20));
}

static int new_name(void **ret_state)
{
	(void)ret_state;
	if (sysv)
		snprintf(address, sizeof(address), "sysvsem:%d", test_sysv_key());
	else
		snprintf(address, sizeof(address), "posixsem:/%s", test_name("fault"));
	return 0;
}

static int new_semaphore(void **ret_state)
{
	struct nonet_semaphore *semaphore = NULL;

	new_name(NULL);
	test_check_equal(nonet_semaphore_create(address, &options, NONET_NOW, &semaphore, NULL), 0);
	*ret_state = semaphore;
	return 0;
}

static int new_empty(void **ret_state)
{
	new_semaphore(ret_state);
	return nonet_semaphore_wait(*ret_state, 1, 0, NONET_NOW);
}

static void free_closed(void *state)
{
	nonet_semaphore_close(state);
}

static void free_semaphore(void *state)
{
	nonet_semaphore_close(state);
	test_check_equal(nonet_semaphore_unlink(address, NULL), 0);
}

static int run_create(void *state, void *outputs)
{
	(void)state;
	return nonet_semaphore_create(address, &options, NONET_NOW, outputs, NULL);
}

static void release_created(void *state, void *outputs)
{
	(void)state;
	free_semaphore(*(struct nonet_semaphore **)outputs);
}

static int run_open(void *state, void *outputs)
{
	(void)state;
	return nonet_semaphore_open(address, NULL, soon(), outputs, NULL);
}

static int run_create_existing(void *state, void *outputs)
{
	(void)state;
	return nonet_semaphore_create(address, &existing, soon(), outputs, NULL);
}

static void release_opened(void *state, void *outputs)
{
	(void)state;
	nonet_semaphore_close(*(struct nonet_semaphore **)outputs);
}

static int run_unlink(void *state, void *outputs)
{
	(void)state;
	(void)outputs;
	return nonet_semaphore_unlink(address, NULL);
}

static int run_wait(void *state, void *outputs)
{
	(void)outputs;
	return nonet_semaphore_wait(state, 1, 0, soon());
}

static int run_wait_in_vain(void *state, void *outputs)
{
	int error = nonet_semaphore_wait(state, 1, 0, nonet_after(NONET_MS(1)));

	(void)outputs;
	if (error == -ETIMEDOUT)
		return 0;
	return error == 0 ? -EBADMSG : error;
}

static int run_post(void *state, void *outputs)
{
	uint32_t value = 0;
	int error = nonet_semaphore_post(state, 2, 0);

	(void)outputs;
	if (error < 0 && !sysv) {
		test_check_equal(nonet_semaphore_value(state, &value), 0);
		test_check_equal(value, 1);
	}
	return error;
}

static int run_operate(void *state, void *outputs)
{
	static struct nonet_semaphore_operation operations[40];
	const size_t count = sysv ? 40 : 1;

	(void)outputs;
	for (size_t i = 0; i < count; i++)
		operations[i].change = 1;
	return nonet_semaphore_operate(state, operations, count, soon());
}

static int run_look(void *state, void *outputs)
{
	return nonet_semaphore_look(state, outputs);
}

static int run_value(void *state, void *outputs)
{
	return nonet_semaphore_value(state, outputs);
}

static int run_arm(void *state, void *outputs)
{
	(void)outputs;
	return nonet_semaphore_arm(state);
}

static int run_explain(void *state, void *outputs)
{
	struct nonet_error error;

	(void)outputs;
	nonet_semaphore_explain(state, -EAGAIN, &error);
	return error.code == -EAGAIN && error.text[0] ? 0 : -EBADMSG;
}

#define POSIX 1
#define SYSV  2

static const struct {
	struct test_operation operation;
	int carriers;
} operations[] = {
	{{.name = "create",
	  .setup = new_name,
	  .run = run_create,
	  .release = release_created,
	  .outputs_size = sizeof(void *)},
	 POSIX | SYSV},
	{{.name = "create, there is one",
	  .setup = new_semaphore,
	  .run = run_create_existing,
	  .release = release_opened,
	  .teardown = free_semaphore,
	  .outputs_size = sizeof(void *),
	  .persistent = true},
	 POSIX | SYSV},
	{{.name = "open",
	  .setup = new_semaphore,
	  .run = run_open,
	  .release = release_opened,
	  .teardown = free_semaphore,
	  .outputs_size = sizeof(void *),
	  .persistent = true},
	 POSIX | SYSV},
	{{.name = "unlink",
	  .setup = new_semaphore,
	  .run = run_unlink,
	  .teardown = free_closed,
	  .allowed = (const int[]){-ENOENT, 0}},
	 POSIX | SYSV},
	{{.name = "wait", .setup = new_semaphore, .run = run_wait, .teardown = free_semaphore}, POSIX | SYSV},
	{{.name = "wait in vain", .setup = new_empty, .run = run_wait_in_vain, .teardown = free_semaphore},
	 POSIX | SYSV},
	{{.name = "post 2", .setup = new_semaphore, .run = run_post, .teardown = free_semaphore}, POSIX | SYSV},
	{{.name = "operate", .setup = new_semaphore, .run = run_operate, .teardown = free_semaphore}, POSIX | SYSV},
	{{.name = "look",
	  .setup = new_semaphore,
	  .run = run_look,
	  .teardown = free_semaphore,
	  .outputs_size = sizeof(struct nonet_semaphore_info)},
	 SYSV},
	{{.name = "value",
	  .setup = new_semaphore,
	  .run = run_value,
	  .teardown = free_semaphore,
	  .outputs_size = sizeof(uint32_t)},
	 SYSV},
	{{.name = "arm", .setup = new_empty, .run = run_arm, .teardown = free_semaphore}, POSIX | SYSV},
	{{.name = "explain", .setup = new_semaphore, .run = run_explain, .teardown = free_semaphore}, SYSV},
};

static void sweep(bool carrier)
{
	sysv = carrier;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		struct test_operation operation = operations[i].operation;
		char name[100];

		if (!(operations[i].carriers & (carrier ? SYSV : POSIX)))
			continue;
		snprintf(name, sizeof(name), "%s %s", carrier ? "sysvsem" : "posixsem", operation.name);
		operation.name = name;
		test_fault_sweep(&operation);
	}
}

static void posix_semaphores_take_every_fault(void **state)
{
	(void)state;
	sweep(false);
}

static void system_v_semaphores_take_every_fault(void **state)
{
	(void)state;
	sweep(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(posix_semaphores_take_every_fault),
		test_case(system_v_semaphores_take_every_fault),
	};

	return test_main(tests);
}
