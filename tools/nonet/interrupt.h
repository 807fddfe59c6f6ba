/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_INTERRUPT_H
#define NONET_TOOL_INTERRUPT_H

#include <nonet/wait.h>

/*
 * SIGINT, SIGTERM and SIGHUP while there is something to clean up: a socket's path, a line of progress. They end the
 * waits, and the verb returns the negative signal number, on which main() dies of it. A second signal kills at once.
 * Signals that the caller of the command ignores stay ignored.
 */
enum interrupt_how {
	INTERRUPT_WAITS = 1, /* signal the wake object; the verb looks at interrupt_signal() */
	INTERRUPT_DIES,      /* erase the progress and die in the handler: for calls that can't be interrupted */
};

/* Starts catching. Return: 0, or STATUS_FAILED after it said why not. */
int interrupt_catch(enum interrupt_how how);

/* The signal that came, or 0. */
int interrupt_signal(void);

/* For wait sets: ready once a signal came. Only after interrupt_catch(). */
struct nonet_waitable *interrupt_waitable(void);

/* Dies by @signal as if it had never been caught. Returns only if the command's caller had it ignored. */
void interrupt_die(int signal);

#endif
