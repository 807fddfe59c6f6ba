/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets SIGBUS when it isn't ours. Each story in a child, since a disposition is the whole process's. */
#include <setjmp.h>

#include "guard/test_guard.h"

static sigjmp_buf jump;
static volatile sig_atomic_t called;
static volatile sig_atomic_t code;
static volatile sig_atomic_t bus_was_blocked;
static volatile sig_atomic_t other_was_blocked;

/* The mask in the handler is part of "as if we weren't there". */
static void note(void)
{
	sigset_t mask;

	called++;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	bus_was_blocked = sigismember(&mask, SIGBUS);
	other_was_blocked = sigismember(&mask, SIGUSR2);
}

static void plain_handler(int number)
{
	(void)number;
	note();
	siglongjmp(jump, 1);
}

static void full_handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	test_check(context != NULL);
	code = info->si_code;
	note();
	siglongjmp(jump, 1);
}

static void returning_handler(int number)
{
	(void)number;
	note();
}

static void install(int flags, void (*plain)(int), void (*full)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_flags = flags};

	if (full)
		action.sa_sigaction = full;
	else
		action.sa_handler = plain;
	sigaddset(&action.sa_mask, SIGUSR2);
	test_must(sigaction(SIGBUS, &action, NULL));
}

/* Guarded memory has a hole mended; then a stranger's faults. */
static void fault_in_both(void)
{
	struct nonet_memory *memory = new_memory(1);
	uint8_t *stranger = new_stranger();

	truncate_memory(memory, 0);
	test_check_equal(touch(nonet_memory_base(memory)), 0);
	test_check_equal(nonet_memory_check(memory), -EBADMSG);
	test_check_equal(called, 0);
	if (sigsetjmp(jump, 1) == 0)
		(void)touch(stranger);
	munmap(stranger, PAGE);
	nonet_memory_close(memory);
}

static int run_plain(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	install(0, plain_handler, NULL);
	fault_in_both();
	test_check_equal(called, 1);
	test_check_equal(bus_was_blocked, 1);
	test_check_equal(other_was_blocked, 1);
	/* And again: it isn't reset. */
	if (sigsetjmp(jump, 1) == 0)
		raise(SIGBUS);
	test_check_equal(called, 2);
	return 0;
}

static int run_full(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	install(SA_SIGINFO | SA_NODEFER, NULL, full_handler);
	fault_in_both();
	test_check_equal(called, 1);
	test_check_equal(code, BUS_ADRERR);
	test_check_equal(bus_was_blocked, 0);
	test_check_equal(other_was_blocked, 1);
	if (sigsetjmp(jump, 1) == 0)
		raise(SIGBUS);
	test_check_equal(code, SI_TKILL);
	return 0;
}

static int run_reset(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	install((int)SA_RESETHAND, returning_handler, NULL);
	nonet_memory_close(new_memory(1));
	raise(SIGBUS);
	test_check_equal(called, 1);
	/* Ends it. */
	raise(SIGBUS);
	return 0;
}

static int run_default(struct test_child_side *side, void *argument)
{
	uint8_t *stranger = new_stranger();

	(void)side;
	(void)argument;
	signal(SIGBUS, SIG_DFL);
	nonet_memory_close(new_memory(1));
	(void)touch(stranger);
	return 0;
}

static int run_default_sent(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	signal(SIGBUS, SIG_DFL);
	nonet_memory_close(new_memory(1));
	kill(getpid(), SIGBUS);
	return 0;
}

static int run_ignored_sent(struct test_child_side *side, void *argument)
{
	(void)side;
	(void)argument;
	signal(SIGBUS, SIG_IGN);
	nonet_memory_close(new_memory(1));
	kill(getpid(), SIGBUS);
	return 0;
}

/* The kernel lets nobody ignore a fault. */
static int run_ignored_fault(struct test_child_side *side, void *argument)
{
	uint8_t *stranger = new_stranger();

	(void)side;
	(void)argument;
	signal(SIGBUS, SIG_IGN);
	nonet_memory_close(new_memory(1));
	(void)touch(stranger);
	return 0;
}

static void own_handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	note();
	if (!nonet_guard_handle(info->si_code, info->si_addr))
		siglongjmp(jump, 1);
}

static int run_own(struct test_child_side *side, void *argument)
{
	struct nonet_memory *memory;
	uint8_t *stranger = new_stranger();

	(void)side;
	(void)argument;
	install(SA_SIGINFO, NULL, own_handler);
	test_check_equal(nonet_guard_uninstall(), 0);
	memory = new_memory(2);
	truncate_memory(memory, 0);
	test_check_equal(touch(nonet_memory_base(memory)), 0);
	test_check_equal(nonet_memory_check(memory), -EBADMSG);
	test_check_equal(called, 1);
	if (sigsetjmp(jump, 1) == 0)
		(void)touch(stranger);
	test_check_equal(called, 2);
	nonet_memory_close(memory);
	return 0;
}

static int run_uninstalled(struct test_child_side *side, void *argument)
{
	struct nonet_memory *memory;

	(void)side;
	(void)argument;
	signal(SIGBUS, SIG_DFL);
	memory = new_memory(1);
	test_check_equal(nonet_guard_uninstall(), 0);
	/* Twice is as good as once. */
	test_check_equal(nonet_guard_uninstall(), 0);
	nonet_memory_close(new_memory(1));
	truncate_memory(memory, 0);
	(void)touch(nonet_memory_base(memory));
	return 0;
}

static int run_installed_again(struct test_child_side *side, void *argument)
{
	struct nonet_memory *memory = new_memory(2);

	(void)side;
	(void)argument;
	/* Somebody took the signal after us; now it is he who has the rest. */
	install(0, plain_handler, NULL);
	test_check_equal(nonet_guard_install(NULL), 0);
	test_check_equal(nonet_guard_install(NULL), 0);
	truncate_memory(memory, 0);
	test_check_equal(touch(nonet_memory_base(memory)), 0);
	test_check_equal(nonet_memory_check(memory), -EBADMSG);
	test_check_equal(called, 0);
	if (sigsetjmp(jump, 1) == 0)
		raise(SIGBUS);
	test_check_equal(called, 1);
	nonet_memory_close(memory);
	test_check_equal(nonet_guard_uninstall(), 0);
	if (sigsetjmp(jump, 1) == 0)
		raise(SIGBUS);
	test_check_equal(called, 2);
	/* Over it, so that it can't be taken away. */
	test_check_equal(nonet_guard_install(NULL), 0);
	install(0, returning_handler, NULL);
	test_check_equal(nonet_guard_uninstall(), -EBUSY);
	return 0;
}

/* A predecessor that comes to guarded memory itself. */
static struct nonet_memory *nested;

static void nesting_handler(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	called += 1 + touch(nonet_memory_base(nested));
	siglongjmp(jump, 1);
}

static int run_nested(struct test_child_side *side, void *argument)
{
	uint8_t *stranger = new_stranger();

	(void)side;
	(void)argument;
	/* Without NODEFER a fault in a handler of SIGBUS ends the process, with us or without. */
	install(SA_SIGINFO | SA_NODEFER, NULL, nesting_handler);
	nested = new_memory(1);
	truncate_memory(nested, 0);
	if (sigsetjmp(jump, 1) == 0)
		(void)touch(stranger);
	test_check_equal(called, 1);
	test_check_equal(nonet_memory_check(nested), -EBADMSG);
	nonet_memory_close(nested);
	return 0;
}

static int run_on_another_stack(struct test_child_side *side, void *argument)
{
	struct nonet_memory *memory = new_memory(1);
	stack_t stack = {.ss_size = 65536};

	(void)side;
	(void)argument;
	stack.ss_sp = malloc(stack.ss_size);
	test_check(stack.ss_sp != NULL);
	test_must(sigaltstack(&stack, NULL));
	truncate_memory(memory, 0);
	test_check_equal(touch(nonet_memory_base(memory)), 0);
	test_check_equal(nonet_memory_check(memory), -EBADMSG);
	return 0;
}

static const struct story {
	const char *name;
	test_child_function *run;
	int end;
} stories[] = {
	{"a plain handler gets the rest", run_plain, 0},
	{"one with siginfo gets it whole", run_full, 0},
	{"one that resets is called once", run_reset, -SIGBUS},
	{"without one a fault ends the process", run_default, -SIGBUS},
	{"without one a signal ends it", run_default_sent, -SIGBUS},
	{"ignored, a signal is ignored", run_ignored_sent, 0},
	{"ignored, a fault ends it", run_ignored_fault, -SIGBUS},
	{"a program's own calls us", run_own, 0},
	{"uninstalled, a hole ends it", run_uninstalled, -SIGBUS},
	{"installed again, over another", run_installed_again, 0},
	{"nested", run_nested, 0},
	{"on an alternate stack", run_on_another_stack, 0},
};

static void every_other_fault_goes_where_it_went(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		int end = test_child_join(test_child_start(stories[i].run, NULL));

		if (end != stories[i].end)
			test_fail("%s: ended with %d instead of %d", stories[i].name, end, stories[i].end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(every_other_fault_goes_where_it_went),
	};

	return test_main(tests);
}
