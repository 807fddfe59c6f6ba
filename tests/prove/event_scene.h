/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_EVENT_SCENE_H
#define PROVE_EVENT_SCENE_H

#include <nonet/event.h>

#include "prove/operations.h"

/*
 * An event in a domain of the run's own. What must be true, whoever is killed where: it has counted each time that was
 * acknowledged, and none that nobody began; it is set if that was the last; whoever waits for it or has armed his
 * descriptor goes on once it has happened, in time, and it works on.
 */

/* Words of the run: of each role, how often it began to set or pulse it, and was back; then of all. */
#define EVENT_BEGAN     0
#define EVENT_DONE      PROVE_ROLES
#define EVENT_BASE      10 /* what it had counted when it was prepared */
#define EVENT_NOT_KEPT  11 /* somebody began to clear or pulse it */
#define EVENT_SIGNALLED 12 /* when who set or pulsed it was back */
#define EVENT_PASSED    13 /* of each companion, behind this: it went on */

/* Open, or make, the event @name of the run; "e" is as the state says. */
struct nonet_event *event_make(struct prove_run *run, const char *name);
/* The event "e", by a member whose thread has been through its operations: that isn't what is stepped through. */
struct nonet_event *event_join(struct prove_run *run);

/* "set": it is; "clear", and others: it isn't. The cast's. */
struct nonet_event *event_prepare(struct prove_run *run);

struct nonet_event_info event_look(struct prove_run *run, struct nonet_event *event);
/* Whether it has happened since it was prepared. */
bool event_has_happened(struct prove_run *run, struct nonet_event *event);
/* Or is set in any case: what a descriptor tells. */
bool event_is_there(struct prove_run *run, struct nonet_event *event);

/* A set that nobody is killed in. */
void event_set(struct prove_run *run, struct nonet_event *event);
/* prove_begin() and prove_end() of one that is counted. */
void event_begins(struct prove_run *run);
void event_ends(struct prove_run *run, int result);

/* That it is what those who are back have been told. */
void event_judge(struct prove_run *run, struct nonet_event *event);
/* It is set by the caller, found set, and by nobody else. */
void event_works(struct prove_run *run, struct nonet_event *event);

/* Companions: until it has happened. */
void event_sleep(struct prove_run *run);
void event_listen(struct prove_run *run);
/* Through its descriptor; the caller is done once it has happened. */
void event_be_rung(struct prove_run *run, struct nonet_event *event, nonet_time deadline);
/* Those that die: of sleeping, or armed. */
void event_leave_sleeper(struct prove_run *run);
void event_leave_bell(struct prove_run *run);

#endif
