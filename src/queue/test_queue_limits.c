/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that a queue can meet are looked at before it is made, and said again if the kernel refuses it after all.
 */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness/process.h"
#include "queue/test_queue.h"
#include "sys/fault.h"
#include "sys/privilege.h"

static void refused(const char *address, const struct nonet_queue_options *options, int code, const char *words)
{
	struct nonet_queue *queue = NULL;
	struct nonet_error error = {0};
	int got = nonet_queue_create(address, options, &queue, &error);

	test_check(!queue);
	if (got != code || error.code != code || !strstr(error.text, words))
		test_fail("%s: %s, \"%s\", not %s with \"%s\"", address, nonet_error_name(got), error.text,
			  nonet_error_name(code), words);
}

static size_t recorded(enum sys_call call)
{
	size_t count = 0;

	for (size_t i = 0; i < sys_fault_recorded(); i++)
		count += sys_fault_recorded_call(i) == call;
	return count;
}

static void refused_unasked(const char *address, const struct nonet_queue_options *options, int code, const char *words)
{
	sys_fault_record();
	refused(address, options, code, words);
	test_check_equal(recorded(SYS_CALL_MQUEUE_OPEN) + recorded(SYS_CALL_SYSV_QUEUE_GET), 0);
	sys_fault_disarm();
}

/* A child, whose rights and limits are its own. */
static int ask_for_too_much(struct test_child_side *side, void *argument)
{
	const struct nonet_queue_options deep = {.size = sizeof(deep), .depth = 60000, .message_size = 10};
	const struct nonet_queue_options large = {.size = sizeof(large), .depth = 1, .message_size = 10000000};
	const struct nonet_queue_options most = {.size = sizeof(most), .depth = 10, .message_size = 8192};
	const struct nonet_queue_options roomy = {.size = sizeof(roomy), .depth = 0x7fffffff};
	const struct nonet_queue_options larger = {.size = sizeof(larger), .message_size = 0x7fffffff};
	const struct rlimit limit = {.rlim_cur = 82879, .rlim_max = 82879};

	(void)side;
	(void)argument;
	if (geteuid() == 0) {
		test_must(setgid(65534));
		test_must(setuid(65534));
	}
	refused_unasked(new_posix(), &deep, -EINVAL, "sysctl -w fs.mqueue.msg_max=60000");
	refused_unasked(new_posix(), &large, -EINVAL, "sysctl -w fs.mqueue.msgsize_max=10000000");
	refused_unasked(new_sysv(), &roomy, -EPERM, "sysctl -w kernel.msgmnb=");
	refused_unasked(new_sysv(), &larger, -EINVAL, "sysctl -w kernel.msgmax=2147483647");
	/* One byte short. */
	test_must(setrlimit(RLIMIT_MSGQUEUE, &limit));
	refused_unasked(new_posix(), &most, -EMFILE, "ulimit -q 82880");
	return 0;
}

static void a_limit_is_looked_at_before_the_kernel_is_asked(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(ask_for_too_much, NULL)), 0);
}

/* Who may exceed the settings isn't kept from it, but by RLIMIT_MSGQUEUE, which counts for all. */
static int ask_as_root(struct test_child_side *side, void *argument)
{
	const struct nonet_queue_options deep = {.size = sizeof(deep), .depth = 20, .message_size = 10};
	const struct nonet_queue_options deepest = {.size = sizeof(deepest), .depth = 40000, .message_size = 10};
	const struct nonet_queue_options roomy = {.size = sizeof(roomy), .depth = 100000};
	/* Half of them have no priority of their own. */
	struct rlimit limit = {.rlim_cur = 40000 * (10 + 48) + 32768 * 48 - 1, .rlim_max = RLIM_INFINITY};
	const char *address;
	struct nonet_queue *queue;
	struct nonet_error error;

	(void)side;
	(void)argument;
	address = new_posix();
	test_check_equal(nonet_queue_create(address, &deep, &queue, &error), 0);
	unmake(queue, address);
	address = new_sysv();
	test_check_equal(nonet_queue_create(address, &roomy, &queue, &error), 0);
	unmake(queue, address);
	test_must(setrlimit(RLIMIT_MSGQUEUE, &limit));
	refused_unasked(new_posix(), &deepest, -EMFILE, "ulimit -q 3892864");
	limit.rlim_cur++;
	test_must(setrlimit(RLIMIT_MSGQUEUE, &limit));
	address = new_posix();
	test_check_equal(nonet_queue_create(address, &deepest, &queue, &error), 0);
	unmake(queue, address);
	return 0;
}

static void root_may_exceed_what_is_set_up(void **state)
{
	char map[100] = "";

	(void)state;
	test_skip_unless_root("to exceed the limits of queues");
	test_read_file("/proc/self/uid_map", map, sizeof(map));
	if (!strstr(map, "4294967295") || !sys_may_exceed_limits())
		test_note("this root may not exceed the limits of queues (CAP_SYS_RESOURCE): not tested");
	else
		test_check_equal(test_child_join(test_child_start(ask_as_root, NULL)), 0);
}

/* As when a limit was lowered in between, or others took what was left. */
static void what_the_kernel_refuses_after_all_is_explained(void **state)
{
	static const struct {
		enum sys_call call;
		int error;
		const char *posix, *sysv;
	} rows[] = {
		{SYS_CALL_MQUEUE_OPEN, EINVAL, "whoever asks", NULL},
		{SYS_CALL_MQUEUE_OPEN, EMFILE, "with it this user's queues would take more than", NULL},
		{SYS_CALL_MQUEUE_OPEN, ENOSPC, "sysctl -w fs.mqueue.queues_max=N", NULL},
		{SYS_CALL_SYSV_QUEUE_GET, ENOSPC, NULL, "sysctl -w kernel.msgmni=N"},
	};
	const struct nonet_queue_options options = {.size = sizeof(options), .depth = 1, .message_size = 100};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sys_fault_arm_kind(rows[i].call, rows[i].error);
		refused(rows[i].posix ? new_posix() : new_sysv(), &options, -rows[i].error,
			rows[i].posix ? rows[i].posix : rows[i].sysv);
		sys_fault_disarm();
	}
}

/* Where it can't be told whether we may, the kernel is asked. */
static int ask_untold(struct test_child_side *side, void *argument)
{
	const struct nonet_queue_options deep = {.size = sizeof(deep), .depth = 5000, .message_size = 1};
	const struct nonet_queue_options roomy = {.size = sizeof(roomy), .depth = 0x7fffffff};

	(void)side;
	(void)argument;
	if (geteuid() == 0) {
		test_must(setgid(65534));
		test_must(setuid(65534));
	}
	sys_fault_arm_kind(SYS_CALL_CAPGET, EPERM);
	refused(new_posix(), &deep, -EINVAL, "sysctl -w fs.mqueue.msg_max=5000");
	refused(new_sysv(), &roomy, -EPERM, "sysctl -w kernel.msgmnb=");
	return 0;
}

static void untold_the_kernel_is_asked(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(ask_untold, NULL)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_limit_is_looked_at_before_the_kernel_is_asked),
		test_case(root_may_exceed_what_is_set_up),
		test_case(what_the_kernel_refuses_after_all_is_explained),
		test_case(untold_the_kernel_is_asked),
	};

	return test_main(tests);
}
