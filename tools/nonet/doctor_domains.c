/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include <nonet/inspect.h>

#include "doctor.h"
#include "objects.h"

/* Nonet's own objects, and the domains that they are in: what there is that nobody can use, or that the dead hold. */

/* How long to look. */
#define LOOK NONET_S(2)

struct seen {
	const struct nonet_inspect_object *damaged, *given_up, *dead;
	const struct nonet_inspect_domain *broken;
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

static void mend(struct doctor_finding *finding, const char *command, const char *name)
{
	if (is_plain(name))
		doctor_mend(finding, "%s %s", command, name);
}

static void count(const struct nonet_inspect_list *list, struct seen *seen)
{
	const struct nonet_inspect_object *object;
	const struct nonet_inspect_domain *domain;

	for (; (object = nonet_inspect_get(list, seen->objects)); seen->objects++) {
		if (object->flags & NONET_INSPECT_DAMAGED)
			seen->damaged = object;
		else if (object->flags & NONET_INSPECT_GIVEN_UP)
			seen->given_up = object;
		else if (object->flags & NONET_INSPECT_OWNER_DEAD)
			seen->dead = object;
	}
	for (; (domain = nonet_inspect_get_domain(list, seen->domains)); seen->domains++)
		if (domain->flags & NONET_INSPECT_DAMAGED)
			seen->broken = domain;
}

static void tell(const struct seen *seen, struct doctor_finding *finding)
{
	if (seen->broken) {
		doctor_found(finding, DOCTOR_NOTE, "%s holds no domain of this version of nonet", seen->broken->path);
		doctor_means(finding, "Its .domain is damaged, or another version made it: nobody can open an object "
				      "there (-EPROTO), until it is removed, once nobody uses it.");
		mend(finding, "rm -r", seen->broken->path);
	} else if (seen->damaged) {
		doctor_found(finding, DOCTOR_NOTE, "%s is damaged", seen->damaged->address);
		doctor_means(finding, "Nobody can use it (-EBADMSG), until it is removed and made again: a program "
				      "wrote over it, cut it off, or it was copied from another domain.");
		mend(finding, "nonet remove", seen->damaged->address);
	} else if (seen->given_up) {
		doctor_found(finding, DOCTOR_NOTE, "%s was given up", seen->given_up->address);
		doctor_means(finding, "Its holder died, and the next one unlocked it without putting right what it "
				      "guards: nobody can lock it (-ENOTRECOVERABLE), until it is removed and made "
				      "again.");
		mend(finding, "nonet remove", seen->given_up->address);
	} else if (seen->dead) {
		doctor_found(finding, DOCTOR_NOTE, "%s was held by a process that died", seen->dead->address);
		doctor_means(finding,
			     "What it guards may be half-done. The next one to lock it is told (-EOWNERDEAD).");
		mend(finding, "nonet show", seen->dead->address);
	} else {
		doctor_found(finding, DOCTOR_OK, "%zu domain%s of nonet's with %zu object%s, none of which is damaged",
			     seen->domains, seen->domains == 1 ? "" : "s", seen->objects,
			     seen->objects == 1 ? "" : "s");
	}
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
