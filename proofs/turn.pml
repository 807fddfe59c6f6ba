/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The semaphore's turn and its word: who finds no permit, or wants two, takes the turn, marks the word, looks once more,
 * and sleeps on the word and on the lives of those who have the permits. Thread 1 takes both, 2 and 3 take one. The turn
 * itself is a mutex, which mutex.pml shows: here it is to be had once it is free or its owner dead. With WATCHER, thread
 * 3 sleeps on the life of thread 1 instead, for a permit that it has of another semaphore. permits.pml has what can
 * happen to the permits' claims.
 *
 * doubled  a permit has one user; a dead one counts until the kernel has marked its life word
 * lost     when nothing moves any more, every permit is free, or its owner is known to be dead
 * passed   who comes while somebody waits in turn has no permit before him
 * asleep   nobody sleeps for ever. The look after 100 ms is offered only once a thread was killed INSIDE a call
 *
 * holds
 * holds -DLEAVES=1
 * holds -DWATCHER
 * falls lost: -DDEATHS=0 -DLEAVES=1 -DLEAVE_WITH_SOME
 * falls doubled: -DDEATHS=0 -DCLAIM_BY_STORE
 * falls passed: -DDEATHS=0 -DTAKE_PAST
 * falls asleep: -DDEATHS=0 -DNO_LOOK_AFTER_MARK
 * falls asleep: -DDEATHS=0 -DWORD_STAYS
 * falls asleep: -DDEATHS=0 -DNO_MARK
 * falls asleep: -DWITHOUT_LIVES
 * falls asleep: -DLIFE_READ_LAST
 * falls asleep: -DWATCHER -DNO_PASS_ON
 * falls asleep: -DNO_LOOK_AGAIN
 */
#include "kernel.pml"
#ifdef WATCHER
#define WATCHES 3
#else
#define WATCHES 4
#endif
#ifndef LEAVES
#define LEAVES 0
#endif
#define PERMITS 2
#define NEED    (me == 1 -> 2 : 1)
#define WORD    1 /* its futex */

/* A claim is a slot: nobody gets a dead one's here. */
#define IS_DEAD(v)   ((v) != 0 && !alive[v])
#define TO_BE_HAD(v) ((v) == 0 || !alive[v])
byte permit[PERMITS];
byte turn;

/* The word: how often somebody gave back while WAITS was set; WAITS. */
#define WAITS 1
#define ONCE  2
byte word;

/* Who sleeps may sleep on several lives: a bit for each slot. */
byte on_lives[5];
#define LIFE(slot) (1 << (slot))
#define WAKES(p, slot) on_lives[p] & LIFE(slot) -> on_lives[p] = on_lives[p] & ~LIFE(slot)
#define WAKE_ONE_ON_LIFE(slot) \
	atomic { \
		if \
		:: WAKES(1, slot); \
		:: WAKES(2, slot); \
		:: WAKES(3, slot); \
		:: WAKES(4, slot); \
		:: else; \
		fi \
	}
#define WAKE_ALL_ON_LIFE(slot) \
	d_step { \
		on_lives[1] = on_lives[1] & ~LIFE(slot); \
		on_lives[2] = on_lives[2] & ~LIFE(slot); \
		on_lives[3] = on_lives[3] & ~LIFE(slot); \
		on_lives[4] = on_lives[4] & ~LIFE(slot); \
	}

byte leaves;
byte user[PERMITS];
bit waits[5];  /* has the turn, and has marked the word */
bit behind[5]; /* came while somebody waited, who still does */

#define NOBODY_WAITS d_step { behind[1] = 0; behind[2] = 0; behind[3] = 0; }
#define FORGET       v = 0; ok = 0; looked = 0

/* semaphore_collect(), from i = 0 on: what there is, up to what is needed. */
inline collect()
{
	do
	:: atomic { !looked && i < PERMITS && have < NEED ->
			v = permit[i];
			if
			:: TO_BE_HAD(v) -> looked = 1;
			:: else -> i++; v = 0;
			fi
		}
	:: atomic { looked ->
#ifdef CLAIM_BY_STORE
			ok = 1;
			permit[i] = me;
#else
			CAS(permit[i], me);
#endif
			if
			:: ok ->
				assert(user[i] == 0 || !alive[user[i]]); /* doubled */
				assert(!behind[me]);                     /* passed */
				user[i] = me;
				have++;
				i++;
				if
				:: v != 0 -> WAKE_ALL_ON_LIFE(v)
				:: else;
				fi
			:: else;
			fi;
			FORGET;
		}
	:: atomic { !looked && (i == PERMITS || have == NEED) -> i = 0; break; }
	od
}

/* semaphore_sleep() */
inline sleep()
{
#ifndef WITHOUT_LIVES
	do
	:: atomic { i < PERMITS ->
			lives = lives | (permit[i] != 0 && permit[i] != me -> LIFE(permit[i]) : 0);
			i++;
		}
	:: atomic { i == PERMITS -> i = 0; break; }
	od;
#endif
	if
	:: atomic { word != seen -> lives = 0; }
	:: atomic { word == seen -> on_word[me] = WORD; } /* futex_waitv({word, lives...}) */
		atomic {
			if
#ifndef LIFE_READ_LAST
			:: lives & ~(alive[1] << 1 | alive[2] << 2 | alive[3] << 3) -> on_word[me] = 0;
#endif
			:: else -> on_lives[me] = lives;
			fi
		}
		atomic {
			if
			:: on_word[me] == 0 || on_lives[me] != lives;
			:: LOOKS_AGAIN && (word != seen || TO_BE_HAD(permit[0]) || TO_BE_HAD(permit[1])); /* 100 ms */
			:: leaves < LEAVES -> leaves++; gone = 1;
			fi;
			on_word[me] = 0;
			on_lives[me] = 0;
		}
		/* The kernel woke ONE of those who slept on this life. */
		atomic {
#ifndef NO_PASS_ON
			if
			:: lives & LIFE(1) && !alive[1] -> WAKE_ALL_ON_LIFE(1)
			:: else;
			fi;
			if
			:: lives & LIFE(2) && !alive[2] -> WAKE_ALL_ON_LIFE(2)
			:: else;
			fi;
			if
			:: lives & LIFE(3) && !alive[3] -> WAKE_ALL_ON_LIFE(3)
			:: else;
			fi;
#endif
			lives = 0;
		}
	fi
}

/* semaphore_wait_in_turn(), with the turn. */
inline wait_in_turn()
{
	do
	:: i == 0 ->
		collect();
		if
		:: have == NEED -> break;
		:: atomic { have < NEED && !waits[me] ->
#ifndef NO_MARK
				word = word | WAITS;
#endif
				seen = word;
				waits[me] = 1;
#ifdef NO_LOOK_AFTER_MARK
			}
			sleep();
#else
			}
#endif
		:: have < NEED && waits[me] ->
			sleep();
			if
			:: gone -> break;
			:: atomic { !gone -> word = word | WAITS; seen = word; }
			fi
		fi
	od
}

/* nonet_semaphore_wait() */
inline take()
{
	atomic {
		in_call[me] = 1;
		behind[me] = (waits[1] || waits[2] || waits[3]);
#ifdef TAKE_PAST
		ok = (NEED == 1);
#else
		ok = (NEED == 1 && !(word & WAITS));
#endif
	}
	if
	:: atomic { ok -> ok = 0; }
		collect();
	:: !ok;
	fi;
	if
	:: have == NEED;
	:: atomic { have < NEED && TO_BE_HAD(turn) -> turn = me; behind[me] = 0; }
		wait_in_turn();
		if
		:: have < NEED ->
#ifndef LEAVE_WITH_SOME
			give();
#endif
		:: have == NEED;
		fi;
		atomic { word = word & ~WAITS; waits[me] = 0; seen = 0; NOBODY_WAITS } /* semaphore_leave_turn() */
		turn = 0;
	fi;
	atomic { in_call[me] = 0; gone = 0; behind[me] = 0; FORGET; }
}

/* Gives back what it has, and wakes who waits in turn. */
inline give()
{
	do
	:: atomic { have > 0 ->
			i = (user[0] == me -> 0 : 1);
			assert(user[i] == me && permit[i] == me); /* doubled */
			user[i] = 0;
			permit[i] = 0;
			have--;
			i = 0;
			ok = 1;
		}
	:: atomic { have == 0 -> /* semaphore_wake() */
			ok = (ok && word & WAITS);
#ifndef WORD_STAYS
			word = (ok -> word + ONCE : word);
#endif
			break;
		}
	od;
	if
	:: atomic { ok -> WAKE_ONE(on_word, WORD); ok = 0; }
	:: !ok;
	fi
}

/* A sleeper for another semaphore's permit, which thread 1 never gives back: all that it waits for is its death. */
inline watch()
{
	do
	:: atomic { alive[1] -> on_lives[me] = LIFE(1); }
endwatch:	atomic {
			if
			:: !(on_lives[me] & LIFE(1));
			:: LOOKS_AGAIN && !alive[1];
			fi;
			on_lives[me] = 0;
		}
	:: atomic { !alive[1] -> WAKE_ALL_ON_LIFE(1) break; }
	od
}

proctype thread(byte me)
{
	byte v, i, have, seen, lives;
	bit ok, looked, gone;

	is_born();
	{
		if
		:: me < WATCHES ->
			take();
			if
			:: atomic { have == NEED -> in_call[me] = 1; }
				give();
				in_call[me] = 0;
			:: have < NEED;
			fi
		:: atomic { me == WATCHES -> in_call[me] = 1; }
			watch();
		fi;
end:		false;
	} unless {
		atomic {
			killed[me] -> leaves_the_queues();
			on_lives[me] = 0;
			i = 0; have = 0; seen = 0; lives = 0; gone = 0;
			FORGET;
		}
	};
	atomic { /* the kernel marks the life word */
		alive[me] = 0;
		user[0] = (user[0] == me -> 0 : user[0]);
		user[1] = (user[1] == me -> 0 : user[1]);
		if
		:: waits[me] -> waits[me] = 0; NOBODY_WAITS
		:: else;
		fi;
	}
	WAKE_ONE_ON_LIFE(me)
}

/* When nothing moves any more. */
active proctype judge()
{
end:	timeout ->
		assert(on_word[1] == 0 && on_word[2] == 0 && on_word[3] == 0); /* asleep */
		assert(TO_BE_HAD(permit[0]) && TO_BE_HAD(permit[1])); /* lost */
		assert(on_lives[3] == 0 || alive[1]); /* asleep */
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
