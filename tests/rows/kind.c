/* SPDX-License-Identifier: Apache-2.0 */
#include "rows/kind_object.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness/deadline.h"
#include "harness/fail.h"

/* What all processes of a test share beside its objects. */
struct common {
	_Atomic uint64_t happened; /* what is waited for with the conditions; under their mutexes */
	_Alignas(64) unsigned char mutex[NONET_MUTEX_PLACE_SIZE];
	_Alignas(64) unsigned char condition[NONET_CONDITION_PLACE_SIZE];
	_Alignas(64) unsigned char mutex_of_condition[NONET_MUTEX_PLACE_SIZE];
};
static struct common *common;

static int mutex_take(struct row_object *object)
{
	return nonet_mutex_lock(object->mutex, NONET_NOW);
}

static int mutex_give(struct row_object *object)
{
	return nonet_mutex_unlock(object->mutex);
}

static int mutex_wait(struct row_object *object, nonet_time deadline)
{
	return nonet_mutex_lock(object->mutex, deadline);
}

/* Who was told of a death recovers; -EINVAL: there was none. */
static int mutex_done(struct row_object *object)
{
	const int result = nonet_mutex_recover(object->mutex);

	return result < 0 && result != -EINVAL ? result : nonet_mutex_unlock(object->mutex);
}

static int rwlock_take_to_read(struct row_object *object)
{
	return nonet_rwlock_read_lock(object->rwlock, NONET_NOW);
}

static int rwlock_take_to_write(struct row_object *object)
{
	return nonet_rwlock_write_lock(object->rwlock, NONET_NOW);
}

static int rwlock_give(struct row_object *object)
{
	return nonet_rwlock_unlock(object->rwlock);
}

static int rwlock_wait_to_read(struct row_object *object, nonet_time deadline)
{
	return nonet_rwlock_read_lock(object->rwlock, deadline);
}

static int rwlock_wait_to_write(struct row_object *object, nonet_time deadline)
{
	return nonet_rwlock_write_lock(object->rwlock, deadline);
}

static int rwlock_wait_to_upgrade(struct row_object *object, nonet_time deadline)
{
	int result = nonet_rwlock_read_lock(object->rwlock, NONET_NOW);

	if (result < 0)
		return result;
	result = nonet_rwlock_upgrade(object->rwlock, deadline);
	if (result < 0)
		test_check_equal(nonet_rwlock_unlock(object->rwlock), 0);
	return result;
}

/* -EPERM: it reads; -EINVAL: nobody died. */
static int rwlock_done(struct row_object *object)
{
	const int result = nonet_rwlock_recover(object->rwlock);

	return result < 0 && result != -EINVAL && result != -EPERM ? result : nonet_rwlock_unlock(object->rwlock);
}

static int semaphore_take(struct row_object *object)
{
	return nonet_semaphore_wait(object->semaphore, 1, 0, NONET_NOW);
}

static int semaphore_give(struct row_object *object)
{
	return nonet_semaphore_post(object->semaphore, 1, 0);
}

static int semaphore_wait(struct row_object *object, nonet_time deadline)
{
	return nonet_semaphore_wait(object->semaphore, 1, 0, deadline);
}

/* It is clear as it is made, and after each turn. */
static int event_take(struct row_object *object)
{
	return nonet_event_wait(object->event, NONET_NOW) == -EAGAIN ? 0 : -EBUSY;
}

static int event_give(struct row_object *object)
{
	return nonet_event_set(object->event);
}

static int event_wait(struct row_object *object, nonet_time deadline)
{
	return nonet_event_wait(object->event, deadline);
}

static int event_wait_count(struct row_object *object, nonet_time deadline)
{
	return nonet_event_wait_count(object->event, object->seen, deadline, &object->seen);
}

static int event_done(struct row_object *object)
{
	const int result = nonet_event_clear(object->event);

	return result < 0 ? result : 0;
}

static int condition_lock(struct row_object *object)
{
	const int result = nonet_mutex_lock(object->mutex, NONET_FOREVER);

	return result == -EOWNERDEAD ? nonet_mutex_recover(object->mutex) : result;
}

static int condition_give(struct row_object *object)
{
	int result = condition_lock(object);

	if (result < 0)
		return result;
	atomic_fetch_add(&common->happened, 1);
	result = nonet_condition_broadcast(object->condition);
	return result < 0 ? result : nonet_mutex_unlock(object->mutex);
}

static int condition_wait(struct row_object *object, nonet_time deadline)
{
	int result = condition_lock(object);

	if (result < 0)
		return result;
	while (result == 0 && atomic_load(&common->happened) == object->seen) {
		result = nonet_condition_wait(object->condition, object->mutex, deadline);
		if (result == -EOWNERDEAD)
			result = nonet_mutex_recover(object->mutex);
	}
	if (result == 0)
		object->seen = atomic_load(&common->happened);
	test_check_equal(nonet_mutex_unlock(object->mutex), 0);
	return result;
}

/* Nothing has to be done. */
static int nothing(struct row_object *object)
{
	(void)object;
	return 0;
}

#define RWLOCK    .address = "rwlock:row", .owned = true, .give = rwlock_give, .done = rwlock_done
#define EVENT     .address = "event:row", .take = event_take, .give = event_give, .done = event_done
#define SEMAPHORE .take = semaphore_take, .give = semaphore_give, .wait = semaphore_wait, .done = semaphore_give
#define MUTEX                                                                                                       \
	.owned = true, .crowded = true, .alone = true, .told = -EOWNERDEAD, .take = mutex_take, .give = mutex_give, \
	.wait = mutex_wait, .done = mutex_done
#define CONDITION .take = nothing, .give = condition_give, .wait = condition_wait, .done = nothing

const struct row_kind row_kinds[] = {
	{.name = "mutex-lock", .address = "mutex:row", MUTEX},
	{.name = "mutex-lock", .address = "mutex:", .placed = true, MUTEX},
	{.name = "rwlock-write",
	 RWLOCK,
	 .crowded = true,
	 .alone = true,
	 .told = -EOWNERDEAD,
	 .take = rwlock_take_to_write,
	 .wait = rwlock_wait_to_write},
	/* While another reads. */
	{.name = "rwlock-write", RWLOCK, .in_line = true, .take = rwlock_take_to_read, .wait = rwlock_wait_to_write},
	{.name = "rwlock-read",
	 RWLOCK,
	 .crowded = true,
	 .told = -EOWNERDEAD,
	 .take = rwlock_take_to_write,
	 .wait = rwlock_wait_to_read},
	{.name = "rwlock-upgrade", RWLOCK, .take = rwlock_take_to_read, .wait = rwlock_wait_to_upgrade},
	{.name = "semaphore-wait",
	 .address = "semaphore:row",
	 .owned = true,
	 .crowded = true,
	 .alone = true,
	 .in_line = true,
	 SEMAPHORE},
	/* One that only counts. */
	{.name = "semaphore-wait", .address = "semaphore:row-signal", .in_line = true, SEMAPHORE},
	{.name = "event-wait", EVENT, .wait = event_wait},
	{.name = "event-wait-count", EVENT, .wait = event_wait_count},
	{.name = "condition-wait", .address = "condition:row", CONDITION},
	{.name = "condition-wait", .address = "condition:", .placed = true, CONDITION},
	{.name = "channel-take-wait",
	 .address = "channel:row",
	 .take = row_message_take,
	 .give = row_message_give,
	 .wait = row_message_wait,
	 .done = nothing},
	{.name = "channel-send-wait",
	 .address = "channel:row-full",
	 .owned = true,
	 .take = row_room_take,
	 .give = row_room_give,
	 .wait = row_room_wait,
	 .done = nothing},
	{.name = NULL},
};

static int place_mutex(void *place, unsigned flags, struct row_object *object)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = flags};

	return nonet_mutex_place(place, NULL, &options, &object->mutex, NULL);
}

static int place_condition(unsigned flags, struct row_object *object)
{
	const struct nonet_condition_options options = {.size = sizeof(options), .flags = flags};

	return nonet_condition_place(common->condition, &options, &object->condition, NULL);
}

void row_begin(void)
{
	struct row_object made = {0}, others = {0};
	void *base = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	test_check(base != MAP_FAILED);
	common = base;
	test_check_equal(place_mutex(common->mutex, NONET_MUTEX_MAKE, &made), 0);
	test_check_equal(place_mutex(common->mutex_of_condition, NONET_MUTEX_MAKE, &others), 0);
	test_check_equal(place_condition(NONET_CONDITION_MAKE, &others), 0);
	nonet_mutex_close(made.mutex);
	nonet_mutex_close(others.mutex);
	nonet_condition_close(others.condition);
}

static bool is(const struct row_kind *kind, const char *scheme)
{
	return strncmp(kind->address, scheme, strlen(scheme)) == 0 && kind->address[strlen(scheme)] == ':';
}

static int get_mutex(const char *address, enum row_way way, struct row_object *object, struct nonet_error *reterr)
{
	const struct nonet_mutex_options options = {.size = sizeof(options),
						    .flags = way == ROW_REACH ? NONET_MUTEX_MAY_EXIST : 0};

	return way == ROW_OPEN ? nonet_mutex_open(address, &object->mutex, reterr)
			       : nonet_mutex_create(address, &options, &object->mutex, reterr);
}

static int get_rwlock(const char *address, enum row_way way, struct row_object *object, struct nonet_error *reterr)
{
	const struct nonet_rwlock_options options = {.size = sizeof(options),
						     .flags = way == ROW_REACH ? NONET_RWLOCK_MAY_EXIST : 0};

	return way == ROW_OPEN ? nonet_rwlock_open(address, &object->rwlock, reterr)
			       : nonet_rwlock_create(address, &options, &object->rwlock, reterr);
}

static int get_event(const char *address, enum row_way way, struct row_object *object, struct nonet_error *reterr)
{
	const struct nonet_event_options options = {.size = sizeof(options),
						    .flags = way == ROW_REACH ? NONET_EVENT_MAY_EXIST : 0};

	return way == ROW_OPEN ? nonet_event_open(address, &object->event, reterr)
			       : nonet_event_create(address, &options, &object->event, reterr);
}

static int get_condition(const char *address, enum row_way way, struct row_object *object, struct nonet_error *reterr)
{
	const struct nonet_condition_options options = {.size = sizeof(options),
							.flags = way == ROW_REACH ? NONET_CONDITION_MAY_EXIST : 0};

	return way == ROW_OPEN ? nonet_condition_open(address, &object->condition, reterr)
			       : nonet_condition_create(address, &options, &object->condition, reterr);
}

/* One with permits has one; one that only counts has none at first. */
static int get_semaphore(const char *address, enum row_way way, struct row_object *object, struct nonet_error *reterr)
{
	const bool counts = strcmp(address, "semaphore:row-signal") == 0;
	const struct nonet_semaphore_options options = {
		.size = sizeof(options),
		.flags = (way == ROW_REACH ? NONET_SEMAPHORE_MAY_EXIST : 0) | (counts ? NONET_SEMAPHORE_SIGNAL : 0),
		.value = 1,
	};

	return way == ROW_OPEN ? nonet_semaphore_open(address, NULL, NONET_NOW, &object->semaphore, reterr)
			       : nonet_semaphore_create(address, &options, NONET_NOW, &object->semaphore, reterr);
}

static int get(const struct row_kind *kind, enum row_way way, struct row_object *object, struct nonet_error *reterr)
{
	if (is(kind, "mutex"))
		return get_mutex(kind->address, way, object, reterr);
	if (is(kind, "rwlock"))
		return get_rwlock(kind->address, way, object, reterr);
	if (is(kind, "event"))
		return get_event(kind->address, way, object, reterr);
	if (is(kind, "semaphore"))
		return get_semaphore(kind->address, way, object, reterr);
	if (is(kind, "channel"))
		return row_channel_get(kind->address, way, object, reterr);
	return get_condition(kind->address, way, object, reterr);
}

static void reach_placed(const struct row_kind *kind, struct row_object *object)
{
	void *const place = is(kind, "mutex") ? common->mutex : common->mutex_of_condition;

	test_check_equal(place_mutex(place, 0, object), 0);
	if (is(kind, "condition"))
		test_check_equal(place_condition(0, object), 0);
}

static void reach_named(const struct row_kind *kind, struct row_object *object)
{
	test_check_equal(get(kind, ROW_REACH, object, NULL), 0);
	if (object->condition)
		test_check_equal(get_mutex("mutex:of-condition", ROW_REACH, object, NULL), 0);
}

struct row_object *row_reach(const struct row_kind *kind)
{
	struct row_object *object = calloc(1, sizeof(*object));
	struct nonet_event_info info;

	test_check(object != NULL);
	if (kind->placed)
		reach_placed(kind, object);
	else
		reach_named(kind, object);
	if (object->condition)
		object->seen = atomic_load(&common->happened);
	if (object->event) {
		test_check_equal(nonet_event_look(object->event, &info), 0);
		object->seen = info.count;
	}
	return object;
}

static void close_handles(struct row_object *object)
{
	nonet_mutex_close(object->mutex);
	nonet_rwlock_close(object->rwlock);
	nonet_condition_close(object->condition);
	nonet_event_close(object->event);
	nonet_semaphore_close(object->semaphore);
	row_channel_close(object);
}

void row_close(struct row_object *object)
{
	if (!object)
		return;
	close_handles(object);
	free(object);
}

int row_create(const struct row_kind *kind, struct nonet_error *reterr)
{
	struct row_object object = {0};
	const int result = get(kind, ROW_CREATE, &object, reterr);

	close_handles(&object);
	return result;
}

int row_open(const struct row_kind *kind, struct nonet_error *reterr)
{
	struct row_object object = {0};
	const int result = get(kind, ROW_OPEN, &object, reterr);

	close_handles(&object);
	return result;
}

int row_unlink(const struct row_kind *kind, struct nonet_error *reterr)
{
	if (is(kind, "mutex"))
		return nonet_mutex_unlink(kind->address, reterr);
	if (is(kind, "rwlock"))
		return nonet_rwlock_unlink(kind->address, reterr);
	if (is(kind, "event"))
		return nonet_event_unlink(kind->address, reterr);
	if (is(kind, "semaphore"))
		return nonet_semaphore_unlink(kind->address, reterr);
	if (is(kind, "channel"))
		return nonet_channel_unlink(kind->address, reterr);
	return nonet_condition_unlink(kind->address, reterr);
}

int row_hold(struct test_child_side *side, void *argument)
{
	const struct row_kind *kind = argument;
	struct row_object *object = row_reach(kind);

	test_check_equal(kind->take(object), 0);
	test_report(side, "ready");
	test_await(side, "let go");
	test_check_equal(kind->give(object), 0);
	row_close(object);
	return 0;
}

int row_sleep(struct test_child_side *side, void *argument)
{
	const struct row_kind *kind = argument;
	struct row_object *object = row_reach(kind);

	test_report(side, "ready");
	test_check_equal(kind->wait(object, NONET_FOREVER), 0);
	test_report(side, "through");
	test_await(side, "end");
	test_check_equal(kind->done(object), 0);
	row_close(object);
	return 0;
}

void row_wait_in_vain(const struct row_kind *kind, struct row_object *object, nonet_time duration)
{
	const nonet_time deadline = nonet_after(duration);

	test_check_equal(kind->wait(object, deadline), -ETIMEDOUT);
	test_check(nonet_clock() >= deadline);
	test_check(nonet_clock() < deadline + NONET_S(2) * test_slowness());
}
