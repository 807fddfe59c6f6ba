/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mutex: threads that lock, hold and unlock LOCKS mutexes, and may be killed before any step.
 *
 * exclusion  a mutex has one holder; a dead one counts until the kernel has marked its life word
 * told       who gets a mutex after a death is told -EOWNERDEAD; who isn't told finds the data whole
 * asleep     nobody sleeps for ever. The look after 100 ms is offered only once a thread was killed INSIDE a call:
 *            without that, holders killed between two calls included, every wake has to come by itself
 *
 * holds
 * holds -DTHREADS=2 -DDEATHS=2 -DBIRTHS=1
 * holds -DDEATHS=2
 * holds -DLEAVES=1
 * holds -DLOCKS=2
 * holds -DLOCKS=2 -DDEATHS=2
 * falls exclusion: -DMARK_BEFORE_LAST_WRITE
 * falls told: -DFORGET_RECOVER
 * falls asleep: -DTHREADS=2 -DBIRTHS=1 -DOWNER_BY_TID
 * falls asleep: -DTWO_STORES
 * falls asleep: -DDEATHS=0 -DFORGET_W
 * falls asleep: -DDEATHS=0 -DUNLOCK_BY_STORE
 * falls asleep: -DDEATHS=0 -DSLEEP_WITHOUT_W
 * falls asleep: -DDEATHS=0 -DNO_WAKE_ON_UNLOCK
 * falls asleep: -DDEATHS=0 -DLEAVES=1 -DLEAVE_SILENTLY
 * falls asleep: -DNO_WATCHER
 * falls asleep: -DLOCKS=2 -DNO_PASS_ON
 * falls asleep: -DLOCKS=2 -DPASS_ON_BY_TAKER_ONLY
 * falls asleep: -DNO_LOOK_AGAIN
 */
#define ALIKE
#include "kernel.pml"
#ifndef LOCKS
#define LOCKS 1
#endif
#ifndef LEAVES
#define LEAVES 0 /* so many calls have a deadline that may pass at any time while they sleep */
#endif

/* The claim word: generation, not recoverable, RECOVER, W (somebody may sleep), slot. The futex is LOW(). */
#define W          8
#define RECOVER    16
#define BROKEN     32
#define CLAIM      (generation[me] << 6 | me)
#define OWNER(v)   ((v) & 7)
#define LOW(v)     ((v) & 63)
#define TAKEN      4 /* by nobody in particular, for -DTWO_STORES */
#ifdef TWO_STORES
#define HAS_OWNER(v) (OWNER(v) != 0 && OWNER(v) != TAKEN)
#else
#define HAS_OWNER(v) (OWNER(v) != 0)
#endif
#ifdef FORGET_RECOVER
#define TAKEOVER_RECOVER
#else
#define TAKEOVER_RECOVER | RECOVER
#endif
#ifdef TAKEOVER_FORGETS_W
#define TAKEOVER_W
#else
#define TAKEOVER_W | W
#endif
#ifdef SLEEP_WITHOUT_W
#define SLEEPER_W 0
#else
#define SLEEPER_W W
#endif
#ifdef OWNER_BY_TID /* whoever is in the slot now is taken for the owner */
#define IS_DEAD(v) (!alive[OWNER(v)])
#else
#define IS_DEAD(v) (!LIVES(OWNER(v), (v) >> 6))
#endif

short word[LOCKS];
byte leaves;
/* What the properties speak of. */
byte inside[LOCKS]; /* who is between lock and unlock */
bit torn[LOCKS];    /* the data is half-written */

/* A thread's own variables are the same after each call, so that Spin has fewer states to look at. */
#define FORGET v = 0; o = 0; seen = 0; ok = 0; slept = 0; timed = 0; gone = 0

/* Which mutexes a thread takes, in their order: the first takes all, so that its death leaves several waiting. */
#define WANTS(m) (LOCKS == 1 || me == 1 || m == (me & 1))

inline enter()
{
	assert(inside[m] == 0);   /* exclusion */
	assert(told || !torn[m]); /* told */
	inside[m] = me;
	torn[m] = 1;
	got[m] = 1;
}

/* futex_waitv({word, life}). The kernel queues on one after the other; a wake of either ends the sleep, and a wake of
 * the other that comes before the sleeper runs is swallowed. */
inline mutex_sleep()
{
	atomic {
		LOW(word[m]) == LOW(v) -> on_word[me] = m + 1;
		slept = 1;
	}
	atomic {
		if
		:: LIVES(o, seen) -> on_life[me] = o;
		:: else -> on_word[me] = 0;
		fi
	}
	atomic {
		if
		:: on_word[me] == 0 || on_life[me] == 0;
		:: LOOKS_AGAIN && (LOW(word[m]) != LOW(v) || !LIVES(o, seen)); /* 100 ms; if nothing has changed, it sleeps on */
		:: timed -> gone = 1;
		fi;
		on_word[me] = 0;
		on_life[me] = 0;
	}
}

/* The kernel woke ONE of those who slept on this life. That was us, but others may want what its owner had. */
inline mutex_pass_on()
{
	atomic {
		if
		:: !LIVES(o, seen) -> WAKE_ALL(on_life, o);
		:: else;
		fi
	}
}

/* mutex_lock_slow(). The fast path is its first round. Sets got[m], or not: the deadline, or -ENOTRECOVERABLE. */
inline mutex_lock()
{
	atomic {
		in_call[me] = 1;
		if
		:: leaves < LEAVES -> leaves++; timed = 1; /* nonet_mutex_lock() with a deadline */
		:: true;
		fi
	}
	do
	:: gone ->
#ifndef LEAVE_SILENTLY
		WAKE_ONE(on_word, m + 1); /* the watch that we had, or a wake meant for whoever is next */
#endif
		break;
	:: d_step { !gone -> v = word[m]; }
		if
		:: atomic { v == 0 ->
#ifdef TWO_STORES
			CAS(word[m], TAKEN | (slept -> W : 0)); }
			atomic {
				if
				:: ok -> word[m] = CLAIM | (word[m] & W);
				:: else;
				fi;
#elif defined(FORGET_W)
			CAS(word[m], CLAIM);
#else
			CAS(word[m], CLAIM | (slept -> W : 0));
#endif
			if
			:: ok -> enter();
			:: else;
			fi }
			if
			:: atomic { ok && slept -> ok = 0;
#if !defined(NO_WATCHER) && !defined(FORGET_W)
				WAKE_ONE(on_word, m + 1); /* one of the sleepers comes to watch our life */
#endif
				break; }
			:: ok && !slept -> break;
			:: else;
			fi
		:: v & BROKEN -> break;
#ifdef TWO_STORES
		:: OWNER(v) == TAKEN -> word[m] != v;
#endif
		:: atomic { HAS_OWNER(v) -> o = OWNER(v); seen = generation[o]; ok = IS_DEAD(v); }
			if
			:: atomic { ok ->
				CAS(word[m], CLAIM TAKEOVER_W TAKEOVER_RECOVER);
				if
				:: ok -> told = 1; enter();
				:: else;
				fi }
				if
				:: atomic { ok ->
#ifdef PASS_ON_BY_TAKER_ONLY /* else needless: mutex_pass_on() */
					WAKE_ALL(on_life, o);
#endif
				}
#ifndef NO_WATCHER
					WAKE_ONE(on_word, m + 1);
#endif
					break;
				:: else;
				fi
			:: atomic { !ok ->
				if
				:: !(v & W) -> CAS(word[m], v | SLEEPER_W); v = v | SLEEPER_W;
				:: else -> ok = 1;
				fi }
				if
				:: ok ->
					if
					:: mutex_sleep();
					:: LOW(word[m]) != LOW(v);
					fi;
#if !defined(NO_PASS_ON) && !defined(PASS_ON_BY_TAKER_ONLY)
					mutex_pass_on();
#endif
				:: else;
				fi
			fi
		fi
	od;
	atomic { in_call[me] = 0; FORGET; }
}

/* nonet_mutex_recover(); who doesn't call it leaves a mutex that nobody gets any more. */
inline mutex_recover()
{
	in_call[me] = 1;
	do
	:: v = word[m];
		atomic {
			CAS(word[m], v & ~RECOVER);
			if
			:: ok -> torn[m] = 0; break;
			:: else;
			fi
		}
	od;
	atomic { in_call[me] = 0; FORGET; }
}

inline mutex_unlock()
{
	atomic { in_call[me] = 1; inside[m] = 0; }
	do
	:: atomic {
			v = word[m];
			assert(OWNER(v) == me && v >> 6 == generation[me]); /* exclusion */
		}
		atomic {
#ifdef UNLOCK_BY_STORE
			ok = 1;
			word[m] = 0;
#else
			CAS(word[m], (v & RECOVER -> BROKEN : 0));
#endif
			if
			:: ok -> break;
			:: else;
			fi
		}
	od;
#ifndef NO_WAKE_ON_UNLOCK
	if
	:: atomic { v & RECOVER -> WAKE_ALL(on_word, m + 1); }
	:: atomic { v & W && !(v & RECOVER) -> WAKE_ONE(on_word, m + 1); }
	:: !(v & (W | RECOVER));
	fi;
#endif
	atomic { in_call[me] = 0; got[m] = 0; FORGET; }
}

proctype thread(byte me)
{
	short v;
	byte m, o, seen;
	bit ok, slept, told, timed, gone;
	bit got[LOCKS];

born:
	is_born();
	{
		do
		:: m == LOCKS -> m = 0; break;
		:: atomic { m < LOCKS && !WANTS(m) -> m++; }
		:: m < LOCKS && WANTS(m) ->
			mutex_lock();
			if
			:: told && got[m] -> mutex_recover();
			:: told && got[m];
			:: atomic { !told && got[m] -> torn[m] = 0; }
			:: !got[m];
			fi;
			atomic { told = 0; m++; }
		od;
		do
		:: m == LOCKS -> break;
		:: m < LOCKS && got[m] -> mutex_unlock();
		:: atomic { m < LOCKS && !got[m] -> m++; }
		od;
end:		false; /* lives on, and can still be killed */
	} unless {
		atomic { killed[me] -> leaves_the_queues(); m = 0; told = 0; FORGET; }
	};
	d_step {
		alive[me] = 0; /* the kernel marks the life word */
		for (m : 0 .. LOCKS - 1) {
			inside[m] = (inside[m] == me -> 0 : inside[m]);
			got[m] = 0;
		}
		m = 0;
	}
	WAKE_ONE(on_life, me);
	if
	:: births < BIRTHS -> births++; goto born;
	:: true;
	fi
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
