/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/deadline.h"
#include "harness/fail.h"

/* Deeper than any test goes; a bound because processes come and go while they are read. */
#define MAX_DEPTH    8
#define MAX_CHILDREN 256

void test_read_file(const char *path, char *ret_text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t filled = 0;
	ssize_t step = 0;

	if (fd >= 0) {
		while (filled < size - 1 && (step = read(fd, ret_text + filled, size - 1 - filled)) > 0)
			filled += (size_t)step;
		close(fd);
	}
	if (filled > 0 && ret_text[filled - 1] == '\n')
		filled--;
	ret_text[filled] = '\0';
}

/* The number behind @field in /proc/PID/status. */
static unsigned long long status_number(const char *status, const char *field)
{
	const char *found = strstr(status, field);

	return found ? strtoull(found + strlen(field), NULL, 10) : 0;
}

void test_process_activity(pid_t pid, struct test_activity *ret_activity)
{
	char path[64];
	char status[4096];
	const char *state;

	*ret_activity = (struct test_activity){0};
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	test_read_file(path, status, sizeof(status));
	state = strstr(status, "\nState:\t");
	if (state)
		ret_activity->state = state[8];
	ret_activity->runs = status_number(status, "\nvoluntary_ctxt_switches:") +
			     status_number(status, "\nnonvoluntary_ctxt_switches:");
	/* "running", or the call's number and arguments; not readable everywhere. */
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	test_read_file(path, ret_activity->call, sizeof(ret_activity->call));
}

bool test_activity_is_asleep(const struct test_activity *before, const struct test_activity *now)
{
	return before->state == 'S' && now->state == 'S' && before->runs == now->runs &&
	       strcmp(before->call, now->call) == 0 && strcmp(now->call, "running") != 0;
}

size_t test_process_children(pid_t pid, pid_t *ret_pids, size_t max)
{
	char path[64];
	char text[4096];
	char *next;
	struct dirent *entry;
	size_t count = 0;
	long child;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", (int)pid, entry->d_name);
		test_read_file(path, text, sizeof(text));
		for (next = text; (child = strtol(next, &next, 10)) > 0; count++) {
			if (count < max)
				ret_pids[count] = (pid_t)child;
		}
	}
	if (tasks)
		closedir(tasks);
	return count;
}

/* Whether a thread of ours sleeps, or is gone. */
static bool thread_sleeps(const char *tid)
{
	char path[64];
	char status[1024];
	const char *state;

	snprintf(path, sizeof(path), "/proc/self/task/%.16s/status", tid);
	test_read_file(path, status, sizeof(status));
	state = strstr(status, "\nState:\t");
	return !state || strchr("SXZ", state[8]);
}

static bool threads_sleep(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	bool all = true;

	while (tasks && all && (entry = readdir(tasks)))
		all = entry->d_name[0] == '.' || atoi(entry->d_name) == gettid() || thread_sleeps(entry->d_name);
	if (tasks)
		closedir(tasks);
	return all;
}

void test_threads_settle(void)
{
	const nonet_time until = test_clock() + NONET_S(1);

	while (!threads_sleep() && test_clock() < until)
		sched_yield();
}

/* The calls in which a program that waits is found. */
static const struct {
	long number;
	const char *name;
} waiting_calls[] = {
	{SYS_futex, "futex"},
#ifdef SYS_futex_waitv
	{SYS_futex_waitv, "futex_waitv"},
#endif
#ifdef SYS_poll
	{SYS_poll, "poll"},
	{SYS_epoll_wait, "epoll_wait"},
	{SYS_open, "open"},
	{SYS_pause, "pause"},
#endif
	{SYS_ppoll, "ppoll"},
	{SYS_epoll_pwait, "epoll_pwait"},
	{SYS_epoll_pwait2, "epoll_pwait2"},
	{SYS_read, "read"},
	{SYS_write, "write"},
	{SYS_readv, "readv"},
	{SYS_writev, "writev"},
	{SYS_openat, "openat"},
	{SYS_recvmsg, "recvmsg"},
	{SYS_recvfrom, "recvfrom"},
	{SYS_sendmsg, "sendmsg"},
	{SYS_sendto, "sendto"},
	{SYS_accept4, "accept4"},
	{SYS_connect, "connect"},
	{SYS_wait4, "wait4"},
	{SYS_waitid, "waitid"},
	{SYS_flock, "flock"},
	{SYS_fcntl, "fcntl"},
	{SYS_rt_sigtimedwait, "rt_sigtimedwait"},
	{SYS_rt_sigsuspend, "rt_sigsuspend"},
	{SYS_clock_nanosleep, "clock_nanosleep"},
	{SYS_nanosleep, "nanosleep"},
};

static const char *call_name(const char *call)
{
	char *end;
	long number = strtol(call, &end, 10);

	if (end == call)
		return "";
	for (size_t i = 0; i < sizeof(waiting_calls) / sizeof(waiting_calls[0]); i++)
		if (waiting_calls[i].number == number)
			return waiting_calls[i].name;
	return "system call";
}

static void describe_thread(pid_t pid, const char *tid, int depth, FILE *out)
{
	char path[96];
	char name[32];
	char stat[512];
	char call[128];
	char channel[64];
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/comm", (int)pid, tid);
	test_read_file(path, name, sizeof(name));
	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", (int)pid, tid);
	test_read_file(path, stat, sizeof(stat));
	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/syscall", (int)pid, tid);
	test_read_file(path, call, sizeof(call));
	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/wchan", (int)pid, tid);
	test_read_file(path, channel, sizeof(channel));
	state = strrchr(stat, ')'); /* the name before it may hold anything */
	fprintf(out, "# %*sprocess %d thread %s (%s): state %c, %s %s%s%s\n", 2 * depth, "", (int)pid, tid, name,
		state && state[1] ? state[2] : '?', call_name(call), call,
		channel[0] && strcmp(channel, "0") ? " in " : "", channel[0] && strcmp(channel, "0") ? channel : "");
}

static void describe(pid_t pid, int depth, FILE *out)
{
	pid_t children[MAX_CHILDREN];
	struct dirent *entry;
	char path[64];
	size_t count;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		if (entry->d_name[0] != '.')
			describe_thread(pid, entry->d_name, depth, out);
	}
	if (tasks)
		closedir(tasks);
	if (depth >= MAX_DEPTH)
		return;
	count = test_process_children(pid, children, MAX_CHILDREN);
	for (size_t i = 0; i < count && i < MAX_CHILDREN; i++)
		describe(children[i], depth + 1, out);
}

void test_describe_process(pid_t pid, FILE *out)
{
	describe(pid, 0, out);
	fflush(out);
}

pid_t test_raw_child(pid_t number)
{
	const pid_t wanted[] = {number};
	struct clone3_arguments {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
			set_tid_size, cgroup;
	} arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = number ? (uintptr_t)wanted : 0,
		.set_tid_size = number ? 1 : 0,
	};
	const pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return (pid_t)test_must(pid);
}
