/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interrupt.h"
#include "say.h"
#include "verb.h"

/* Text is taken as UTF-8 where the locale says nothing else: else carets and tables would be off for it. */
static void set_locale(void)
{
	const char *locale = setlocale(LC_CTYPE, "");

	if (!locale || MB_CUR_MAX == 1)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

/* A caller may have it ignored, and then a reader that has gone is an ordinary failure to write. */
static int ignore_sigpipe(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;

	sigemptyset(&ignore.sa_mask);
	return sigaction(SIGPIPE, &ignore, &old) == 0 && old.sa_handler == SIG_IGN;
}

/*
 * A caller may have closed the standard descriptors: then what we open next would have their numbers, and what is
 * printed would go to the other side. Opened the wrong way round, so that using them fails as it should.
 */
static int keep_standard_numbers(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return -1;
	return 0;
}

int main(int argc, char *argv[])
{
	const struct verb *verb = NULL;
	int status;

	verb_sigpipe_was_ignored = ignore_sigpipe();
	if (keep_standard_numbers() < 0)
		return STATUS_FAILED;
	set_locale();
	if (argc < 2)
		return say_usage("needs a verb: \"nonet help\" lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		verb = &verb_help;
	else if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		verb = &verb_version;
	else if (argv[1][0] == '-')
		return say_usage("there is no option %s before the verb: \"nonet help\" says how to use it", argv[1]);
	else
		verb = verb_find(argv[1]);
	if (!verb)
		return verb_unknown(argv[1]);
	say_verb(verb->name);
	argv[1] = (char *)verb->name;
	status = verb->run(argc - 1, argv + 1);
	if (status >= 0)
		return status;
	if (status == -SIGPIPE && verb_sigpipe_was_ignored)
		return say_failure("can't write to standard output: nobody reads it any more");
	interrupt_die(-status);
	return 128 - status; /* ignored meanwhile: what a shell would have made of it */
}
