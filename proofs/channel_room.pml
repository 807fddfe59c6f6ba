/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A publisher of src/channel/ that waits for room, and two subscribers who read, and leave or are killed: before any step.
 * [CHANNEL-WANTS]. The lane has room for CAPACITY messages. x86's order: a plain store waits in its thread's buffer, in
 * order, until it goes out or a fence waits for it; an exchange is a fence, and so is a call of the kernel. A subscriber
 * has no fence between his position and the look at what is wanted, so the first sleep on a room is short (CHANNEL_BLIND),
 * until one has lasted: then what was stored before it has gone out.
 *
 * asleep  when nothing moves any more, the publisher is through. The look after 100 ms is offered only once a subscriber
 *         was killed between the word that he changed and the wake
 *
 * holds -DMESSAGES=2 -DDEATHS=0
 * soak holds -DMESSAGES=2
 * soak holds -DDEATHS=0 -DCAPACITY=2 -DMESSAGES=4
 * soak holds -DMESSAGES=2 -DDEATHS=2
 * falls asleep: -DDEATHS=0 -DNO_BLIND
 * falls asleep: -DDEATHS=0 -DBLIND_ONCE
 * falls asleep: -DDEATHS=0 -DBLIND_CUT_SHORT
 * falls asleep: -DDEATHS=0 -DBLIND_FROM_BEFORE
 * soak falls asleep: -DDEATHS=0 -DROOM_STAYS
 * soak falls asleep: -DDEATHS=0 -DNOT_WANTED
 * soak falls asleep: -DDEATHS=0 -DLEAVE_SILENTLY
 * falls asleep: -DMESSAGES=2 -DWITHOUT_LIFE
 * falls asleep: -DMESSAGES=2 -DNO_LOOK_AGAIN
 */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif

/* The publisher is 1, subscribers are 3 and 4. */
bit alive[5];
bit killed[5];
bit telling[5]; /* has changed the word, and not yet woken */
byte deaths;
bit silent; /* one was killed there */
#ifdef NO_LOOK_AGAIN
#define LOOKS_AGAIN false
#else
#define LOOKS_AGAIN silent
#endif

/* Positions are one more than what was read; 0: doesn't read. A word and a position have their thread's number. */
#define HEADER 0
#define WANTS  1
byte memory[5];
byte room;
bit asleep; /* the publisher, on the room and the life of who is in the way */
byte on_life;
bit done;

chan buffer1 = [3] of { byte, byte };
chan buffer3 = [2] of { byte };
chan buffer4 = [2] of { byte };
/* Of what is in there, so much was stored before the publisher fell asleep. */
byte old3, old4;

active proctype buffer()
{
	byte variable, value;

end:	do
	:: d_step { buffer1 ? variable, value -> memory[variable] = value; variable = 0; value = 0; }
	:: d_step { buffer3 ? value -> memory[3] = value; value = 0; old3 = (old3 -> old3 - 1 : 0); }
	:: d_step { buffer4 ? value -> memory[4] = value; value = 0; old4 = (old4 -> old4 - 1 : 0); }
	od
}

/* publisher_least(): one position after the other. */
#define LOOK_AT(who) \
	d_step { \
		if \
		:: alive[who] && memory[who] && memory[who] - 1 < least -> least = memory[who] - 1; owner = who; \
		:: else; \
		fi \
	}

proctype publisher()
{
	byte tail, least, owner, seen, wanted;
	bit short_one;

	do
	:: atomic { tail == MESSAGES -> tail = 0; done = 1; break; }
	:: tail < MESSAGES ->
		least = tail;
		LOOK_AT(3);
		LOOK_AT(4);
		if
		:: tail - least < CAPACITY -> atomic { tail++; buffer1 ! HEADER, tail; least = 0; owner = 0; }
		:: else ->
			/* publisher_sleep() */
			d_step {
				seen = room;
#ifdef NO_BLIND
				short_one = 0;
#else
#ifdef BLIND_ONCE
				short_one = wanted == 0;
#else
				short_one = wanted != seen;
#endif
#endif
				least = tail;
				owner = 0;
#ifdef BLIND_FROM_BEFORE
				old3 = len(buffer3);
				old4 = len(buffer4);
#endif
			}
			buffer1 ! WANTS, seen;
			empty(buffer1); /* a fence */
			LOOK_AT(3);
			LOOK_AT(4);
			if
			:: tail - least < CAPACITY;
			:: else ->
				/* FUTEX_WAITV */
				d_step {
#ifdef WITHOUT_LIFE
					asleep = room == seen;
#else
					asleep = room == seen && alive[owner];
#endif
					on_life = owner;
#ifndef BLIND_FROM_BEFORE
					old3 = len(buffer3);
					old4 = len(buffer4);
#endif
				}
				atomic {
					if
#ifdef BLIND_CUT_SHORT
					:: !asleep -> wanted = seen;
#else
					:: !asleep;
#endif
					:: short_one && old3 == 0 && old4 == 0 -> wanted = seen;
					:: LOOKS_AGAIN;
					fi;
					asleep = 0;
					on_life = 0;
					old3 = 0;
					old4 = 0;
				}
			fi;
			d_step { least = 0; owner = 0; seen = 0; short_one = 0; }
		fi;
	od
}

#define STORE(value) \
	if \
	:: me == 3 -> buffer3 ! value; \
	:: me == 4 -> buffer4 ! value; \
	fi
#define FENCE (me == 3 && empty(buffer3) || me == 4 && empty(buffer4))

/* subscriber_tell() */
inline tell()
{
	atomic {
		FENCE ->
		if
		:: room == seen ->
#ifndef ROOM_STAYS
			room++;
#endif
			telling[me] = 1;
		:: else;
		fi;
	}
	if
	:: atomic { telling[me] -> asleep = 0; telling[me] = 0; }
	:: !telling[me];
	fi
}

/* subscriber_move(), subscriber_leave() */
proctype subscriber(byte me)
{
	byte head, seen;

	{
		do
		:: head < MESSAGES ->
			atomic { memory[HEADER] > head -> head++; }
			STORE(head + 1);
			seen = room;
			if
#ifndef NOT_WANTED
			:: memory[WANTS] == seen -> tell();
			:: memory[WANTS] != seen;
#else
			:: skip;
#endif
			fi;
			seen = 0;
		:: break;
		od;
		STORE(0);
#ifndef LEAVE_SILENTLY
		FENCE;
		seen = memory[WANTS];
		tell();
#endif
		atomic { seen = 0; head = 0; }
end:		false;
	} unless {
		/* What it stored goes out. Then the kernel marks its life word, and wakes who sleeps on that. */
		atomic {
			killed[me] ->
			FENCE;
			alive[me] = 0;
#ifndef WITHOUT_LIFE
			asleep = asleep && on_life != me;
#endif
			seen = 0; head = 0; telling[me] = 0;
		}
	}
}

#define MAY_DIE(who) (deaths < DEATHS && !killed[who])
proctype killer()
{
	do
	:: break
	:: d_step { MAY_DIE(3) -> deaths++; killed[3] = 1; silent = silent || telling[3]; }
	:: d_step { MAY_DIE(4) -> deaths++; killed[4] = 1; silent = silent || telling[4]; }
	od
}

active proctype judge()
{
end:	timeout -> assert(done); /* asleep */
}

init
{
	atomic {
		alive[3] = 1; alive[4] = 1;
		memory[3] = 1; memory[4] = 1;
		room = 1;
		run publisher();
		run subscriber(3);
		run subscriber(4);
#if DEATHS > 0
		run killer();
#endif
	}
}
