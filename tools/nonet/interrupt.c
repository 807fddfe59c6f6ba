/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

#include "progress.h"
#include "say.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};

static struct nonet_wake *wake;
static volatile sig_atomic_t came;
static volatile sig_atomic_t die_at_once;

static void on_signal(int number)
{
	came = number;
	if (die_at_once) {
		progress_erase();
		interrupt_die(number);
	}
	nonet_wake_signal(wake);
}

int interrupt_catch(enum interrupt_how how)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}, old;
	struct nonet_error error;
	size_t i;
	int r;

	die_at_once = how == INTERRUPT_DIES;
	if (wake)
		return 0;
	r = nonet_wake_new(&wake, &error);
	if (r < 0)
		return say_error(&error, NULL);
	sigemptyset(&action.sa_mask);
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		if (sigaction(caught[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &action, NULL);
	}
	return 0;
}

int interrupt_signal(void)
{
	return came;
}

struct nonet_waitable *interrupt_waitable(void)
{
	return nonet_wake_waitable(wake);
}

void interrupt_die(int number)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
