/* SPDX-License-Identifier: Apache-2.0 */
#include "semaphore/semaphore_shared.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "domain/claim.h"
#include "domain/life.h"

/* nonet's own semaphores as objects: making, opening and describing them; and their descriptors. */

static uint32_t shared_permits(uint32_t maximum, uint32_t flags)
{
	return flags & SEMAPHORE_SIGNALS ? 0 : maximum;
}

static bool shared_check(const void *payload, size_t size)
{
	const struct semaphore_shared *shared = payload;
	uint32_t maximum;
	uint32_t flags;

	if (size < sizeof(*shared))
		return false;
	maximum = shared->maximum;
	flags = shared->flags;
	if (flags & ~SEMAPHORE_SIGNALS || maximum == 0 ||
	    maximum > (flags & SEMAPHORE_SIGNALS ? SEMAPHORE_COUNT : SEMAPHORE_PERMITS))
		return false;
	return size == sizeof(*shared) + shared_permits(maximum, flags) * sizeof(shared->permits[0]);
}

static const struct object_kind shared_kind = {
	.scheme = NONET_SCHEME_SEMAPHORE,
	.number = SEMAPHORE_KIND,
	.layout = SEMAPHORE_LAYOUT,
	.word = "semaphore",
	.check = shared_check,
};

static void shared_fill(const struct object *object, const void *argument)
{
	const struct nonet_semaphore_options *options = argument;
	const bool signals = options->flags & NONET_SEMAPHORE_SIGNAL;
	struct semaphore_shared *shared = object->payload;

	atomic_store_explicit(&shared->word, signals ? options->value : 0, memory_order_relaxed);
	shared->maximum = signals ? SEMAPHORE_COUNT : options->value;
	shared->flags = signals ? SEMAPHORE_SIGNALS : 0;
	mutex_fill(&shared->turn, object->domain, 0, 0);
}

/* Whether somebody may have a permit without waiting. */
static bool shared_is_ready(const struct nonet_semaphore *semaphore)
{
	const uint32_t word = atomic_load_explicit(&semaphore->shared->word, memory_order_seq_cst); /* [SEM-SLEEP] */
	const uint64_t turn = atomic_load_explicit(&semaphore->shared->turn.claim, memory_order_relaxed);

	if (object_check(&semaphore->object) < 0 || object_check_shared(&semaphore->object) < 0)
		return true;
	/* Who waits takes them; unless he is dead. */
	if (word & SEMAPHORE_WAITS && !claim_is_free(turn) && !life_has_ended(semaphore->object.domain, turn))
		return false;
	return semaphore_count_free(semaphore) > 0;
}

static int shared_bell_look(void *argument, uint64_t *owners, int room)
{
	const struct nonet_semaphore *semaphore = argument;
	int count;

	if (shared_is_ready(semaphore))
		return DOORBELL_READY;
	/* Who takes the bells' bit out may be killed before he rings, and whoever gives next wouldn't know of us. */
	if (!(atomic_fetch_or_explicit(&semaphore->shared->word, SEMAPHORE_BELLS, memory_order_seq_cst) &
	      SEMAPHORE_BELLS) &&
	    shared_is_ready(semaphore)) /* [SEM-SLEEP] [BELL-ARMED] */
		return DOORBELL_READY;
	count = semaphore->signals ? 0 : semaphore_find_owners(semaphore, owners, room);
	return count < 0 ? 0 : count;
}

static const struct doorbell_job shared_bell = {.look = shared_bell_look};

int semaphore_shared_arm(struct nonet_semaphore *semaphore)
{
	uint64_t owner = 0;

	if (shared_is_ready(semaphore))
		return 1;
	doorbell_arm(&semaphore->bell);
	/* [SEM-SLEEP] [BELL-ARMED] And then we look once more. */
	(void)atomic_fetch_or_explicit(&semaphore->shared->word, SEMAPHORE_BELLS, memory_order_seq_cst);
	if (shared_is_ready(semaphore)) {
		doorbell_disarm(&semaphore->bell);
		return 1;
	}
	if (!semaphore->signals)
		(void)semaphore_find_owners(semaphore, &owner, 1);
	doorbell_watch(&semaphore->bell, owner);
	return 0;
}

void semaphore_shared_rest(struct nonet_semaphore *semaphore)
{
	if (semaphore->object.generation == sys_generation())
		doorbell_rest(&semaphore->bell);
}

int semaphore_shared_start(struct nonet_semaphore *semaphore)
{
	const int error = object_check(&semaphore->object);

	return error < 0 ? error : doorbell_start(&semaphore->bell);
}

static void shared_know(struct nonet_semaphore *semaphore)
{
	const size_t permits = (semaphore->object.size - sizeof(*semaphore->shared)) / sizeof(uint64_t);

	/*
	 * By the size of what is mapped, which is ours: a peer may have changed what is written there since it was
	 * checked, and it is a bound.
	 */
	semaphore->shared = semaphore->object.payload;
	semaphore->signals = permits == 0;
	semaphore->maximum = semaphore->signals ? SEMAPHORE_COUNT : (uint32_t)permits;
	semaphore->count = 1;
	mutex_inside(&semaphore->turn, &semaphore->object, &semaphore->shared->turn);
	doorbell_init(&semaphore->bell, &semaphore->object, &shared_bell, semaphore);
}

static int shared_create(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
			 struct nonet_error *reterr)
{
	const bool signals = options->flags & NONET_SEMAPHORE_SIGNAL;
	const struct object_make make = {
		.size = sizeof(struct semaphore_shared) +
			shared_permits(options->value, signals ? SEMAPHORE_SIGNALS : 0) * sizeof(uint64_t),
		.mode = options->mode,
		.fill = shared_fill,
		.argument = options,
	};
	int error;

	if (options->count > 1)
		return error_set(reterr, -EOPNOTSUPP,
				 "can't create %s with %u semaphores: those of a domain aren't in sets; sysvsem: are",
				 semaphore->place.text, options->count);
	if (!signals && options->value == 0)
		return error_set(reterr, -EINVAL,
				 "can't create %s without permits: each is somebody's or free, and nobody can add one; "
				 "give it a value, or NONET_SEMAPHORE_SIGNAL to let it count",
				 semaphore->place.text);
	if (options->value > (signals ? SEMAPHORE_COUNT : SEMAPHORE_PERMITS))
		return error_set(reterr, -EOVERFLOW, "can't create %s with %u permits: it has at most %u",
				 semaphore->place.text, options->value, signals ? SEMAPHORE_COUNT : SEMAPHORE_PERMITS);
	error = object_create(semaphore->place.text, &shared_kind, &make, &semaphore->object, reterr);
	if (error < 0)
		return error;
	shared_know(semaphore);
	return 0;
}

static int shared_open(struct nonet_semaphore *semaphore, const struct nonet_semaphore_options *options,
		       nonet_time deadline, struct nonet_error *reterr)
{
	const int error = object_open(semaphore->place.text, &shared_kind, &semaphore->object, reterr);

	(void)options;
	(void)deadline;
	if (error < 0)
		return error;
	shared_know(semaphore);
	return 0;
}

static void shared_close(struct nonet_semaphore *semaphore)
{
	doorbell_done(&semaphore->bell);
	object_close(&semaphore->object);
}

static int shared_unlink(const struct semaphore_place *place, struct nonet_error *reterr)
{
	return object_unlink(place->text, &shared_kind, reterr);
}

static int shared_operate(struct nonet_semaphore *semaphore, const struct nonet_semaphore_operation *operations,
			  size_t count, nonet_time deadline)
{
	const int32_t change = operations->change;

	if (count > 1 || change == 0)
		return -EOPNOTSUPP;
	if (change > 0)
		return semaphore_shared_post(semaphore, (uint32_t)change, operations->flags);
	return semaphore_shared_wait(semaphore, 0 - (uint32_t)change, operations->flags, deadline);
}

static int shared_value(struct nonet_semaphore *semaphore, uint32_t *ret_value)
{
	int error = object_check(&semaphore->object);
	uint32_t value;

	if (error < 0)
		return error;
	value = semaphore_count_free(semaphore);
	error = object_check(&semaphore->object);
	if (error == 0)
		error = object_check_shared(&semaphore->object);
	if (error < 0)
		return error;
	*ret_value = value;
	return 0;
}

static int shared_look(struct nonet_semaphore *semaphore, struct nonet_semaphore_info *ret_info)
{
	uint32_t value;
	const int error = shared_value(semaphore, &value);

	if (error < 0)
		return error;
	*ret_info = (struct nonet_semaphore_info){
		.value = value,
		.maximum = semaphore->maximum,
		.count = 1,
		.waiters = -1,
		.zero_waiters = -1,
	};
	return 0;
}

/* Entered by its owner, or counted there. Return: whether there was room. */
static bool shared_add_holder(const struct nonet_semaphore *semaphore, uint64_t claim, uint64_t *owners,
			      struct nonet_semaphore_holder *holders, size_t max, size_t *count)
{
	struct life_owner owner;
	size_t i = *count;

	while (i > 0 && owners[i - 1] != claim)
		i--;
	if (i > 0) {
		holders[i - 1].permits++;
		return true;
	}
	if (*count == max)
		return false;
	life_describe(semaphore->object.domain, claim, &owner);
	owners[*count] = claim;
	holders[*count] = (struct nonet_semaphore_holder){
		.pid = owner.pid,
		.member = owner.member,
		.permits = 1,
		.flags = owner.is_alive ? 0 : NONET_SEMAPHORE_IS_DEAD,
	};
	memcpy(holders[*count].name, owner.name, sizeof(owner.name));
	++*count;
	return true;
}

int nonet_semaphore_holders(struct nonet_semaphore *semaphore, struct nonet_semaphore_holder *ret_holders, size_t max,
			    size_t *ret_count)
{
	uint64_t owners[NONET_SEMAPHORE_HOLDERS];
	struct nonet_semaphore_holder holders[NONET_SEMAPHORE_HOLDERS];
	size_t count = 0;
	int error;

	if (!semaphore->shared || semaphore->signals)
		return -EOPNOTSUPP;
	if (max > NONET_SEMAPHORE_HOLDERS)
		return -EINVAL;
	error = object_check(&semaphore->object);
	if (error < 0)
		return error;
	for (uint32_t i = 0; i < semaphore->maximum; i++) {
		const uint64_t claim =
			atomic_load_explicit(&semaphore->shared->permits[i], memory_order_relaxed) & CLAIM_OWNER;

		if (!claim_is_free(claim) && !shared_add_holder(semaphore, claim, owners, holders, max, &count))
			break;
	}
	error = object_check(&semaphore->object);
	if (error < 0)
		return error;
	memcpy(ret_holders, holders, count * sizeof(holders[0]));
	*ret_count = count;
	return 0;
}

static void shared_explain_none(struct nonet_semaphore *semaphore, int code, struct nonet_error *ret_error)
{
	const char *when = code == -EAGAIN ? "now" : "before the deadline";
	struct nonet_semaphore_holder holder;
	size_t count = 0;

	if (semaphore->signals)
		error_set(ret_error, code, "%s had no permits %s; somebody has to post them", semaphore->place.text,
			  when);
	else if (nonet_semaphore_holders(semaphore, &holder, 1, &count) < 0 || count == 0)
		error_set(ret_error, code, "%s had not enough free permits %s; it has by now", semaphore->place.text,
			  when);
	else if (holder.pid)
		error_set(ret_error, code, "%s had not enough free permits %s; process %d (%s) has %u of %u",
			  semaphore->place.text, when, holder.pid, holder.name, holder.permits, semaphore->maximum);
	else
		error_set(ret_error, code,
			  "%s had not enough free permits %s; a process of another PID namespace has one",
			  semaphore->place.text, when);
}

static bool shared_explain(struct nonet_semaphore *semaphore, int code, struct nonet_error *ret_error)
{
	const char *text = semaphore->place.text;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		shared_explain_none(semaphore, code, ret_error);
		return true;
	case -EPERM:
		error_set(ret_error, code,
			  "this process doesn't have so many permits of %s: only who has taken them gives them back",
			  text);
		return true;
	case -EOVERFLOW:
		error_set(ret_error, code, "%s would have more permits than it can: %u", text, semaphore->maximum);
		return true;
	case -EOPNOTSUPP:
		error_set(ret_error, code,
			  "%s is a domain's: it isn't in a set, can't be waited for to be empty, and where it only "
			  "counts it undoes nothing and has no holders; sysvsem: does all of these",
			  text);
		return true;
	case -ECHILD:
	case -EBADMSG:
	case -ESTALE:
		object_explain(&semaphore->object, code, ret_error);
		return true;
	default:
		return false;
	}
}

const struct semaphore_carrier semaphore_shared = {
	.create = shared_create,
	.open = shared_open,
	.close = shared_close,
	.unlink = shared_unlink,
	.operate = shared_operate,
	.value = shared_value,
	.look = shared_look,
	.explain = shared_explain,
};
