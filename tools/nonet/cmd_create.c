/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <nonet/channel.h>

#include "create.h"
#include "parse.h"
#include "say.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet create [OPTION]... ADDRESS\n"
	"\n"
	"Make a FIFO, queue, channel, semaphore, mutex, rwlock, condition, event, shared memory, file to map, or file\n"
	"to lock.\n"
	"It is whole, and has its mode whatever the umask, before anybody can use it; what is there already is never\n"
	"changed.\n"
	"\n"
	"      --mode MODE      permissions in octal; 0600 by default\n"
	"      --size SIZE      memory and files: how large, which has to be said: 4096, 64K, 16M, 1G\n"
	"      --depth N        queues: how many messages they have room for; as the system is set up by default\n"
	"      --message-size SIZE\n"
	"                       queues: the largest message; as the system is set up by default\n"
	"      --value N        semaphores: permits at first; 0 by default; of semaphore: all, and at least 1\n"
	"      --count N        sysvsem: how many are in the set; 1 by default\n"
	"      --rank N         mutex, rwlock: lockable only by who holds mutexes of lower ranks, or none\n"
	"      --signal         semaphore: posted by one, waited for by another: nobody's permits, which may begin at "
	"0\n"
	"      --recursive      mutex: a thread that holds it may lock it again\n"
	"      --readers N      rwlock: how many may read at once: 64 to 1024; 128 by default\n"
	"      --set            event: it has happened already: who waits for it doesn't, until it is cleared\n"
	"      --policy POLICY  channel: when a subscriber is slow: block (publishers wait; the default), refuse "
	"(they\n"
	"                       are told), or drop (the oldest messages are overwritten)\n"
	"      --publishers N   channel: how many at once, to 63; 1 by default\n"
	"      --subscribers N  channel: how many at once, to 256; 16 by default\n"
	"      --clients N      channel: it is for calls (nonet call), and so many may call at once, to 63\n"
	"      --lane SIZE      channel: room for each publisher's messages, a power of two from 64K; 1M by default\n"
	"      --trace          mutex, rwlock, event: keep the last 64 operations for nonet show; costs some time\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet create --value 4 posixsem:/jobs\n";

enum {
	OPTION_MODE = PARSE_LONG,
	OPTION_SIZE,
	OPTION_DEPTH,
	OPTION_MESSAGE_SIZE,
	OPTION_VALUE,
	OPTION_COUNT,
	OPTION_LANE,
	OPTION_POLICY,
	OPTION_PUBLISHERS,
	OPTION_SUBSCRIBERS,
	OPTION_CLIENTS,
	OPTION_RANK,
	OPTION_READERS,
	OPTION_RECURSIVE,
	OPTION_SET,
	OPTION_SIGNAL,
	OPTION_TRACE,
};

static const struct option options[] = {
	{"help", no_argument, NULL, PARSE_HELP},
	{"mode", required_argument, NULL, OPTION_MODE},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"depth", required_argument, NULL, OPTION_DEPTH},
	{"message-size", required_argument, NULL, OPTION_MESSAGE_SIZE},
	{"value", required_argument, NULL, OPTION_VALUE},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"lane", required_argument, NULL, OPTION_LANE},
	{"policy", required_argument, NULL, OPTION_POLICY},
	{"publishers", required_argument, NULL, OPTION_PUBLISHERS},
	{"subscribers", required_argument, NULL, OPTION_SUBSCRIBERS},
	{"clients", required_argument, NULL, OPTION_CLIENTS},
	{"rank", required_argument, NULL, OPTION_RANK},
	{"readers", required_argument, NULL, OPTION_READERS},
	{"recursive", no_argument, NULL, OPTION_RECURSIVE},
	{"set", no_argument, NULL, OPTION_SET},
	{"signal", no_argument, NULL, OPTION_SIGNAL},
	{"trace", no_argument, NULL, OPTION_TRACE},
	{NULL, 0, NULL, 0},
};

/* What the kernel's limits leave of a number is the library's to say; but it has to fit its options. */
#define NUMBER_MAX UINT32_MAX

/* Return: 0, or STATUS_USAGE. */
static int take_policy(struct create_wish *wish)
{
	static const char *const policies[] = {
		[NONET_CHANNEL_BLOCK] = "block",
		[NONET_CHANNEL_REFUSE] = "refuse",
		[NONET_CHANNEL_DROP] = "drop",
		NULL,
	};

	wish->has_policy = 1;
	for (wish->policy = 0; policies[wish->policy]; wish->policy++)
		if (strcmp(policies[wish->policy], optarg) == 0)
			return 0;
	return say_usage("--policy is block, refuse or drop, not \"%s\"", optarg);
}

/* Return: 0, or STATUS_USAGE. */
static int take_option(int option, void *request)
{
	struct create_wish *wish = request;
	int value = 0, r;

	switch (option) {
	case OPTION_MODE:
		return parse_mode("--mode", optarg, &wish->mode);
	case OPTION_SIZE:
		return parse_size("--size", optarg, INT64_MAX, &wish->size);
	case OPTION_DEPTH:
		r = parse_count("--depth", optarg, &wish->depth);
		break;
	case OPTION_MESSAGE_SIZE:
		return parse_size("--message-size", optarg, INT64_MAX, &wish->message_size);
	case OPTION_COUNT:
		r = parse_count("--count", optarg, &wish->count);
		break;
	case OPTION_LANE:
		return parse_size("--lane", optarg, INT64_MAX, &wish->lane);
	case OPTION_POLICY:
		return take_policy(wish);
	case OPTION_PUBLISHERS:
		r = parse_count("--publishers", optarg, &wish->publishers);
		break;
	case OPTION_SUBSCRIBERS:
		r = parse_count("--subscribers", optarg, &wish->subscribers);
		break;
	case OPTION_CLIENTS:
		r = parse_count("--clients", optarg, &wish->clients);
		break;
	case OPTION_RANK:
		r = parse_count("--rank", optarg, &wish->rank);
		break;
	case OPTION_READERS:
		r = parse_count("--readers", optarg, &wish->readers);
		break;
	case OPTION_RECURSIVE:
		wish->recursive = 1;
		return 0;
	case OPTION_SET:
		wish->set = 1;
		return 0;
	case OPTION_SIGNAL:
		wish->signals = 1;
		return 0;
	case OPTION_TRACE:
		wish->trace = 1;
		return 0;
	default:
		r = parse_whole("--value", optarg, &value);
		wish->value = (uint64_t)value;
		wish->has_value = 1;
	}
	if (r == 0 && (wish->depth > NUMBER_MAX || wish->count > NUMBER_MAX || wish->rank > NUMBER_MAX ||
		       wish->readers > NUMBER_MAX || wish->publishers > NUMBER_MAX || wish->subscribers > NUMBER_MAX ||
		       wish->clients > NUMBER_MAX))
		return say_usage("\"%s\" is too many", optarg);
	return r;
}

static int run(int argc, char *argv[])
{
	const struct verb_options read = {":h", options, take_option};
	struct create_wish wish = {0};
	int status;

	if (!verb_read_options(&verb_create, &read, argc, argv, &wish, &status))
		return status;
	if (optind + 1 != argc)
		return say_usage("needs one address, for example posixmq:/jobs: nonet create ADDRESS");
	wish.given = argv[optind];
	return create_object(&wish);
}

const struct verb verb_create = {
	.name = "create",
	.summary = "make a FIFO, queue, channel, semaphore, mutex, event, memory or file",
	.help = help,
	.run = run,
};
