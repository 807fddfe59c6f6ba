/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/leak.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/child_private.h"
#include "harness/deadline.h"
#include "harness/inventory.h"
#include "harness/process.h"
#include "harness/sanitizer.h"

static const struct kind {
	const char *name;
	void (*take)(struct inventory *inventory);
	bool settles;    /* may go away by itself within a moment */
	bool stays;      /* that one is gone, or is another, is wrong too */
	bool is_mapping; /* told by its size */
	bool is_brief;   /* a helper thread has some for a moment */
} kinds[] = {
	{.name = "descriptor", .take = inventory_descriptors, .stays = true, .is_brief = true},
	{.name = "child", .take = inventory_children},
	{.name = "thread", .take = inventory_threads, .settles = true},
	{.name = "mapping", .take = inventory_mappings, .is_mapping = true},
	{.name = "abstract socket", .take = inventory_abstract_sockets},
	{.name = "name in /dev/shm", .take = inventory_shared_names},
	{.name = "System V object", .take = inventory_sysv_objects},
	{.name = "POSIX message queue", .take = inventory_mqueues},
	{.name = "test directory", .take = inventory_directories},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct test_leak {
	struct inventory before[KINDS];
	unsigned long children; /* of the harness: the number of the first one after the begin */
};

int test_leak_sees_mappings(void)
{
	return !TEST_SANITIZED && !test_under_valgrind();
}

static bool agree(const struct inventory *first, const struct inventory *second)
{
	bool same = first->count == second->count;

	for (size_t i = 0; same && i < first->count; i++) {
		const struct inventory_item *other = inventory_find(second, first->items[i].key);

		same = other && strcmp(first->items[i].what, other->what) == 0;
	}
	return same;
}

/* A helper thread of the library opens a descriptor for a moment: what it has so isn't there at two looks in a row. */
static void take_steady(const struct kind *kind, struct inventory *ret_inventory)
{
	const nonet_time until = test_after(NONET_S(1));
	struct inventory next = {0};

	test_threads_settle();
	kind->take(ret_inventory);
	for (;;) {
		test_threads_settle();
		kind->take(&next);
		if (agree(ret_inventory, &next) || test_clock() >= until)
			break;
		inventory_done(ret_inventory);
		*ret_inventory = next;
		next = (struct inventory){0};
	}
	inventory_done(&next);
}

static void take(const struct kind *kind, struct inventory *ret_inventory)
{
	if (kind->is_brief)
		take_steady(kind, ret_inventory);
	else if (!kind->is_mapping || test_leak_sees_mappings())
		kind->take(ret_inventory);
}

struct test_leak *test_leak_begin(void)
{
	struct test_leak *leak = calloc(1, sizeof(*leak));

	if (!leak)
		abort();
	for (size_t i = 0; i < KINDS; i++)
		take(&kinds[i], &leak->before[i]);
	leak->children = test_children_number();
	return leak;
}

/* Of the library's helper threads (src/sys/thread.c). */
#define HELPER_STACK (256 * 1024)

/* glibc keeps the stacks of ended threads for the next ones. */
static bool is_thread_stacks(unsigned long long size)
{
	pthread_attr_t attributes;
	size_t stack = 0;
	size_t guard = 0;

	if (pthread_attr_init(&attributes) == 0) {
		pthread_attr_getstacksize(&attributes, &stack);
		pthread_attr_getguardsize(&attributes, &guard);
		pthread_attr_destroy(&attributes);
	}
	/* Some versions of glibc count the guard page into the stack. */
	return (stack > 0 && (size % stack == 0 || size % (stack + guard) == 0)) || size % HELPER_STACK == 0 ||
	       size % (HELPER_STACK + guard) == 0;
}

/* By how much @item has grown since, or 0. */
static unsigned long long grown(const struct inventory *before, const struct inventory_item *item)
{
	const struct inventory_item *old = inventory_find(before, item->key);
	unsigned long long growth = item->size;

	if (old && old->size >= item->size)
		return 0;
	if (old)
		growth -= old->size;
	if (strcmp(item->key, INVENTORY_PRIVATE) == 0 && is_thread_stacks(growth))
		return 0;
	return growth;
}

static int compare(const struct kind *kind, const struct inventory *before, const struct inventory *after, FILE *out)
{
	const struct inventory_item *item;
	const struct inventory_item *other;
	int count = 0;

	for (size_t i = 0; i < after->count; i++) {
		item = &after->items[i];
		other = inventory_find(before, item->key);
		if (kind->is_mapping && grown(before, item) > 0) {
			count++;
			fprintf(out, "leaked mapping of %llu bytes: %s\n", grown(before, item), item->key);
		} else if (!kind->is_mapping && !other) {
			count++;
			fprintf(out, "leaked %s %s%s%s\n", kind->name, item->key, item->what[0] ? ": " : "",
				item->what);
		} else if (kind->stays && strcmp(other->what, item->what) != 0) {
			count++;
			fprintf(out, "%s %s was %s and is now %s\n", kind->name, item->key, other->what, item->what);
		}
	}
	for (size_t i = 0; kind->stays && i < before->count; i++) {
		item = &before->items[i];
		if (!inventory_find(after, item->key)) {
			count++;
			fprintf(out, "%s %s, open before, was closed: %s\n", kind->name, item->key, item->what);
		}
	}
	return count;
}

static int check_kind(const struct kind *kind, const struct inventory *before, FILE *out)
{
	nonet_time deadline = test_after(NONET_S(1));
	struct inventory after = {0};
	char *ignored = NULL;
	size_t size = 0;
	FILE *nowhere;
	int count;

	take(kind, &after);
	/*
	 * A joined thread is in /proc for a moment longer, and the kernel tells nobody when it goes. One that was going
	 * when the test began isn't counted against one that has come since.
	 */
	while (kind->settles && test_clock() < deadline) {
		nowhere = open_memstream(&ignored, &size);
		count = compare(kind, before, &after, nowhere);
		fclose(nowhere);
		free(ignored);
		if (count == 0)
			break;
		test_poll(NULL, 0, test_clock() + NONET_MS(1));
		inventory_done(&after);
		take(kind, &after);
	}
	count = compare(kind, before, &after, out);
	if (kind->take == inventory_children) {
		for (size_t i = 0; i < after.count; i++) {
			pid_t pid = (pid_t)atoi(after.items[i].key);

			if (pid > 0 && !inventory_find(before, after.items[i].key)) {
				kill(pid, SIGKILL);
				waitpid(pid, NULL, 0);
			}
		}
	}
	inventory_done(&after);
	return count;
}

int test_leak_check(struct test_leak *leak, FILE *out)
{
	int count = test_children_abandoned(leak->children, out);

	for (size_t i = 0; i < KINDS; i++) {
		count += check_kind(&kinds[i], &leak->before[i], out);
		inventory_done(&leak->before[i]);
	}
	free(leak);
	return count;
}

void test_leak_end_at(const char *file, int line, struct test_leak *leak)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text) - 1, "w");
	int count;

	if (!out)
		abort();
	count = test_leak_check(leak, out);
	fclose(out);
	if (count > 0)
		test_fail_at(file, line, "%d left behind:\n%s", count, text);
}
