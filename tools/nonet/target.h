/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_TARGET_H
#define NONET_TOOL_TARGET_H

#include <nonet/address.h>
#include <nonet/error.h>
#include <nonet/wait.h>

/* Something that nonet wait waits for, perhaps not open yet. Zeroed at first, but for the address. */
struct target {
	const char *given;
	struct nonet_address *address;
	const struct target_kind *kind; /* of what is open: NULL, or */
	void *object;
};

/* How one kind is waited for. Errors are what the object's own calls return. */
struct target_kind {
	int (*open)(struct target *target, struct nonet_error *ret_error);
	struct nonet_waitable *(*waitable)(void *object);
	/* Return: 1, 0, or a negative errno with the sentence. NULL: it can't be asked. */
	int (*is_ready)(void *object, struct nonet_error *ret_error);
	/*
	 * Who looks isn't told that the object's domain was removed; who arms is. Return: 0, 1 to look once more, or as
	 * above. NULL: it has none.
	 */
	int (*arm)(void *object, struct nonet_error *ret_error);
	void (*close)(void *object);
};

/* target_own.c */
extern const struct target_kind target_mutex, target_rwlock, target_event, target_channel;

/* Without waiting. Return: 0, or what the object's own call says. */
int target_open(struct target *target, struct nonet_error *ret_error);

struct nonet_waitable *target_waitable(const struct target *target);

/*
 * Before it is waited for: of what one may be asked at no cost, whether it is ready already. A lock is taken, and let
 * go again.
 *
 * Return: 1, 0 it isn't, or it must be waited for to know; or a negative errno with the sentence.
 */
int target_is_ready(const struct target *target, struct nonet_error *ret_error);

/* After its waitable said so, which may be wrong: the same, but 1 of what can't be asked. */
int target_is_ready_now(const struct target *target, struct nonet_error *ret_error);

/* May not be open. */
void target_close(struct target *target);

#endif
