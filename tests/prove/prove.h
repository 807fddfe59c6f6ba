/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_H
#define PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nonet/time.h>

/*
 * What an operation on shared memory registers to be killed at each of its instructions. docs/proof.md has the method.
 *
 * The machine knows nothing of the object. It makes a directory for each run, lets a process of the operation's own,
 * the cast, prepare the object there, and keeps a copy of every byte below the directory, which it puts back between
 * two runs. A run is played by fresh processes: one or two victims, which are traced from the entry of the exported
 * function .symbol to its return, and stopped, killed or forked on the way; then the survivor, which does an operation
 * of its own by a deadline, and judges what it finds.
 *
 * None of these processes may touch what another has opened: each opens the object by its name in prove_directory().
 *
 *   static void lock_victim(struct prove_run *run)
 *   {
 *           struct nonet_mutex *mutex = open_it(run);     -- joins, faults the pages in: not what is stepped through
 *           int result;
 *
 *           prove_begin(run);
 *           result = nonet_mutex_lock(mutex, prove_deadline());
 *           prove_end(run, result);
 *           ...                                           -- where the victim is left alive, it goes on from here
 *   }
 */

struct prove_run;

enum prove_role {
	PROVE_FIRST,  /* the victim */
	PROVE_SECOND, /* who comes while the first is stopped (row 3), or after it died (row 2) */
	PROVE_SURVIVOR,
	PROVE_CAST,
	PROVE_FORKED, /* the child of a victim (row 12) */
	PROVE_ROLES,
};

typedef void prove_function(struct prove_run *run);

struct prove_operation {
	const char *name;   /* "mutex-lock" */
	const char *object; /* "mutex": row 3 pairs operations of one object, row 5 plays each object once */
	const char *symbol; /* the exported function, "nonet_mutex_lock" */
	/* In which states of the object it is killed: ended by NULL. */
	const char *const *states;
	/*
	 * In the cast's process, which stays as long as the state is swept: make the object in prove_directory(), in
	 * prove_state(). Operations whose .prepare and state are the same are paired.
	 */
	prove_function *prepare;
	/* In the cast's process, once a victim sleeps: let it go on. May be NULL: then it sleeps until it is killed. */
	prove_function *release;
	/* Do the operation once, between prove_begin() and prove_end(), in either role of a victim. */
	prove_function *victim;
	/*
	 * Do an operation between prove_begin() and prove_end(), then prove_require() what must be true. It may come
	 * twice in a run, first while a victim is stopped, and once more after its death: what it changes itself it
	 * says by prove_store(). In row 3 the second may have done any operation of the object: prove_plays().
	 */
	prove_function *survivor;
	/* In a fork of the victim, which was made at some instruction: prove_require() that the handle is refused. */
	prove_function *forked;
	/* Do operations until killed, for row 5. May be NULL; of an object's operations the first one that has it. */
	prove_function *churn;
	prove_function *count; /* the survivor of row 5; NULL: .survivor */
	/* How long the survivor's operation may take after the death; 0 is PROVE_BOUND. */
	nonet_time bound;
	/* How long it waits in vain, to its deadline: if nobody dies, the second of a pair may end so much later. */
	nonet_time patience;
	/* The object can't be put back by its bytes alone (kernel objects, names that go): prepare anew each time. */
	bool fresh;
	/* But for --full rows 1 and 12 at distinct steps alone: most of its way is another operation's. */
	bool distinct_only;
	/* But for --full row 4 alone: its way is another operation's, or too long to be stepped to. */
	bool calls_only;
};

/* RELIABILITY's figures: the survivor goes on, and where the one who watched died too. */
#define PROVE_BOUND         NONET_MS(10)
#define PROVE_BOUND_WATCHER NONET_MS(110)

/* What the program can sweep: ended by NULL. Each program that is linked with the machine has its own. */
extern const struct prove_operation *const prove_operations[];

/* Of the run, in each of its processes. */
const char *prove_directory(const struct prove_run *run);
const char *prove_state(const struct prove_run *run);
bool prove_state_is(const struct prove_run *run, const char *state);
enum prove_role prove_role(const struct prove_run *run);
/*
 * Absolute; past it whoever waits is broken. Who hangs untraced is found out sooner: this is longer than it takes to
 * step through the longest way, on a busy machine, for who waits meanwhile.
 */
nonet_time prove_deadline(void);

/* A victim: the next call of .symbol is the operation. A survivor: its time runs from here. */
void prove_begin(struct prove_run *run);
/* The operation is back: it has been acknowledged, with @result. */
void prove_end(struct prove_run *run, int64_t result);

/* Whether @role was played in this run, and its operation is @operation; and what became of it. */
bool prove_plays(const struct prove_run *run, enum prove_role role, const char *operation);
bool prove_began(const struct prove_run *run, enum prove_role role);
bool prove_returned(const struct prove_run *run, enum prove_role role, int64_t *ret_result);
bool prove_killed(const struct prove_run *run, enum prove_role role);

/* A survivor: whether it came when all victims were gone, so that none of them has what it tries. */
bool prove_alone(const struct prove_run *run);

/*
 * A victim, before prove_begin(): its operation can't be done here, so this isn't a run. To unlock it would first have
 * to lock what the first, who is stopped, has. Ends the process.
 */
_Noreturn void prove_leave(struct prove_run *run);

/*
 * The cast or a survivor: start another process, in the same role, that does @function and ends with this one. Returns
 * once it sleeps, or has ended.
 */
void prove_accompany(struct prove_run *run, prove_function *function);
/* Wait for all of them. */
void prove_companions_join(struct prove_run *run);
/* Kill all of them; nothing of them is alive then. */
void prove_companions_kill(struct prove_run *run);
/* Which companion this is, from 1; 0: none. */
int prove_companion(const struct prove_run *run);

/* Numbers that the processes of a run share; they are put back like the object. */
#define PROVE_WORDS 16
void prove_store(struct prove_run *run, size_t index, int64_t value);
int64_t prove_load(const struct prove_run *run, size_t index);

/*
 * Wait, asleep, for what is new since prove_news() said @seen: a number that was stored, a victim that is gone, a cast
 * that has let go. Of who ends by himself nobody is told: it returns after a few milliseconds all the same.
 */
uint32_t prove_news(const struct prove_run *run);
void prove_await(struct prove_run *run, uint32_t seen);

/* If @condition doesn't hold, the run has failed, with this sentence; ends the process. */
#define prove_require(run, condition, ...)              \
	do {                                            \
		if (!(condition))                       \
			prove_fail((run), __VA_ARGS__); \
	} while (0)
_Noreturn void prove_fail(struct prove_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
