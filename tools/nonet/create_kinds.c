/* SPDX-License-Identifier: Apache-2.0 */
#include "create.h"

#include <nonet/address.h>
#include <nonet/channel.h>
#include <nonet/condition.h>
#include <nonet/event.h>
#include <nonet/filelock.h>
#include <nonet/mapfile.h>
#include <nonet/memory.h>
#include <nonet/mutex.h>
#include <nonet/pipe.h>
#include <nonet/queue.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>

#include "say.h"
#include "suggest.h"

static int create_fifo(const struct create_wish *wish, struct nonet_error *reterr)
{
	return nonet_pipe_create(nonet_address_name(wish->address, NULL), wish->mode ? wish->mode : 0600, reterr);
}

static int create_queue(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_queue_options queue_options = {
		.size = sizeof(queue_options),
		.mode = wish->mode,
		.depth = (uint32_t)wish->depth,
		.message_size = wish->message_size,
	};
	struct nonet_queue *queue;
	int r = nonet_queue_create(wish->given, &queue_options, &queue, reterr);

	if (r == 0)
		nonet_queue_close(queue);
	return r;
}

static int create_semaphore(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_semaphore_options semaphore_options = {
		.size = sizeof(semaphore_options),
		.flags = wish->signals ? NONET_SEMAPHORE_SIGNAL : 0,
		.mode = wish->mode,
		.value = (uint32_t)wish->value,
		.count = (uint32_t)wish->count,
	};
	struct nonet_semaphore *semaphore;
	int r = nonet_semaphore_create(wish->given, &semaphore_options, NONET_NOW, &semaphore, reterr);

	if (r == 0)
		nonet_semaphore_close(semaphore);
	return r;
}

static int create_memory(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_memory_options memory_options = {
		.size = sizeof(memory_options),
		.length = wish->size,
		.mode = wish->mode,
	};
	struct nonet_memory *memory;
	int r = nonet_memory_create(wish->given, &memory_options, &memory, reterr);

	if (r == 0)
		nonet_memory_close(memory);
	return r;
}

static int create_file(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_mapfile_options file_options = {
		.size = sizeof(file_options),
		.length = wish->size,
		.mode = wish->mode,
	};
	struct nonet_mapfile *file;
	int r = nonet_mapfile_create(nonet_address_name(wish->address, NULL), &file_options, &file, reterr);

	if (r == 0)
		nonet_mapfile_close(file);
	return r;
}

static int create_lock(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_filelock_options lock_options = {
		.size = sizeof(lock_options),
		.flags = NONET_FILELOCK_CREATE,
		.mode = wish->mode,
	};
	struct nonet_filelock *lock;
	int r = nonet_filelock_open(wish->given, &lock_options, &lock, reterr);

	if (r == 0)
		nonet_filelock_close(lock);
	return r;
}

static int create_mutex(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_mutex_options mutex_options = {
		.size = sizeof(mutex_options),
		.flags = (wish->recursive ? NONET_MUTEX_RECURSIVE : 0) | (wish->trace ? NONET_MUTEX_TRACE : 0),
		.mode = wish->mode,
		.rank = (uint32_t)wish->rank,
	};
	struct nonet_mutex *mutex;
	int r = nonet_mutex_create(wish->given, &mutex_options, &mutex, reterr);

	if (r == 0)
		nonet_mutex_close(mutex);
	return r;
}

static int create_rwlock(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_rwlock_options rwlock_options = {
		.size = sizeof(rwlock_options),
		.flags = wish->trace ? NONET_RWLOCK_TRACE : 0,
		.mode = wish->mode,
		.rank = (uint32_t)wish->rank,
		.readers = (uint32_t)wish->readers,
	};
	struct nonet_rwlock *rwlock;
	int r = nonet_rwlock_create(wish->given, &rwlock_options, &rwlock, reterr);

	if (r == 0)
		nonet_rwlock_close(rwlock);
	return r;
}

static int create_condition(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_condition_options condition_options = {
		.size = sizeof(condition_options),
		.mode = wish->mode,
	};
	struct nonet_condition *condition;
	int r = nonet_condition_create(wish->given, &condition_options, &condition, reterr);

	if (r == 0)
		nonet_condition_close(condition);
	return r;
}

static int create_event(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_event_options event_options = {
		.size = sizeof(event_options),
		.flags = (wish->set ? NONET_EVENT_SET : 0) | (wish->trace ? NONET_EVENT_TRACE : 0),
		.mode = wish->mode,
	};
	struct nonet_event *event;
	int r = nonet_event_create(wish->given, &event_options, &event, reterr);

	if (r == 0)
		nonet_event_close(event);
	return r;
}

static int create_channel(const struct create_wish *wish, struct nonet_error *reterr)
{
	const struct nonet_channel_options channel_options = {
		.size = sizeof(channel_options),
		.flags = wish->clients ? NONET_CHANNEL_CALLS : 0,
		.mode = wish->mode,
		.policy = wish->policy,
		.publishers = (uint32_t)(wish->clients ? wish->clients : wish->publishers),
		.subscribers = (uint32_t)wish->subscribers,
		.lane = wish->lane,
	};

	return nonet_channel_create(wish->given, &channel_options, reterr);
}

/* Which options mean something for a kind. */
enum {
	WITH_SIZE = 1, /* and it has to be said */
	WITH_DEPTH = 2,
	WITH_VALUE = 4,
	WITH_COUNT = 8,
	WITH_RANK = 16,
	WITH_TRACE = 32,
	WITH_READERS = 64,
	WITH_RECURSIVE = 128,
	WITH_SIGNAL = 256,
	WITH_SET = 512,
	WITH_LANES = 1024,
};

static const struct kind {
	enum nonet_scheme scheme;
	int with;
	int (*create)(const struct create_wish *wish, struct nonet_error *reterr);
} kinds[] = {
	{NONET_SCHEME_FIFO, 0, create_fifo},
	{NONET_SCHEME_POSIXMQ, WITH_DEPTH, create_queue},
	{NONET_SCHEME_SYSVMSG, WITH_DEPTH, create_queue},
	{NONET_SCHEME_POSIXSEM, WITH_VALUE, create_semaphore},
	{NONET_SCHEME_SYSVSEM, WITH_VALUE | WITH_COUNT, create_semaphore},
	{NONET_SCHEME_SEMAPHORE, WITH_VALUE | WITH_SIGNAL, create_semaphore},
	{NONET_SCHEME_MUTEX, WITH_RANK | WITH_RECURSIVE | WITH_TRACE, create_mutex},
	{NONET_SCHEME_RWLOCK, WITH_RANK | WITH_READERS | WITH_TRACE, create_rwlock},
	{NONET_SCHEME_CONDITION, 0, create_condition},
	{NONET_SCHEME_EVENT, WITH_SET | WITH_TRACE, create_event},
	{NONET_SCHEME_CHANNEL, WITH_LANES, create_channel},
	{NONET_SCHEME_POSIXSHM, WITH_SIZE, create_memory},
	{NONET_SCHEME_SYSVSHM, WITH_SIZE, create_memory},
	{NONET_SCHEME_FILE, WITH_SIZE, create_file},
	{NONET_SCHEME_OFDLOCK, 0, create_lock},
	{NONET_SCHEME_POSIXLOCK, 0, create_lock},
	{NONET_SCHEME_FLOCK, 0, create_lock},
};

static const struct kind *kind_of(const struct create_wish *wish)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].scheme == nonet_address_scheme(wish->address))
			return &kinds[i];
	return NULL;
}

static int refuse(const struct create_wish *wish)
{
	switch (nonet_address_scheme(wish->address)) {
	case NONET_SCHEME_UNIX:
	case NONET_SCHEME_UNIX_SEQPACKET:
	case NONET_SCHEME_UNIX_DGRAM:
	case NONET_SCHEME_TCP:
	case NONET_SCHEME_UDP:
		return say_usage("a socket is there as long as somebody has it open: \"nonet recv --listen %s\" has",
				 wish->given);
	default:
		return say_usage(
			"%s can't be made: fifo:, posixmq:, sysvmsg:, posixsem:, sysvsem:, semaphore:, mutex:, "
			"rwlock:, condition:, event:, channel:, posixshm:, sysvshm:, file:, ofdlock:, "
			"posixlock: and flock: can",
			wish->given);
	}
}

/* An option that means nothing for this kind isn't passed over in silence. Return: 0, or STATUS_USAGE. */
static int check_options(const struct create_wish *wish, int with)
{
	const char *scheme = nonet_scheme_name(nonet_address_scheme(wish->address));

	if (wish->size && with & WITH_LANES)
		return say_usage("--size is for memory and files; of a channel --lane says how large each lane is");
	if ((wish->has_policy || wish->publishers || wish->subscribers || wish->clients || wish->lane) &&
	    !(with & WITH_LANES))
		return say_usage(
			"--policy, --publishers, --subscribers, --clients and --lane are for channel:, not for "
			"%s:",
			scheme);
	if (wish->clients && (wish->has_policy || wish->publishers || wish->subscribers))
		return say_usage(
			"--clients makes a channel for calls: --policy, --publishers and --subscribers are for "
			"one that isn't");
	if (wish->size && !(with & WITH_SIZE))
		return say_usage("--size is for memory and files: %s: has none", scheme);
	if (!wish->size && (with & WITH_SIZE))
		return say_usage("needs --size for %s:, for example --size 64K", scheme);
	if ((wish->depth || wish->message_size) && !(with & WITH_DEPTH))
		return say_usage("--depth and --message-size are for queues, not for %s:", scheme);
	if ((with & WITH_SIGNAL) && !wish->signals && !wish->value)
		return say_usage("needs --value for %s:, as each permit is somebody's or free; or --signal, so that it "
				 "is posted to",
				 scheme);
	if (wish->has_value && !(with & WITH_VALUE))
		return say_usage("--value is for semaphores, not for %s:", scheme);
	if (wish->count && !(with & WITH_COUNT))
		return say_usage("--count is for sysvsem:, not for %s:", scheme);
	if (wish->rank && !(with & WITH_RANK))
		return say_usage("--rank is for a mutex or rwlock, not for %s:", scheme);
	if (wish->readers && !(with & WITH_READERS))
		return say_usage("--readers is for an rwlock, not for %s:", scheme);
	if (wish->set && !(with & WITH_SET))
		return say_usage("--set is for an event, not for %s:", scheme);
	if (wish->signals && !(with & WITH_SIGNAL))
		return say_usage("--signal is for semaphore:, not for %s:", scheme);
	if (wish->recursive && !(with & WITH_RECURSIVE))
		return say_usage("--recursive is for a mutex, not for %s:", scheme);
	if (wish->trace && !(with & WITH_TRACE))
		return say_usage("--trace is for a mutex, rwlock or event, not for %s:", scheme);
	return 0;
}

int create_object(struct create_wish *wish)
{
	static const enum nonet_scheme takes[] = {NONET_SCHEME_FIFO,     NONET_SCHEME_POSIXMQ,   NONET_SCHEME_POSIXSEM,
						  NONET_SCHEME_POSIXSHM, NONET_SCHEME_FILE,      NONET_SCHEME_SYSVMSG,
						  NONET_SCHEME_SYSVSEM,  NONET_SCHEME_SYSVSHM,   NONET_SCHEME_FLOCK,
						  NONET_SCHEME_OFDLOCK,  NONET_SCHEME_POSIXLOCK, NONET_SCHEME_MUTEX,
						  NONET_SCHEME_RWLOCK,   NONET_SCHEME_CONDITION, NONET_SCHEME_SEMAPHORE,
						  NONET_SCHEME_EVENT,    NONET_SCHEME_CHANNEL,   0};
	const struct kind *kind;
	struct nonet_error error;
	int status;

	if (suggest_parse(wish->given, takes, &wish->address, &error) < 0)
		return say_error(&error, wish->given);
	kind = kind_of(wish);
	status = kind ? check_options(wish, kind->with) : refuse(wish);
	if (status == 0 && kind->create(wish, &error) < 0)
		status = say_error(&error, wish->given);
	nonet_address_free(wish->address);
	return status;
}
