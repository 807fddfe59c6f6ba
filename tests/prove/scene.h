/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_SCENE_H
#define PROVE_SCENE_H

#include "prove/run.h"
#include "prove/shelf.h"

/* An object in one state, made by the cast, and put back between two runs. */
struct prove_scene {
	struct prove_run run;
	struct prove_actor cast;
	int words_to_cast; /* one letter: 'r' release, 'q' leave */
	struct prove_shelf *shelf;
	int64_t words[PROVE_WORDS];
	int number;
	bool stepping; /* victims are brought to their places by single steps alone */
	bool astray;   /* one of this run didn't come by its place (path.h) */
};

/* Make the directory of worker @number. Ends the machine if it can't. */
void prove_scene_init(struct prove_scene *scene, int number, nonet_time patience);
/* Remove it with what is in it. */
void prove_scene_done(struct prove_scene *scene);

/* The directory of a worker that was killed. */
void prove_scene_remove(pid_t worker, int number);

/* Begin anew: an empty directory, @operation's object in @state. False: the cast failed, and says so in the run. */
bool prove_scene_prepare(struct prove_scene *scene, const struct prove_operation *operation, const char *state);
/* As it was when prepare() was through; anew if bytes alone can't do it. */
bool prove_scene_restore(struct prove_scene *scene);
/* The cast is told to let sleepers go on: .let_go of a tracee. @run is a scene's. */
void prove_scene_let_go(struct prove_run *run);
/* Of all that is shared now. */
uint64_t prove_scene_hash(const struct prove_scene *scene);

#endif
