/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "harness/deadline.h"
#include "prove/event_scene.h"

/*
 * Doorbells, by an event's. What must be true: whoever has armed one is rung, whoever else was killed while arming,
 * closing or making his; and what a dead one has left in the directory is removed by the next who makes one.
 */

/* The cast's, for release(). */
static struct nonet_event *event_of_cast;

/* "clear"; "set"; "dead-bell": one was killed who had armed his. */
static void prepare(struct prove_run *run)
{
	event_of_cast = event_prepare(run);
	if (prove_state_is(run, "dead-bell"))
		event_leave_bell(run);
}

/* Those that make their first bell aren't paired with those that have one. */
static void prepare_joining(struct prove_run *run)
{
	prepare(run);
}

static void prepare_closing(struct prove_run *run)
{
	prepare(run);
}

static void release(struct prove_run *run)
{
	event_set(run, event_of_cast);
}

/* The handle that a fork of the victim inherits. */
static struct nonet_event *parents;

static void arm_it(struct prove_run *run, struct nonet_event *event)
{
	struct pollfd fd = {.events = POLLIN};
	int result;

	parents = event;
	prove_begin(run);
	result = nonet_event_arm(event);
	prove_end(run, result);
	prove_require(run, result == 0 || (result == 1 && event_is_there(run, event)), "nonet_event_arm() says %d",
		      result);
	if (result == 1)
		return;
	/* By this alone, not by being armed again. */
	fd.fd = nonet_event_fd(event);
	prove_require(run, test_poll(&fd, 1, prove_deadline()) > 0, "nobody rings");
	event_be_rung(run, event, prove_deadline());
}

static void arm(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);

	prove_require(run, nonet_event_fd(event) >= 0, "no descriptor");
	arm_it(run, event);
}

/* It makes the doorbell, and the threads that look after it. */
static void first_arm(struct prove_run *run)
{
	arm_it(run, event_join(run));
}

static void close_armed(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);

	if (nonet_event_arm(event) != 0)
		prove_leave(run);
	prove_begin(run);
	event = nonet_event_close(event);
	prove_end(run, event ? -1 : 0);
}

static int bells(struct prove_run *run)
{
	DIR *directory = opendir(prove_directory(run));
	struct dirent *entry;
	int count = 0;

	prove_require(run, directory, "no directory");
	while ((entry = readdir(directory)))
		count += strncmp(entry->d_name, ".bell-", 6) == 0;
	closedir(directory);
	return count;
}

/* All who were stopped on their way are dead, or there were none. */
static bool is_alone(const struct prove_run *run)
{
	for (int i = PROVE_FIRST; i <= PROVE_SECOND; i++) {
		const enum prove_role role = (enum prove_role)i;

		if (prove_began(run, role) && !prove_killed(run, role) && !prove_returned(run, role, &(int64_t){0}))
			return false;
	}
	return prove_killed(run, PROVE_FIRST);
}

static void survivor(struct prove_run *run)
{
	const bool alone = is_alone(run);
	struct nonet_event *event = event_join(run);

	prove_require(run, nonet_event_fd(event) >= 0, "no descriptor");
	if (alone)
		prove_require(run, bells(run) == 1, "of the dead, %d doorbells are left", bells(run) - 1);
	prove_begin(run);
	event_be_rung(run, event, prove_deadline());
	prove_end(run, 0);
	event_judge(run, event);
}

static void forked(struct prove_run *run)
{
	prove_require(run, nonet_event_fd(parents) == -ECHILD, "the child may have the descriptor");
	prove_require(run, nonet_event_arm(parents) == -ECHILD, "the child may arm");
}

#define DOORBELL(name_, victim_)                                                                     \
	.name = "event-" name_, .object = "event", .symbol = "nonet_event_arm", .victim = (victim_), \
	.release = release, .survivor = survivor

const struct prove_operation prove_event_arm = {
	DOORBELL("arm", arm),
	.states = (const char *const[]){"clear", "set", "dead-bell", NULL},
	.prepare = prepare,
	.forked = forked,
};

const struct prove_operation prove_event_first_arm = {
	DOORBELL("first-arm", first_arm),
	.states = (const char *const[]){"clear", NULL},
	.prepare = prepare_joining,
	.calls_only = true,
};

const struct prove_operation prove_event_close = {
	.name = "event-close",
	.object = "event",
	.symbol = "nonet_event_close",
	.states = (const char *const[]){"clear", "dead-bell", NULL},
	.prepare = prepare_closing,
	.release = release,
	.victim = close_armed,
	.survivor = survivor,
};
