/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two stores and two loads of sleep.pml on a machine that doesn't keep their order. Each thread's stores wait in a
 * buffer. x86 (TSO) writes them out in their order; -DWEAK (as arm64 may) in any order, and a load may come before an
 * earlier load. One waker, one waiter, no deaths: this is about the orders alone.
 *
 * asleep  when nothing moves any more, the waiter doesn't sleep while there is something to take
 *
 * holds
 * holds -DDOORBELL
 * holds -DWEAK
 * holds -DWEAK -DDOORBELL
 * falls asleep: -DNO_FENCE_IN_WAKER
 * falls asleep: -DDOORBELL -DNO_FENCE_IN_WAITER
 * falls asleep: -DWEAK -DNO_FENCE_IN_WAKER
 * falls asleep: -DWEAK -DNO_RELEASE
 * falls asleep: -DWEAK -DNO_ACQUIRE
 */
#define BELL   0
#define ARMED  1
#define THINGS 2
#define WAKER  0
#define WAITER 1

byte memory[3];
/* Stores that the others don't see yet: per thread, for each variable a value, and how many were made before it. */
bit waiting[6];
byte stored[6];
byte order[6];
#define AT(who, variable) ((who) * 3 + (variable))

bit asleep; /* on the futex */
bit rung;   /* the doorbell has a byte */
bit done;

inline store(who, variable, value)
{
	d_step {
		stored[AT(who, variable)] = value;
		waiting[AT(who, variable)] = 1;
		order[AT(who, variable)] = 1 + waiting[AT(who, 0)] + waiting[AT(who, 1)] + waiting[AT(who, 2)];
	}
}

/* One's own store is seen at once. */
#define LOAD(who, variable) (waiting[AT(who, variable)] -> stored[AT(who, variable)] : memory[variable])

/* seq_cst: goes on once all that it stored is seen by all. The kernel does this too, before it looks at a futex. */
#define FENCE(who) (!waiting[AT(who, 0)] && !waiting[AT(who, 1)] && !waiting[AT(who, 2)])

#define BEFORE(who, other, variable) (!waiting[AT(who, other)] || order[AT(who, other)] >= order[AT(who, variable)])
#ifdef WEAK
#ifdef NO_RELEASE
#define MAY_DRAIN(who, variable) waiting[AT(who, variable)]
#else /* the bell is stored with release: what was stored before it is seen before it */
#define MAY_DRAIN(who, variable) \
	(waiting[AT(who, variable)] && (variable != BELL || BEFORE(who, THINGS, variable)))
#endif
#else
#define MAY_DRAIN(who, variable) \
	(waiting[AT(who, variable)] && BEFORE(who, BELL, variable) && BEFORE(who, ARMED, variable) && BEFORE(who, THINGS, variable))
#endif

#define DRAIN(who, variable) \
	atomic { MAY_DRAIN(who, variable) -> memory[variable] = stored[AT(who, variable)]; waiting[AT(who, variable)] = 0; }

/* The store buffers. */
active [2] proctype buffer()
{
end:	do
	:: DRAIN(_pid, BELL)
	:: DRAIN(_pid, ARMED)
	:: DRAIN(_pid, THINGS)
	od
}

/* bell_ring(), of an event */
active proctype waker()
{
	byte armed;

	store(WAKER, THINGS, 1);
	store(WAKER, BELL, 1);
#ifndef NO_FENCE_IN_WAKER
	FENCE(WAKER);
#endif
	armed = LOAD(WAKER, ARMED);
	if
	:: armed -> atomic { FENCE(WAKER) -> asleep = 0; rung = 1; } /* FUTEX_WAKE, or a byte into the doorbell */
	:: !armed;
	fi
}

/* bell_wait() */
active proctype waiter()
{
	byte seen, things;

	do
	::
#if defined(WEAK) && defined(NO_ACQUIRE)
		if
		:: things = LOAD(WAITER, THINGS); /* too early: before the bell that is to vouch for it */
		:: things = 0;
		fi;
#endif
		seen = LOAD(WAITER, BELL);
		store(WAITER, ARMED, 1);
#ifdef DOORBELL /* poll() looks at no word of ours, so nobody fences for us */
#ifndef NO_FENCE_IN_WAITER
		FENCE(WAITER);
#endif
#endif
#if !defined(WEAK) || !defined(NO_ACQUIRE)
		things = LOAD(WAITER, THINGS);
#endif
		if
		:: things -> done = 1; break;
		:: !things;
		fi;
#ifdef DOORBELL
endasleep:	atomic { rung -> rung = 0; }
#else
		atomic { FENCE(WAITER) -> asleep = (memory[BELL] == seen); }
endasleep:	!asleep;
#endif
	od
}

active proctype judge()
{
end:	timeout -> assert(done); /* asleep */
}
