/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/tracee.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/deadline.h"

#define SYSTEM_CALL  0x050f /* syscall, as two bytes in memory order */
#define SHORT_SLEEP  NONET_US(200)
#define STOP_OF_CALL (SIGTRAP | 0x80)
#define EVENT(name)  (SIGTRAP | (PTRACE_EVENT_##name << 8))

/* [ptrace(2)] A request on a tracee that isn't stopped, or that SIGKILL has got, is ESRCH. */
static _Noreturn void lost(const struct prove_tracee *tracee, enum __ptrace_request request)
{
	const nonet_time limit = test_deadline();
	int status = 0;
	pid_t waited;

	do {
		waited = waitpid(tracee->pid, &status, WNOHANG | __WALL);
		test_poll(NULL, 0, test_clock() + SHORT_SLEEP);
	} while (waited == 0 && test_clock() < limit);
	if (waited == tracee->pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		prove_disturbed(tracee->run, tracee->pid);
	prove_broken("ptrace request %d of process %d, which has status 0x%x: %s", (int)request, (int)tracee->pid,
		     (unsigned)status, strerror(ESRCH));
}

static long trace(const struct prove_tracee *tracee, enum __ptrace_request request, uintptr_t address, uintptr_t data)
{
	long result;

	errno = 0;
	result = ptrace(request, tracee->pid, (void *)address, (void *)data);
	if (result == -1 && errno == ESRCH)
		lost(tracee, request);
	if (result == -1 && errno != 0)
		prove_broken("ptrace request %d of process %d: %s", (int)request, (int)tracee->pid, strerror(errno));
	return result;
}

static struct user_regs_struct registers(const struct prove_tracee *tracee)
{
	struct user_regs_struct values;

	trace(tracee, PTRACE_GETREGS, 0, (uintptr_t)&values);
	return values;
}

static void set_registers(const struct prove_tracee *tracee, struct user_regs_struct values)
{
	trace(tracee, PTRACE_SETREGS, 0, (uintptr_t)&values);
}

/* The processor's breakpoints by use. */
enum breakpoint {
	BREAKPOINT_POINT,
	BREAKPOINT_BACK,
	BREAKPOINT_CODE,
};

static void set_debug_register(const struct prove_tracee *tracee, size_t number, uintptr_t value)
{
	trace(tracee, PTRACE_POKEUSER, offsetof(struct user, u_debugreg) + number * sizeof(uintptr_t), value);
}

/* Stop it before the instruction at @address. Only this thread stops: its siblings run the same code. */
static void plant(struct prove_tracee *tracee, enum breakpoint breakpoint, uintptr_t address)
{
	set_debug_register(tracee, breakpoint, address);
	tracee->planted |= 1u << (2 * breakpoint);
	set_debug_register(tracee, 7, tracee->planted);
}

static void unplant(struct prove_tracee *tracee)
{
	if (tracee->planted)
		set_debug_register(tracee, 7, 0);
	tracee->planted = 0;
}

/* What a stop means: @tracee has been waited for. */
static enum prove_where arrived(struct prove_tracee *tracee, int status)
{
	struct user_regs_struct values;

	tracee->status = status;
	/* We ask no more of whom we kill. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		prove_disturbed(tracee->run, tracee->pid);
	if (!WIFSTOPPED(status))
		return tracee->where = PROVE_GONE;
	values = registers(tracee);
	tracee->at = values.rip;
	tracee->where = PROVE_INSIDE;
	if (tracee->back && values.rip == tracee->back && values.rsp == tracee->stack + sizeof(uintptr_t)) {
		tracee->where = PROVE_RETURNED;
		tracee->result = (int)values.rax;
	}
	return tracee->where;
}

/* Wait for a stop; while it sleeps instead, until @deadline. Nothing but SIGCHLD tells of a stop, and that may merge.
 */
static enum prove_where await(struct prove_tracee *tracee, nonet_time deadline)
{
	struct timespec a_little = {.tv_nsec = SHORT_SLEEP};
	nonet_time limit = test_deadline();
	sigset_t child;
	int status;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		if (waitpid(tracee->pid, &status, WNOHANG | __WALL) == tracee->pid)
			return arrived(tracee, status);
		if (sigtimedwait(&child, NULL, &a_little) == SIGCHLD)
			continue;
		/* A look finds it asleep also where it has just stopped: so the wait has the last word. */
		if (prove_sleeps(tracee->pid) && test_clock() >= deadline) {
			if (waitpid(tracee->pid, &status, WNOHANG | __WALL) == tracee->pid)
				return arrived(tracee, status);
			return tracee->where = PROVE_ASLEEP;
		}
		if (test_clock() > limit) {
			prove_failed(tracee->run, "it ran for ever in the operation, without a sleep");
			return tracee->where = PROVE_ASLEEP;
		}
	}
}

/* Let it run by @request, handing on a signal that isn't the trap's. */
static void resume(const struct prove_tracee *tracee, enum __ptrace_request request)
{
	int signal = WIFSTOPPED(tracee->status) ? WSTOPSIG(tracee->status) : 0;

	if (signal == SIGTRAP || signal == STOP_OF_CALL || signal == SIGSTOP)
		signal = 0;
	trace(tracee, request, 0, (uintptr_t)signal);
}

bool prove_tracee_before_call(const struct prove_tracee *tracee)
{
	return (trace(tracee, PTRACE_PEEKTEXT, tracee->at, 0) & 0xffff) == SYSTEM_CALL;
}

bool prove_tracee_timed_out(const struct prove_tracee *tracee)
{
	return tracee->where == PROVE_INSIDE && (long)registers(tracee).rax == -ETIMEDOUT;
}

static bool hit(const struct prove_tracee *tracee, uintptr_t address)
{
	return tracee->where == PROVE_INSIDE && WSTOPSIG(tracee->status) == SIGTRAP && tracee->at == address;
}

/* The kernel's code in the process (vdso(7)); a victim is a fork of this process, so it is where ours is. */
static bool in_kernels_code(uintptr_t at)
{
	const uintptr_t base = getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const void *)base;

	return base && at >= base && at < base + header->e_shoff + (uintptr_t)header->e_shentsize * header->e_shnum;
}

/*
 * It reads clocks, and reads them again if they have moved on meanwhile: where a step takes longer than a tick, for
 * ever. So it is one step with its call. Nothing that is shared changes there.
 */
static enum prove_where leave_kernels_code(struct prove_tracee *tracee)
{
	const uintptr_t back = (uintptr_t)trace(tracee, PTRACE_PEEKDATA, registers(tracee).rsp, 0);
	int status;

	plant(tracee, BREAKPOINT_CODE, back);
	do {
		resume(tracee, PTRACE_CONT);
		while (waitpid(tracee->pid, &status, __WALL) < 0 && errno == EINTR)
			;
		if (arrived(tracee, status) == PROVE_GONE)
			return PROVE_GONE;
	} while (!hit(tracee, back));
	unplant(tracee);
	return tracee->where;
}

enum prove_where prove_tracee_step(struct prove_tracee *tracee)
{
	int status;

	if (prove_tracee_before_call(tracee)) {
		resume(tracee, PTRACE_SINGLESTEP);
		return await(tracee, NONET_NOW);
	}
	resume(tracee, PTRACE_SINGLESTEP);
	while (waitpid(tracee->pid, &status, __WALL) < 0 && errno == EINTR)
		;
	arrived(tracee, status);
	return tracee->where == PROVE_INSIDE && in_kernels_code(tracee->at) ? leave_kernels_code(tracee)
									    : tracee->where;
}

/* It has stopped, maybe on its way to a breakpoint. */
static enum prove_where clear(struct prove_tracee *tracee)
{
	if (tracee->where == PROVE_INSIDE || tracee->where == PROVE_RETURNED)
		unplant(tracee);
	return tracee->where;
}

enum prove_where prove_tracee_wake(struct prove_tracee *tracee)
{
	if (tracee->let_go)
		tracee->let_go(tracee->run);
	tracee->let_go = NULL;
	await(tracee, test_after(tracee->run->patience));
	return clear(tracee);
}

enum prove_where prove_tracee_look(struct prove_tracee *tracee)
{
	await(tracee, NONET_NOW);
	return clear(tracee);
}

/* Go on to the next breakpoint, through sleeps. */
static enum prove_where go_on(struct prove_tracee *tracee)
{
	resume(tracee, PTRACE_CONT);
	if (tracee->let_go && await(tracee, NONET_NOW) != PROVE_ASLEEP)
		return clear(tracee);
	return prove_tracee_wake(tracee);
}

enum prove_where prove_tracee_run_to(struct prove_tracee *tracee, uintptr_t address, uint32_t occurrence)
{
	occurrence -= tracee->at == address;
	while (occurrence > 0 && tracee->where == PROVE_INSIDE) {
		if (tracee->at == address && prove_tracee_step(tracee) == PROVE_ASLEEP)
			prove_tracee_wake(tracee);
		if (tracee->where != PROVE_INSIDE)
			break;
		if (tracee->at == address) { /* a jump to itself, or a string instruction */
			occurrence--;
			continue;
		}
		plant(tracee, BREAKPOINT_POINT, address);
		plant(tracee, BREAKPOINT_BACK, tracee->back);
		/* One that sleeps keeps them until it stops. */
		go_on(tracee);
		occurrence -= hit(tracee, address);
	}
	return tracee->where;
}

enum prove_where prove_tracee_call(struct prove_tracee *tracee)
{
	if (tracee->where == PROVE_ASLEEP) {
		prove_tracee_wake(tracee);
	} else {
		plant(tracee, BREAKPOINT_BACK, tracee->back);
		resume(tracee, PTRACE_SYSCALL);
		await(tracee, NONET_NOW);
		clear(tracee);
	}
	if (tracee->where == PROVE_INSIDE && WSTOPSIG(tracee->status) == STOP_OF_CALL)
		tracee->calls++;
	return tracee->where;
}

bool prove_tracee_start(struct prove_tracee *tracee, struct prove_run *run, enum prove_role role,
			const struct prove_operation *operation, uintptr_t symbol)
{
	struct user_regs_struct values;
	int status;

	*tracee = (struct prove_tracee){.role = role, .run = run, .entry = symbol};
	run->plays[role] = operation;
	tracee->pid = prove_run_start(run, role, operation->victim, true);
	/* To the stop of prove_begin(). What comes before it may sleep. */
	while (waitpid(tracee->pid, &status, __WALL) < 0 && errno == EINTR)
		;
	if (arrived(tracee, status) == PROVE_GONE || WSTOPSIG(status) != SIGSTOP) {
		if (!atomic_load(&run->shared->left))
			prove_failed(run, "the victim didn't get to prove_begin()");
		return false;
	}
	trace(tracee, PTRACE_SETOPTIONS, 0,
	      PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC);
	plant(tracee, BREAKPOINT_POINT, symbol);
	resume(tracee, PTRACE_CONT);
	if (await(tracee, test_after(run->patience)) != PROVE_INSIDE || !hit(tracee, symbol)) {
		prove_failed(run, "the victim didn't call %s", operation->symbol);
		return false;
	}
	unplant(tracee);
	values = registers(tracee);
	tracee->stack = values.rsp;
	tracee->back = (uintptr_t)trace(tracee, PTRACE_PEEKDATA, values.rsp, 0);
	return true;
}

static void actor(pid_t pid, struct prove_actor *ret_actor)
{
	ret_actor->pid = pid;
	ret_actor->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ret_actor->pidfd < 0)
		prove_broken("no pidfd of process %d: %s", (int)pid, strerror(errno));
}

bool prove_tracee_detach(struct prove_tracee *tracee, struct prove_actor *ret_actor)
{
	if (tracee->where == PROVE_ASLEEP && prove_tracee_wake(tracee) == PROVE_ASLEEP) {
		prove_failed(tracee->run, "hung: the %s slept on", tracee->role == PROVE_FIRST ? "first" : "second");
		return false;
	}
	if (tracee->where == PROVE_GONE)
		return false;
	trace(tracee, PTRACE_DETACH, 0, 0);
	actor(tracee->pid, ret_actor);
	tracee->pid = 0;
	return true;
}

void prove_tracee_kill(struct prove_tracee *tracee, struct prove_run *run)
{
	struct prove_side *side = &run->shared->sides[tracee->role];
	int status;

	if (tracee->pid == 0)
		return;
	if (tracee->where == PROVE_GONE) {
		tracee->pid = 0; /* reaped by the wait that said so */
		return;
	}
	if (tracee->where == PROVE_RETURNED) {
		atomic_store(&side->result, tracee->result);
		atomic_store(&side->returned_at, test_clock());
	}
	atomic_store(&side->killed_at, test_clock());
	kill(tracee->pid, SIGKILL);
	do {
		while (waitpid(tracee->pid, &status, __WALL) < 0 && errno == EINTR)
			;
	} while (WIFSTOPPED(status)); /* a stop that was on its way */
	tracee->pid = 0;
	prove_tell(run);
}

/*
 * Where a tracee is sent to make a system call that its own code hasn't. The trap behind gives it back; in the child of
 * a fork, and after an exec, nothing comes back.
 */
void prove_tracee_gate(void);
__asm__(".text\n.globl prove_tracee_gate\n.hidden prove_tracee_gate\n.type prove_tracee_gate, @function\n"
	"prove_tracee_gate:\n\tsyscall\n\tint3\n.size prove_tracee_gate, . - prove_tracee_gate\n");

static struct user_regs_struct gate(struct user_regs_struct values, long number)
{
	values.rip = (uintptr_t)prove_tracee_gate;
	values.rax = (unsigned long long)number;
	values.orig_rax = (unsigned long long)-1; /* no system call that the kernel would restart */
	return values;
}

/* Run until an event of ptrace(2); signals that come first, such as SIGCHLD, are handed on. */
static void until_event(struct prove_tracee *tracee, int event, const char *what)
{
	tracee->status = 0;
	do {
		resume(tracee, PTRACE_CONT);
		await(tracee, test_deadline());
	} while (tracee->where == PROVE_INSIDE && tracee->status >> 8 != event && WSTOPSIG(tracee->status) != SIGTRAP);
	if (tracee->where != PROVE_INSIDE || tracee->status >> 8 != event)
		prove_broken("%s was not done: status 0x%x", what, tracee->status);
}

void prove_tracee_fork(struct prove_tracee *tracee, void (*function)(void), struct prove_actor *ret_child)
{
	enum prove_where where = tracee->where;
	struct user_regs_struct before = registers(tracee);
	struct prove_tracee child = {.run = tracee->run};
	struct user_regs_struct values;
	unsigned long pid;
	int status;

	set_registers(tracee, gate(before, SYS_fork));
	until_event(tracee, EVENT(FORK), "fork(2)");
	trace(tracee, PTRACE_GETEVENTMSG, 0, (uintptr_t)&pid);
	child.pid = (pid_t)pid;
	while (waitpid(child.pid, &status, __WALL) < 0 && errno == EINTR)
		;
	values = registers(&child);
	values.rip = (uintptr_t)function;
	values.orig_rax = (unsigned long long)-1;
	/* Below the red zone of what was interrupted, and as a call would leave it. */
	values.rsp = ((values.rsp - 1024) & ~(unsigned long long)15) - sizeof(uintptr_t);
	set_registers(&child, values);
	trace(&child, PTRACE_DETACH, 0, 0);
	actor(child.pid, ret_child);
	until_event(tracee, SIGTRAP, "the way back from fork(2)");
	set_registers(tracee, before);
	tracee->at = before.rip;
	tracee->where = where;
}

void prove_tracee_exec(struct prove_tracee *tracee, const char *const argv[], struct prove_actor *ret_actor)
{
	struct user_regs_struct values = gate(registers(tracee), SYS_execve);
	static const char *const environment[] = {NULL};

	values.rdi = (uintptr_t)argv[0];
	values.rsi = (uintptr_t)argv;
	values.rdx = (uintptr_t)environment;
	tracee->back = 0;
	set_registers(tracee, values);
	until_event(tracee, EVENT(EXEC), "execve(2)");
	trace(tracee, PTRACE_DETACH, 0, 0);
	actor(tracee->pid, ret_actor);
	tracee->pid = 0;
}
