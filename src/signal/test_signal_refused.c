/* SPDX-License-Identifier: Apache-2.0 */
/* What can't be sent or received, and the sentence that says why; and the names of signals. */
#include <nonet/signal.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/test.h"

static uint64_t mask_now(void)
{
	uint64_t mask = 0;

	test_must(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask)));
	return mask;
}

static void refuse(const int *numbers, size_t count, const struct nonet_signal_options *options, int code,
		   const char *word)
{
	struct nonet_signal *signal = (void *)&signal;
	const uint64_t before = mask_now();
	struct nonet_error error = {0};

	test_check_equal(nonet_signal_open(numbers, count, options, &signal, &error), code);
	test_check(signal == (void *)&signal);
	test_check_equal(mask_now(), before);
	test_check_equal(error.code, code);
	if (!strstr(error.text, word))
		test_fail("\"%s\" isn't in: %s", word, error.text);
}

static void some_signals_can_not_be_received(void **state)
{
	static const struct {
		int number;
		const char *word;
	} rows[] = {
		{SIGKILL, "SIGKILL"},
		{SIGSTOP, "SIGSTOP"},
		{SIGSEGV, "instruction"},
		{SIGBUS, "SIGBUS"},
		{SIGFPE, "SIGFPE"},
		{SIGILL, "SIGILL"},
		{SIGTRAP, "SIGTRAP"},
		{SIGSYS, "SIGSYS"},
		{32, "32"},
		{33, "33"},
		{0, "0"},
		{-1, "-1"},
		{65, "65"},
		{1000, "1000"},
	};
	struct nonet_signal_options options = {.size = sizeof(options)};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuse((const int[]){SIGTERM, rows[i].number}, 2, NULL, -EINVAL, rows[i].word);
	refuse(NULL, 0, NULL, -EINVAL, "at least one");
	options.size--;
	refuse((const int[]){SIGTERM}, 1, &options, -EINVAL, "size");
	options.size++;
	options.flags = 2;
	refuse((const int[]){SIGTERM}, 1, &options, -EINVAL, "flags");
	options.flags = 0;
	options.reserved[1] = 1;
	refuse((const int[]){SIGTERM}, 1, &options, -EINVAL, "reserved");
}

struct other_thread {
	sem_t go, done;
	pid_t id;
};

static void *leave_it_unblocked(void *argument)
{
	struct other_thread *other = argument;

	other->id = (pid_t)syscall(SYS_gettid);
	prctl(PR_SET_NAME, "careless");
	sem_post(&other->done);
	sem_wait(&other->go);
	if (nonet_signal_block((const int[]){SIGTERM, SIGRTMIN}, 2, NULL) == 0)
		sem_post(&other->done);
	sem_wait(&other->go);
	return NULL;
}

static void a_thread_that_leaves_one_unblocked_is_named(void **state)
{
	static const struct nonet_signal_options unchecked = {.size = sizeof(unchecked),
							      .flags = NONET_SIGNAL_UNCHECKED};
	const int numbers[] = {SIGTERM, SIGRTMIN};
	struct other_thread other = {.id = 0};
	struct nonet_signal *signal;
	pthread_t thread;
	char word[32];

	(void)state;
	sem_init(&other.go, 0, 0);
	sem_init(&other.done, 0, 0);
	test_check_equal(pthread_create(&thread, NULL, leave_it_unblocked, &other), 0);
	sem_wait(&other.done);
	snprintf(word, sizeof(word), "thread %d (careless)", (int)other.id);
	refuse(numbers, 2, NULL, -EBUSY, word);
	refuse(numbers, 2, NULL, -EBUSY, "SIGTERM");
	refuse(numbers + 1, 1, NULL, -EBUSY, "SIGRTMIN");
	test_check_equal(nonet_signal_open(numbers, 2, &unchecked, &signal, NULL), 0);
	nonet_signal_close(signal);
	sem_post(&other.go);
	sem_wait(&other.done);
	test_check_equal(nonet_signal_open(numbers, 2, NULL, &signal, NULL), 0);
	nonet_signal_close(signal);
	sem_post(&other.go);
	pthread_join(thread, NULL);
	sem_destroy(&other.go);
	sem_destroy(&other.done);
}

/* A want of descriptors isn't mended by not looking. */
static int open_without_descriptors(struct test_child_side *side, void *argument)
{
	const int number = SIGTERM;
	struct nonet_signal *signal;
	struct nonet_error error = {0};

	(void)side;
	(void)argument;
	test_must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0}));
	test_check_equal(nonet_signal_open(&number, 1, NULL, &signal, &error), -EMFILE);
	test_check(strstr(error.text, "too many open files"));
	test_check(!strstr(error.text, "NONET_SIGNAL_UNCHECKED"));
	return 0;
}

static void a_want_of_descriptors_is_told_as_that(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(open_without_descriptors, NULL)), 0);
}

static void *open_without_the_main_thread(void *argument)
{
	const pthread_t *first = argument;
	struct nonet_signal *signal;

	/* From now on it is a zombie in /proc/self/task, with an empty mask. */
	pthread_join(*first, NULL);
	_exit(nonet_signal_open((const int[]){SIGTERM}, 1, NULL, &signal, NULL) == 0 ? 0 : 1);
}

static int leave_the_main_thread(struct test_child_side *side, void *argument)
{
	static pthread_t first;
	pthread_t thread;

	(void)side;
	(void)argument;
	first = pthread_self();
	test_check_equal(pthread_create(&thread, NULL, open_without_the_main_thread, &first), 0);
	pthread_detach(thread);
	pthread_exit(NULL);
}

static void a_main_thread_that_has_left_takes_no_signals(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(leave_the_main_thread, NULL)), 0);
}

static void what_can_not_be_sent_is_told(void **state)
{
	const int value = 1;
	struct nonet_error error;

	(void)state;
	test_check_equal(nonet_signal_send(0, SIGTERM, NULL, &error), -EINVAL);
	test_check_equal(nonet_signal_send(-1, SIGTERM, NULL, &error), -EINVAL);
	test_check(strstr(error.text, "above 0"));
	test_check_equal(nonet_signal_send(getpid(), 0, NULL, &error), -EINVAL);
	test_check_equal(nonet_signal_send(getpid(), 33, NULL, &error), -EINVAL);
	test_check_equal(nonet_signal_send(getpid(), 65, NULL, &error), -EINVAL);
	/* Over any pid_max. */
	test_check_equal(nonet_signal_send(1 << 30, SIGTERM, NULL, &error), -ESRCH);
	test_check(strstr(error.text, "SIGTERM") && strstr(error.text, "process 1073741824"));
	test_check_equal(nonet_signal_send(1 << 30, SIGRTMIN, NULL, &error), -ESRCH);
	test_check_equal(nonet_signal_send_thread(getpid(), 1 << 30, SIGTERM, NULL, &error), -ESRCH);
	test_check_equal(nonet_signal_send_thread(getpid(), 0, SIGTERM, NULL, &error), -EINVAL);
	test_check_equal(nonet_signal_send_thread(-1, getpid(), SIGTERM, NULL, &error), -EINVAL);
	test_check_equal(nonet_signal_send_pidfd(-1, SIGTERM, NULL, &error), -EBADF);
	test_check_equal(nonet_signal_send_pidfd(STDERR_FILENO, SIGTERM, NULL, &error), -EBADF);
	test_check(strstr(error.text, "isn't a pidfd"));
	test_check_equal(nonet_signal_send_group(1, SIGTERM, NULL, &error), -EINVAL);
	test_check_equal(nonet_signal_send_group(0, SIGTERM, NULL, &error), -EINVAL);
	test_check_equal(nonet_signal_send_group(1 << 30, SIGTERM, NULL, &error), -ESRCH);
	test_check(strstr(error.text, "process group"));
	test_check_equal(nonet_signal_send_group(1 << 30, SIGTERM, &value, &error), -EOPNOTSUPP);
	test_check(strstr(error.text, "with a value"));
	test_check_equal(nonet_signal_send_group(1 << 30, SIGRTMIN, NULL, &error), -EOPNOTSUPP);
}

static int lead_a_group(struct test_child_side *side, void *argument)
{
	(void)argument;
	test_must(setpgid(0, 0));
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

static void a_group_is_signalled(void **state)
{
	struct test_child *child = test_child_until(lead_a_group, NULL);

	(void)state;
	test_check_equal(nonet_signal_send_group(test_child_pid(child), SIGTERM, NULL, NULL), 0);
	test_check_equal(test_child_join(child), -SIGTERM);
}

static int signal_root(struct test_child_side *side, void *argument)
{
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_must(setresuid(65534, 65534, 65534));
	test_check_equal(nonet_signal_send(1, SIGTERM, NULL, &error), -EPERM);
	test_check(strstr(error.text, "another user"));
	return 0;
}

static void another_users_process_may_not_be_signalled(void **state)
{
	(void)state;
	test_skip_unless_root("to become another user");
	test_check_equal(test_child_join(test_child_start(signal_root, NULL)), 0);
}

static void names_and_numbers(void **state)
{
	static const struct {
		const char *name;
		int number;
	} rows[] = {
		{"TERM", SIGTERM},  {"SIGTERM", SIGTERM}, {"sigterm", SIGTERM}, {"15", SIGTERM},
		{"CLD", SIGCHLD},   {"POLL", SIGIO},      {"SIGIOT", SIGABRT},  {"64", 64},
		{"", -EINVAL},      {"0", -EINVAL},       {"65", -EINVAL},      {"32", -EINVAL},
		{"33", -EINVAL},    {"-1", -EINVAL},      {"015", -EINVAL},     {"SIG", -EINVAL},
		{"SIG15", -EINVAL}, {"TERMX", -EINVAL},   {"RTMIN+", -EINVAL},  {"RTMIN-1", -EINVAL},
		{"T", -EINVAL},     {" 15", -EINVAL},     {"RTMAX+1", -EINVAL}, {"RTMIN+99", -EINVAL},
	};

	(void)state;
	for (int number = 1; number <= 64; number++)
		if (number < 32 || number >= SIGRTMIN)
			test_check_equal(nonet_signal_number(nonet_signal_name(number)), number);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		test_check_equal(nonet_signal_number(rows[i].name), rows[i].number);
	test_check_equal(nonet_signal_number("RTMIN"), SIGRTMIN);
	test_check_equal(nonet_signal_number("SIGRTMIN+3"), SIGRTMIN + 3);
	test_check_equal(nonet_signal_number("RTMAX"), SIGRTMAX);
	test_check_equal(nonet_signal_number("rtmax-1"), SIGRTMAX - 1);
	test_check(strcmp(nonet_signal_name(SIGRTMIN + 3), "SIGRTMIN+3") == 0);
	test_check(strcmp(nonet_signal_name(SIGKILL), "SIGKILL") == 0);
	test_check(strcmp(nonet_signal_name(32), "unknown signal") == 0);
	test_check(strcmp(nonet_signal_name(0), "unknown signal") == 0);
	test_check(strcmp(nonet_signal_name(-5), "unknown signal") == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(some_signals_can_not_be_received),
		test_case(a_thread_that_leaves_one_unblocked_is_named),
		test_case(a_want_of_descriptors_is_told_as_that),
		test_case(a_main_thread_that_has_left_takes_no_signals),
		test_case(what_can_not_be_sent_is_told),
		test_case(a_group_is_signalled),
		test_case(another_users_process_may_not_be_signalled),
		test_case(names_and_numbers),
	};

	return test_main(tests);
}
