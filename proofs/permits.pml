/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The semaphore whose permits come back: one claim word per permit. Threads 1 and 2 take both at once, 3 takes one.
 * Anybody may be killed before any step. How a waiter sleeps and is woken is shown by turn.pml: here it goes on whenever
 * there is a permit to be had.
 *
 * doubled  a permit has one user; a dead one counts until the kernel has marked its life word
 * lost     when nothing moves any more, every permit is free, or its owner is known to be dead; so nobody waits with some
 * asleep   nobody waits for ever
 *
 * holds
 * holds -DBIRTHS=1
 * holds -DLEAVES=1
 * falls doubled: -DMARK_BEFORE_LAST_WRITE
 * falls doubled: -DDEATHS=0 -DCLAIM_BY_STORE
 * falls doubled: -DDEAD_FREED_BY_STORE
 * falls lost: -DTWO_STORES
 * falls lost: -DBIRTHS=1 -DOWNER_BY_TID
 * falls lost: -DDEATHS=0 -DNO_LOCK
 * falls lost: -DDEATHS=0 -DLEAVES=1 -DLEAVE_WITH_SOME
 */
#include "kernel.pml"
#ifndef LEAVES
#define LEAVES 0
#endif
#define PERMITS 2
#define NEED    (me < 3 -> 2 : 1)

/* The claim word: generation, slot. */
#define CLAIM (generation[me] << 3 | me)
#define TAKEN 7 /* by nobody in particular, for -DTWO_STORES */
#ifdef OWNER_BY_TID
#define IS_DEAD(v) ((v) != 0 && (v) != TAKEN && !alive[(v) & 3])
#else
#define IS_DEAD(v) ((v) != 0 && (v) != TAKEN && !LIVES((v) & 3, (v) >> 3))
#endif
#define TO_BE_HAD(v) ((v) == 0 || IS_DEAD(v))

short permit[PERMITS];
short several; /* the object's own mutex, which mutex.pml shows: one at a time takes several */
byte leaves;
byte user[PERMITS];

/* semaphore_claim(): try permit i. */
inline claim()
{
	v = permit[i];
	if
	:: atomic { TO_BE_HAD(v) ->
#ifdef CLAIM_BY_STORE
		ok = 1; }
		atomic { permit[i] = CLAIM;
#elif defined(TWO_STORES)
		CAS(permit[i], TAKEN); }
		atomic {
			if
			:: ok -> permit[i] = CLAIM;
			:: else;
			fi;
#elif defined(DEAD_FREED_BY_STORE)
		ok = 1; }
		if
		:: v != 0 -> permit[i] = 0;
		:: v == 0;
		fi;
		atomic { v = 0; CAS(permit[i], CLAIM);
#else
		CAS(permit[i], CLAIM);
#endif
		if
		:: ok ->
			assert(user[i] == 0); /* doubled */
			user[i] = me;
			have++;
		:: else;
		fi }
	:: !TO_BE_HAD(v);
	fi;
	atomic { i = 1 - i; v = 0; ok = 0; }
}

/* nonet_semaphore_take() */
inline take()
{
#ifndef NO_LOCK
	if
	:: atomic { NEED > 1 && TO_BE_HAD(several) -> several = CLAIM; }
	:: NEED == 1;
	fi;
#endif
	do
	:: atomic { have < NEED && (TO_BE_HAD(permit[0]) || TO_BE_HAD(permit[1])) -> i = (TO_BE_HAD(permit[0]) -> 0 : 1); }
		claim();
	:: have == NEED -> break;
	:: atomic { have < NEED && leaves < LEAVES -> leaves++; break; } /* the deadline */
	od;
#ifndef NO_LOCK
	if
	:: atomic { NEED > 1 -> several = 0; }
	:: NEED == 1;
	fi;
#endif
}

/* nonet_semaphore_give(); a taker that gives up gives back what it had. */
inline give()
{
	do
	:: atomic { user[0] == me -> user[0] = 0; have--; i = 0; v = CLAIM; }
		atomic { CAS(permit[i], 0); assert(ok); /* doubled */ }
	:: atomic { user[1] == me -> user[1] = 0; have--; i = 1; v = CLAIM; }
		atomic { CAS(permit[i], 0); assert(ok); /* doubled */ }
	:: user[0] != me && user[1] != me -> break;
	od
}

proctype thread(byte me)
{
	short v;
	byte i, have;
	bit ok;

born:
	is_born();
	{
		take();
#ifdef LEAVE_WITH_SOME
		if
		:: have == NEED -> give();
		:: have < NEED;
		fi;
#else
		give();
#endif
end:		false;
	} unless {
		atomic { killed[me] -> leaves_the_queues(); v = 0; i = 0; have = 0; ok = 0; }
	};
	atomic {
		alive[me] = 0; /* the kernel marks the life word */
		user[0] = (user[0] == me -> 0 : user[0]);
		user[1] = (user[1] == me -> 0 : user[1]);
	}
	if
	:: births < BIRTHS -> births++; goto born;
	:: true;
	fi
}

active proctype judge()
{
end:	timeout -> assert(TO_BE_HAD(permit[0]) && TO_BE_HAD(permit[1])); /* lost */
}

init
{
	atomic {
		for (each : 1 .. THREADS) {
			run thread(each);
		}
		each = 0;
		run killer();
	}
}
