/* SPDX-License-Identifier: Apache-2.0 */
/* What a child gets, and what it doesn't. The child is mostly this program itself, as a probe. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "process/test_process.h"

#define SPAWNS 10000

static const char probe[] = "/proc/self/exe";

/* In the child: its descriptors, its signals, and what else it was given. */
static int tell_about_myself(void)
{
	DIR *all = opendir("/proc/self/fd");
	struct sigaction pipe_action, int_action, usr_action;
	const struct dirent *entry;
	uint64_t mask = 0;
	char directory[100] = "?";
	int death = 0;
	int fds[64];
	int count = 0;

	while (all && count < 64 && (entry = readdir(all)) != NULL)
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(all))
			fds[count++] = atoi(entry->d_name);
	closedir(all);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
	sigaction(SIGPIPE, NULL, &pipe_action);
	sigaction(SIGINT, NULL, &int_action);
	sigaction(SIGUSR2, NULL, &usr_action);
	prctl(PR_GET_PDEATHSIG, &death);
	printf("fds");
	for (int i = 0; i < count; i++)
		printf(" %d", fds[i]);
	printf("\nmask %llx pipe %d int %d usr2 %d\n", (unsigned long long)mask, pipe_action.sa_handler == SIG_DFL,
	       int_action.sa_handler == SIG_IGN, usr_action.sa_handler == SIG_DFL);
	printf("directory %s\n", getcwd(directory, sizeof(directory)));
	printf("environment %s %d\n", getenv("NONET_TEST_WORD") ? getenv("NONET_TEST_WORD") : "-",
	       getenv("PATH") != NULL);
	printf("group %d death %d\n", getpgrp() == getpid(), death);
	return 0;
}

static void ignore_it(int number)
{
	(void)number;
}

static int spawn_the_probe(struct test_child_side *side, void *argument)
{
	static const char *const environment[] = {"NONET_TEST_WORD=hello", NULL};
	/* Two that change places, one that stays, and one that several targets share. */
	const struct nonet_process_descriptor descriptors[] = {{.ours = 20, .theirs = 21},
							       {.ours = 21, .theirs = 20},
							       {.ours = 22, .theirs = 22},
							       {.ours = 22, .theirs = 9}};
	struct nonet_process_options options = piped;
	struct nonet_process *process;
	sigset_t all;

	(void)side;
	(void)argument;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGUSR2, ignore_it);
	/* Not CLOEXEC, and yet not the child's. */
	test_must(dup2(STDERR_FILENO, 20));
	test_must(dup2(STDERR_FILENO, 21));
	test_must(dup2(STDERR_FILENO, 22));
	test_must(dup2(STDERR_FILENO, 30));
	options.environment = environment;
	options.directory = "/";
	options.descriptors = descriptors;
	options.descriptors_count = 4;
	options.death_signal = SIGHUP;
	options.flags = NONET_PROCESS_NEW_GROUP;
	process = SPAWN(&options, probe, "--probe");
	reads_line(process, "fds 0 1 2 9 20 21 22");
	reads_line(process, "mask 0 pipe 1 int 1 usr2 1");
	reads_line(process, "directory /");
	reads_line(process, "environment hello 0");
	reads_line(process, "group 1 death 1");
	ends_with(process, NONET_PROCESS_EXITED, 0);
	nonet_process_close(process);
	return 0;
}

static void a_child_has_what_it_was_given_and_nothing_else(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(spawn_the_probe, NULL)), 0);
}

static int spawn_from_odd_streams(struct test_child_side *side, void *argument)
{
	struct nonet_process_options options = {.size = sizeof(options), .output.kind = NONET_PROCESS_PIPE};
	struct nonet_process *process;

	(void)side;
	(void)argument;
	for (int fd = 0; fd <= 2; fd++)
		test_must(fcntl(fd, F_SETFD, FD_CLOEXEC));
	process = SPAWN(&options, probe, "--probe");
	reads_line(process, "fds 0 1 2");
	nonet_process_close(process);
	test_must(close(0));
	process = SPAWN(&options, probe, "--probe");
	reads_line(process, "fds 1 2");
	nonet_process_close(process);
	return 0;
}

static void streams_are_inherited_whether_or_not_they_close_at_an_exec(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(spawn_from_odd_streams, NULL)), 0);
}

/* There is no room above the highest number, and none is needed: nothing else is to be where it is. */
static void a_descriptor_may_have_the_last_number(void **state)
{
	const int last = (int)sysconf(_SC_OPEN_MAX) - 1;
	const struct nonet_process_descriptor descriptor = {.ours = STDERR_FILENO, .theirs = last};
	struct nonet_process_options options = {
		.size = sizeof(options), .descriptors = &descriptor, .descriptors_count = 1};
	struct nonet_process *process;
	char script[64];

	(void)state;
	snprintf(script, sizeof(script), "test -e /proc/self/fd/%d", last);
	process = SHELL(&options, script);
	ends_with(process, NONET_PROCESS_EXITED, 0);
	nonet_process_close(process);
}

static void descriptors_can_change_places(void **state)
{
	int first[2], second[2];
	struct nonet_process_descriptor descriptors[2];
	struct nonet_process_options options = {
		.size = sizeof(options), .descriptors = descriptors, .descriptors_count = 2};
	struct nonet_process *process;
	char script[64];
	char byte;

	(void)state;
	test_must(pipe2(first, O_CLOEXEC));
	test_must(pipe2(second, O_CLOEXEC));
	descriptors[0] = (struct nonet_process_descriptor){.ours = first[1], .theirs = second[1]};
	descriptors[1] = (struct nonet_process_descriptor){.ours = second[1], .theirs = first[1]};
	snprintf(script, sizeof(script), "printf 1 >&%d; printf 2 >&%d", first[1], second[1]);
	process = SHELL(&options, script);
	ends_with(process, NONET_PROCESS_EXITED, 0);
	test_check(read(first[0], &byte, 1) == 1 && byte == '2');
	test_check(read(second[0], &byte, 1) == 1 && byte == '1');
	nonet_process_close(process);
	for (int i = 0; i < 2; i++) {
		close(first[i]);
		close(second[i]);
	}
}

static void the_streams_lead_where_they_should(void **state)
{
	struct nonet_process_options options = piped;
	struct nonet_process *process;
	char text[32] = "";
	size_t size;
	int file[2];

	(void)state;
	options.error.kind = NONET_PROCESS_PIPE;
	process = SHELL(&options, "cat; echo wrong >&2");
	test_check_equal(nonet_pipe_write(nonet_process_input(process), "through\n", 8, test_deadline(), NULL), 0);
	reads_line(process, "through");
	nonet_process_finish_input(process);
	test_check(nonet_process_input(process) == NULL);
	test_check_equal(nonet_pipe_read(nonet_process_output(process), text, 31, test_deadline(), &size), -EPIPE);
	test_check_equal(nonet_pipe_read_exactly(nonet_process_error(process), text, 6, test_deadline(), NULL), 0);
	test_check(strcmp(text, "wrong\n") == 0);
	ends_with(process, NONET_PROCESS_EXITED, 0);
	nonet_process_close(process);

	test_must(pipe2(file, O_CLOEXEC));
	options = (struct nonet_process_options){
		.size = sizeof(options),
		.input.kind = NONET_PROCESS_NULL,
		.output = {.kind = NONET_PROCESS_DESCRIPTOR, .descriptor = file[1]},
		.error.kind = NONET_PROCESS_NULL,
	};
	process = SHELL(&options, "cat; echo nobody sees this >&2; echo end");
	test_check(nonet_process_input(process) == NULL && nonet_process_output(process) == NULL);
	ends_with(process, NONET_PROCESS_EXITED, 0);
	test_check_equal(read(file[0], text, sizeof(text)), 4);
	nonet_process_close(process);
	close(file[0]);
	close(file[1]);
}

static void a_child_that_has_gone_is_no_sigpipe(void **state)
{
	struct nonet_process *process = SPAWN(&piped, "true");

	(void)state;
	ends_with(process, NONET_PROCESS_EXITED, 0);
	test_check_equal(nonet_pipe_write(nonet_process_input(process), "x", 1, test_deadline(), NULL), -EPIPE);
	nonet_process_close(process);
}

static void make_file(const char *path, mode_t mode, const char *text)
{
	const int fd = (int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));

	test_check_equal(write(fd, text, strlen(text)), (long long)strlen(text));
	test_must(fchmod(fd, mode));
	close(fd);
}

static void fails(const char *program, const struct nonet_process_options *options, int code, const char *word)
{
	struct nonet_process *process = (void *)&process;
	struct nonet_error error = {0};

	test_check_equal(nonet_process_spawn((const char *const[]){program, NULL}, options, &process, &error), code);
	test_check(process == (void *)&process);
	if (!strstr(error.text, word))
		test_fail("\"%s\" isn't in: %s", word, error.text);
}

static void what_can_not_begin_is_told_to_the_caller(void **state)
{
	/* Two of them are the C library's own. */
	static const int no_signals[] = {-1, 32, 33, 65};
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "program");
	struct nonet_process_descriptor descriptors[2] = {{.ours = 0, .theirs = 2}};
	struct nonet_process_options options = {.size = sizeof(options)};

	(void)state;
	fails("nonet-no-such-program", NULL, -ENOENT, "nonet-no-such-program");
	fails("/nonexistent/program", NULL, -ENOENT, "/nonexistent/program");
	fails(NULL, NULL, -EINVAL, "first argument");
	fails("", NULL, -ENOENT, "can't run \"\":");
	make_file(path, 0600, "#!/bin/sh\n");
	fails(path, NULL, -EACCES, "permission denied");
	test_must(chmod(path, 0700));
	make_file(test_path(directory, "odd"), 0700, "#!/nonexistent/interpreter\n");
	fails(test_path(directory, "odd"), NULL, -ENOENT, "interpreter");
	fails(directory, NULL, -EACCES, "can't run");

	options.directory = "/nonexistent";
	fails("true", &options, -ENOENT, "in /nonexistent");
	options.directory = "";
	fails("true", &options, -ENOENT, "in \"\":");
	options.directory = NULL;
	options.output = (struct nonet_process_stream){.kind = NONET_PROCESS_DESCRIPTOR, .descriptor = 999};
	fails("true", &options, -EBADF, "descriptors");
	options.output.descriptor = -1;
	fails("true", &options, -EBADF, "standard output");
	options.output.kind = 9;
	fails("true", &options, -EINVAL, "streams");
	options.output.kind = NONET_PROCESS_INHERIT;
	options.descriptors = descriptors;
	options.descriptors_count = 1;
	fails("true", &options, -EINVAL, "begin with 3");
	descriptors[0].theirs = 5;
	descriptors[1] = descriptors[0];
	options.descriptors_count = 2;
	fails("true", &options, -EINVAL, "both");
	options.descriptors_count = 1;
	descriptors[0].theirs = 1 << 30;
	fails("true", &options, -EBADF, "RLIMIT_NOFILE");
	/* What isn't open stays so, though what is to make room moves right there. */
	test_must(dup2(STDERR_FILENO, 50));
	descriptors[0] = (struct nonet_process_descriptor){.ours = 50, .theirs = 60};
	descriptors[1] = (struct nonet_process_descriptor){.ours = 51, .theirs = 50};
	options.descriptors_count = 2;
	fails("true", &options, -EBADF, "RLIMIT_NOFILE");
	test_must(close(50));
	options.descriptors_count = 254;
	fails("true", &options, -EINVAL, "254");
	options.descriptors_count = 0;
	for (size_t i = 0; i < sizeof(no_signals) / sizeof(no_signals[0]); i++) {
		options.death_signal = no_signals[i];
		fails("true", &options, -EINVAL, "parent dies");
	}
	options.death_signal = 0;
	options.flags = 2;
	fails("true", &options, -EINVAL, "flags");
	options.flags = 0;
	options.size++;
	fails("true", &options, -EINVAL, "size");

	unlink(path);
	unlink(test_path(directory, "odd"));
	test_directory_free(directory);
}

static int search(struct test_child_side *side, void *argument)
{
	const char *directory = argument;
	char path[200];
	struct nonet_process *process;

	(void)side;
	/* A directory that isn't there, one where it may not be run, an empty part, and the one where it is. */
	make_file(test_path(directory, "bad/program"), 0600, "");
	make_file(test_path(directory, "good/program"), 0700, "echo a script without its first line: $1\n");
	snprintf(path, sizeof(path), "/nonexistent:%s/bad::%s/good", directory, directory);
	setenv("PATH", path, 1);
	process = SPAWN(&piped, "program", "argument");
	reads_line(process, "a script without its first line: argument");
	ends_with(process, NONET_PROCESS_EXITED, 0);
	nonet_process_close(process);
	snprintf(path, sizeof(path), "/nonexistent:%s/bad", directory);
	setenv("PATH", path, 1);
	fails("program", NULL, -EACCES, "permission");
	unsetenv("PATH");
	process = SPAWN(NULL, "true");
	ends_with(process, NONET_PROCESS_EXITED, 0);
	nonet_process_close(process);
	return 0;
}

static void the_program_is_looked_up_as_execvp_does(void **state)
{
	const char *directory = test_directory_new();

	(void)state;
	test_must(mkdir(test_path(directory, "bad"), 0700));
	test_must(mkdir(test_path(directory, "good"), 0700));
	test_check_equal(test_child_join(test_child_start(search, (void *)directory)), 0);
	unlink(test_path(directory, "bad/program"));
	unlink(test_path(directory, "good/program"));
	rmdir(test_path(directory, "bad"));
	rmdir(test_path(directory, "good"));
	test_directory_free(directory);
}

static int spawn_and_tell(struct test_child_side *side, void *argument)
{
	struct nonet_process_options options = piped;
	struct nonet_process *process;

	(void)argument;
	options.death_signal = SIGKILL;
	process = SHELL(&options, "exec sleep 1000");
	test_report_number(side, nonet_process_pid(process));
	test_await(side, "never");
	return 0;
}

static void a_childs_child_dies_with_it_if_that_was_asked_for(void **state)
{
	struct test_child *child = test_child_start(spawn_and_tell, NULL);
	struct nonet_process *process;

	(void)state;
	test_check_equal(nonet_process_open((pid_t)test_child_number(child), &process, NULL), 0);
	test_kill(child);
	ends_with(process, NONET_PROCESS_ENDED, 0);
	nonet_process_close(process);
}

static void *spawn_with_a_cancellation_pending(void *argument)
{
	struct nonet_process_options options = piped;
	struct nonet_process *process;

	options.error.kind = NONET_PROCESS_NULL;
	pthread_cancel(pthread_self());
	/* One that can't begin is waited for, and its pipes are closed. */
	fails("/nonexistent", &options, -ENOENT, "/nonexistent");
	process = SPAWN(&options, "true");
	*(struct nonet_process **)argument = process;
	pthread_testcancel();
	return NULL;
}

static void a_spawn_is_no_cancellation_point(void **state)
{
	struct nonet_process *process = NULL;
	pthread_t thread;
	void *result;

	(void)state;
	test_check_equal(pthread_create(&thread, NULL, spawn_with_a_cancellation_pending, &process), 0);
	pthread_join(thread, &result);
	test_check(result == PTHREAD_CANCELED);
	test_check(process != NULL);
	ends_with(process, NONET_PROCESS_EXITED, 0);
	nonet_process_close(process);
}

#define THREADS    4
#define PER_THREAD 50

/* Children with statuses of their own, and one in five that can't begin, while other threads use the allocator. */
static void *spawn_some(void *argument)
{
	const int number = (int)(intptr_t)argument;
	struct nonet_process *process;
	char script[32];
	void *memory;

	for (int i = 0; i < PER_THREAD; i++) {
		memory = malloc((size_t)i * 1000 + 1);
		test_check(memory != NULL);
		snprintf(script, sizeof(script), "exit %d", number * PER_THREAD + i);
		process = SHELL(NULL, script);
		ends_with(process, NONET_PROCESS_EXITED, number * PER_THREAD + i);
		nonet_process_close(process);
		if (i % 5 == 0)
			fails("/nonexistent", NULL, -ENOENT, "/nonexistent");
		free(memory);
	}
	return NULL;
}

static void threads_spawn_at_once(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (intptr_t i = 0; i < THREADS; i++)
		test_check_equal(pthread_create(&threads[i], NULL, spawn_some, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void ten_thousand_children_leave_nothing(void **state)
{
	const uint64_t count = test_scaled(SPAWNS);
	struct nonet_process_options options = piped;
	const int before = (int)test_must(dup(STDERR_FILENO));
	int after;

	(void)state;
	options.error.kind = NONET_PROCESS_NULL;
	for (uint64_t i = 0; i < count; i++) {
		struct nonet_process *process;

		if (i % 100 == 0)
			test_watchdog_extend(NONET_S(30));
		if (i % 10 == 9) {
			test_check_equal(nonet_process_spawn((const char *const[]){"/nonexistent", NULL}, &options,
							     &process, NULL),
					 -ENOENT);
			continue;
		}
		process = SPAWN(&options, "/bin/true");
		ends_with(process, NONET_PROCESS_EXITED, 0);
		nonet_process_close(process);
	}
	close(before);
	after = (int)test_must(dup(STDERR_FILENO));
	test_check_equal(after, before);
	close(after);
	test_note("%llu spawns", (unsigned long long)count);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test_case(a_child_has_what_it_was_given_and_nothing_else),
		test_case(streams_are_inherited_whether_or_not_they_close_at_an_exec),
		test_case(a_descriptor_may_have_the_last_number),
		test_case(descriptors_can_change_places),
		test_case(the_streams_lead_where_they_should),
		test_case(a_child_that_has_gone_is_no_sigpipe),
		test_case(what_can_not_begin_is_told_to_the_caller),
		test_case(the_program_is_looked_up_as_execvp_does),
		test_case(a_childs_child_dies_with_it_if_that_was_asked_for),
		test_case(a_spawn_is_no_cancellation_point),
		test_case(threads_spawn_at_once),
		test_case(ten_thousand_children_leave_nothing),
	};

	if (argc > 1 && strcmp(argv[1], "--probe") == 0)
		return tell_about_myself();
	/* A directory of the caller's that we may not search would make EACCES of what isn't there. */
	setenv("PATH", "/usr/bin:/bin", 1);
	return test_main(tests);
}
