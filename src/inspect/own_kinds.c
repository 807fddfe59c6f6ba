/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "domain/claim_layout.h"
#include "inspect/own.h"
#include "sync/mutex_layout.h"

/* What each kind's own part says. A kind is a row here, its look, and the words of its trace. */

static const char *const mutex_did[] = {
	[0] = "",
	[MUTEX_LOCKED] = "locked",
	[MUTEX_UNLOCKED] = "unlocked",
	[MUTEX_TOOK_OVER] = "took over from the dead",
	[MUTEX_RECOVERED] = "recovered",
	NULL,
};

static int mutex_look(struct own_look *look)
{
	const struct mutex_shared *shared = look->payload;
	const uint64_t claim = LOOK_FIELD(shared->claim);
	const bool noted = LOOK_FIELD(shared->since_owner) == (claim & CLAIM_OWNER);

	if (LOOK_FIELD(shared->magic) != MUTEX_MAGIC || shared->layout != MUTEX_LAYOUT)
		return -EBADMSG;
	if (!claim_is_free(claim))
		return own_look_add_claim(look, claim, noted ? LOOK_FIELD(shared->since) : 0);
	if (claim_state(claim) == MUTEX_GIVEN_UP)
		look->object.flags |= NONET_INSPECT_GIVEN_UP;
	else if (claim_state(claim))
		return -EBADMSG;
	return 0;
}

const struct own_kind own_kinds[] = {
	{NONET_SCHEME_MUTEX, "mutex", MUTEX_KIND, MUTEX_LAYOUT, sizeof(struct mutex_shared), mutex_did, mutex_look},
	{.word = NULL},
};
