/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "signal/signal.h"
#include "sys/signals.h"

/* A table of our own, as sigabbrev_np(3) is glibc's alone, and knows no real-time signals. */
#define SIGNAL_NAME(name) [name] = #name
static const char *const signal_names[] = {
	SIGNAL_NAME(SIGHUP),    SIGNAL_NAME(SIGINT),  SIGNAL_NAME(SIGQUIT),  SIGNAL_NAME(SIGILL),  SIGNAL_NAME(SIGTRAP),
	SIGNAL_NAME(SIGABRT),   SIGNAL_NAME(SIGBUS),  SIGNAL_NAME(SIGFPE),   SIGNAL_NAME(SIGKILL), SIGNAL_NAME(SIGUSR1),
	SIGNAL_NAME(SIGSEGV),   SIGNAL_NAME(SIGUSR2), SIGNAL_NAME(SIGPIPE),  SIGNAL_NAME(SIGALRM), SIGNAL_NAME(SIGTERM),
	SIGNAL_NAME(SIGSTKFLT), SIGNAL_NAME(SIGCHLD), SIGNAL_NAME(SIGCONT),  SIGNAL_NAME(SIGSTOP), SIGNAL_NAME(SIGTSTP),
	SIGNAL_NAME(SIGTTIN),   SIGNAL_NAME(SIGTTOU), SIGNAL_NAME(SIGURG),   SIGNAL_NAME(SIGXCPU), SIGNAL_NAME(SIGXFSZ),
	SIGNAL_NAME(SIGVTALRM), SIGNAL_NAME(SIGPROF), SIGNAL_NAME(SIGWINCH), SIGNAL_NAME(SIGIO),   SIGNAL_NAME(SIGPWR),
	SIGNAL_NAME(SIGSYS),
};

/* By their distance from SIGRTMIN, which is the C library's to say: glibc's is 34. */
static const char *const signal_names_real_time[] = {
	"SIGRTMIN",    "SIGRTMIN+1",  "SIGRTMIN+2",  "SIGRTMIN+3",  "SIGRTMIN+4",  "SIGRTMIN+5",  "SIGRTMIN+6",
	"SIGRTMIN+7",  "SIGRTMIN+8",  "SIGRTMIN+9",  "SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12", "SIGRTMIN+13",
	"SIGRTMIN+14", "SIGRTMIN+15", "SIGRTMIN+16", "SIGRTMIN+17", "SIGRTMIN+18", "SIGRTMIN+19", "SIGRTMIN+20",
	"SIGRTMIN+21", "SIGRTMIN+22", "SIGRTMIN+23", "SIGRTMIN+24", "SIGRTMIN+25", "SIGRTMIN+26", "SIGRTMIN+27",
	"SIGRTMIN+28", "SIGRTMIN+29", "SIGRTMIN+30", "SIGRTMIN+31",
};

/* What else people write. */
static const struct {
	const char *name;
	int number;
} signal_aliases[] = {{"IOT", SIGABRT}, {"CLD", SIGCHLD}, {"POLL", SIGIO}};

#define SIGNAL_COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *nonet_signal_name(int number)
{
	if (!sys_signal_is_known(number))
		return "unknown signal";
	return number >= SIGRTMIN ? signal_names_real_time[number - SIGRTMIN] : signal_names[number];
}

/* A decimal number of at most two digits, the whole of @text: or -EINVAL. */
static int signal_decimal(const char *text)
{
	const size_t length = strlen(text);

	if (length == 0 || length > 2 || strspn(text, "0123456789") != length)
		return -EINVAL;
	return (int)strtol(text, NULL, 10);
}

static int signal_real_time(const char *name)
{
	const bool upper = strncasecmp(name, "RTMAX", 5) == 0;
	int distance = 0;
	int number;

	if (!upper && strncasecmp(name, "RTMIN", 5) != 0)
		return -EINVAL;
	if (name[5]) {
		distance = name[5] == (upper ? '-' : '+') ? signal_decimal(name + 6) : -EINVAL;
		if (distance < 0)
			return -EINVAL;
	}
	number = upper ? SIGRTMAX - distance : SIGRTMIN + distance;
	return number >= SIGRTMIN && number <= SIGRTMAX ? number : -EINVAL;
}

int nonet_signal_number(const char *name)
{
	int number = signal_decimal(name);

	if (number >= 0)
		return sys_signal_is_known(number) ? number : -EINVAL;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 1; i < SIGNAL_COUNT(signal_names); i++)
		if (strcasecmp(name, signal_names[i] + 3) == 0)
			return (int)i;
	for (size_t i = 0; i < SIGNAL_COUNT(signal_aliases); i++)
		if (strcasecmp(name, signal_aliases[i].name) == 0)
			return signal_aliases[i].number;
	return signal_real_time(name);
}
