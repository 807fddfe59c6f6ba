/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include <nonet/signal.h>

#include "base/error.h"
#include "process/process.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "sys/signals.h"
#include "sys/spawn.h"

#define SPAWN_STREAMS 3

static const char *const spawn_stream_names[SPAWN_STREAMS] = {"input", "output", "error"};

/* What a spawn has in hand until the child runs. */
struct spawn {
	const struct nonet_process_stream *streams[SPAWN_STREAMS];
	struct nonet_pipe *ours[SPAWN_STREAMS];
	struct nonet_pipe *theirs[SPAWN_STREAMS];
	int null; /* /dev/null, -1: nobody wants it */
	struct sys_spawn_descriptor *descriptors;
	size_t count;
};

static int spawn_check_descriptors(const struct nonet_process_options *options, struct nonet_error *reterr)
{
	const struct nonet_process_descriptor *all = options->descriptors;

	if (options->descriptors_count > NONET_PROCESS_DESCRIPTORS_MAX)
		return error_set(reterr, -EINVAL, "%u descriptors are more than the %d that a child can be given",
				 options->descriptors_count, NONET_PROCESS_DESCRIPTORS_MAX);
	for (uint32_t i = 0; i < options->descriptors_count; i++) {
		if (all[i].theirs < SPAWN_STREAMS)
			return error_set(reterr, -EINVAL,
					 "a child's descriptor %d can't be given as one beside its streams: they begin "
					 "with %d",
					 all[i].theirs, SPAWN_STREAMS);
		for (uint32_t j = 0; j < i; j++)
			if (all[j].theirs == all[i].theirs)
				return error_set(reterr, -EINVAL, "two descriptors are both to be the child's %d",
						 all[i].theirs);
	}
	return 0;
}

static int spawn_check(const char *const *arguments, const struct nonet_process_options *options,
		       struct nonet_error *reterr)
{
	if (!arguments || !arguments[0])
		return error_set(reterr, -EINVAL, "no program to run: its name is the first argument");
	if (!options)
		return 0;
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL,
				 "the process options' size is %u, but this library's are of %zu bytes", options->size,
				 sizeof(*options));
	if (options->flags & ~NONET_PROCESS_NEW_GROUP || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the process options have unknown flags or a reserved field set");
	if (options->input.kind > NONET_PROCESS_DESCRIPTOR || options->output.kind > NONET_PROCESS_DESCRIPTOR ||
	    options->error.kind > NONET_PROCESS_DESCRIPTOR)
		return error_set(reterr, -EINVAL, "one of the streams leads to no kind of place that there is");
	if (options->death_signal != 0 && !sys_signal_is_known(options->death_signal))
		return error_set(
			reterr, -EINVAL,
			"%d, to be sent when the parent dies, is no signal that can be sent: they go from 1 to "
			"%d, less %d to %d",
			options->death_signal, SIGRTMAX, SIGSYS + 1, SIGRTMIN - 1);
	return spawn_check_descriptors(options, reterr);
}

/* The child's end blocks, as programs expect of their streams. */
static int spawn_make_pipe(struct spawn *spawn, int number, struct nonet_error *reterr)
{
	struct nonet_pipe *reader, *writer;
	int flags;
	int fd;
	int error = nonet_pipe_new(NULL, &reader, &writer, reterr);

	if (error < 0)
		return error;
	spawn->ours[number] = number == 0 ? writer : reader;
	spawn->theirs[number] = number == 0 ? reader : writer;
	fd = nonet_pipe_fd(spawn->theirs[number]);
	flags = sys_get_flags(fd);
	error = flags < 0 ? flags : sys_set_flags(fd, flags & ~O_NONBLOCK);
	if (error < 0)
		return error_set(reterr, error, "can't set up the pipe for a child's standard %s: %s",
				 spawn_stream_names[number], error_reason(error));
	return nonet_pipe_fd(spawn->theirs[number]);
}

static int spawn_open_null(struct spawn *spawn, struct nonet_error *reterr)
{
	if (spawn->null >= 0)
		return spawn->null;
	spawn->null = sys_open("/dev/null", O_RDWR);
	if (spawn->null < 0)
		return error_set(reterr, spawn->null, "can't open /dev/null: %s", error_reason(spawn->null));
	return spawn->null;
}

/* The descriptor of ours that becomes a stream of the child's, or an error. */
static int spawn_stream_source(struct spawn *spawn, int number, struct nonet_error *reterr)
{
	switch (spawn->streams[number]->kind) {
	case NONET_PROCESS_NULL:
		return spawn_open_null(spawn, reterr);
	case NONET_PROCESS_PIPE:
		return spawn_make_pipe(spawn, number, reterr);
	default:
		if (spawn->streams[number]->descriptor < 0)
			return error_set(reterr, -EBADF, "the descriptor for a child's standard %s is %d",
					 spawn_stream_names[number], spawn->streams[number]->descriptor);
		return spawn->streams[number]->descriptor;
	}
}

/*
 * Those that the child inherits, as descriptors that stay where they are: so it has them even if they are CLOEXEC.
 * Before pipes are made, which could get the number of one that is closed here.
 */
static int spawn_inherit_streams(struct spawn *spawn, struct nonet_error *reterr)
{
	for (int i = 0; i < SPAWN_STREAMS; i++) {
		int flags;

		if (spawn->streams[i]->kind != NONET_PROCESS_INHERIT)
			continue;
		flags = sys_get_flags(i);
		if (flags >= 0)
			spawn->descriptors[spawn->count++] = (struct sys_spawn_descriptor){.from = i, .to = i};
		else if (flags != -EBADF)
			return error_set(reterr, flags, "can't look at standard %s, which a child is to inherit: %s",
					 spawn_stream_names[i], error_reason(flags));
	}
	return 0;
}

static int spawn_prepare(struct spawn *spawn, const struct nonet_process_options *options, struct nonet_error *reterr)
{
	static const struct nonet_process_options none;
	int error;

	if (!options)
		options = &none;
	spawn->streams[0] = &options->input;
	spawn->streams[1] = &options->output;
	spawn->streams[2] = &options->error;
	spawn->descriptors = sys_allocate((SPAWN_STREAMS + options->descriptors_count) * sizeof(*spawn->descriptors));
	if (!spawn->descriptors)
		return error_set(reterr, -ENOMEM, "no memory to start a process");
	error = spawn_inherit_streams(spawn, reterr);
	if (error < 0)
		return error;
	for (int i = 0; i < SPAWN_STREAMS; i++) {
		int fd;

		if (spawn->streams[i]->kind == NONET_PROCESS_INHERIT)
			continue;
		fd = spawn_stream_source(spawn, i, reterr);
		if (fd < 0)
			return fd;
		spawn->descriptors[spawn->count++] = (struct sys_spawn_descriptor){.from = fd, .to = i};
	}
	for (uint32_t i = 0; i < options->descriptors_count; i++)
		spawn->descriptors[spawn->count++] = (struct sys_spawn_descriptor){
			.from = options->descriptors[i].ours,
			.to = options->descriptors[i].theirs,
		};
	return 0;
}

/* As it may stand in a sentence. */
static const char *spawn_shown(const char *name)
{
	return *name ? name : "\"\"";
}

static int spawn_failed(int error, enum sys_spawn_step step, const char *program,
			const struct nonet_process_options *options, struct nonet_error *reterr)
{
	const char *reason = error_reason(error);

	switch (step) {
	case SYS_SPAWN_EXECUTE:
		if (error == -ENOENT)
			return error_set(reterr, error,
					 "can't run %s: there is no such program in PATH, or it is a script whose "
					 "interpreter doesn't exist",
					 program);
		return error_set(reterr, error, "can't run %s: %s", program, reason);
	case SYS_SPAWN_DIRECTORY:
		return error_set(reterr, error, "can't start %s in %s: %s", program, spawn_shown(options->directory),
				 reason);
	case SYS_SPAWN_DESCRIPTORS:
		return error_set(reterr, error,
				 "can't give %s its descriptors: %s; each has to be open here, and its number in the "
				 "child below RLIMIT_NOFILE (ulimit -n)",
				 program, reason);
	case SYS_SPAWN_DEATH_SIGNAL:
		return error_set(reterr, error, "can't have the kernel tell %s of its parent's death: %s", program,
				 reason);
	case SYS_SPAWN_GROUP:
		return error_set(reterr, error, "can't put %s into a process group of its own: %s", program, reason);
	default:
		if (error == -EAGAIN)
			return error_set(
				reterr, error,
				"can't start %s: no more processes are allowed for this user (ulimit -u), or in "
				"this cgroup (pids.max)",
				program);
		return error_set(reterr, error, "can't start %s: %s", program, reason);
	}
}

static int spawn_start(struct spawn *spawn, const char *const *arguments, const struct nonet_process_options *options,
		       struct nonet_process **ret_process, struct nonet_error *reterr)
{
	const struct sys_spawn plan = {
		.arguments = arguments,
		.environment = options ? options->environment : NULL,
		.directory = options ? options->directory : NULL,
		.descriptors = spawn->descriptors,
		.descriptors_count = spawn->count,
		.death_signal = options ? options->death_signal : 0,
		.new_group = options && options->flags & NONET_PROCESS_NEW_GROUP,
	};
	struct nonet_process *process;
	struct sys_spawned spawned;
	enum sys_spawn_step step;
	int error;

	/* The handle first: once the child runs, nothing may fail any more. */
	process = process_new(reterr);
	if (!process)
		return -ENOMEM;
	error = sys_spawn(&plan, &spawned, &step);
	if (error < 0) {
		sys_free(process);
		return spawn_failed(error, step, spawn_shown(arguments[0]), options, reterr);
	}
	process_hold(process, spawned.pidfd, spawned.pid, true);
	process->input = spawn->ours[0];
	process->output = spawn->ours[1];
	process->error = spawn->ours[2];
	*ret_process = process;
	return 0;
}

int nonet_process_spawn(const char *const *arguments, const struct nonet_process_options *options,
			struct nonet_process **ret_process, struct nonet_error *reterr)
{
	struct spawn spawn = {.null = -1};
	int cancel;
	int error = spawn_check(arguments, options, reterr);

	if (error < 0)
		return error;
	/* A thread that is cancelled in here would leave a child that nobody knows, pipes, and all signals blocked. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	error = spawn_prepare(&spawn, options, reterr);
	if (error == 0)
		error = spawn_start(&spawn, arguments, options, ret_process, reterr);
	for (int i = 0; i < SPAWN_STREAMS; i++) {
		nonet_pipe_close(spawn.theirs[i]);
		if (error < 0)
			nonet_pipe_close(spawn.ours[i]);
	}
	sys_close(&spawn.null);
	sys_free(spawn.descriptors);
	pthread_setcancelstate(cancel, NULL);
	return error;
}
