/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event and the doorbell. Threads 1 and 2 make it happen, once each, by a pulse; a set is a pulse that stays. 3 waits
 * in a call; 4 arms a bell and sleeps on its descriptor, which its process's helper looks after; or, with TWO_WAITERS,
 * waits in a call too. Both want to hear of each time, if not of every one. Anybody may be killed before any step.
 *
 * asleep  when nothing moves any more, nobody sleeps who hasn't heard of what happened. The look after 100 ms, by the
 *         helper too, is offered only once a thread was killed inside a call: without that, every wake comes by itself
 *
 * holds -DDEATHS=0
 * holds -DONE_SLEEPER
 * holds -DTWO_WAITERS
 * falls asleep: -DDEATHS=0 -DBITS_TAKEN_BEFORE
 * falls asleep: -DDEATHS=0 -DTWO_WAITERS -DWAKE_ONE_ONLY
 * falls asleep: -DDEATHS=0 -DTWO_WAITERS -DONE_PULSE -DSLEEP_WITHOUT_COUNT
 * falls asleep: -DDEATHS=0 -DONE_SLEEPER -DARM_WITHOUT_LOOK
 * falls asleep: -DDEATHS=0 -DONE_SLEEPER -DWORD_BEFORE_TABLE
 * falls asleep: -DDEATHS=0 -DONE_SLEEPER -DDRAIN_LAST
 * falls asleep: -DDEATHS=0 -DONE_SLEEPER -DRING_THEN_TAKE_OUT
 * falls asleep: -DONE_SLEEPER -DNO_LOOK_AGAIN
 */
#include "kernel.pml"
#define PULSES 2
#ifdef ONE_SLEEPER
#define FIRST_SLEEPER 4
#else
#define FIRST_SLEEPER 3
#endif

/* The state: count, WAITERS, BELLS. */
#define WAITERS  1
#define BELLS    2
#define ONCE     4
#define COUNT(v) ((v) >> 2)
#ifdef SLEEP_WITHOUT_COUNT
#define FUTEX(v) ((v) & (WAITERS | BELLS))
#else
#define FUTEX(v) (v)
#endif
#define STATE    1 /* its futex */
byte state;

bit entry;     /* the bell is in the object's table */
bit rung;      /* its FIFO is readable */
bit polls;     /* its process sleeps on it */
byte told[5];  /* the count that a sleeper knows */

/* event_happen() */
inline pulse()
{
#ifdef BITS_TAKEN_BEFORE
	v = state;
	state = (COUNT(v) + 1) * ONCE;
#else
	atomic { v = state; state = (COUNT(v) + 1) * ONCE; }
#endif
	if
#ifdef WAKE_ONE_ONLY
	:: atomic { v & WAITERS -> WAKE_ONE(on_word, STATE); }
#else
	:: atomic { v & WAITERS -> WAKE_ALL(on_word, STATE); }
#endif
	:: !(v & WAITERS);
	fi;
	if
	:: v & BELLS -> ring();
	:: !(v & BELLS);
	fi;
	v = 0;
}

/* doorbell_ring() */
inline ring()
{
#ifdef RING_THEN_TAKE_OUT
	if
	:: atomic { entry -> rung = 1; }
		entry = 0;
	:: !entry;
	fi
#else
	if
	:: atomic { entry -> entry = 0; }
		rung = 1;
	:: !entry;
	fi
#endif
}

/* event_wait() */
inline wait()
{
	do
	:: atomic { v = state;
			if
			:: COUNT(v) != told[me] -> told[me] = COUNT(v); v = 0; break;
			:: else;
			fi
		}
		atomic {
			CAS(state, v | WAITERS);
			v = v | WAITERS;
		}
		if
		:: atomic { ok && FUTEX(state) == FUTEX(v) -> on_word[me] = STATE; }
endwait:	atomic {
				if
				:: on_word[me] == 0;
				:: LOOKS_AGAIN && COUNT(state) != told[me];
				fi;
				on_word[me] = 0;
				v = 0; ok = 0;
			}
		:: atomic { !ok || FUTEX(state) != FUTEX(v) -> v = 0; ok = 0; }
		fi
	od
}

/* event_arm(), and poll(2), until the count is another. */
inline poll()
{
	do
	:: atomic { COUNT(state) != told[me] -> told[me] = COUNT(state); break; }
	:: COUNT(state) == told[me] ->
#ifndef DRAIN_LAST
		rung = 0;
#endif
#ifndef WORD_BEFORE_TABLE
		entry = 1;
#endif
		do
		:: atomic { v = state;
#ifndef ARM_WITHOUT_LOOK
				if
				:: COUNT(v) != told[me] -> v = 0; entry = 0; break; /* doorbell_disarm() */
				:: else;
				fi;
#endif
			}
			atomic {
#ifdef ARM_WITHOUT_LOOK
				ok = 1;
				state = state | BELLS;
#else
				CAS(state, v | BELLS);
#endif
				v = 0;
			}
			if
			:: atomic { ok -> ok = 0; }
#ifdef WORD_BEFORE_TABLE
				entry = 1;
#endif
#ifdef DRAIN_LAST
				rung = 0;
#endif
				polls = 1;
endpoll:		atomic {
					if
					:: rung;
					:: LOOKS_AGAIN && COUNT(state) != told[me] -> entry = 0; rung = 1; /* the helper */
					fi;
					polls = 0;
				}
				break;
			:: !ok;
			fi
		od
	od
}

proctype thread(byte me)
{
	byte v;
	bit ok;

	atomic { is_born(); in_call[me] = 1; }
	{
		if
		:: me < 3 -> pulse();
#ifdef TWO_WAITERS
		:: me >= 3 ->
			do
			:: told[me] < PULSES -> wait();
			:: told[me] == PULSES -> break;
			od
#else
		:: me == 3 ->
			do
			:: told[me] < PULSES -> wait();
			:: told[me] == PULSES -> break;
			od
		:: me == 4 ->
			do
			:: told[me] < PULSES -> poll();
			:: told[me] == PULSES -> break;
			od
#endif
		fi;
		in_call[me] = 0;
end:		false;
	} unless {
		atomic { killed[me] -> leaves_the_queues(); v = 0; ok = 0; polls = (me == 4 -> 0 : polls); }
	};
	alive[me] = 0;
}

/* When nothing moves any more. */
active proctype judge()
{
end:	timeout ->
		assert(on_word[3] == 0 || told[3] == COUNT(state)); /* asleep */
		assert(on_word[4] == 0 || told[4] == COUNT(state)); /* asleep */
		assert(!polls || told[4] == COUNT(state));          /* asleep */
}

init
{
	atomic {
		run thread(1);
#ifndef ONE_PULSE
		run thread(2);
#endif
		for (each : FIRST_SLEEPER .. 4) {
			run thread(each);
		}
		each = 0;
		run killer();
	}
}
