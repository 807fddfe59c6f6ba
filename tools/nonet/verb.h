/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_VERB_H
#define NONET_TOOL_VERB_H

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

extern const struct verb verb_doctor;
extern const struct verb verb_help;
extern const struct verb verb_ls;
extern const struct verb verb_recv;
extern const struct verb verb_send;
extern const struct verb verb_show;
extern const struct verb verb_signal;
extern const struct verb verb_stop;
extern const struct verb verb_tour;
extern const struct verb verb_version;
extern const struct verb verb_wait;

/* All of them in the order of help, NULL last. */
extern const struct verb *const verbs[];

/* The verb of that name, or NULL. */
const struct verb *verb_find(const char *name);

/* The candidate that somebody who typed @word most likely meant, or NULL. @candidates ends with NULL. */
const char *verb_nearest(const char *word, const char *const *candidates);

/* Says in one line that @name is no verb, and which one may have been meant. Return: STATUS_USAGE. */
int verb_unknown(const char *name);

#endif
