/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_CALL_SCENE_H
#define PROVE_CALL_SCENE_H

#include <nonet/call.h>

#include "prove/operations.h"

/*
 * A channel for calls in a domain of the run's own. What must be true, whoever is killed where: a call has one reply,
 * whole, or is told that its server is gone; a reply that was acknowledged is the one that comes; the next server and
 * the next clients find room, and nobody waits for the dead.
 */

/* Words of the run. */
#define CALL_SERVES  0 /* somebody has been the server */
#define CALL_BEGAN   1 /* the companion's request is sent to a server */
#define CALL_REPLIES 2 /* how many replies the companion has had */
#define CALL_BY      3 /* the role that the last one was from */
#define CALL_TOLD    4 /* the companion was told that its server is gone */
#define CALL_PASSED  5 /* the companion is through */

#define CALL_CLIENTS 3

/* By whoever comes first. */
void call_make(struct prove_run *run);
/* @flags: NONET_CALL_*; it sleeps at once. */
struct nonet_client *call_client(struct prove_run *run, uint32_t flags);
/* A survivor waits for the one that there is to leave, or to be gone; a victim that finds one leaves (prove_leave()).
 */
struct nonet_server *call_server(struct prove_run *run);

/* Until a word isn't 0. */
void call_await(struct prove_run *run, size_t index);

/* A request of this role's: in bytes; or sent, and the call's number. */
#define CALL_REQUEST 48u
void call_compose(const struct prove_run *run, void *ret_request);
uint64_t call_begin(struct prove_run *run, struct nonet_client *client);
/* Check a request, and answer it. */
int call_answer(struct prove_run *run, struct nonet_server *server, const struct nonet_message *request);
/* Check a reply. Return: the role that it is from */
enum prove_role call_check(struct prove_run *run, const struct nonet_reply *reply);

/* A companion: in state "wait" its call goes on to the next server, in state "told" it is told. */
prove_function call_companion;
/* Is the next server, to which the companion comes if it wasn't told before; then it calls and answers by itself, from
 * as many clients as may.
 */
prove_function call_survivor;

#endif
