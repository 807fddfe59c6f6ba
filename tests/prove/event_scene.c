/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/event_scene.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "harness/deadline.h"

struct nonet_event *event_make(struct prove_run *run, const char *name)
{
	struct nonet_event_options options = {.size = sizeof(options), .flags = NONET_EVENT_MAY_EXIST};
	struct nonet_event *event = NULL;
	struct nonet_error error = {0};
	char text[128];

	if (prove_state_is(run, "traced"))
		options.flags |= NONET_EVENT_TRACE;
	snprintf(text, sizeof(text), "event:%s/%s", prove_directory(run), name);
	prove_require(run, nonet_event_create(text, &options, &event, &error) == 0, "%s", error.text);
	return event;
}

struct nonet_event *event_join(struct prove_run *run)
{
	struct nonet_event *warm = event_make(run, "warm");

	/* Others warm up with it too, so what they say says nothing. */
	prove_require(run, nonet_event_set(warm) == 0 && nonet_event_clear(warm) >= 0, "can't warm up");
	(void)!nonet_event_wait(warm, nonet_after(NONET_US(1)));
	nonet_event_close(warm);
	return event_make(run, "e");
}

struct nonet_event *event_prepare(struct prove_run *run)
{
	struct nonet_event *event = event_join(run);

	if (prove_state_is(run, "set"))
		prove_require(run, nonet_event_set(event) == 0, "can't set it");
	prove_store(run, EVENT_BASE, (int64_t)event_look(run, event).count);
	return event;
}

struct nonet_event_info event_look(struct prove_run *run, struct nonet_event *event)
{
	struct nonet_event_info info = {0};
	int result = nonet_event_look(event, &info);

	prove_require(run, result == 0, "nonet_event_look() says %d", result);
	return info;
}

bool event_has_happened(struct prove_run *run, struct nonet_event *event)
{
	return (int64_t)event_look(run, event).count != prove_load(run, EVENT_BASE);
}

bool event_is_there(struct prove_run *run, struct nonet_event *event)
{
	return event_look(run, event).flags & NONET_EVENT_IS_SET || event_has_happened(run, event);
}

static void count_one(struct prove_run *run, size_t of_all)
{
	const size_t index = of_all + (size_t)prove_role(run);

	prove_store(run, index, prove_load(run, index) + 1);
}

void event_set(struct prove_run *run, struct nonet_event *event)
{
	int result;

	count_one(run, EVENT_BEGAN);
	result = nonet_event_set(event);
	prove_require(run, result == 0, "nonet_event_set() says %d", result);
	count_one(run, EVENT_DONE);
}

void event_begins(struct prove_run *run)
{
	count_one(run, EVENT_BEGAN);
	prove_begin(run);
}

void event_ends(struct prove_run *run, int result)
{
	prove_end(run, result);
	count_one(run, EVENT_DONE);
	prove_store(run, EVENT_SIGNALLED, nonet_clock());
}

/* A victim that was killed behind its last instruction can't have said so itself. */
static int64_t done(const struct prove_run *run, enum prove_role role)
{
	const int64_t began = prove_load(run, EVENT_BEGAN + (size_t)role);
	int64_t code;

	if (role <= PROVE_SECOND && prove_returned(run, role, &code) && code == 0)
		return began;
	return prove_load(run, EVENT_DONE + (size_t)role);
}

static bool is_back(const struct prove_run *run, const char *operation)
{
	int64_t code;

	return prove_plays(run, PROVE_FIRST, operation) && prove_returned(run, PROVE_FIRST, &code) && code >= 0;
}

void event_judge(struct prove_run *run, struct nonet_event *event)
{
	const struct nonet_event_info info = event_look(run, event);
	const int64_t counted = (int64_t)info.count - prove_load(run, EVENT_BASE);
	int64_t most = 0;
	int64_t least = 0;

	for (int i = 0; i < PROVE_ROLES; i++) {
		most += prove_load(run, EVENT_BEGAN + (size_t)i);
		least += done(run, (enum prove_role)i);
	}
	prove_require(run, counted >= least, "it has counted %lld, but %lld were acknowledged", (long long)counted,
		      (long long)least);
	prove_require(run, counted <= most, "it has counted %lld, but only %lld began", (long long)counted,
		      (long long)most);
	if (!prove_load(run, EVENT_NOT_KEPT))
		prove_require(run, (info.flags & NONET_EVENT_IS_SET) || (counted == 0 && !prove_state_is(run, "set")),
			      "it was set and nobody cleared it, but it isn't set");
	if (!prove_began(run, PROVE_SECOND) &&
	    (is_back(run, "event-pulse") || is_back(run, "event-pulse-crowd") || is_back(run, "event-clear")) &&
	    prove_load(run, EVENT_BEGAN + PROVE_SURVIVOR) == 0)
		prove_require(run, !(info.flags & NONET_EVENT_IS_SET), "it was cleared, but it is set");
}

void event_works(struct prove_run *run, struct nonet_event *event)
{
	event_set(run, event);
	prove_require(run, nonet_event_wait(event, NONET_NOW) == 0, "it was set, and isn't");
}

static void pass(struct prove_run *run)
{
	prove_store(run, EVENT_PASSED + (size_t)prove_companion(run), 1);
}

void event_sleep(struct prove_run *run)
{
	struct nonet_event *event = event_make(run, "e");
	uint64_t count;
	int result = nonet_event_wait_count(event, (uint64_t)prove_load(run, EVENT_BASE), prove_deadline(), &count);

	prove_require(run, result == 0, "a sleeper's nonet_event_wait_count() says %d", result);
	pass(run);
}

void event_be_rung(struct prove_run *run, struct nonet_event *event, nonet_time deadline)
{
	struct pollfd fd = {.fd = nonet_event_fd(event), .events = POLLIN};
	int result;

	prove_require(run, fd.fd >= 0, "nonet_event_fd() says %d", fd.fd);
	while (!event_is_there(run, event)) {
		result = nonet_event_arm(event);
		prove_require(run, result >= 0, "nonet_event_arm() says %d", result);
		if (result == 0)
			prove_require(run, test_poll(&fd, 1, deadline) > 0, "nobody rings");
	}
}

void event_listen(struct prove_run *run)
{
	event_be_rung(run, event_make(run, "e"), prove_deadline());
	pass(run);
}

void event_leave_sleeper(struct prove_run *run)
{
	prove_accompany(run, event_sleep);
	prove_companions_kill(run);
}

void event_leave_bell(struct prove_run *run)
{
	prove_accompany(run, event_listen);
	prove_companions_kill(run);
}
