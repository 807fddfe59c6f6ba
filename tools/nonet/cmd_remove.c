/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include <nonet/address.h>
#include <nonet/channel.h>
#include <nonet/condition.h>
#include <nonet/event.h>
#include <nonet/mapfile.h>
#include <nonet/memory.h>
#include <nonet/mutex.h>
#include <nonet/pipe.h>
#include <nonet/queue.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>
#include <nonet/unix.h>

#include "parse.h"
#include "say.h"
#include "suggest.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet remove [--force] ADDRESS...\n"
	"\n"
	"Remove FIFOs, queues, channels, semaphores, mutexes, events and the like, shared memory and files, and names "
	"of "
	"sockets\n"
	"that nobody has open any more.\n"
	"Who has one open keeps it, but for System V queues and semaphores: those are gone at once.\n"
	"\n"
	"  -f, --force          what isn't there is no failure\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet remove posixsem:/jobs sysvshm:0x4e01\n";

static const struct option options[] = {
	{"force", no_argument, NULL, 'f'},
	{"help", no_argument, NULL, PARSE_HELP},
	{NULL, 0, NULL, 0},
};

static int remove_fifo(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_pipe_unlink(nonet_address_name(address, NULL), reterr);
}

static int remove_queue(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_queue_unlink(nonet_address_text(address), reterr);
}

static int remove_semaphore(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_semaphore_unlink(nonet_address_text(address), reterr);
}

static int remove_mutex(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_mutex_unlink(nonet_address_text(address), reterr);
}

static int remove_rwlock(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_rwlock_unlink(nonet_address_text(address), reterr);
}

static int remove_condition(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_condition_unlink(nonet_address_text(address), reterr);
}

static int remove_event(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_event_unlink(nonet_address_text(address), reterr);
}

static int remove_channel(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_channel_unlink(nonet_address_text(address), reterr);
}

static int remove_memory(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_memory_unlink(nonet_address_text(address), reterr);
}

static int remove_file(const struct nonet_address *address, struct nonet_error *reterr)
{
	return nonet_mapfile_unlink(nonet_address_name(address, NULL), reterr);
}

/* A name that nobody has open is taken over as a listener does it, who removes it when he leaves. */
static int remove_socket(const struct nonet_address *address, struct nonet_error *reterr)
{
	const struct nonet_unix_options unix_options = {.size = sizeof(unix_options), .mode = 0600};
	const char *path = nonet_address_name(address, NULL);
	struct nonet_unix_listener *listener;
	struct stat info;
	int r;

	if (nonet_address_is_abstract(address) || lstat(path, &info) < 0) {
		*reterr = (struct nonet_error){.code = -ENOENT, .position = -1};
		snprintf(reterr->text, sizeof(reterr->text), "there is no %s", nonet_address_text(address));
		return -ENOENT;
	}
	r = nonet_unix_listen(path, NONET_UNIX_STREAM, &unix_options, nonet_after(NONET_S(5)), &listener, reterr);
	if (r == 0)
		nonet_unix_listener_close(listener);
	return r;
}

static const struct kind {
	enum nonet_scheme scheme;
	int (*remove)(const struct nonet_address *address, struct nonet_error *reterr);
} kinds[] = {
	{NONET_SCHEME_FIFO, remove_fifo},           {NONET_SCHEME_POSIXMQ, remove_queue},
	{NONET_SCHEME_SYSVMSG, remove_queue},       {NONET_SCHEME_POSIXSEM, remove_semaphore},
	{NONET_SCHEME_SYSVSEM, remove_semaphore},   {NONET_SCHEME_POSIXSHM, remove_memory},
	{NONET_SCHEME_SYSVSHM, remove_memory},      {NONET_SCHEME_FILE, remove_file},
	{NONET_SCHEME_UNIX, remove_socket},         {NONET_SCHEME_UNIX_SEQPACKET, remove_socket},
	{NONET_SCHEME_UNIX_DGRAM, remove_socket},   {NONET_SCHEME_MUTEX, remove_mutex},
	{NONET_SCHEME_SEMAPHORE, remove_semaphore}, {NONET_SCHEME_RWLOCK, remove_rwlock},
	{NONET_SCHEME_CONDITION, remove_condition}, {NONET_SCHEME_EVENT, remove_event},
	{NONET_SCHEME_CHANNEL, remove_channel},
};

static int refuse(const struct nonet_address *address, const char *given)
{
	switch (nonet_address_scheme(address)) {
	case NONET_SCHEME_OFDLOCK:
	case NONET_SCHEME_POSIXLOCK:
	case NONET_SCHEME_FLOCK:
		return say_usage(
			"a lock is there as long as somebody holds it; \"nonet remove file:%s\" removes its file",
			nonet_address_name(address, NULL));
	default:
		return say_usage("%s can't be removed: fifo:, posixmq:, sysvmsg:, posixsem:, sysvsem:, semaphore:, "
				 "mutex:, rwlock:, condition:, event:, channel:, posixshm:, sysvshm:, file:, unix:, "
				 "unix-seqpacket: and unix-dgram: can",
				 given);
	}
}

static int remove_one(const char *given, int force)
{
	static const enum nonet_scheme takes[] = {
		NONET_SCHEME_FIFO,      NONET_SCHEME_UNIX,  NONET_SCHEME_POSIXMQ, NONET_SCHEME_POSIXSEM,
		NONET_SCHEME_POSIXSHM,  NONET_SCHEME_FILE,  NONET_SCHEME_SYSVMSG, NONET_SCHEME_SYSVSEM,
		NONET_SCHEME_SYSVSHM,   NONET_SCHEME_MUTEX, NONET_SCHEME_RWLOCK,  NONET_SCHEME_CONDITION,
		NONET_SCHEME_SEMAPHORE, NONET_SCHEME_EVENT, NONET_SCHEME_CHANNEL, 0};
	struct nonet_address *address;
	struct nonet_error error;
	int status = STATUS_DONE, r;
	size_t i;

	if (suggest_parse(given, takes, &address, &error) < 0)
		return say_error(&error, given);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && kinds[i].scheme != nonet_address_scheme(address); i++)
		;
	if (i == sizeof(kinds) / sizeof(kinds[0])) {
		status = refuse(address, given);
	} else {
		r = kinds[i].remove(address, &error);
		if (r < 0 && !(force && r == -ENOENT))
			status = say_error(&error, given);
	}
	nonet_address_free(address);
	return status;
}

/* There is only one. */
static int take_option(int option, void *request)
{
	(void)option;
	*(int *)request = 1;
	return 0;
}

static int run(int argc, char *argv[])
{
	const struct verb_options read = {":fh", options, take_option};
	int force = 0, status = STATUS_DONE;

	if (!verb_read_options(&verb_remove, &read, argc, argv, &force, &status))
		return status;
	status = STATUS_DONE;
	if (optind == argc)
		return say_usage("needs an address, for example posixmq:/jobs: nonet remove ADDRESS...");
	/* One that can't be removed doesn't keep the others. */
	for (; optind < argc; optind++) {
		int one = remove_one(argv[optind], force);

		status = status == STATUS_DONE ? one : status;
	}
	return status;
}

const struct verb verb_remove = {
	.name = "remove",
	.summary = "remove FIFOs, queues, channels, semaphores, mutexes, events, memory, files and stale sockets",
	.help = help,
	.run = run,
};
