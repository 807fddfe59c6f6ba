/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The condition and its mutex: thread 1 changes what the mutex guards, twice, and signals, with the mutex or after it; 2
 * and 3 wait until they have had one change each. Anybody may be killed before any step, a waiter with the mutex too.
 * The bell itself is shown by sleep.pml, and the mutex by mutex.pml: here it is to be had once it is free or its owner
 * dead, and then who takes it mends what it guards.
 *
 * exclusion  who comes back from a wait has the mutex alone
 * told       who has the mutex after a death is told; who isn't told finds the data whole
 * asleep     when nothing moves any more, nobody sleeps while there is a change to be had. The look after 100 ms is
 *            offered only once a thread was killed with the mutex, inside a call, or between its change and its signal
 *
 * holds -DDEATHS=0
 * holds
 * falls asleep: -DDEATHS=0 -DBELL_READ_AFTER_UNLOCK
 * falls asleep: -DDEATHS=0 -DARMED_AFTER_UNLOCK
 * falls asleep: -DDEATHS=0 -DUNLOCK_AFTER_SLEEP
 * falls exclusion: -DDEATHS=0 -DNO_RETAKE
 * falls told: -DTELL_NOBODY
 * falls asleep: -DNO_LOOK_AGAIN
 */
#include "kernel.pml"
#define BELL  1
#define MUTEX 2
#define TO_BE_HAD(v) ((v) == 0 || !alive[v])

byte mutex;
byte inside;
bit torn;
bit current[5]; /* who has read the bell's present value, as in sleep.pml */
#define READ_BELL  current[me] = 1
#define BELL_MOVES current[2] = 0; current[3] = 0
bit armed;
byte things;

/* nonet_mutex_lock(), without how it sleeps. Whoever is told mends the data. */
inline lock()
{
	atomic {
		TO_BE_HAD(mutex) ->
#ifndef TELL_NOBODY
		torn = (mutex != 0 -> 0 : torn);
#endif
		mutex = me;
		enter();
	}
}

inline enter()
{
	assert(inside == 0); /* exclusion */
	assert(!torn);       /* told */
	inside = me;
}

inline unlock()
{
	atomic { inside = 0; mutex = (mutex == me -> 0 : mutex); }
}

/* nonet_condition_signal() */
inline signal()
{
	d_step { BELL_MOVES; }
	if
	:: !armed;
	:: armed ->
		atomic { v = (on_word[2] == BELL || on_word[3] == BELL); WAKE_ONE(on_word, BELL); }
		if
		:: v == 0 -> armed = 0;
			d_step { BELL_MOVES; }
			WAKE_ALL(on_word, BELL);
		:: v != 0;
		fi
	fi;
	v = 0;
}

/* nonet_condition_wait(), with the mutex. */
inline wait()
{
#ifndef BELL_READ_AFTER_UNLOCK
	READ_BELL;
#endif
#ifndef ARMED_AFTER_UNLOCK
	armed = 1;
#endif
#ifndef UNLOCK_AFTER_SLEEP
	unlock();
#endif
#ifdef BELL_READ_AFTER_UNLOCK
	READ_BELL;
#endif
	atomic {
		if
		:: current[me] -> on_word[me] = BELL;
		:: else;
		fi
	}
#ifdef ARMED_AFTER_UNLOCK
	armed = 1;
#endif
endasleep: atomic {
		if
		:: on_word[me] == 0;
		:: LOOKS_AGAIN && (!current[me] || things > 0);
		fi;
		on_word[me] = 0;
	}
#ifdef UNLOCK_AFTER_SLEEP
	unlock();
#endif
#ifdef NO_RETAKE
	enter();
#else
	lock();
#endif
}

/* The data is half-written for a step. */
inline change(by_how_many)
{
	torn = 1;
	atomic { things = things + by_how_many; torn = 0; }
}

proctype thread(byte me)
{
	byte v, i;
	bit after;

	is_born();
	{
		if
		:: me == 1 ->
			do
			:: atomic { i < 2 -> i++; in_call[me] = 1; } /* until he has signalled */
				lock();
				change(1);
				if
				:: unlock(); signal();
				:: signal(); unlock();
				fi;
				in_call[me] = 0;
			:: i == 2 -> break;
			od
		:: me > 1 ->
			in_call[me] = 1;
			lock();
			do
			:: things == 0 -> wait();
			:: things > 0 -> break;
			od;
			change(-1);
			unlock();
			in_call[me] = 0;
		fi;
end:		false;
	} unless {
		atomic {
			killed[me] -> leaves_the_queues();
			v = 0; i = 0;
		}
	};
	atomic { alive[me] = 0; inside = (inside == me -> 0 : inside); }
}

/* When nothing moves any more. */
active proctype judge()
{
end:	timeout ->
		assert(on_word[2] == 0 || things == 0 && TO_BE_HAD(mutex)); /* asleep */
		assert(on_word[3] == 0 || things == 0 && TO_BE_HAD(mutex)); /* asleep */
}

init
{
	atomic {
		for (each : 1 .. 3) {
			run thread(each);
		}
		each = 0;
		run killer();
	}
}
