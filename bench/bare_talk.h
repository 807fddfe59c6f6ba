/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BARE_TALK_H
#define BENCH_BARE_TALK_H

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#include <nonet/time.h>

/*
 * Two processes that signal each other. A receiver is of the process that opens it, so each opens its own at its first
 * take, after the fork; the signal is blocked from before that, and waits. From then on the other knows its number.
 */
struct bare_talk {
	struct talk_shared {
		_Atomic pid_t pids[2];
	} * shared;
	struct bare_talk_end {
		struct bare_talk *talk;
		int side;
		void *receiver; /* of whoever uses this; NULL: not opened yet */
		int fd;         /* -1: not opened yet */
		pid_t peer;     /* 0: not known yet */
	} ends[2];
	int number; /* of the signal */
	int open;   /* ends, in this process */
	sigset_t before;
};

int bare_talk_open(int number, void **ret_a, void **ret_b);

/* Says who we are. */
void bare_talk_here(struct bare_talk_end *end);

/* Who the other is: its number, or -ETIMEDOUT. */
pid_t bare_talk_peer(struct bare_talk_end *end, nonet_time deadline);

/* Frees what both ends have in common with the last of them. */
void bare_talk_close(struct bare_talk_end *end);

#endif
