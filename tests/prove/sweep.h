/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_SWEEP_H
#define PROVE_SWEEP_H

#include "harness/random.h"
#include "prove/path.h"

/* A sweep plays one row of RELIABILITY on one operation in one state: many points, each a run of its own. */

struct prove_options {
	uint64_t seed;
	const char *only;      /* one point, as a failure names it; NULL: all */
	uint64_t sample;       /* doubles and pairs per operation, state and partner; 0: all */
	uint64_t singles;      /* rows 1 and 12: of steps that aren't distinct each so-many-th */
	uint64_t failures_max; /* after so many an operation's row is given up */
	nonet_time patience;   /* how long a process may take before it hangs */
	nonet_time until;      /* no point is begun after that */
	nonet_time random;     /* how long row 5 kills at random, in all */
	bool trace;            /* say how each sweep goes */
};

/* Of one row of one operation, added up by all workers. */
struct prove_tally {
	_Atomic uint64_t points;
	_Atomic uint64_t failures;
	_Atomic uint64_t states;
	_Atomic uint64_t instructions; /* of the longest way through it */
	_Atomic uint64_t distinct;     /* of these, at how many something shared had changed */
	_Atomic uint64_t astray;       /* points that weren't met exactly */
	_Atomic int64_t worst;         /* the longest that a survivor took after the death, in ns */
};

/* What is taken back where a sweep is played again. */
struct prove_played {
	_Atomic uint64_t points;
	_Atomic uint64_t states;
};

struct prove_sweep {
	const struct prove_options *options;
	struct prove_tally *tally;
	struct prove_played *played; /* by this sweep: in the tally it is that of others, too */
	struct prove_scene scene;
	int row;
	const struct prove_operation *operation;
	const struct prove_operation *other; /* row 3: what the second does */
	const char *state;
	uintptr_t symbol;
	uintptr_t other_symbol;
	struct prove_path path;
	size_t recorded; /* rows 2 and 3: the longest way of a second so far, in steps */
	nonet_time bound;
	prove_function *survivor; /* NULL: the operation's */
	struct test_random random;
	/* Of the run: instead of the survivor's, the time of another who had to go on (row 3); 0: none. */
	nonet_time since;
	nonet_time went_on;
	char where[320]; /* of the run being played: at which instruction */
};

/* One run. */
struct prove_point {
	const char *variant; /* of the row: "after", "midway"... */
	size_t first;        /* at which step the first is stopped */
	size_t second;
};

typedef void prove_play(struct prove_sweep *sweep, const struct prove_point *point);

/*
 * Play @point: by itself .operation's object is put back; if it fails, that is told with the command that repeats it.
 * Does nothing if another point alone is wanted, or there were failures enough.
 */
void prove_point(struct prove_sweep *sweep, prove_play *play, const struct prove_point *point);

/* So many points were played, or states begun with. */
void prove_count(struct prove_sweep *sweep, uint64_t points);
void prove_count_state(struct prove_sweep *sweep);

/* Whether points needn't be played any more. */
bool prove_enough(const struct prove_sweep *sweep);

/* The way of the first, alone, into .path. False: it failed, and that has been told. */
bool prove_sweep_record(struct prove_sweep *sweep);

/*
 * Rows 1 and 12: not the fifth round of a loop in which nothing shared changes, and of the others that aren't distinct
 * those of the sample; all of them where all is played.
 */
bool prove_is_news(const struct prove_sweep *sweep, size_t index);
/*
 * Rows 2 and 3, of the first's distinct step @first: whether it is in the sample. Each costs a recording of the
 * second's way, so of a long operation only some are.
 */
bool prove_sampled(struct prove_sweep *sweep, size_t first);
/* ... and of the points that these make, each how-many-th is: 1, all. */
uint64_t prove_every(const struct prove_sweep *sweep);

/* Tell what .scene's run says, as of a point that couldn't be played; nothing if the victim left. */
void prove_sweep_failed(struct prove_sweep *sweep, const char *what);

/* For play functions. */

/* Bring the first to its step, and note where that is. */
bool prove_first(struct prove_sweep *sweep, const struct prove_point *point, struct prove_tracee *tracee);
/* To its end; if what it sleeps on is the cast's, the cast lets go. */
void prove_join(struct prove_sweep *sweep, struct prove_actor *actor);
/* Say of the run at which of its steps a victim is. */
void prove_note(struct prove_sweep *sweep, const struct prove_tracee *tracee, size_t step);
void prove_survivor_start(struct prove_sweep *sweep, struct prove_actor *survivor);
/*
 * The end of each run, once the dead are dead: @survivor, if it is waiting, has to go on and judge; if it was through
 * before, or there is none, another comes.
 */
void prove_survive(struct prove_sweep *sweep, struct prove_actor *survivor);

/* The rows that are swept here. */
typedef void prove_row(struct prove_sweep *sweep);
prove_row prove_row_single;
prove_row prove_row_double;
prove_row prove_row_pair;
prove_row prove_row_call;
prove_row prove_row_random;
prove_row prove_row_fork;

#endif
