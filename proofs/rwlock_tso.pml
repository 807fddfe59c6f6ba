/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers and a writer of src/sync/rwlock.c on a machine that doesn't keep the order of stores and loads: [RWLOCK-ENTER].
 * A reader stores his place, then loads the claim; a writer stores the claim, then loads the place. Each thread's stores
 * wait in a buffer, and are written out in any order. No deaths: this is about the orders alone.
 *
 * together  nobody reads while somebody writes
 * asleep    when nothing moves any more, all are through
 *
 * holds
 * holds -DROUNDS=3
 * falls together: -DNO_FENCE_IN_READER
 * falls together: -DNO_FENCE_IN_WRITER
 * falls together: -DLOOKS_BEFORE_IT_STANDS
 * falls together: -DCLAIM_AFTER_PLACES
 * falls asleep: -DSTAYS_WHILE_IT_WAITS
 */
#define CLAIM  0
#define PLACE  1
#define READER 0
#define WRITER 1

#ifndef ROUNDS
#define ROUNDS 2
#endif

bit memory[2];
/* Stores that the other doesn't see yet: per thread, for each variable a value. */
bit waiting[4];
bit stored[4];
#define AT(who, variable) ((who) * 2 + (variable))

bit reads;
bit writes;
byte through;

inline store(who, variable, value)
{
	d_step {
		stored[AT(who, variable)] = value;
		waiting[AT(who, variable)] = 1;
	}
}

/* One's own store is seen at once. */
#define LOAD(who, variable) (waiting[AT(who, variable)] -> stored[AT(who, variable)] : memory[variable])

/* seq_cst: goes on once all that it stored is seen by all. */
#define FENCE(who) (!waiting[AT(who, CLAIM)] && !waiting[AT(who, PLACE)])

#define DRAIN(who, variable) \
	atomic { waiting[AT(who, variable)] -> memory[variable] = stored[AT(who, variable)]; waiting[AT(who, variable)] = 0; }

active [2] proctype buffer()
{
end:	do
	:: DRAIN(_pid, CLAIM)
	:: DRAIN(_pid, PLACE)
	od
}

/* nonet_rwlock_read_lock(), nonet_rwlock_unlock() */
active proctype reader()
{
	byte round;
	bit claim;

	do
	:: round == ROUNDS -> break;
	:: round < ROUNDS ->
#ifdef LOOKS_BEFORE_IT_STANDS
		claim = LOAD(READER, CLAIM);
#endif
		store(READER, PLACE, 1);
#ifndef NO_FENCE_IN_READER
		FENCE(READER);
#endif
#ifndef LOOKS_BEFORE_IT_STANDS
		claim = LOAD(READER, CLAIM);
#endif
		if
		:: claim ->
#ifdef STAYS_WHILE_IT_WAITS
			LOAD(READER, CLAIM) == 0;
#endif
			store(READER, PLACE, 0);
			LOAD(READER, CLAIM) == 0; /* and again */
		:: !claim ->
			reads = 1;
			assert(!writes); /* together */
			reads = 0;
			store(READER, PLACE, 0);
			round++;
		fi
	od;
	through++;
}

/* nonet_rwlock_write_lock(), nonet_rwlock_unlock() */
active proctype writer()
{
	byte round;

	do
	:: round == ROUNDS -> break;
	:: round < ROUNDS ->
#ifdef CLAIM_AFTER_PLACES
		LOAD(WRITER, PLACE) == 0;
#endif
		store(WRITER, CLAIM, 1);
#ifndef NO_FENCE_IN_WRITER
		FENCE(WRITER);
#endif
#ifndef CLAIM_AFTER_PLACES
		LOAD(WRITER, PLACE) == 0;
#endif
		writes = 1;
		assert(!reads); /* together */
		writes = 0;
		store(WRITER, CLAIM, 0);
		round++;
	od;
	through++;
}

active proctype judge()
{
end:	timeout -> assert(through == 2); /* asleep */
}
