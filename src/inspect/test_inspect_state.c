/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/inspect.h>
#include <nonet/mutex.h>

#include "domain/domain_layout.h"
#include "domain/object_layout.h"
#include "harness/domain.h"
#include "harness/random.h"
#include "harness/test.h"
#include "sync/mutex_layout.h"

/* Looking at nonet's own objects and domains from outside, whatever state they are in. */

#define SOON nonet_after(NONET_S(20))
#define OWN  NONET_INSPECT_SCHEME(NONET_SCHEME_MUTEX)

static struct nonet_mutex *make(const char *address, uint32_t flags)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = flags};
	struct nonet_mutex *mutex = NULL;

	test_check_equal(nonet_mutex_create(address, &options, &mutex, NULL), 0);
	return mutex;
}

static struct nonet_inspect_state *look(const char *address)
{
	struct nonet_inspect_state *state = NULL;
	struct nonet_error error = {0};

	if (nonet_inspect_state(address, NULL, SOON, &state, &error) != 0)
		test_fail("%s", error.text);
	return state;
}

/* The only one of those with all of these flags. */
static const struct nonet_inspect_member *only(const struct nonet_inspect_state *state, uint32_t flags)
{
	const struct nonet_inspect_member *member, *found = NULL;

	for (size_t i = 0; (member = nonet_inspect_state_member(state, i)); i++) {
		if ((member->flags & flags) != flags)
			continue;
		test_check(!found);
		found = member;
	}
	return found;
}

static int hold(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = NULL;

	(void)argument;
	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), 0);
	test_report(side, "ready");
	test_await(side, "let go");
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	return 0;
}

/* Nobody waits for it. */
static int is_there(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = NULL;

	(void)argument;
	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_report(side, "ready");
	test_await(side, "end");
	return 0;
}

static int want(struct test_child_side *side, void *argument)
{
	struct nonet_mutex *mutex = NULL;

	(void)argument;
	test_check_equal(nonet_mutex_open("mutex:m", &mutex, NULL), 0);
	test_report(side, "ready");
	test_check_equal(nonet_mutex_lock(mutex, NONET_FOREVER), -EOWNERDEAD);
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(holder_waiter_and_users_are_named_and_a_dead_holder_is_told)
{
	struct nonet_mutex *mutex = make("mutex:m", 0);
	struct test_child *holder = test_child_until(hold, NULL);
	struct test_child *waiter = test_child_until(want, NULL);
	struct nonet_inspect_state *state;
	const struct nonet_inspect_member *member;

	(void)side;
	(void)argument;
	test_child_wait_blocked(waiter);
	state = look("mutex:m");
	test_check_equal(nonet_inspect_state_object(state)->users, 3);
	test_check_equal(nonet_inspect_state_object(state)->waiters, 1);
	test_check_equal(nonet_inspect_state_object(state)->pid, test_child_pid(holder));
	member = only(state, NONET_INSPECT_HOLDS);
	test_check(member && member->pid == test_child_pid(holder) && member->thread == member->pid);
	test_check(member->since > 0 && member->name[0]);
	member = only(state, NONET_INSPECT_WAITS);
	test_check(member && member->pid == test_child_pid(waiter) && member->since > 0);
	test_check(!nonet_inspect_state_operation(state, 0));
	nonet_inspect_state_free(state);

	/* The waiter gets it, tells that its owner died, and ends with it himself. */
	test_kill(holder);
	test_check_equal(test_child_join(waiter), 0);
	state = look("mutex:m");
	test_check(nonet_inspect_state_object(state)->flags & NONET_INSPECT_OWNER_DEAD);
	test_check_equal(nonet_inspect_state_object(state)->pid, 0);
	test_check_equal(nonet_inspect_state_object(state)->users, 1);
	test_check_equal(nonet_inspect_state_object(state)->waiters, 0);
	test_check(only(state, NONET_INSPECT_HOLDS | NONET_INSPECT_DEAD));
	nonet_inspect_state_free(state);

	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EOWNERDEAD);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	state = look("mutex:m");
	test_check_equal(nonet_inspect_state_object(state)->flags, NONET_INSPECT_GIVEN_UP);
	nonet_inspect_state_free(state);
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(who_waited_and_has_it_now_waits_no_more)
{
	struct nonet_mutex *other = make("mutex:other", 0);
	struct test_child *first, *second;
	struct nonet_inspect_state *state;

	(void)side;
	(void)argument;
	nonet_mutex_close(make("mutex:m", 0));
	first = test_child_until(hold, NULL);
	second = test_child_start(hold, NULL);
	test_child_wait_blocked(second);
	state = look("mutex:m");
	test_check_equal(nonet_inspect_state_object(state)->waiters, 1);
	nonet_inspect_state_free(state);
	/* He waits for that, not for this. */
	state = look("mutex:other");
	test_check_equal(nonet_inspect_state_object(state)->waiters, 0);
	nonet_inspect_state_free(state);
	test_child_tell(first, "let go");
	test_check_equal(test_child_join(first), 0);
	test_child_wait_state(second, "ready");
	state = look("mutex:m");
	test_check_equal(nonet_inspect_state_object(state)->pid, test_child_pid(second));
	test_check_equal(nonet_inspect_state_object(state)->waiters, 0);
	nonet_inspect_state_free(state);
	test_child_tell(second, "let go");
	test_check_equal(test_child_join(second), 0);
	nonet_mutex_close(other);
	return 0;
}

static void *lock_and_end(void *mutex)
{
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	return NULL;
}

DOMAIN_TEST(a_thread_that_died_with_it_is_dead_though_its_process_lives)
{
	struct nonet_mutex *mutex = make("mutex:m", 0);
	struct nonet_inspect_state *state;
	pthread_t thread;

	(void)side;
	(void)argument;
	test_check_equal(pthread_create(&thread, NULL, lock_and_end, mutex), 0);
	test_check_equal(pthread_join(thread, NULL), 0);
	/* Joined is not yet marked: the kernel does both as the thread's last steps. */
	do {
		state = look("mutex:m");
		if (nonet_inspect_state_object(state)->flags & NONET_INSPECT_OWNER_DEAD)
			break;
		nonet_inspect_state_free(state);
	} while (true);
	test_check(only(state, NONET_INSPECT_HOLDS | NONET_INSPECT_DEAD));
	test_check_equal(nonet_inspect_state_object(state)->users, 1);
	nonet_inspect_state_free(state);
	nonet_mutex_close(mutex);
	return 0;
}

DOMAIN_TEST(the_trace_tells_the_last_operations_oldest_first)
{
	struct nonet_mutex *mutex = make("mutex:m", NONET_MUTEX_TRACE);
	const struct nonet_inspect_operation *operation;
	struct nonet_inspect_state *state;
	int64_t before = 0;

	(void)side;
	(void)argument;
	for (int i = 0; i < 50; i++) {
		test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
		test_check_equal(nonet_mutex_unlock(mutex), 0);
	}
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	state = look("mutex:m");
	for (size_t i = 0; i < OBJECT_TRACE; i++) {
		operation = nonet_inspect_state_operation(state, i);
		test_check(operation && operation->pid == getpid() && operation->when >= before);
		test_check(strcmp(operation->what, i % 2 ? "locked" : "unlocked") == 0);
		before = operation->when;
	}
	test_check(!nonet_inspect_state_operation(state, OBJECT_TRACE));
	nonet_inspect_state_free(state);
	test_check_equal(nonet_mutex_unlock(mutex), 0);
	nonet_mutex_close(mutex);
	return 0;
}

static const struct nonet_inspect_domain *domain_in(const struct nonet_inspect_list *list, const char *path)
{
	const struct nonet_inspect_domain *domain;

	for (size_t i = 0; (domain = nonet_inspect_get_domain(list, i)); i++)
		if (strcmp(domain->path, path) == 0)
			return domain;
	return NULL;
}

static const struct nonet_inspect_object *object_in(const struct nonet_inspect_list *list, const char *address)
{
	const struct nonet_inspect_object *object;

	for (size_t i = 0; (object = nonet_inspect_get(list, i)); i++)
		if (strcmp(object->address, address) == 0)
			return object;
	return NULL;
}

DOMAIN_TEST(looking_is_not_joining)
{
	struct test_child *holder;
	struct nonet_inspect_list *list = NULL;
	const struct nonet_inspect_domain *domain;

	(void)side;
	make("mutex:m", 0);
	holder = test_child_until(hold, NULL);
	for (int i = 0; i < 3; i++) {
		test_check_equal(nonet_inspect_objects(OWN, SOON, &list, NULL), 0);
		domain = domain_in(list, argument);
		test_check(domain && domain->members == 2 && domain->objects == 1 && domain->bytes > 0);
		test_check(domain->flags == 0 && domain->mode == 0700 && domain->owner == geteuid());
		test_check(object_in(list, "mutex:m") && object_in(list, "mutex:m")->users == 2);
		nonet_inspect_free(list);
	}
	test_child_tell(holder, "let go");
	test_check_equal(test_child_join(holder), 0);
	test_check_equal(nonet_inspect_objects(OWN, SOON, &list, NULL), 0);
	test_check_equal(domain_in(list, argument)->members, 1);
	nonet_inspect_free(list);
	/* Nobody asks for one of ours: nothing is looked at. */
	test_check_equal(nonet_inspect_objects(NONET_INSPECT_SCHEME(NONET_SCHEME_SYSVMSG), SOON, &list, NULL), 0);
	test_check(!nonet_inspect_get_domain(list, 0));
	nonet_inspect_free(list);
	return 0;
}

static int open_file(const char *directory, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return test_must(open(path, O_RDWR | O_CLOEXEC));
}

/* What the object's flags are after @count bytes at @offset are overwritten by @byte. */
static uint32_t flags_after(const char *directory, off_t offset, size_t count, int byte)
{
	struct nonet_inspect_state *state;
	char bytes[64], saved[64];
	uint32_t flags;
	int fd = open_file(directory, "m.mutex");

	memset(bytes, byte, sizeof(bytes));
	test_check_equal(pread(fd, saved, count, offset), count);
	test_check_equal(pwrite(fd, bytes, count, offset), count);
	state = look("mutex:m");
	flags = nonet_inspect_state_object(state)->flags;
	nonet_inspect_state_free(state);
	test_check_equal(pwrite(fd, saved, count, offset), count);
	close(fd);
	return flags;
}

DOMAIN_TEST(a_damaged_object_is_said_to_be_so)
{
	struct nonet_inspect_state *state;
	int fd;

	(void)side;
	nonet_mutex_close(make("mutex:m", 0));
	test_check_equal(flags_after(argument, 4000, 8, 0x5a), 0);
	test_check_equal(flags_after(argument, offsetof(struct object_header, magic), 8, 1), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, offsetof(struct object_header, kind), 4, 9), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, offsetof(struct object_header, size), 8, 0xff), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, offsetof(struct object_header, domain), 8, 1), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, offsetof(struct object_header, poisoned), 4, 1), NONET_INSPECT_DAMAGED);
	test_check_equal(flags_after(argument, OBJECT_PAYLOAD + offsetof(struct mutex_shared, magic), 8, 1),
			 NONET_INSPECT_DAMAGED);
	/* A claim of a slot that nobody has. */
	test_check_equal(flags_after(argument, OBJECT_PAYLOAD, 8, 0x7f), NONET_INSPECT_OWNER_DEAD);
	fd = open_file(argument, "m.mutex");
	test_must(ftruncate(fd, 100));
	close(fd);
	state = look("mutex:m");
	test_check_equal(nonet_inspect_state_object(state)->flags, NONET_INSPECT_DAMAGED);
	nonet_inspect_state_free(state);
	return 0;
}

DOMAIN_TEST(what_lies_in_an_objects_place_is_damaged_and_keeps_nobody_waiting)
{
	static const char *const addresses[] = {"mutex:fifo", "mutex:link", "mutex:folder", "mutex:empty"};
	struct nonet_inspect_list *list = NULL;
	struct nonet_inspect_state *state;
	int directory;

	(void)side;
	nonet_mutex_close(make("mutex:m", 0));
	directory = test_must(open(argument, O_PATH | O_DIRECTORY | O_CLOEXEC));
	test_must(mkfifoat(directory, "fifo.mutex", 0600));
	test_must(symlinkat("m.mutex", directory, "link.mutex"));
	test_must(mkdirat(directory, "folder.mutex", 0700));
	close(test_must(openat(directory, "empty.mutex", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	close(test_must(openat(directory, "no-object", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	close(test_must(openat(directory, "odd \n\x1b.mutex", O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	test_check_equal(nonet_inspect_objects(OWN, SOON, &list, NULL), 0);
	test_check_equal(domain_in(list, argument)->objects, 6);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		state = look(addresses[i]);
		test_check_equal(nonet_inspect_state_object(state)->flags, NONET_INSPECT_DAMAGED);
		nonet_inspect_state_free(state);
		test_check_equal(object_in(list, addresses[i])->flags, NONET_INSPECT_DAMAGED);
	}
	test_check(object_in(list, "mutex:odd%20%0A%1B"));
	test_check_equal(object_in(list, "mutex:m")->flags, 0);
	nonet_inspect_free(list);
	test_must(unlinkat(directory, "folder.mutex", AT_REMOVEDIR));
	close(directory);
	return 0;
}

DOMAIN_TEST(a_damaged_domain_is_said_to_be_so)
{
	struct nonet_inspect_list *list = NULL;
	int fd;

	(void)side;
	nonet_mutex_close(make("mutex:m", 0));
	fd = open_file(argument, DOMAIN_FILE);
	test_must(ftruncate(fd, 5000));
	close(fd);
	test_check_equal(nonet_inspect_objects(OWN, SOON, &list, NULL), 0);
	test_check_equal(domain_in(list, argument)->flags, NONET_INSPECT_DAMAGED);
	test_check_equal(object_in(list, "mutex:m")->flags, NONET_INSPECT_DAMAGED);
	nonet_inspect_free(list);
	return 0;
}

/* Whatever stands in .domain and in the object: it ends, soon, and harms nobody. */
DOMAIN_TEST(garbage_is_looked_at_without_harm)
{
	struct test_child *holder;
	struct nonet_inspect_state *state = NULL;
	struct test_random random = test_random_init(test_seed(), 0);
	int domain, object, error;

	(void)side;
	nonet_mutex_close(make("mutex:m", NONET_MUTEX_TRACE));
	holder = test_child_until(is_there, NULL);
	domain = open_file(argument, DOMAIN_FILE);
	object = open_file(argument, "m.mutex");
	for (int turn = 0; turn < 40; turn++) {
		uint64_t word = test_random_next(&random);
		/* The header but its magic and layout; the first members and slots; the object's header, and its part.
		 */
		const off_t members = (off_t)(DOMAIN_MEMBER(0) + test_random_next(&random) % (4 * DOMAIN_PAGE));
		const off_t slots = (off_t)(DOMAIN_SLOT(0) + test_random_next(&random) % (8 * DOMAIN_PAGE));

		/* Where that has many slots in use, each is looked at. */
		if (turn % 20 == 0)
			test_check_equal(pwrite(domain, &word, 8, 64 + (off_t)(test_random_next(&random) % 8)), 8);
		test_check_equal(pwrite(domain, &word, 8, members), 8);
		test_check_equal(pwrite(domain, &word, 8, slots), 8);
		test_check_equal(pwrite(object, &word, 8, 64 + (off_t)(test_random_next(&random) % 3000)), 8);
		test_check_equal(pwrite(object, &word, 8, OBJECT_PAYLOAD + (off_t)(test_random_next(&random) % 24)), 8);
		error = nonet_inspect_state("mutex:m", NULL, SOON, &state, NULL);
		test_check_equal(error, 0);
		for (size_t i = 0; nonet_inspect_state_operation(state, i); i++)
			test_check(nonet_inspect_state_operation(state, i)->what);
		nonet_inspect_state_free(state);
	}
	close(domain);
	close(object);
	test_child_tell(holder, "end");
	test_check_equal(test_child_join(holder), 0);
	return 0;
}

DOMAIN_TEST(what_can_not_be_looked_at_is_said)
{
	const struct nonet_inspect_options wrong = {.size = sizeof(wrong), .flags = 1};
	struct nonet_inspect_state *state = NULL;
	struct nonet_mutex *mutex;
	struct nonet_error error;

	(void)side;
	(void)argument;
	test_check_equal(nonet_inspect_state("mutex:m", NULL, SOON, &state, &error), -ENOENT);
	test_check(strstr(error.text, "no domain"));
	mutex = make("mutex:m", 0);
	test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), 0);
	test_check_equal(nonet_inspect_state("mutex:n", NULL, SOON, &state, &error), -ENOENT);
	test_check(strstr(error.text, "mutex:n"));
	test_check_equal(nonet_inspect_state("posixsem:/n", NULL, SOON, &state, &error), -EOPNOTSUPP);
	test_check_equal(nonet_inspect_state("mutex:", NULL, SOON, &state, &error), -EINVAL);
	test_check_equal(nonet_inspect_state("mutex:m", &wrong, SOON, &state, &error), -EINVAL);
	test_check(!state);
	/* Too late for members: that is said, and nobody is called dead. */
	test_check_equal(nonet_inspect_state("mutex:m", NULL, NONET_NOW, &state, &error), 0);
	test_check_equal(nonet_inspect_state_coverage(state)->places, 1);
	test_check(!nonet_inspect_state_member(state, 0));
	test_check_equal(nonet_inspect_state_object(state)->flags, 0);
	nonet_inspect_state_free(state);
	nonet_mutex_close(mutex);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(holder_waiter_and_users_are_named_and_a_dead_holder_is_told),
		test_case(who_waited_and_has_it_now_waits_no_more),
		test_case(a_thread_that_died_with_it_is_dead_though_its_process_lives),
		test_case(the_trace_tells_the_last_operations_oldest_first),
		test_case(looking_is_not_joining),
		test_case(a_damaged_object_is_said_to_be_so),
		test_case(what_lies_in_an_objects_place_is_damaged_and_keeps_nobody_waiting),
		test_case(a_damaged_domain_is_said_to_be_so),
		test_case(garbage_is_looked_at_without_harm),
		test_case(what_can_not_be_looked_at_is_said),
	};
	return test_main(tests);
}
