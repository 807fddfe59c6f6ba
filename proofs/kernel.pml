/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the models take from the kernel: threads that are killed before any step, life words, futex queues.
 * A step is one statement, atomic { } or d_step { }; between two steps any other thread may run.
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef BIRTHS
#define BIRTHS 0 /* so many of the dead may be followed by a thread that gets their slot */
#endif

/* A thread slot of the domain: the life word (TID, or marked by the kernel) and the generation beside it in the same 64
 * bits. Slots count from 1; 0 is nobody. A TID isn't another thread's at once, so {alive, generation} tells it too. */
bit alive[5];
byte generation[5];
#define LIVES(slot, which) (alive[slot] && generation[slot] == (which))

bit killed[5];
bit in_call[5]; /* is inside a call of the library */
bit crashed;    /* somebody was killed inside one: from now on the look after 100 ms may be needed */
byte deaths, births, each;
#ifdef NO_LOOK_AGAIN
#define LOOKS_AGAIN false
#else
#define LOOKS_AGAIN crashed
#endif

/* The futex that each sleeper is queued on, 0 for none. Which of several is woken first, nothing may depend on. */
byte on_word[5];
byte on_life[5];

/* FUTEX_WAKE 1. Who was killed and hasn't left the queue yet swallows it. */
#define WAKE_ONE(queue, futex) \
	atomic { \
		if \
		:: queue[1] == (futex) -> queue[1] = 0; \
		:: queue[2] == (futex) -> queue[2] = 0; \
		:: queue[3] == (futex) -> queue[3] = 0; \
		:: queue[4] == (futex) -> queue[4] = 0; \
		:: else; \
		fi \
	}

/* FUTEX_WAKE of all */
#define STAYS(queue, p, futex) (queue[p] == (futex) -> 0 : queue[p])
#define WAKE_ALL(queue, futex) \
	d_step { \
		queue[1] = STAYS(queue, 1, futex); \
		queue[2] = STAYS(queue, 2, futex); \
		queue[3] = STAYS(queue, 3, futex); \
		queue[4] = STAYS(queue, 4, futex); \
	}

/* Compare with v, and exchange. */
#define CAS(variable, new) \
	ok = (variable == v); \
	if \
	:: ok -> variable = new; \
	:: else; \
	fi

inline is_born()
{
	d_step {
		generation[me]++;
		alive[me] = 1;
		killed[me] = 0;
		in_call[me] = 0;
	}
}

/* A killed thread leaves its queues as soon as it runs; then its robust list is walked: mark, and wake ONE. */
inline leaves_the_queues()
{
	on_word[me] = 0;
	on_life[me] = 0;
	crashed = crashed || in_call[me];
}

/* SIGKILL at any time, to anybody. With -DALIKE all threads run one program: the first to die may be called the first. */
#ifdef ALIKE
#define MAY_DIE(p) (deaths < DEATHS && alive[p] && !killed[p] && p <= deaths + 1)
#else
#define MAY_DIE(p) (deaths < DEATHS && alive[p] && !killed[p])
#endif
proctype killer()
{
	do
	:: break; /* or to nobody more */
#ifdef MARK_BEFORE_LAST_WRITE /* the mark of a whole process, one of whose threads is still in a system call */
	:: atomic { MAY_DIE(1) -> deaths++; alive[1] = 0; WAKE_ONE(on_life, 1); } killed[1] = 1;
#endif
	:: atomic { MAY_DIE(1) -> deaths++; killed[1] = 1; }
	:: atomic { MAY_DIE(2) -> deaths++; killed[2] = 1; }
	:: atomic { MAY_DIE(3) -> deaths++; killed[3] = 1; }
	:: atomic { MAY_DIE(4) -> deaths++; killed[4] = 1; }
	od
}
