/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "channel/channel_layout.h"
#include "domain/claim_layout.h"
#include "inspect/own.h"
#include "inspect/own_channel.h"
#include "semaphore/semaphore_layout.h"
#include "sync/condition_layout.h"
#include "sync/event_layout.h"
#include "sync/mutex_layout.h"
#include "sync/rwlock_layout.h"

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

static const char *const rwlock_did[] = {
	[0] = "",
	[RWLOCK_READ] = "locked to read",
	[RWLOCK_WRITTEN] = "locked to write",
	[RWLOCK_UNLOCKED] = "unlocked",
	[RWLOCK_TOOK_OVER] = "took over from the dead",
	[RWLOCK_RECOVERED] = "recovered",
	[RWLOCK_UPGRADED] = "goes on as a writer",
	[RWLOCK_DOWNGRADED] = "goes on as a reader",
	NULL,
};

/* A reader who died is in nobody's way, and a writer who died before he wrote: both are passed over. */
static int rwlock_look_at(struct own_look *look, uint64_t claim, int64_t since)
{
	const size_t before = look->count;
	const uint32_t flags = look->object.flags;
	int error = own_look_add_claim(look, claim, since);

	if (error == 0 && look->count > before && look->members[before].flags & NONET_INSPECT_DEAD) {
		look->object.flags = flags;
		look->count = before;
	}
	return error;
}

static int rwlock_look(struct own_look *look)
{
	const struct rwlock_shared *shared = look->payload;
	const uint64_t claim = LOOK_FIELD(shared->claim);
	const bool noted = LOOK_FIELD(shared->since_owner) == (claim & CLAIM_OWNER);
	const int64_t since = noted ? LOOK_FIELD(shared->since) : 0;
	int error = 0;

	if (LOOK_FIELD(shared->magic) != RWLOCK_MAGIC || shared->layout != RWLOCK_LAYOUT ||
	    look->size != sizeof(*shared) + (size_t)shared->number * sizeof(shared->places[0]))
		return -EBADMSG;
	if (claim_is_free(claim) && claim_state(claim) == RWLOCK_GIVEN_UP)
		look->object.flags |= NONET_INSPECT_GIVEN_UP;
	else if (claim_is_free(claim) && claim_state(claim))
		return -EBADMSG;
	else if (!claim_is_free(claim) && !(claim_state(claim) & RWLOCK_INTENT))
		error = own_look_add_claim(look, claim, since);
	else if (!claim_is_free(claim))
		error = rwlock_look_at(look, claim, since);
	for (uint32_t i = 0; i < shared->number && error == 0; i++)
		if (!claim_is_free(LOOK_FIELD(shared->places[i])))
			error = rwlock_look_at(look, LOOK_FIELD(shared->places[i]), 0);
	return error;
}

static const char *const condition_did[] = {"", NULL};

static int condition_look(struct own_look *look)
{
	const struct condition_shared *shared = look->payload;

	return LOOK_FIELD(shared->magic) == CONDITION_MAGIC && shared->layout == CONDITION_LAYOUT ? 0 : -EBADMSG;
}

static const char *const event_did[] = {
	[0] = "", [EVENT_WAS_SET] = "set", [EVENT_WAS_CLEARED] = "cleared", [EVENT_WAS_PULSED] = "pulsed", NULL,
};

/* Who sleeps isn't named anywhere, as nobody has to look after him: only that there may be somebody. */
static int event_look(struct own_look *look)
{
	const struct event_shared *shared = look->payload;
	const uint64_t state = LOOK_FIELD(shared->state);

	if (look->size != sizeof(*shared))
		return -EBADMSG;
	look->object.known |= NONET_INSPECT_COUNT;
	look->object.count = state >> EVENT_SHIFT;
	look->object.flags |= state & EVENT_SET ? NONET_INSPECT_SET : 0;
	look->object.flags |= state & EVENT_WAITERS ? NONET_INSPECT_SLEEPERS : 0;
	return 0;
}

static const char *const semaphore_did[] = {"", NULL};

/* Whoever has the turn waits for permits, once the word says so; else he is about to. */
static int semaphore_look_at_turn(struct own_look *look, uint32_t word)
{
	const struct semaphore_shared *shared = look->payload;

	return word & SEMAPHORE_WAITS ? own_look_add_waiter(look, LOOK_FIELD(shared->turn.claim), false) : 0;
}

/* Permits of the dead are free: the next one gets them, and isn't told, so it is nothing to say of the object. */
static int semaphore_look(struct own_look *look)
{
	const struct semaphore_shared *shared = look->payload;
	const size_t permits = (look->size - sizeof(*shared)) / sizeof(shared->permits[0]);
	const uint32_t word = LOOK_FIELD(shared->word);
	const bool signals = shared->flags & SEMAPHORE_SIGNALS;
	uint32_t count = word & SEMAPHORE_COUNT;
	int error = 0;

	if (shared->flags & ~SEMAPHORE_SIGNALS || shared->maximum == 0 ||
	    shared->maximum > (signals ? SEMAPHORE_COUNT : SEMAPHORE_PERMITS) ||
	    look->size != sizeof(*shared) + (signals ? 0 : shared->maximum * sizeof(shared->permits[0])))
		return -EBADMSG;
	if (signals) {
		look->object.flags |= NONET_INSPECT_SIGNALS;
	} else {
		look->object.known |= NONET_INSPECT_ROOM;
		look->object.room = permits;
		/* Whoever isn't known to be dead would be called so. */
		if (look->domain->is_cut_short)
			return 0;
		error = own_look_add_permits(look, shared->permits, (uint32_t)permits, &count);
	}
	if (error < 0)
		return error;
	look->object.known |= NONET_INSPECT_COUNT;
	look->object.count = count;
	return semaphore_look_at_turn(look, word);
}

static const char *const channel_did[] = {"", NULL};

const struct own_kind own_kinds[] = {
	{NONET_SCHEME_MUTEX, "mutex", MUTEX_KIND, MUTEX_LAYOUT, sizeof(struct mutex_shared), mutex_did, mutex_look},
	{NONET_SCHEME_RWLOCK, "rwlock", RWLOCK_KIND, RWLOCK_LAYOUT, sizeof(struct rwlock_shared), rwlock_did,
	 rwlock_look},
	{NONET_SCHEME_CONDITION, "condition", CONDITION_KIND, CONDITION_LAYOUT, sizeof(struct condition_shared),
	 condition_did, condition_look},
	{NONET_SCHEME_EVENT, "event", EVENT_KIND, EVENT_LAYOUT, sizeof(struct event_shared), event_did, event_look},
	{NONET_SCHEME_SEMAPHORE, "semaphore", SEMAPHORE_KIND, SEMAPHORE_LAYOUT, sizeof(struct semaphore_shared),
	 semaphore_did, semaphore_look},
	{NONET_SCHEME_CHANNEL, "channel", CHANNEL_KIND, CHANNEL_LAYOUT, sizeof(struct channel_board), channel_did,
	 own_channel_look, own_channel_look_on},
	{.word = NULL},
};
