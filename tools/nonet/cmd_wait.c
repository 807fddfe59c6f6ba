/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include <nonet/address.h>
#include <nonet/wait.h>

#include "interrupt.h"
#include "output.h"
#include "parse.h"
#include "say.h"
#include "suggest.h"
#include "target.h"
#include "verb.h"

static const char help[] =
	"Usage: nonet wait [OPTION]... ADDRESS...\n"
	"\n"
	"Wait until something can be received from one of the addresses, or its other side has ended, or the process\n"
	"of pid:N has; until a message is published in a channel from now on, an event is set, a semaphore has a\n"
	"permit, a mutex, rwlock or file lock is free; and print that address. Nothing is taken; but a connection, or\n"
	"a FIFO that nobody else reads, is closed again at the end.\n"
	"\n"
	"      --all            until each of them was ready, and print each when it is\n"
	"  -t, --timeout TIME   give up after so long: 250ms, 1.5s, 2 (seconds); with it names need not be there "
	"yet\n"
	"      --json           print each as a line of JSON\n"
	"  -h, --help           print this\n"
	"\n"
	"Example: nonet wait --timeout 5s fifo:/tmp/a fifo:/tmp/b\n";

/* Sockets that aren't there yet are tried again as often as the library itself would. */
#define RETRY_MIN NONET_US(200)
#define RETRY_MAX NONET_MS(5)

struct waiter {
	struct target *targets;
	size_t count, wanted, open, ready;
	struct nonet_wait_set *set;
	int all, json, patient;
	nonet_time start, deadline;
};

enum {
	OPTION_ALL = PARSE_LONG,
	OPTION_JSON,
	OPTION_TIMEOUT,
};

static const struct option options[] = {
	{"all", no_argument, NULL, OPTION_ALL},
	{"help", no_argument, NULL, PARSE_HELP},
	{"json", no_argument, NULL, OPTION_JSON},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{NULL, 0, NULL, 0},
};

static int print_ready(const struct waiter *waiter, const struct target *target)
{
	const char *text = nonet_address_text(target->address);

	if (waiter->json)
		return output_json_line(json_pack("{s:s, s:f}", "address", text, "seconds",
						  (double)(nonet_clock() - waiter->start) / 1e9));
	printf("%s\n", text);
	return output_finish_stdio(STATUS_DONE);
}

static int is_absent(int code)
{
	return code == -EAGAIN || code == -ENOENT || code == -ECONNREFUSED;
}

static int be_ready(struct waiter *waiter, struct target *target)
{
	waiter->ready++;
	return print_ready(waiter, target);
}

static int wait_set_add(struct waiter *waiter, struct target *target)
{
	int r = nonet_wait_set_add(waiter->set, target_waitable(target), NONET_WAIT_RECEIVE, target);

	return r < 0 ? say_failure("can't wait for %s: %s", target->given, nonet_error_name(r)) : 0;
}

/* Opens what can be opened by now. Return: 0 or the exit status. */
static int open_targets(struct waiter *waiter)
{
	struct nonet_error error;
	struct target *target;
	size_t i;
	int r;

	for (i = 0; i < waiter->count; i++) {
		target = &waiter->targets[i];
		if (target->object)
			continue;
		r = target_open(target, &error);
		if (is_absent(r) && (waiter->patient || r == -EAGAIN))
			continue;
		if (r < 0)
			return say_error(&error, target->given);
		r = target_is_ready(target, &error);
		if (r < 0)
			return say_error(&error, NULL);
		waiter->open++;
		r = r ? be_ready(waiter, target) : wait_set_add(waiter, target);
		if (r || waiter->ready == waiter->wanted)
			return r;
	}
	return 0;
}

static int time_is_up(const struct waiter *waiter)
{
	size_t i;

	for (i = 0; i < waiter->count && waiter->targets[i].object; i++)
		;
	if (i < waiter->count)
		say_failure("nothing was ready within the timeout, and %s isn't there", waiter->targets[i].given);
	else
		say_failure("nothing was ready within the timeout");
	return STATUS_TIMEOUT;
}

static int wait_for_targets(struct waiter *waiter)
{
	nonet_time retry = RETRY_MIN, until;
	struct nonet_wait_event event;
	struct nonet_error error;
	struct target *target;
	size_t count;
	int r;

	for (;;) {
		r = open_targets(waiter);
		if (r || waiter->ready == waiter->wanted)
			return r;
		until = waiter->deadline;
		if (waiter->open < waiter->count && nonet_after(retry) < until) {
			until = nonet_after(retry);
			retry = retry * 2 < RETRY_MAX ? retry * 2 : RETRY_MAX;
		}
		r = nonet_wait(waiter->set, &event, 1, until, &count);
		if (r == -ETIMEDOUT && until != waiter->deadline)
			continue;
		if (r == -ETIMEDOUT || r == -EAGAIN)
			return time_is_up(waiter);
		if (r < 0)
			return say_failure("can't wait: %s", nonet_error_name(r));
		/* What is ours in a domain's directory goes with us. */
		if (interrupt_signal())
			return -interrupt_signal();
		target = event.data;
		r = target_is_ready_now(target, &error);
		if (r < 0)
			return say_error(&error, NULL);
		if (r == 0)
			continue;
		nonet_wait_set_remove(waiter->set, target_waitable(target));
		r = be_ready(waiter, target);
		if (r || waiter->ready == waiter->wanted)
			return r;
	}
}

static int take_addresses(struct waiter *waiter, char *addresses[])
{
	static const enum nonet_scheme takes[] = {NONET_SCHEME_FIFO,
						  NONET_SCHEME_UNIX,
						  NONET_SCHEME_PID,
						  NONET_SCHEME_FD,
						  NONET_SCHEME_POSIXMQ,
						  NONET_SCHEME_SYSVMSG,
						  NONET_SCHEME_TCP,
						  NONET_SCHEME_UDP,
						  NONET_SCHEME_POSIXSEM,
						  NONET_SCHEME_SYSVSEM,
						  NONET_SCHEME_FLOCK,
						  NONET_SCHEME_OFDLOCK,
						  NONET_SCHEME_POSIXLOCK,
						  NONET_SCHEME_SEMAPHORE,
						  NONET_SCHEME_MUTEX,
						  NONET_SCHEME_RWLOCK,
						  NONET_SCHEME_EVENT,
						  NONET_SCHEME_CHANNEL,
						  0};
	struct nonet_error error;
	size_t i;

	for (i = 0; i < waiter->count; i++) {
		waiter->targets[i].given = addresses[i];
		if (suggest_parse(addresses[i], takes, &waiter->targets[i].address, &error) < 0)
			return say_error(&error, addresses[i]);
	}
	return 0;
}

static int wait_for(struct waiter *waiter, char *addresses[])
{
	struct nonet_error error;
	size_t i;
	int r;

	waiter->targets = calloc(waiter->count, sizeof(*waiter->targets));
	if (!waiter->targets)
		return say_failure("no memory is left");
	r = take_addresses(waiter, addresses);
	if (r == 0 && nonet_wait_set_new(&waiter->set, &error) < 0)
		r = say_error(&error, NULL);
	if (r == 0)
		r = interrupt_catch(INTERRUPT_WAITS);
	if (r == 0 && nonet_wait_set_add(waiter->set, interrupt_waitable(), NONET_WAIT_RECEIVE, NULL) < 0)
		r = say_failure("no memory is left");
	if (r == 0)
		r = wait_for_targets(waiter);
	for (i = 0; i < waiter->count; i++) {
		target_close(&waiter->targets[i]);
		nonet_address_free(waiter->targets[i].address);
	}
	nonet_wait_set_free(waiter->set);
	free(waiter->targets);
	return r;
}

static int take_option(int option, void *argument)
{
	struct waiter *waiter = argument;
	nonet_time timeout = 0;
	int r;

	switch (option) {
	case OPTION_ALL:
		waiter->all = 1;
		return 0;
	case OPTION_JSON:
		waiter->json = 1;
		return 0;
	default:
		r = parse_duration("--timeout", optarg, &timeout);
		waiter->patient = 1;
		waiter->deadline = parse_deadline(timeout);
		return r;
	}
}

static int run(int argc, char *argv[])
{
	static const struct verb_options all = {.letters = ":ht:", .table = options, .take = take_option};
	struct waiter waiter = {.start = nonet_clock(), .deadline = NONET_FOREVER};
	int status;

	if (!verb_read_options(&verb_wait, &all, argc, argv, &waiter, &status))
		return status;
	if (optind == argc)
		return say_usage("needs an address, for example fifo:/tmp/x: nonet wait ADDRESS...");
	waiter.count = (size_t)(argc - optind);
	waiter.wanted = waiter.all ? waiter.count : 1;
	return wait_for(&waiter, argv + optind);
}

const struct verb verb_wait = {
	.name = "wait",
	.summary = "wait for something to receive, an event, a permit, a free lock, the end of a process",
	.help = help,
	.run = run,
};
