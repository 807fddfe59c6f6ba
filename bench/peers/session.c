/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nonet/error.h>

#include "side.h"

#define SESSION_PLACE "/dev/shm"

struct session {
	char name[64];
	char directory[96];
	bool made;
	struct peer_session peer;
	struct session_shared *shared;
	int control[2];
	pid_t pid[2];
	int pidfd[2];
};

static volatile sig_atomic_t session_interrupted;

static void session_interrupt(int number)
{
	session_interrupted = number;
}

void session_catch(void)
{
	const struct sigaction action = {.sa_handler = session_interrupt};
	sigset_t caught;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* They come in ppoll(2) alone: one that came just before it would be slept over. */
	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigprocmask(SIG_BLOCK, &caught, NULL);
}

static int session_remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	(void)remove(path);
	return 0;
}

/* Whatever has the session's name in its own, whoever made it: those who were killed have removed nothing. */
static void session_clean(const char *name)
{
	DIR *directory = opendir(SESSION_PLACE);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)) != NULL) {
		char path[sizeof(SESSION_PLACE) + sizeof(entry->d_name) + 1];

		if (!strstr(entry->d_name, name))
			continue;
		snprintf(path, sizeof(path), SESSION_PLACE "/%s", entry->d_name);
		(void)nftw(path, session_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
	if (directory)
		closedir(directory);
}

static void session_end(struct session *session)
{
	for (int side = 0; side < 2; side++) {
		if (session->pid[side] > 0) {
			kill(session->pid[side], SIGKILL);
			waitpid(session->pid[side], NULL, 0);
		}
		if (session->pidfd[side] >= 0)
			close(session->pidfd[side]);
		if (session->control[side] >= 0)
			close(session->control[side]);
	}
	if (session->peer.memory)
		munmap(session->peer.memory, session->peer.memory_size);
	if (session->shared)
		munmap(session->shared, sizeof(*session->shared));
	if (session->made)
		session_clean(session->name);
}

static void *session_map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int session_begin(struct session *session, size_t size)
{
	static unsigned number;

	*session = (struct session){.control = {-1, -1}, .pidfd = {-1, -1}};
	snprintf(session->name, sizeof(session->name), "nonet-peers-%d-%u", (int)getpid(), number++);
	snprintf(session->directory, sizeof(session->directory), SESSION_PLACE "/%s", session->name);
	if (mkdir(session->directory, 0700) < 0)
		return -errno;
	session->made = true;
	session->peer.name = session->name;
	session->peer.directory = session->directory;
	session->peer.size = size;
	session->peer.memory_size = PEER_MEMORY(size);
	session->peer.memory = session_map(session->peer.memory_size);
	session->shared = session_map(sizeof(*session->shared));
	if (!session->peer.memory || !session->shared)
		return -ENOMEM;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, session->control) < 0 ? -errno : 0;
}

static _Noreturn void session_child(struct session *session, int number, const struct session_entry *entry,
				    const struct session_options *options, pid_t parent)
{
	struct side side = {.entry = entry, .options = options, .shared = session->shared};
	sigset_t none;
	int error;

	/* It may be in a call that waits for ever. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Our output is the table's; some libraries have much to say. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	close(session->control[!number]);
	session->peer.side = number;
	side.session = &session->peer;
	side.control = session->control[number];
	error = number ? side_answer(&side) : side_ask(&side);
	if (error < 0 && !session->shared->outcome.error)
		session->shared->outcome.error = error;
	/* Some libraries take leave then. */
	exit(error != 0);
}

static int session_fork(struct session *session, int number, const struct session_entry *entry,
			const struct session_options *options)
{
	pid_t parent = getpid();

	fflush(NULL);
	session->pid[number] = fork();
	if (session->pid[number] < 0)
		return -errno;
	if (session->pid[number] == 0)
		session_child(session, number, entry, options, parent);
	close(session->control[number]);
	session->control[number] = -1;
	session->pidfd[number] = (int)syscall(SYS_pidfd_open, session->pid[number], 0);
	return session->pidfd[number] < 0 ? -errno : 0;
}

/* Until @number has ended; -1: one of the two. Return: 0; 1: it is too late; or a negative errno. */
static int session_wait(struct session *session, int number, nonet_time deadline)
{
	struct pollfd ends[2] = {{.fd = session->pidfd[0], .events = POLLIN},
				 {.fd = session->pidfd[1], .events = POLLIN}};
	bool both = number < 0;
	sigset_t none;

	sigemptyset(&none);
	for (;;) {
		nonet_time left = deadline - nonet_clock();
		struct timespec timeout = {.tv_sec = left / NONET_S(1), .tv_nsec = left % NONET_S(1)};
		int ready;

		if (left <= 0)
			return 1;
		ready = ppoll(both ? ends : &ends[number], both ? 2 : 1, &timeout, &none);
		if (session_interrupted)
			return -EINTR;
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

/* How a process ended, if it has, and if that says why nothing was measured. */
static void session_tell(struct session *session, int number, struct session_outcome *outcome)
{
	const char *name = number ? "b" : "a";
	int status = 0;

	if (session->pid[number] <= 0 || waitpid(session->pid[number], &status, WNOHANG) != session->pid[number])
		return;
	session->pid[number] = 0;
	/* What it said itself is better; but that the other one is gone explains nothing. */
	if (status == 0 || outcome->why[0] || (WIFEXITED(status) && outcome->error))
		return;
	outcome->error = -ECHILD;
	if (WIFSIGNALED(status))
		snprintf(outcome->why, sizeof(outcome->why), "%s was killed by SIG%s", name,
			 sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(outcome->why, sizeof(outcome->why), "%s ended with status %d", name, WEXITSTATUS(status));
}

/* Both have ended, or one has failed, and the other would wait for ever. Return: as session_wait(). */
static int session_wait_both(struct session *session, nonet_time deadline)
{
	struct session_outcome *outcome = &session->shared->outcome;
	int result = session_wait(session, -1, deadline);

	for (int number = 0; number < 2; number++)
		session_tell(session, number, outcome);
	for (int number = 0; number < 2 && !result && (!outcome->error || outcome->error == -EPIPE); number++) {
		if (session->pid[number] > 0)
			result = session_wait(session, number, deadline);
		session_tell(session, number, outcome);
	}
	return result;
}

int session_run(const struct session_entry *entry, size_t size, const struct session_options *options,
		struct session_outcome *ret_outcome)
{
	nonet_time deadline = nonet_after(options->patience);
	struct session session;
	int error = session_begin(&session, size);
	int result = 0;

	for (int number = 1; number >= 0 && !error; number--)
		error = session_fork(&session, number, entry, options);
	if (!error)
		result = session_wait_both(&session, deadline);
	if (session.shared)
		*ret_outcome = session.shared->outcome;
	else
		*ret_outcome = (struct session_outcome){.error = error};
	if (result == 1 && !ret_outcome->error) {
		ret_outcome->error = -ETIMEDOUT;
		snprintf(ret_outcome->why, sizeof(ret_outcome->why), "it wasn't done within %lld s",
			 (long long)(options->patience / NONET_S(1)));
	} else if (error || result < 0) {
		ret_outcome->error = error ? error : result;
	}
	if (ret_outcome->error && !ret_outcome->why[0])
		snprintf(ret_outcome->why, sizeof(ret_outcome->why), "%s", nonet_error_name(ret_outcome->error));
	session_end(&session);
	return result == -EINTR ? -EINTR : 0;
}
