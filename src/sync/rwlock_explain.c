/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "sync/rank.h"
#include "sync/rwlock.h"

static const char *explain_doing(const struct nonet_rwlock_holder *holder)
{
	if (holder->flags & NONET_RWLOCK_WRITES)
		return "held for writing";
	return holder->flags & NONET_RWLOCK_WAITS_TO_WRITE ? "waited for, to write," : "held for reading";
}

static void explain_holder(struct nonet_rwlock *rwlock, int code, struct nonet_error *ret_error)
{
	const char *tail = code == -ETIMEDOUT ? "until the deadline" : "now";
	const char *text = rwlock->object.text;
	struct nonet_rwlock_holder holder;
	size_t number;

	if (nonet_rwlock_look(rwlock, &holder, 1, &number) < 0 || number == 0)
		error_set(ret_error, code, "%s was held by others %s; it is free by now", text,
			  code == -ETIMEDOUT ? tail : "then");
	else if (holder.pid)
		error_set(ret_error, code, "%s is %s by thread %d of process %d (%s) %s; others that have it: %zu",
			  text, explain_doing(&holder), holder.thread, holder.pid, holder.name, tail, number - 1);
	else
		error_set(ret_error, code,
			  "%s is %s by a process that is dead, or of another PID namespace (%s), %s; others that have "
			  "it: %zu",
			  text, explain_doing(&holder), holder.name, tail, number - 1);
}

/* Of whoever the thread is. */
static bool explain_reads(const struct nonet_rwlock *rwlock)
{
	uint64_t owner;

	return domain_thread_owner(rwlock->object.domain, &owner) == 0 &&
	       rwlock_place_find(rwlock, owner, true) != RWLOCK_NOWHERE;
}

static bool explain_writes(const struct nonet_rwlock *rwlock)
{
	uint64_t owner;

	return domain_thread_owner(rwlock->object.domain, &owner) == 0 && rwlock_writes(rwlock, owner);
}

static void explain_deadlock(struct nonet_rwlock *rwlock, struct nonet_error *ret_error)
{
	const struct domain_ranked *held = rank_in_way(rwlock->object.domain, rwlock->rank);
	const char *text = rwlock->object.text;

	if (explain_writes(rwlock))
		error_set(ret_error, -EDEADLK, "this thread holds %s already, for writing; unlock it first", text);
	else if (explain_reads(rwlock))
		error_set(
			ret_error, -EDEADLK,
			"this thread holds %s for reading; to write, call nonet_rwlock_upgrade(); if that was refused "
			"because another waits to write, unlock it, lock it for writing, and read again",
			text);
	else if (held)
		error_set(
			ret_error, -EDEADLK,
			"%s has rank %u, and this thread holds %s of rank %u; locks with ranks are taken in the order "
			"of their ranks",
			text, rwlock->rank, held->name, held->rank);
	else
		error_set(ret_error, -EDEADLK, "this thread held %s, or what has a higher rank; it doesn't any more",
			  text);
}

void nonet_rwlock_explain(struct nonet_rwlock *rwlock, int code, struct nonet_error *ret_error)
{
	const char *text = rwlock->object.text;

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		explain_holder(rwlock, code, ret_error);
		break;
	case -EDEADLK:
		explain_deadlock(rwlock, ret_error);
		break;
	case -EBUSY:
		error_set(ret_error, code,
			  "%s is for %u readers at once, and as many have it; try again, or make it with more readers",
			  text, rwlock->number);
		break;
	case -EOWNERDEAD:
		error_set(
			ret_error, code,
			"%s is held for writing now, but its last writer died with it: put right what it guards, then "
			"call nonet_rwlock_recover()",
			text);
		break;
	case -ENOTRECOVERABLE:
		error_set(
			ret_error, code,
			"%s was unlocked without nonet_rwlock_recover() after its writer had died, so nobody can have "
			"it any more; remove it and make another",
			text);
		break;
	case -EPERM:
		error_set(ret_error, code,
			  "this thread doesn't hold %s, or not as the call needs it; only who has locked it may unlock "
			  "it",
			  text);
		break;
	case -EINVAL:
		error_set(ret_error, code,
			  explain_writes(rwlock) ? "%s isn't as the call needs it: recover is for a lock whose last "
						   "writer died, and comes before downgrade"
						 : "%s: the call's arguments are wrong",
			  text);
		break;
	default:
		object_explain(&rwlock->object, code, ret_error);
		break;
	}
}
