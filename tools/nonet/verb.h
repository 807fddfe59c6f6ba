/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_VERB_H
#define NONET_TOOL_VERB_H

#include <getopt.h>

/* The command's exit statuses, the same for every verb; nonet(1) documents them. */
enum {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_FOUND = 3,
	STATUS_TIMEOUT = 124,
};

struct verb {
	const char *name;
	const char *summary; /* half a line for the list of verbs */
	const char *help;    /* the whole text of nonet help VERB */
	/* Its exit status; or a negative signal number: clean up, then die by that signal, so that a shell sees it. */
	int (*run)(int argc, char *argv[]);
};

extern const struct verb verb_call;
extern const struct verb verb_bench;
extern const struct verb verb_create;
extern const struct verb verb_doctor;
extern const struct verb verb_help;
extern const struct verb verb_ls;
extern const struct verb verb_lock;
extern const struct verb verb_post;
extern const struct verb verb_recv;
extern const struct verb verb_remove;
extern const struct verb verb_reply;
extern const struct verb verb_send;
extern const struct verb verb_show;
extern const struct verb verb_signal;
extern const struct verb verb_stop;
extern const struct verb verb_tap;
extern const struct verb verb_tour;
extern const struct verb verb_version;
extern const struct verb verb_wait;

/* Whether the caller of the command had SIGPIPE ignored, as main() has it: for the programs that a verb becomes. */
extern int verb_sigpipe_was_ignored;

/* All of them in the order of help, NULL last. */
extern const struct verb *const verbs[];

/* The verb of that name, or NULL. */
const struct verb *verb_find(const char *name);

/* A verb's options: those of getopt_long(), with PARSE_HELP for --help, and who takes what isn't that. */
struct verb_options {
	const char *letters; /* begins with ":h" */
	const struct option *table;
	/* @option is there, with its argument in optarg. Return: 0, or the exit status after it said what is wrong. */
	int (*take)(int option, void *request);
};

/*
 * Reads a verb's options into @request. --help, and what is no option of it, are answered here.
 * Return: 1 to go on with the arguments from optind; or 0 with what run() is to return.
 */
int verb_read_options(const struct verb *verb, const struct verb_options *options, int argc, char *argv[],
		      void *request, int *ret_status);

/* Of a verb that has no option but --json, which sets an int to 1. */
extern const struct verb_options verb_options_json;

/* The candidate that somebody who typed @word most likely meant, or NULL. @candidates ends with NULL. */
const char *verb_nearest(const char *word, const char *const *candidates);

/* Says in one line that @name is no verb, and which one may have been meant. Return: STATUS_USAGE. */
int verb_unknown(const char *name);

#endif
