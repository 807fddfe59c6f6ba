/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleep and wake by a bell and an armed flag: conditions, events, semaphores. Threads 1 and 2 put things in and wake;
 * 3 and 4 each take one, or sleep. Anybody may be killed before any step.
 *
 * asleep  when nothing moves any more, nobody sleeps while there is something to take. The look after 100 ms is offered
 *         only once a thread was killed inside a call: without that, every wake has to come by itself
 *
 * holds -DDEATHS=0
 * holds -DONE_WAKER -DPUTS=2
 * holds -DONE_WAITER
 * falls asleep: -DDEATHS=0 -DCLEARED_FIRST
 * falls asleep: -DDEATHS=0 -DCLEARED_AND_ONE_WOKEN
 * falls asleep: -DDEATHS=0 -DARMED_NOT_SET_AGAIN
 * falls asleep: -DDEATHS=0 -DBELL_READ_LAST
 * falls asleep: -DONE_WAKER -DPUTS=2 -DBELL_ONCE
 * falls asleep: -DONE_WAKER -DLOOK_AT_BELL_ONLY
 * falls asleep: -DONE_WAKER -DNO_LOOK_AGAIN
 */
#include "kernel.pml"
#define WAKERS 2
#ifdef ONE_WAKER
#define FIRST 2
#else
#define FIRST 1
#endif
#ifdef ONE_WAITER
#define LAST 3
#else
#define LAST 4
#endif
#ifndef PUTS
#define PUTS 1 /* by each waker */
#endif

/* The bell, a futex that counts: kept as who has read its present value, since nothing else is asked of it. */
bit current[5];
#define READ_BELL  current[me] = 1
#define BELL_MOVES d_step { current[3] = 0; current[4] = 0; }
bit armed;   /* somebody may sleep: only then need a waker call the kernel */
byte things; /* the state that is waited for */
#define BELL 1
#define SOME_ASLEEP (on_word[3] == BELL || on_word[4] == BELL)

/* bell_wait(): returns with one of the things. */
inline take_one()
{
	do
#ifdef BELL_READ_LAST
	:: armed = 1; things == 0 -> READ_BELL;
#else
	:: READ_BELL;
		armed = 1;
#endif
		if
		:: atomic { things > 0 -> things--; break; }
		:: things == 0;
		fi;
		atomic {
			if
			:: current[me] -> on_word[me] = BELL; /* FUTEX_WAIT */
			:: else;
			fi
		}
endasleep: atomic {
			if
			:: on_word[me] == 0;
#ifdef LOOK_AT_BELL_ONLY
			:: LOOKS_AGAIN && !current[me];
#else
			:: LOOKS_AGAIN && (!current[me] || things > 0); /* 100 ms; if nothing has changed, it sleeps on */
#endif
			fi;
			on_word[me] = 0;
		}
#ifdef BELL_READ_LAST
	:: atomic { things > 0 -> things--; break; }
#endif
	od
}

/* Whoever clears the flag wakes all, after: those whom another waker left to us, since it found no flag, and those who
 * set it just before. The bell moves in between, so that nobody falls asleep on a flag that is gone. */
inline clear()
{
	armed = 0;
#ifndef BELL_ONCE
	BELL_MOVES
#endif
#ifdef CLEARED_AND_ONE_WOKEN
	WAKE_ONE(on_word, BELL);
#else
	WAKE_ALL(on_word, BELL);
#endif
}

/* bell_ring(), to one or to all; after the change that it tells of. */
inline ring()
{
	BELL_MOVES
	if
	:: !armed; /* nobody sleeps who hasn't seen the new bell: no system call */
	:: armed ->
		if
#ifdef CLEARED_FIRST /* two rings at once: the second finds no flag, and its sleeper isn't woken */
		:: !all -> armed = 0; BELL_MOVES
			atomic { found = SOME_ASLEEP; WAKE_ONE(on_word, BELL); }
			if
			:: found -> armed = 1;
			:: else;
			fi
#else
		/* The flag stays while there was somebody to wake, since there may be more. */
		:: !all -> atomic { found = SOME_ASLEEP; WAKE_ONE(on_word, BELL); }
#ifdef ARMED_NOT_SET_AGAIN
			armed = 0;
#else
			if
			:: !found -> clear();
			:: found;
			fi
#endif
#endif
		:: all -> clear();
		fi
	fi;
	atomic { found = 0; all = 0; }
}

proctype thread(byte me)
{
	byte puts;
	bit found, all;

	atomic { is_born(); in_call[me] = 1; }
	{
		if
		:: me <= WAKERS ->
			do
			:: atomic {
					puts < PUTS -> puts++; things++;
					if
					:: all = 0;
					:: all = 1;
					fi
				}
				ring();
			:: else -> break;
			od
		:: me > WAKERS -> take_one();
		fi;
		in_call[me] = 0;
end:		false;
	} unless {
		atomic { killed[me] -> leaves_the_queues(); puts = 0; found = 0; all = 0; }
	};
	alive[me] = 0;
}

/* When nothing moves any more. */
active proctype judge()
{
end:	timeout -> assert(things == 0 || !SOME_ASLEEP); /* asleep */
}

init
{
	atomic {
		for (each : FIRST .. LAST) {
			run thread(each);
		}
		each = 0;
		run killer();
	}
}
