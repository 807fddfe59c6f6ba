/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYNC_TEST_RWLOCK_H
#define SYNC_TEST_RWLOCK_H

#include <errno.h>

#include <nonet/rwlock.h>

#include "harness/domain.h"
#include "harness/kill.h"
#include "harness/test.h"

/* What the tests of locks of readers and writers share: one lock, and children that hold it or wait for it. */

static inline struct nonet_rwlock *make(const struct nonet_rwlock_options *options)
{
	struct nonet_rwlock *rwlock = NULL;

	test_check_equal(nonet_rwlock_create("rwlock:prices", options, &rwlock, NULL), 0);
	return rwlock;
}

static inline struct nonet_rwlock *reach(void)
{
	struct nonet_rwlock *rwlock = NULL;

	test_check_equal(nonet_rwlock_open("rwlock:prices", &rwlock, NULL), 0);
	return rwlock;
}

static inline size_t holders(struct nonet_rwlock *rwlock)
{
	size_t number = 0;

	test_check_equal(nonet_rwlock_look(rwlock, NULL, 0, &number), 0);
	return number;
}

static inline nonet_time soon(void)
{
	return nonet_after(NONET_MS(20));
}

static inline int read_and_hold(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "let go");
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

static inline int write_and_hold(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "let go");
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

static inline void let_go(struct test_child *child)
{
	test_child_tell(child, "let go");
	test_check_equal(test_child_join(child), 0);
}

static inline int write_when_possible(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_rwlock_write_lock(rwlock, NONET_FOREVER), 0);
	test_report(side, "writes");
	test_await(side, "let go");
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

static inline int read_when_possible(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_report(side, "ready");
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_FOREVER), 0);
	test_report(side, "reads");
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

static inline int upgrade_when_possible(struct test_child_side *side, void *argument)
{
	struct nonet_rwlock *rwlock = reach();

	(void)argument;
	test_check_equal(nonet_rwlock_read_lock(rwlock, NONET_NOW), 0);
	test_report(side, "ready");
	test_check_equal(nonet_rwlock_upgrade(rwlock, NONET_FOREVER), 0);
	test_report(side, "writes");
	test_await(side, "let go");
	test_check_equal(nonet_rwlock_downgrade(rwlock), 0);
	test_report(side, "reads");
	test_await(side, "let go");
	test_check_equal(nonet_rwlock_unlock(rwlock), 0);
	nonet_rwlock_close(rwlock);
	return 0;
}

#endif
