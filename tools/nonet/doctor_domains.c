/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <nonet/inspect.h>

#include "doctor.h"
#include "objects.h"

/* Nonet's own objects, and the domains that they are in: what there is that nobody can use, or that the dead hold. */

/* How long to look. */
#define LOOK NONET_S(2)

/* What may be wrong, the worst first. */
enum ill {
	ILL_DOMAIN,
	ILL_DAMAGED,
	ILL_GIVEN_UP,
	ILL_DEAD,
	ILLS,
};

static const struct {
	const char *one, *another, *others; /* what one is, what one more is, and what more of them are */
	const char *means;
	const char *mend; /* a command, before the name */
} ills[ILLS] = {
	[ILL_DOMAIN] =
		{"holds no domain of this version of nonet", "does", "do",
		 "Its .domain is damaged, or another version made it: nobody can open an object there (-EPROTO), until "
		 "it is removed, once nobody uses it.",
		 "rm -r"},
	[ILL_DAMAGED] =
		{"is damaged", "is", "are",
		 "Nobody can use it (-EBADMSG), until it is removed and made again: a program wrote over it, cut it "
		 "off, or it was copied from another domain.",
		 "nonet remove"},
	[ILL_GIVEN_UP] =
		{"was given up", "was", "were",
		 "Its holder died, and the next one unlocked it without putting right what it guards: nobody can lock "
		 "it (-ENOTRECOVERABLE), until it is removed and made again.",
		 "nonet remove"},
	[ILL_DEAD] = {"was held by a process that died", "was", "were",
		      "What it guards may be half-done. The next one to lock it is told (-EOWNERDEAD).", "nonet show"},
};

struct seen {
	const char *name[ILLS]; /* of one of those */
	size_t count[ILLS];
	size_t objects, domains;
};

/* A name that somebody else has chosen is put into a command only if no shell can misread it. */
static int is_plain(const char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("/:._-%@+", *name))
			return 0;
	return 1;
}

static void note(struct seen *seen, enum ill ill, const char *name)
{
	seen->name[ill] = name;
	seen->count[ill]++;
}

static void count(const struct nonet_inspect_list *list, struct seen *seen)
{
	const struct nonet_inspect_object *object;
	const struct nonet_inspect_domain *domain;

	for (; (object = nonet_inspect_get(list, seen->objects)); seen->objects++) {
		if (object->flags & NONET_INSPECT_DAMAGED)
			note(seen, ILL_DAMAGED, object->address);
		else if (object->flags & NONET_INSPECT_GIVEN_UP)
			note(seen, ILL_GIVEN_UP, object->address);
		else if (object->flags & NONET_INSPECT_OWNER_DEAD)
			note(seen, ILL_DEAD, object->address);
	}
	for (; (domain = nonet_inspect_get_domain(list, seen->domains)); seen->domains++)
		if (domain->flags & NONET_INSPECT_DAMAGED)
			note(seen, ILL_DOMAIN, domain->path);
}

/* So much of a name that there is room for the rest. */
#define NAME_SHOWN 160

static void tell(const struct seen *seen, struct doctor_finding *finding)
{
	char others[80] = "";
	const char *name;
	size_t i, more;

	for (i = 0; i < ILLS && !seen->name[i]; i++)
		;
	if (i == ILLS) {
		doctor_found(finding, DOCTOR_OK, "%zu domain%s of nonet's with %zu object%s, none of which is damaged",
			     seen->domains, seen->domains == 1 ? "" : "s", seen->objects,
			     seen->objects == 1 ? "" : "s");
		return;
	}
	name = seen->name[i];
	more = seen->count[i] - 1;
	if (more > 0)
		snprintf(others, sizeof(others), ", and %zu more %s: \"nonet ls domains\" lists them", more,
			 more == 1 ? ills[i].another : ills[i].others);
	doctor_found(finding, DOCTOR_NOTE, "%.*s%s %s%s", NAME_SHOWN, name, strlen(name) > NAME_SHOWN ? "..." : "",
		     ills[i].one, others);
	doctor_means(finding, "%s", ills[i].means);
	if (is_plain(name))
		doctor_mend(finding, "%s %s", ills[i].mend, name);
}

static void look_at_domains(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct nonet_inspect_list *list;
	struct nonet_error error;
	struct seen seen = {0};

	if (!doctor_can_try(doctor)) {
		doctor_cant_try(finding);
		return;
	}
	if (nonet_inspect_objects(object_kinds("domains"), nonet_after(LOOK), &list, &error) < 0) {
		doctor_found(finding, DOCTOR_UNKNOWN, "Can't tell: %s", error.text);
		return;
	}
	count(list, &seen);
	tell(&seen, finding);
	nonet_inspect_free(list);
}

const struct doctor_check doctor_own[] = {
	{"domains", "nonet's own objects: damaged, or held by the dead", look_at_domains},
	{NULL, NULL, NULL},
};
