/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane of src/channel/: a publisher, who is followed by another, and two subscribers who read, arm and sleep. x86's
 * order: what a publisher stores waits in its buffer, in order, until it goes out or a fence waits for it; an atomic
 * exchange is a fence. Subscribers store nothing here but by exchange. Anybody is killed before any step. A publisher's
 * helper thread may be marked dead while the thread that publishes does a few steps more (EARLY), or after its last.
 *
 * asleep  when nothing moves any more, no subscriber sleeps while there is something to read. The look after 100 ms is
 *         offered only once two were killed, or a publisher stored something after its mark
 * whole   no two publishers write a record with the same number
 *
 * holds -DDEATHS=0
 * holds -DFIRST=1
 * holds -DONE -DFIRST=1 -DSECOND=1 -DEARLY
 * soak holds -DONE -DSECOND=1 -DEARLY
 * soak holds -DDEATHS=0 -DFIRST=3
 * soak holds -DDEATHS=0 -DFIRST=3 -DQUIET=2
 * soak holds -DDEATHS=0 -DDOORBELL
 * soak holds -DDEATHS=0 -DUNREGISTERED
 * soak holds -DDEATHS=0 -DUNFENCE_WITHOUT_LOOK
 * soak holds -DDEATHS=0 -DFORBIDDEN
 * soak holds -DSECOND=1
 * soak holds -DFIRST=1 -DSECOND=1 -DDEATHS=2 -DEARLY
 * falls asleep: -DDEATHS=0 -DNO_FENCE -DQUIET=2
 * falls asleep: -DDEATHS=0 -DNO_MEMBARRIER
 * falls asleep: -DDEATHS=0 -DUNREGISTERED -DUNFENCE_ANYHOW
 * soak falls asleep: -DDEATHS=0 -DUNFENCE_WITHOUT_FENCE
 * soak falls asleep: -DDEATHS=0 -DSAY_FENCED
 * falls asleep: -DDEATHS=0 -DWAKE_BEFORE_BELL
 * falls asleep: -DDEATHS=0 -DTICKET_OF_LATER_BELL
 * soak falls asleep: -DDEATHS=0 -DARMED_LOWERED
 * soak falls asleep: -DDEATHS=0 -DARMED_BEFORE_ASLEEP
 * soak falls asleep: -DDEATHS=0 -DNO_LOOK_WHEN_ARMED
 * soak falls asleep: -DDEATHS=0 -DDOORBELL -DBELL_BEFORE_TABLE
 * soak falls asleep: -DDEATHS=0 -DDOORBELL -DTABLE_BEFORE_BELL
 * soak falls asleep: -DDEATHS=0 -DONE -DSECOND=1 -DBELL_OF_ITS_OWN
 * falls asleep: -DONE -DSECOND=1 -DNO_NEWS
 * soak falls asleep: -DONE -DWITHOUT_LIVES
 * soak falls asleep: -DFIRST=1 -DNO_PASS_ON
 * falls asleep: -DONE -DEARLY -DNO_LOOK_AGAIN
 * falls whole: -DONE -DSECOND=1 -DEARLY -DTAKE_WHEN_MARKED
 */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef FIRST
#define FIRST 2 /* messages of the first publisher */
#endif
#ifndef SECOND
#define SECOND 0 /* of the one who has the lane after him; 0: there is none */
#endif
#ifndef QUIET
#define QUIET 1 /* messages without ringing, and it is unfenced */
#endif

/* Publishers are 1 and 2, subscribers 3 and 4. */
bit alive[5]; /* as the life word says; alive[0] is nobody's */
bit killed[5];
bit gone[5];    /* with all threads */
bit publishes[3];
byte deaths;
bit marked; /* a publisher was marked while it went on */
#ifdef NO_LOOK_AGAIN
#define LOOKS_AGAIN false
#else
#define LOOKS_AGAIN (deaths > 1 || marked)
#endif

/* The lane. Of headers just how many are there. */
#define HEADER   0
#define BELL     1
#define UNFENCED 2
#define CLAIM    3
byte memory[4];
byte armed, asleep, news;
byte written; /* the last number that anybody gave to a record */

/* What a publisher has stored and others don't see yet. */
chan buffer1 = [6] of { byte, byte };
chan buffer2 = [6] of { byte, byte };
#define FENCE (me == 1 && empty(buffer1) || me == 2 && empty(buffer2))
#define STORE(variable, value) \
	if \
	:: me == 1 -> buffer1 ! variable, value; \
	:: me == 2 -> buffer2 ! variable, value; \
	fi

active proctype buffer()
{
	byte variable, value;

end:	do
	:: d_step { buffer1 ? variable, value -> memory[variable] = value; variable = 0; value = 0; }
	:: d_step { buffer2 ? variable, value -> memory[variable] = value; variable = 0; value = 0; }
	od
}

byte has_read[5];
bit queued[5];   /* asleep, on news, bell and life */
byte on_life[5]; /* on whose; 0: there was nobody */
bit entered;     /* by descriptor: in the table of bells */
bit rung;        /* and its descriptor is readable */

#define WAKE_ALL d_step { queued[3] = 0; queued[4] = 0; }
/* By its life word; the kernel wakes one, whichever, who may have been killed. */
#define SLEEPS_ON(who, life) (queued[who] && on_life[who] == (life))
#define WAKE_ONE_ON(life) \
	if \
	:: SLEEPS_ON(3, life) -> queued[3] = 0; \
	:: SLEEPS_ON(4, life) -> queued[4] = 0; \
	:: else; \
	fi
#define WAKE_ALL_ON(life) \
	d_step { \
		queued[3] = queued[3] && on_life[3] != (life); \
		queued[4] = queued[4] && on_life[4] != (life); \
	}

/* publisher_ring() */
inline ring()
{
	was = asleep;
#ifdef WAKE_BEFORE_BELL
	if
	:: was == bell -> WAKE_ALL
	:: else;
	fi;
#endif
	atomic {
		STORE(UNFENCED, 0);
#ifndef SAY_FENCED
		quiet = 0;
#endif
#ifndef TABLE_BEFORE_BELL
		STORE(BELL, bell + 1);
#endif
	}
#ifdef TABLE_BEFORE_BELL
	bells();
	STORE(BELL, bell + 1);
#endif
#ifndef WAKE_BEFORE_BELL
	if
	:: was == bell -> atomic { FENCE -> WAKE_ALL } /* the kernel fences */
	:: else;
	fi;
#endif
	atomic { bell++; was = 0; }
#if defined(DOORBELL) && !defined(TABLE_BEFORE_BELL)
	FENCE;
	bells();
#endif
}

/* doorbell_ring(): out of the table first, then it rings. */
inline bells()
{
	if
	:: atomic { entered -> entered = 0; } rung = 1;
	:: else;
	fi;
}

/* publisher_show(), and publisher_unfence(). What is loaded behind a fence may be loaded later just as well. */
inline publish()
{
	atomic {
		assert(written == number); /* whole */
		number++;
		written = number;
		STORE(HEADER, number);
	}
	atomic {
		if
#ifdef NO_FENCE
		:: quiet < QUIET;
#else
		:: quiet < QUIET -> FENCE;
#endif
		:: quiet == QUIET; /* the compiler's alone */
		fi;
		rings = armed == bell;
	}
	if
	:: rings -> ring();
	:: !rings && quiet == QUIET;
	:: !rings && quiet < QUIET ->
		quiet++;
		if
		:: quiet < QUIET;
		:: quiet == QUIET && !may_unfence -> quiet = 0;
		:: quiet == QUIET && may_unfence ->
			STORE(UNFENCED, 1);
#ifndef UNFENCE_WITHOUT_LOOK
			atomic {
#ifndef UNFENCE_WITHOUT_FENCE
				FENCE;
#endif
				rings = armed == bell;
			}
			if
			:: rings -> ring();
			:: else;
			fi;
#endif
		fi;
	fi;
	rings = 0;
}

/* channel_news() */
inline tell_news()
{
#ifdef NO_NEWS
	skip;
#else
	atomic { FENCE -> news++; }
	WAKE_ALL
#ifdef DOORBELL
	bells();
#endif
#endif
}

#ifdef TAKE_WHEN_MARKED
#define IS_LEFT(who) !alive[who]
#else
#define IS_LEFT(who) (!alive[who] && gone[who])
#endif

#ifdef UNREGISTERED
#define REGISTERED false
#else
#define REGISTERED true
#endif

proctype publisher(byte me)
{
	byte bell, quiet, number, was, left;
	bit may_unfence, rings;

	{
#ifdef UNFENCE_ANYHOW
		may_unfence = 1;
#else
		may_unfence = REGISTERED;
#endif
		/* channel_take(), publisher_begin(): the first has the lane already. */
		if
		:: me == 1 -> left = FIRST;
		:: me == 2 ->
			atomic {
				memory[CLAIM] == 0 || memory[CLAIM] == 1 && IS_LEFT(1) ->
				memory[CLAIM] = 2;
				publishes[2] = 1;
				left = SECOND;
			}
			number = memory[HEADER];
#ifndef BELL_OF_ITS_OWN
			bell = memory[BELL];
#endif
			STORE(UNFENCED, 0);
			tell_news();
		fi;
#ifdef BELL_OF_ITS_OWN
		bell = 1;
#else
		if
		:: me == 1 -> bell = 1;
		:: else;
		fi;
#endif
		do
		:: left > 0 -> publish(); left--;
		:: left == 0 -> break;
		od;
		/* Who is the last may stay, and publish no more: no news then wake whom he should have. Or channel_leave(). */
#if SECOND > 0
		if
		:: skip;
		:: me == 2 ->
#endif
endstays:		false;
#if SECOND > 0
		fi;
#endif
		STORE(CLAIM, 0);
		tell_news();
		atomic { publishes[me] = 0; bell = 0; quiet = 0; number = 0; }
	} unless {
		killed[me] -> /* Its stores go out. Then the kernel marks its life word, and wakes one who sleeps on that. */
		atomic {
			FENCE ->
			if
			:: alive[me] -> alive[me] = 0; WAKE_ONE_ON(me)
			:: else;
			fi;
			bell = 0; quiet = 0; number = 0; was = 0; left = 0; rings = 0;
		}
		gone[me] = 1;
	}
}

/* Upwards alone, by exchange. */
#define RAISE(word, value) \
	if \
	:: word < value -> word = value; \
	:: else; \
	fi;

/* membarrier(2): goes on once there was a fence in each publisher that is registered. */
#ifdef NO_MEMBARRIER
#define MEMBARRIER skip
#else
#ifdef UNREGISTERED
#define MEMBARRIER skip
#else
#define MEMBARRIER empty(buffer1); empty(buffer2)
#endif
#endif
#define SOMETHING (memory[HEADER] > has_read[me])

#ifdef DOORBELL
#define BY_FUTEX (me == 3)
#else
#define BY_FUTEX true
#endif

/* wait_arm(), wait_asleep(); and subscriber_arm(), of the second with DOORBELL */
proctype subscriber(byte me)
{
	byte seen, bell, owner;
	bit blind;

	{
		do
		::
#ifdef DOORBELL
			if
#ifdef BELL_BEFORE_TABLE
			:: me == 4 -> bell = memory[BELL]; entered = 1;
#else
			:: me == 4 -> entered = 1; bell = memory[BELL];
#endif
			:: me == 3 -> bell = memory[BELL];
			fi;
			seen = news;
#else
			d_step { seen = news; bell = memory[BELL]; }
#endif
#ifdef ARMED_BEFORE_ASLEEP
			RAISE(armed, bell)
			RAISE(asleep, bell)
#else
			d_step {
				RAISE(asleep, (BY_FUTEX -> bell : bell - 1))
#ifdef ARMED_LOWERED
				armed = bell;
#else
				RAISE(armed, bell)
#endif
			}
#endif
			if
#ifdef FORBIDDEN
			:: memory[UNFENCED] -> blind = 1;
#else
			:: memory[UNFENCED] -> MEMBARRIER;
#endif
			:: else;
			fi;
#if DEATHS > 0 && !defined(WITHOUT_LIVES)
			owner = (alive[memory[CLAIM]] -> memory[CLAIM] : 0);
#endif
			if
			:: atomic { SOMETHING -> has_read[me] = memory[HEADER]; }
			:: !SOMETHING && news != seen;
#ifdef NO_LOOK_WHEN_ARMED
			:: news == seen ->
#else
			:: !SOMETHING && news == seen ->
#endif
#ifdef TICKET_OF_LATER_BELL
				bell = memory[BELL];
#endif
				if
#ifdef DOORBELL
				:: me == 4 -> skip;
endpoll:				atomic { rung -> rung = 0; }
#endif
				:: BY_FUTEX ->
					/* FUTEX_WAITV */
					atomic {
						queued[me] = news == seen && memory[BELL] == bell && (owner == 0 || alive[owner]);
						on_life[me] = owner;
					}
endasleep:				atomic {
						if
						:: !queued[me];
						:: (LOOKS_AGAIN || blind) && (SOMETHING || news != seen);
						fi;
						queued[me] = 0;
						on_life[me] = 0;
#ifndef NO_PASS_ON
						if
						:: owner && !alive[owner] -> WAKE_ALL_ON(owner)
						:: else;
						fi;
#endif
					}
				fi;
			fi;
			atomic { seen = 0; bell = 0; owner = 0; blind = 0; }
		od
	} unless {
		atomic { killed[me] -> queued[me] = 0; on_life[me] = 0; seen = 0; bell = 0; owner = 0; blind = 0; }
	}
}

#define MAY_DIE(who) (deaths < DEATHS && !killed[who] && alive[who])
proctype killer()
{
	do
	:: break
	:: atomic { MAY_DIE(1) && publishes[1] -> deaths++; killed[1] = 1; }
	:: atomic { MAY_DIE(2) && publishes[2] -> deaths++; killed[2] = 1; }
	:: atomic { MAY_DIE(3) -> deaths++; killed[3] = 1; }
	:: atomic { MAY_DIE(4) -> deaths++; killed[4] = 1; }
#ifdef EARLY
	:: atomic { MAY_DIE(1) && publishes[1] -> deaths++; marked = 1; alive[1] = 0; WAKE_ONE_ON(1) } killed[1] = 1;
#endif
	od
}

active proctype judge()
{
end:	timeout -> assert((killed[3] || has_read[3] == memory[HEADER]) && (!alive[4] || killed[4] || has_read[4] == memory[HEADER])); /* asleep */
}

init
{
	atomic {
		alive[1] = 1; alive[2] = 1; alive[3] = 1;
		publishes[1] = 1;
		memory[BELL] = 1;
		memory[CLAIM] = 1;
		run publisher(1);
#if SECOND > 0
		run publisher(2);
#endif
		run subscriber(3);
#ifndef ONE
		alive[4] = 1;
		run subscriber(4);
#endif
#if DEATHS > 0
		run killer();
#endif
	}
}
