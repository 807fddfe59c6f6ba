/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/deadline.h"

/* In a child: the run that it plays in. */
static struct prove_run *own_run;
/* The machine, and itself: the parent of whoever it forks. */
static pid_t own_machine;
static pid_t own_parent;

const char *prove_directory(const struct prove_run *run)
{
	return run->directory;
}

const char *prove_state(const struct prove_run *run)
{
	return run->state;
}

bool prove_state_is(const struct prove_run *run, const char *state)
{
	return strcmp(run->state, state) == 0;
}

enum prove_role prove_role(const struct prove_run *run)
{
	return run->role;
}

nonet_time prove_deadline(void)
{
	return test_after(NONET_S(60));
}

void prove_begin(struct prove_run *run)
{
	atomic_store(&run->shared->sides[run->role].began_at, test_clock());
	/* Untraced, it is the victim of an object that is only churned, or the survivor: nobody waits for the stop. */
	if (run->role == PROVE_FIRST || run->role == PROVE_SECOND)
		raise(SIGSTOP);
}

void prove_end(struct prove_run *run, int64_t result)
{
	struct prove_side *side = &run->shared->sides[run->role];

	atomic_store(&side->result, result);
	atomic_store(&side->returned_at, test_clock());
}

bool prove_plays(const struct prove_run *run, enum prove_role role, const char *operation)
{
	return run->plays[role] && strcmp(run->plays[role]->name, operation) == 0;
}

bool prove_began(const struct prove_run *run, enum prove_role role)
{
	return atomic_load(&run->shared->sides[role].began_at) != 0;
}

bool prove_returned(const struct prove_run *run, enum prove_role role, int64_t *ret_result)
{
	const struct prove_side *side = &run->shared->sides[role];

	if (atomic_load(&side->returned_at) == 0)
		return false;
	*ret_result = atomic_load(&side->result);
	return true;
}

bool prove_killed(const struct prove_run *run, enum prove_role role)
{
	return atomic_load(&run->shared->sides[role].killed_at) != 0;
}

bool prove_alone(const struct prove_run *run)
{
	return atomic_load(&run->shared->alone) != 0;
}

void prove_leave(struct prove_run *run)
{
	atomic_store(&run->shared->left, 1);
	_exit(0);
}

uint32_t prove_news(const struct prove_run *run)
{
	return atomic_load(&run->shared->news);
}

void prove_tell(struct prove_run *run)
{
	atomic_fetch_add(&run->shared->news, 1);
	syscall(SYS_futex, &run->shared->news, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void prove_await(struct prove_run *run, uint32_t seen)
{
	const struct timespec a_little = {.tv_nsec = NONET_MS(5)};

	syscall(SYS_futex, &run->shared->news, FUTEX_WAIT, seen, &a_little, NULL, 0);
}

void prove_store(struct prove_run *run, size_t index, int64_t value)
{
	atomic_store(&run->shared->words[index], value);
	prove_tell(run);
}

int64_t prove_load(const struct prove_run *run, size_t index)
{
	return atomic_load(&run->shared->words[index]);
}

__attribute__((format(printf, 2, 0))) static void failed(struct prove_run *run, const char *format, va_list arguments)
{
	static const char *const who[] = {"first", "second", "survivor", "cast", "forked"};
	int size = 0;

	if (atomic_exchange(&run->shared->failed, 1))
		return;
	if (run->role < PROVE_ROLES)
		size = snprintf(run->shared->sentence, sizeof(run->shared->sentence), "%s: ", who[run->role]);
	vsnprintf(run->shared->sentence + size, sizeof(run->shared->sentence) - (size_t)size, format, arguments);
}

void prove_failed(struct prove_run *run, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	failed(run, format, arguments);
	va_end(arguments);
}

void prove_fail(struct prove_run *run, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	failed(run, format, arguments);
	va_end(arguments);
	_exit(1);
}

void prove_broken(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("prove: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(3);
}

void prove_disturbed(const struct prove_run *run, pid_t pid)
{
	fprintf(stderr, "prove: somebody else killed process %d, of %s in state %s\n", (int)pid, run->operation->name,
		run->state);
	exit(PROVE_DISTURBED);
}

void prove_run_reset(struct prove_run *run)
{
	struct prove_shared *shared = run->shared;

	for (int i = 0; i < PROVE_ROLES; i++) {
		atomic_store(&shared->sides[i].began_at, 0);
		atomic_store(&shared->sides[i].returned_at, 0);
		atomic_store(&shared->sides[i].result, 0);
		atomic_store(&shared->sides[i].killed_at, 0);
	}
	memset(run->plays, 0, sizeof(run->plays));
	atomic_store(&shared->alone, 0);
	atomic_store(&shared->stay, 0);
	atomic_store(&shared->left, 0);
	atomic_store(&shared->failed, 0);
	shared->sentence[0] = '\0';
}

pid_t prove_run_start(struct prove_run *run, enum prove_role role, prove_function *function, bool traced)
{
	pid_t parent = getpid();
	pid_t pid;
	sigset_t none;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid < 0)
		prove_broken("no process: %s", strerror(errno));
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(1);
	run->role = role;
	own_run = run;
	own_machine = parent;
	own_parent = getpid();
	function(run);
	while (role == PROVE_FIRST && atomic_load(&run->shared->stay))
		pause();
	_exit(0);
}

_Noreturn void prove_run_forked(void)
{
	own_run->role = PROVE_FORKED;
	own_run->operation->forked(own_run);
	prove_end(own_run, 0);
	/* Alive while the others judge, also when its parent is dead: then it is the machine's child, or nobody's. */
	while (getppid() == own_parent || getppid() == own_machine)
		test_poll(NULL, 0, test_after(NONET_MS(20)));
	_exit(0);
}

void prove_actor_start(struct prove_actor *actor, struct prove_run *run, enum prove_role role, prove_function *function)
{
	actor->pid = prove_run_start(run, role, function, false);
	actor->pidfd = (int)syscall(SYS_pidfd_open, actor->pid, 0);
	if (actor->pidfd < 0)
		prove_broken("no pidfd: %s", strerror(errno));
}

/* In which system call it sleeps, with its arguments; "" if it runs. */
static void look(pid_t pid, char *ret_text, size_t size)
{
	char path[64];
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, ret_text, size - 1);
		close(fd);
	}
	ret_text[length > 0 ? length : 0] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
	/* "running"; or "-1 0x... 0x...": stopped outside of any call. */
	if (ret_text[0] < '0' || ret_text[0] > '9')
		ret_text[0] = '\0';
}

/* As ps(1) has it: R runs, or would if it got a processor; t and T are stopped; Z has ended. */
static char state_of(pid_t pid)
{
	char path[64];
	char text[256] = "";
	const char *behind;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return '?';
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	behind = strrchr(text, ')');
	return behind && behind[1] == ' ' ? behind[2] : '?';
}

bool prove_sleeps(pid_t pid)
{
	char before[256];
	char now[256];

	look(pid, before, sizeof(before));
	sched_yield();
	if (before[0] == '\0')
		return false;
	look(pid, now, sizeof(now));
	return strcmp(before, now) == 0;
}

static bool ended(const struct prove_actor *actor, nonet_time deadline)
{
	return test_poll(&(struct pollfd){.fd = actor->pidfd, .events = POLLIN}, 1, deadline) > 0;
}

bool prove_actor_settles(const struct prove_actor *actor)
{
	nonet_time deadline = test_deadline();

	while (!prove_sleeps(actor->pid)) {
		if (ended(actor, NONET_NOW))
			return false;
		if (test_clock() > deadline)
			return true; /* it spins: whoever joins it says so */
	}
	return !ended(actor, NONET_NOW);
}

static int reap(struct prove_actor *actor)
{
	int status = 0;

	while (waitpid(actor->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(actor->pidfd);
	*actor = (struct prove_actor){.pidfd = -1};
	return status;
}

void prove_actor_kill(struct prove_actor *actor)
{
	if (actor->pid == 0)
		return;
	kill(actor->pid, SIGKILL); /* not reaped yet, so the number is its own */
	reap(actor);
}

bool prove_actor_join(struct prove_actor *actor, struct prove_run *run)
{
	char where[256];
	int status;

	const pid_t pid = actor->pid;

	if (!ended(actor, test_after(run->patience))) {
		look(actor->pid, where, sizeof(where));
		prove_failed(run, "hung: it was not done after %lld ms, state %c, %s%s",
			     (long long)(run->patience * test_slowness() / NONET_MS(1)), state_of(actor->pid),
			     where[0] ? "in system call " : "in none", where);
		prove_actor_kill(actor);
		return false;
	}
	status = reap(actor);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		prove_disturbed(run, pid);
	if (WIFSIGNALED(status))
		prove_failed(run, "a signal ended it: %s", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		prove_failed(run, "it exited with status %d", WEXITSTATUS(status));
	return status == 0;
}
