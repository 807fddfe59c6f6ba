/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock of readers and writers: each thread reads, writes, reads and upgrades, or writes and downgrades, and may be
 * killed before any step. Two places for three threads, so that one has none, or takes a dead one's.
 *
 * exclusion  who writes is alone; a dead one counts until the kernel has marked its life word
 * kept       what a thread has, place or claim, is its own until it lets go
 * told       who has the lock after a writer's death is told -EOWNERDEAD; who isn't told finds the data whole
 * passed     who comes to read while a writer waits for readers to go gets in after that writer
 * asleep     nobody sleeps for ever. The look after 100 ms is offered only once a thread was killed INSIDE a call
 *
 * holds -DTHREADS=2 -DBIRTHS=1
 * holds -DTHREADS=2 -DDEATHS=2
 * holds -DTHREADS=2 -DLEAVES=1
 * holds -DTASK1=READS -DTASK2=UPGRADES -DTASK3=WRITES
 * holds -DTASK1=READS -DTASK2=WRITES -DTASK3=DOWNGRADES
 * falls exclusion: -DTHREADS=2 -DDEATHS=0 -DREADER_LOOKS_FIRST
 * falls exclusion: -DTHREADS=2 -DDEATHS=0 -DDOWNGRADE_CLAIM_FIRST
 * falls kept: -DTHREADS=2 -DMARK_BEFORE_LAST_WRITE
 * falls kept: -DTASK1=READS -DTASK2=READS -DTASK3=WRITES -DDEAD_PLACE_FREED_BY_STORE
 * falls told: -DTHREADS=2 -DWRITE_WITH_INTENT
 * falls told: -DTHREADS=2 -DBIRTHS=1 -DGIVEN_UP_LOOKS_FREE
 * falls passed: -DTHREADS=2 -DDEATHS=0 -DREADERS_PASS_INTENT
 * falls asleep: -DTHREADS=2 -DDEATHS=0 -DWAIT_TO_UPGRADE
 * falls asleep: -DTHREADS=2 -DDEATHS=0 -DNO_WAKE_BY_READER
 * falls asleep: -DTHREADS=2 -DDEATHS=0 -DSLEEP_WITHOUT_W
 * falls asleep: -DTHREADS=2 -DDEATHS=0 -DLEAVES=1 -DLEAVE_WITH_INTENT
 * falls asleep: -DDEATHS=0 -DWAKE_ONE_ONLY
 * falls asleep: -DNO_PASS_ON
 * falls asleep: -DDEATHS=2 -DTASK1=READS -DTASK2=WRITES -DTASK3=WRITES -DNO_LOOK_AGAIN
 */
#include "kernel.pml"
#ifndef LEAVES
#define LEAVES 0 /* so many calls have a deadline that may pass at any time while they sleep */
#endif
#define PLACES 2

/* The claim, and each place: generation, not recoverable, RECOVER, INTENT, W (somebody may sleep), slot. The futex is
 * LOW(). */
#define W        8
#define INTENT   16
#define RECOVER  32
#define BROKEN   64
#define ME       (generation[me] << 7 | me)
#define OWNER(v) ((v) & 7)
#define LOW(v)   ((v) & 127)
#define MINE(v)  (OWNER(v) == me && (v) >> 7 == generation[me])
#ifdef SLEEP_WITHOUT_W
#define SLEEPER_W 0
#else
#define SLEEPER_W W
#endif
#ifdef READERS_PASS_INTENT
#define IN_THE_WAY(v) (OWNER(v) != 0 && !((v) & INTENT && reads))
#else
#define IN_THE_WAY(v) (OWNER(v) != 0)
#endif

#define CLAIM 0
short word[PLACES + 1]; /* the claim, then the places */
byte leaves;

/* What a thread does. All are alike but for that, so it is enough to try it in ascending order. */
#define READS      0
#define UPGRADES   1
#define WRITES     2
#define DOWNGRADES 3
byte task[5];

/* What the properties speak of. */
byte writer;
bit reader[5];
byte readers;
bit torn;      /* the data is half-written */
bit behind[5]; /* came to read while a writer waited for readers to go, who still does */

#define NO_WRITER_WAITS d_step { behind[1] = 0; behind[2] = 0; behind[3] = 0; behind[4] = 0; }

/* A claim and its owner's life are read in one step: who dies in between was seen alive, or the CAS will fail. */
#define LOOK_AT(w) v = word[w]; o = OWNER(v); seen = v >> 7; looked = 1
#define FORGET     v = 0; o = 0; seen = 0; ok = 0; looked = 0
#ifdef GIVEN_UP_LOOKS_FREE
#define NOBODY_WRITES(v) (!IN_THE_WAY(v))
#else
#define NOBODY_WRITES(v) (!IN_THE_WAY(v) && !((v) & BROKEN))
#endif
#ifdef WAKE_ONE_ONLY
#define WAKE_THOSE_ON(w) WAKE_ONE(on_word, (w) + 1)
#else
#define WAKE_THOSE_ON(w) WAKE_ALL(on_word, (w) + 1)
#endif
#ifdef NO_WAKE_BY_READER
#define READER_SEES_W(v) false
#else
#define READER_SEES_W(v) ((v) & W)
#endif

inline reads_on()
{
	reader[me] = 1;
	readers++;
}

inline stops_reading()
{
	readers = readers - reader[me];
	reader[me] = 0;
}

inline enter_to_read()
{
	assert(!behind[me]); /* passed */
	assert(writer == 0); /* exclusion */
	assert(!torn);       /* told */
	reads_on();
}

inline enter_to_write()
{
	assert(writer == 0 && readers == reader[me]); /* exclusion */
	assert(told || !torn); /* told */
	NO_WRITER_WAITS
	stops_reading();
	writer = me;
	torn = 1;
}

/* A call begins, that may have a deadline. */
inline begin()
{
	in_call[me] = 1;
	if
	:: leaves < LEAVES -> leaves++; timed = 1;
	:: true;
	fi
}

/* rwlock_sleep() on word w, which was v, of owner o who lived. First W: sets ok. */
inline announce(w)
{
	CAS(word[w], v | SLEEPER_W);
	v = v | SLEEPER_W;
}

/* futex_waitv({word, life}), as in mutex.pml. Sets gone if the deadline has passed. */
inline sleep(w)
{
	if
	:: atomic { !ok || LOW(word[w]) != LOW(v) -> FORGET; }
	:: atomic { ok && LOW(word[w]) == LOW(v) -> on_word[me] = w + 1; ok = 0; }
		atomic {
			if
			:: LIVES(o, seen) -> on_life[me] = o;
			:: else -> on_word[me] = 0;
			fi
		}
		atomic {
			if
			:: on_word[me] == 0 || on_life[me] == 0;
			:: LOOKS_AGAIN && (LOW(word[w]) != LOW(v) || !LIVES(o, seen)); /* 100 ms */
			:: timed -> gone = 1;
			fi;
			on_word[me] = 0;
			on_life[me] = 0;
			v = 0;
		}
		atomic {
			if
#ifndef NO_PASS_ON
			:: !LIVES(o, seen) -> WAKE_ALL(on_life, o);
#endif
			:: else;
			fi;
			FORGET;
		}
	fi
}

/* rwlock_place_drop() */
inline drop_place()
{
	atomic {
		assert(MINE(word[place])); /* kept */
		v = word[place];
		word[place] = 0;
	}
	atomic {
		if
		:: READER_SEES_W(v) -> WAKE_THOSE_ON(place);
		:: else;
		fi;
		place = 0;
		FORGET;
	}
}

/* rwlock_place_take(), from i = 1 on: sets place, or leaves i behind the last. */
inline take_place()
{
	do
	:: atomic { place == 0 && i <= PLACES && !looked ->
			LOOK_AT(i);
			if
			:: o != 0 && LIVES(o, seen) -> i++; FORGET;
			:: else;
			fi;
			if
			:: i > PLACES -> break;
			:: else;
			fi
		}
	:: atomic { looked ->
			CAS(word[i], ME | (v & W)); /* who sleeps here for the dead one goes on sleeping for us */
			looked = 0;
			if
			:: !ok -> FORGET;
			:: ok && o == 0 -> place = i; FORGET; break;
			:: ok && o != 0 -> place = i;
			fi
		}
	:: atomic { place != 0 -> WAKE_ALL(on_life, o); FORGET; break; }
	od
}

/* rwlock_release(): lets go of the claim. */
inline release()
{
	atomic {
		assert(MINE(word[CLAIM])); /* kept */
		v = word[CLAIM];
		word[CLAIM] = (v & RECOVER -> BROKEN : 0);
		if
		:: v & INTENT -> NO_WRITER_WAITS
		:: else;
		fi;
		if
		:: writer == me -> writer = 0; reads_on(); /* a downgrade */
		:: else;
		fi
	}
	atomic {
		if
		:: v & W -> WAKE_THOSE_ON(CLAIM);
		:: else;
		fi;
		FORGET;
	}
}

/* rwlock_bury(), of the claim v of o, who is dead: ok if it has changed, writer if it is ours. */
inline bury()
{
	CAS(word[CLAIM], (v & INTENT -> 0 : ME | W | RECOVER));
	looked = 0;
	if
	:: ok && v & INTENT -> NO_WRITER_WAITS
	:: ok && !(v & INTENT) -> told = 1; enter_to_write();
	:: !ok -> FORGET;
	fi
}

inline tell_of_the_dead()
{
	atomic { ok && !looked -> WAKE_ALL(on_life, o); }
	atomic { WAKE_ALL(on_word, CLAIM + 1); FORGET; }
}

/* rwlock_wait_to_read(), rwlock_intend(). Sets reader[me], or intends, or after a death writer; or nothing: the
 * deadline, no place, or -ENOTRECOVERABLE. */
inline lock()
{
	do
	:: atomic { !looked && !ok ->
			if
			:: gone || writer == me -> break;
			:: else;
			fi;
			LOOK_AT(CLAIM);
			if
			:: v & BROKEN -> FORGET; break;
			:: !IN_THE_WAY(v) && reads -> FORGET; i = 1;
			:: else;
			fi
		}
		if
		:: atomic { looked && OWNER(v) == 0 && !reads ->
				CAS(word[CLAIM], ME | INTENT);
				if
				:: ok -> intends = 1; FORGET; break;
				:: else -> FORGET;
				fi
			}
		:: atomic { looked && IN_THE_WAY(v) && LIVES(o, seen) -> announce(CLAIM); }
			sleep(CLAIM);
		:: atomic { looked && IN_THE_WAY(v) && !LIVES(o, seen) -> bury(); }
			if
			:: tell_of_the_dead();
			:: !ok;
			fi
		:: i > 0 ->
			take_place();
			atomic {
				i = 0;
				if
				:: place == 0 -> break;
				:: else;
				fi;
#ifdef READER_LOOKS_FIRST
				enter_to_read();
				break;
#else
				if
				:: NOBODY_WRITES(word[CLAIM]) -> enter_to_read(); break;
				:: else;
				fi;
#endif
			}
			drop_place();
		fi
	od
}

/* rwlock_drain(): with intends, wait for the readers to go, and write; or let go of the claim. */
inline drain()
{
	do
	:: atomic { intends && !looked && !gone && i <= PLACES ->
			if
			:: i == 0 -> i = 1;
			:: else;
			fi;
			LOOK_AT(i);
			if
			:: o == 0 || MINE(v) -> i++; FORGET;
			:: else;
			fi
		}
	:: atomic { looked && LIVES(o, seen) -> announce(i); }
		sleep(i);
	:: atomic { looked && !LIVES(o, seen) ->
#ifdef DEAD_PLACE_FREED_BY_STORE
			ok = 1;
			word[i] = 0;
#else
			CAS(word[i], 0);
#endif
			if
			:: ok -> WAKE_ALL(on_life, o);
			:: else;
			fi;
			FORGET;
		}
	:: atomic { intends && gone -> intends = 0; }
#ifndef LEAVE_WITH_INTENT
		release();
#endif
		break;
	:: atomic { intends && !gone && i > PLACES ->
			assert(MINE(word[CLAIM])); /* kept */
#ifndef WRITE_WITH_INTENT
			word[CLAIM] = word[CLAIM] & ~INTENT;
#endif
			intends = 0;
			enter_to_write();
			break;
		}
	:: atomic { !intends -> break; }
	od
}

/* nonet_rwlock_upgrade(), until it intends, or is refused. */
inline intend_to_upgrade()
{
	do
	:: atomic { !looked && !ok -> LOOK_AT(CLAIM); }
	:: atomic { looked && o == 0 ->
			CAS(word[CLAIM], ME | INTENT);
			if
			:: ok -> intends = 1; FORGET; break;
			:: else -> FORGET;
			fi
		}
#ifdef WAIT_TO_UPGRADE
	:: atomic { looked && o != 0 && LIVES(o, seen) -> announce(CLAIM); }
		sleep(CLAIM);
#else
	:: atomic { looked && o != 0 && LIVES(o, seen) -> FORGET; break; }
#endif
	:: atomic { looked && o != 0 && !LIVES(o, seen) -> bury(); assert(writer != me); /* exclusion */ }
		if
		:: tell_of_the_dead();
		:: !ok;
		fi
	od
}

proctype thread(byte me)
{
	short v;
	byte i, o, seen, place;
	bit ok, looked, timed, gone, told, reads, intends;

born:
	is_born();
	{
		atomic {
			begin();
			reads = (task[me] <= UPGRADES);
			behind[me] = (reads && word[CLAIM] & INTENT && LIVES(OWNER(word[CLAIM]), word[CLAIM] >> 7));
		}
		lock();
		drain();
		atomic { in_call[me] = 0; behind[me] = 0; i = 0; timed = 0; gone = 0; reads = 0; }
		if
		:: atomic { reader[me] && task[me] == UPGRADES -> begin(); }
			intend_to_upgrade();
			drain();
			if
			:: writer == me -> drop_place();
			:: atomic { writer != me -> i = 0; }
			fi;
			atomic { in_call[me] = 0; i = 0; timed = 0; gone = 0; }
		:: atomic { writer == me && !told && task[me] == DOWNGRADES -> torn = 0; in_call[me] = 1; i = 1; }
#ifdef DOWNGRADE_CLAIM_FIRST
			release();
			take_place();
#else
			take_place();
			if
			:: place != 0 -> release();
			:: place == 0; /* it goes on writing */
			fi;
#endif
			atomic { in_call[me] = 0; i = 0; }
		:: atomic { told -> /* nonet_rwlock_recover(); who doesn't call it leaves a lock that nobody gets any more */
				if
				:: assert(MINE(word[CLAIM])); /* kept */
					word[CLAIM] = word[CLAIM] & ~RECOVER;
					torn = 0;
				:: true;
				fi
			}
		:: reader[me] && task[me] != UPGRADES;
		:: writer == me && !told && task[me] != DOWNGRADES;
		:: atomic { !reader[me] && writer != me -> goto end; }
		fi;
		/* nonet_rwlock_unlock() */
		atomic {
			in_call[me] = 1;
			stops_reading();
			if
			:: writer == me -> writer = 0; ok = 1;
			:: else;
			fi;
			if
			:: ok && !told -> torn = 0;
			:: else;
			fi;
			told = 0;
		}
		if
		:: atomic { ok -> ok = 0; }
			release();
		:: !ok -> drop_place();
		fi;
		in_call[me] = 0;
end:		false; /* lives on, and can still be killed */
	} unless {
		atomic {
			killed[me] -> leaves_the_queues();
			FORGET;
			i = 0; place = 0; timed = 0; gone = 0; told = 0; reads = 0; intends = 0;
		}
	};
	d_step {
		alive[me] = 0; /* the kernel marks the life word */
		stops_reading();
		behind[me] = 0;
		writer = (writer == me -> 0 : writer);
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
#ifdef TASK1
		task[1] = TASK1;
		task[2] = TASK2;
		task[3] = TASK3;
#endif
		for (each : 1 .. THREADS) {
#ifndef TASK1
			do
			:: task[each] < DOWNGRADES -> task[each]++;
			:: task[each] >= task[each - 1] -> break;
			od;
#endif
			run thread(each);
		}
		each = 0;
		run killer();
	}
}
