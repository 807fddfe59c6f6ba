/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is overwritten in a lane of src/channel/, and when: [CHANNEL-FLOOR], [CHANNEL-JOINS], [CHANNEL-MARK],
 * [CHANNEL-RECORD]. A publisher goes round a ring of SLOTS records, and is followed by another if it is killed, before
 * any step; a subscriber joins at any time and reads. x86's order: a plain store waits in its thread's buffer, in order,
 * until it goes out or a fence waits for it. There is a mark at each record, so that its number says where it is.
 *
 * whole     what a subscriber reads, and trusts, is the record that belongs there
 * skips     who finds the floor above him finds a mark above him
 * resumed   so is what the next publisher finds, up to the end
 *
 * holds
 * holds -DDROP
 * soak holds -DMESSAGES=6
 * soak holds -DREADERS=2 -DMESSAGES=3
 * soak holds -DLEAVES
 * soak holds -DLEAVES -DMESSAGES=5
 * soak holds -DMESSAGES=6 -DDROP
 * falls whole: -DJOIN_ONCE
 * soak falls whole: -DNO_FENCE_IN_JOINER
 * falls whole: -DNO_JOINS
 * soak falls whole: -DLEAVES -DNO_JOINS
 * falls whole: -DJOINS_FIRST
 * falls whole: -DNO_FENCE_IN_PUBLISHER
 * falls whole: -DNO_LOOK_AFTER_RAISE
 * falls whole: -DJOINS_AFTER_SCAN
 * falls whole: -DFLOOR_AFTER_WRITE
 * soak falls whole: -DHEADER_FIRST
 * soak falls whole: -DNEXT_NOT_CLEARED
 * falls whole: -DDROP -DFLOOR_AFTER_WRITE
 * soak falls whole: -DDROP -DNO_LOOK_AFTER_READING
 * falls whole: -DDROP -DRESUME_WITHOUT_FLOOR
 * falls skips: -DDROP -DFLOOR_BEFORE_MARK
 * soak falls whole: -DNEXT_CLEARED_LAST
 * soak falls resumed: -DREADERS=0 -DNEXT_CLEARED_LAST
 */
#ifndef MESSAGES
#define MESSAGES 4
#endif
#ifndef READERS
#define READERS 1
#endif
#define SLOTS 3

/* A record: its number and one, in header and data; 0: none. */
#define HEADER(n) ((n) % SLOTS)
#define DATA(n)   (SLOTS + (n) % SLOTS)
#define FLOOR     6
#define MARK      7 /* floor_mark, and where that is */
byte memory[8];
/* A subscriber's, and one; 0: it doesn't read. */
byte position[2];
/* How often one has said from where on he reads. */
byte joins;

/* Of publishers, one after the other; and of subscribers. */
chan buffer = [5] of { byte, byte };
chan moved0 = [1] of { byte };
chan moved1 = [1] of { byte };
bit killed;
bit gone;
byte published; /* how many headers have gone out */

active proctype buffers()
{
	byte variable, value;

end:	do
	:: d_step {
			buffer ? variable, value -> memory[variable] = value;
			published = (variable < SLOTS && value -> value : published);
			variable = 0;
			value = 0;
		}
	:: d_step { moved0 ? value -> position[0] = value; value = 0; }
#if READERS > 1
	:: d_step { moved1 ? value -> position[1] = value; value = 0; }
#endif
	od
}

#define STORE(variable, value) buffer ! variable, value
#define FENCE empty(buffer)
#define LESS(who) (position[who] && position[who] - 1 < least)

/* publisher_least() */
inline scan()
{
	least = tail;
#ifndef DROP
	least = (LESS(0) -> position[0] - 1 : least);
#if READERS > 1
	least = (LESS(1) -> position[1] - 1 : least);
#endif
#endif
}

/* publisher_look() */
inline look()
{
#ifndef JOINS_AFTER_SCAN
	joined = joins;
#endif
	scan();
	seen = least;
#ifdef JOINS_AFTER_SCAN
	joined = joins;
#endif
}

inline raise()
{
	floor = tail + 2 - SLOTS;
#ifdef FLOOR_BEFORE_MARK
	STORE(FLOOR, floor);
	STORE(MARK, floor);
#else
	STORE(MARK, floor);
	STORE(FLOOR, floor);
#endif
#ifndef NO_FENCE_IN_PUBLISHER
	FENCE;
#endif
}

/* publisher_finish(): the record, and an end behind it */
inline write()
{
#ifdef HEADER_FIRST
	STORE(HEADER(tail), tail + 1);
#endif
	STORE(DATA(tail), tail + 1);
#if !defined(NEXT_NOT_CLEARED) && !defined(NEXT_CLEARED_LAST)
	STORE(HEADER(tail + 1), 0);
#endif
#ifndef HEADER_FIRST
	STORE(HEADER(tail), tail + 1);
#endif
#ifdef NEXT_CLEARED_LAST
	STORE(HEADER(tail + 1), 0);
#endif
}

proctype publisher(bit second)
{
	byte tail, floor, most, least, seen, joined;
	bit may;

	{
		if
		:: second ->
			/* publisher_resume() */
endgone:		gone;
			atomic { floor = memory[MARK]; tail = floor; }
#ifndef RESUME_WITHOUT_FLOOR
			STORE(FLOOR, floor);
			FENCE;
#endif
			do
			:: atomic {
					tail < floor + SLOTS && memory[HEADER(tail)] != 0 ->
					least = memory[HEADER(tail)];
					assert(least == tail + 1); /* resumed */
					tail++;
					least = 0;
				}
			:: else -> break;
			od;
		:: !second;
		fi;
		do
		:: tail == MESSAGES -> break;
		:: tail < MESSAGES ->
			if
			:: tail + 2 <= most -> may = 1;
			:: else ->
				/* publisher_has_room() */
				if
				:: tail + 2 <= floor + SLOTS -> may = 1;
				:: else ->
					if
					:: tail + 2 - SLOTS > seen -> look();
					:: else;
					fi;
					if
					:: tail + 2 - SLOTS <= seen ->
#ifndef FLOOR_AFTER_WRITE
						raise();
#endif
						may = 1;
					:: else;
					fi;
				fi;
#if !defined(NO_LOOK_AFTER_RAISE) && !defined(FLOOR_AFTER_WRITE)
				if
				:: may ->
#ifdef DROP
					most = floor + SLOTS;
#else
					/* publisher_knows_all() */
					if
					:: seen < floor || joins != joined -> look();
					:: else;
					fi;
					most = (seen < floor -> seen : floor) + SLOTS;
#endif
					may = tail + 2 <= most;
				:: else;
				fi;
#endif
			fi;
			least = 0;
			if
			:: may ->
				write();
#ifdef FLOOR_AFTER_WRITE
				if
				:: tail + 2 > floor + SLOTS -> raise();
				:: else;
				fi;
#endif
				tail++;
			:: else;
			fi;
			may = 0;
		od;
		atomic { tail = 0; floor = 0; most = 0; seen = 0; joined = 0; }
	} unless {
		atomic { killed && !second -> FENCE; gone = 1; tail = 0; floor = 0; most = 0; least = 0; seen = 0; joined = 0; may = 0; }
	}
}

#define MOVE(value) \
	if \
	:: me == 0 -> moved0 ! value; \
	:: me == 1 -> moved1 ! value; \
	fi
#define MOVED (me == 0 && empty(moved0) || me == 1 && empty(moved1))

/* subscriber_attach(), subscriber_look(), and taking what was found */
proctype subscriber(bit me)
{
	byte head, again, header, floor;
	bit missing;
#ifdef LEAVES
	bit left;
#endif

join:
	head = memory[MARK];
	do
	::
#ifdef JOINS_FIRST
		joins++;
#endif
		MOVE(head + 1);
#ifndef NO_FENCE_IN_JOINER
		MOVED;
#endif
#if !defined(NO_JOINS) && !defined(JOINS_FIRST)
		joins++;
#endif
#ifdef JOIN_ONCE
		break;
#else
		again = memory[MARK];
		if
		:: again == head -> break;
		:: else -> head = again;
		fi;
#endif
	od;
	again = 0;
	do
	:: memory[HEADER(head)] != 0 || memory[FLOOR] > head || published > head -> /* else there is nothing to see */
		d_step { header = memory[HEADER(head)]; missing = header == 0 && published > head; }
#ifdef DROP
		floor = memory[FLOOR];
#endif
		if
		:: floor > head ->
			/* subscriber_skip() */
			atomic {
				again = memory[MARK];
				assert(again > head); /* skips */
				head = again;
				again = 0;
			}
		:: floor <= head && header == 0 -> assert(!missing); /* whole */
		:: floor <= head && header != 0 ->
			assert(header == head + 1); /* whole */
			header = memory[DATA(head)];
#if defined(DROP) && !defined(NO_LOOK_AFTER_READING)
			floor = memory[FLOOR];
#endif
			if
			:: floor > head; /* lost */
			:: floor <= head ->
				assert(header == head + 1); /* whole */
				head++;
				MOVE(head + 1);
			fi;
		fi;
		atomic { header = 0; floor = 0; missing = 0; }
	:: break;
	od;
	atomic { head = 0; header = 0; floor = 0; }
#ifdef LEAVES
	/* Another, with the history, takes the seat of one who had read on. */
	if
	:: !left -> left = 1; MOVE(0); goto join;
	:: left;
	fi;
#endif
}

proctype killer()
{
	if
	:: killed = 1;
	:: skip;
	fi
}

init
{
	atomic {
		run publisher(0);
		run publisher(1);
#if READERS > 0
		run subscriber(0);
#endif
#if READERS > 1
		run subscriber(1);
#endif
		run killer();
	}
}
