/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/semaphore_scene.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "harness/deadline.h"

struct nonet_semaphore *semaphore_make(struct prove_run *run, const char *name, bool signals)
{
	const struct nonet_semaphore_options options = {
		.size = sizeof(options),
		.flags = NONET_SEMAPHORE_MAY_EXIST | (signals ? NONET_SEMAPHORE_SIGNAL : 0),
		.value = signals ? 0 : PERMITS,
	};
	struct nonet_semaphore *semaphore = NULL;
	struct nonet_error error = {0};
	char text[128];

	snprintf(text, sizeof(text), "semaphore:%s/%s", prove_directory(run), name);
	prove_require(run, nonet_semaphore_create(text, &options, prove_deadline(), &semaphore, &error) == 0, "%s",
		      error.text);
	return semaphore;
}

struct nonet_semaphore *semaphore_join(struct prove_run *run, bool signals)
{
	struct nonet_semaphore *warm = semaphore_make(run, "warm", signals);

	/* Several, since for these the turn is taken; others warm up with it too, so what they say says nothing. */
	if (signals)
		prove_require(run, nonet_semaphore_post(warm, 2, 0) == 0, "can't warm up");
	if (nonet_semaphore_wait(warm, 2, 0, NONET_NOW) == 0 && !signals)
		prove_require(run, nonet_semaphore_post(warm, 2, 0) == 0, "can't warm up");
	nonet_semaphore_close(warm);
	return semaphore_make(run, "s", signals);
}

/* Companions have words of their own behind those of the roles. */
static size_t own(const struct prove_run *run)
{
	return SEMAPHORE_HAS +
	       (prove_companion(run) ? PROVE_ROLES + (size_t)prove_companion(run) - 1 : (size_t)prove_role(run));
}

void semaphore_has(struct prove_run *run, uint32_t permits)
{
	int64_t all = 0;

	prove_store(run, own(run), permits);
	for (int i = 0; i < SEMAPHORE_PASSED; i++)
		if (i >= PROVE_ROLES || !prove_killed(run, (enum prove_role)i))
			all += prove_load(run, SEMAPHORE_HAS + (size_t)i);
	prove_require(run, all <= PERMITS, "those who live have %d permits of %d", (int)all, PERMITS);
}

void semaphore_need(struct prove_run *run, struct nonet_semaphore *semaphore, uint32_t permits)
{
	int result = nonet_semaphore_wait(semaphore, permits, 0, NONET_NOW);

	if (result == -EAGAIN)
		prove_leave(run);
	prove_require(run, result == 0, "nonet_semaphore_wait() says %d", result);
	semaphore_has(run, permits);
}

void semaphore_take(struct prove_run *run, struct nonet_semaphore *semaphore, uint32_t permits, nonet_time deadline)
{
	int result = nonet_semaphore_wait(semaphore, permits, 0, deadline);

	prove_require(run, result == 0, "nonet_semaphore_wait() says %d", result);
	semaphore_has(run, permits);
}

void semaphore_give(struct prove_run *run, struct nonet_semaphore *semaphore, uint32_t has, uint32_t permits)
{
	int result;

	semaphore_has(run, has - permits);
	result = nonet_semaphore_post(semaphore, permits, 0);
	prove_require(run, result == 0, "nonet_semaphore_post() says %d", result);
}

uint32_t semaphore_value(struct prove_run *run, struct nonet_semaphore *semaphore)
{
	uint32_t value = 0;
	int result = nonet_semaphore_value(semaphore, &value);

	prove_require(run, result == 0, "nonet_semaphore_value() says %d", result);
	return value;
}

void semaphore_be_rung(struct prove_run *run, struct nonet_semaphore *semaphore, nonet_time deadline)
{
	struct pollfd fd = {.fd = nonet_semaphore_fd(semaphore), .events = POLLIN};
	int result;

	prove_require(run, fd.fd >= 0, "nonet_semaphore_fd() says %d", fd.fd);
	for (;;) {
		result = nonet_semaphore_wait(semaphore, 1, 0, NONET_NOW);
		if (result == 0)
			break;
		prove_require(run, result == -EAGAIN, "nonet_semaphore_wait() says %d", result);
		result = nonet_semaphore_arm(semaphore);
		prove_require(run, result >= 0, "nonet_semaphore_arm() says %d", result);
		if (result == 0)
			prove_require(run, test_poll(&fd, 1, deadline) > 0, "nobody rings");
		prove_require(run, nonet_clock() < deadline, "it is told to look, and there is nothing");
	}
	semaphore_has(run, 1);
	semaphore_give(run, semaphore, 1, 1);
}
