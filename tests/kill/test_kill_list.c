/* SPDX-License-Identifier: Apache-2.0 */
/* By what the kernel marks a death, a list in the thread's memory: out of a peer's reach, and not lost for lack of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <nonet/mutex.h>

#include "harness/domain.h"
#include "harness/prove.h"
#include "harness/test.h"

static struct nonet_mutex *make(const char *directory)
{
	const struct nonet_mutex_options options = {.size = sizeof(options), .flags = NONET_MUTEX_MAY_EXIST};
	struct nonet_mutex *mutex = NULL;
	char address[512];

	snprintf(address, sizeof(address), "mutex:%s/m", directory);
	test_check_equal(nonet_mutex_create(address, &options, &mutex, NULL), 0);
	return mutex;
}

/* Two domains, and thus two nodes: that of the first is linked before that of the second. */
struct two {
	const char *first;
	char second[512];
	void (*then)(void);
};

static int hold_both(struct test_child_side *side, void *argument)
{
	const struct two *two = argument;

	test_check_equal(nonet_mutex_lock(make(two->first), NONET_NOW), 0);
	test_check_equal(nonet_mutex_lock(make(two->second), NONET_NOW), 0);
	if (two->then)
		two->then();
	test_report(side, "ready");
	test_await(side, "never");
	return 0;
}

/* All that is there of a domain, with words that lead nowhere. */
static void write_over(const char *directory)
{
	unsigned char page[4096];
	char path[512];
	off_t at = 0;
	int fd;

	memset(page, 0xff, sizeof(page));
	snprintf(path, sizeof(path), "%s/.domain", directory);
	fd = (int)test_must(open(path, O_RDWR | O_CLOEXEC));
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		test_check_equal(test_must(pwrite(fd, page, sizeof(page), at)), sizeof(page));
		at += (off_t)sizeof(page);
	}
	test_check_equal(errno, ENXIO);
	close(fd);
}

/* What is written over in one domain costs no mark in another: nodes in shared memory would lead the kernel astray. */
DOMAIN_TEST(a_peer_cant_reach_what_tells_of_a_death)
{
	const uint64_t turns = test_scaled(200);
	struct nonet_mutex *mutex;
	struct two two = {.first = argument};

	(void)side;
	snprintf(two.second, sizeof(two.second), "%s.other", two.first);
	test_must(mkdir(two.second, 0700));
	mutex = make(two.second);
	for (uint64_t i = 0; i < turns; i++) {
		struct test_child *child = test_child_until(hold_both, &two);
		char path[512];

		write_over(two.first);
		test_kill(child);
		/* Without a mark it would take an interval. */
		test_check_equal(nonet_mutex_lock(mutex, NONET_NOW), -EOWNERDEAD);
		test_check_equal(nonet_mutex_recover(mutex), 0);
		test_check_equal(nonet_mutex_unlock(mutex), 0);
		snprintf(path, sizeof(path), "%s/.domain", two.first);
		test_must(unlink(path));
		snprintf(path, sizeof(path), "%s/m.mutex", two.first);
		test_must(unlink(path));
	}
	nonet_mutex_close(mutex);
	test_domain_free_files(two.second);
	test_prove("domain thread", 7, turns, 0);
	return 0;
}

/* As the kernel does it to a process that it ends for lack of memory (mm/oom_kill.c), before it walks the list. */
static void take_back(void)
{
	struct robust_list_head *head = NULL;
	struct robust_list *node;
	size_t size = 0;
	int nodes = 0;

	test_must(syscall(SYS_get_robust_list, 0, &head, &size));
	for (node = head->list.next; node != &head->list; node = node->next)
		test_check(nodes++ < 100);
	test_check(nodes > 0);
	node = head->list.next;
	for (int i = 0; i < nodes; i++) {
		struct robust_list *next = node->next;

		test_must(madvise((void *)((uintptr_t)node & ~(uintptr_t)4095), 4096, MADV_DONTNEED));
		node = next;
	}
}

DOMAIN_TEST(what_the_kernel_takes_back_for_lack_of_memory_isnt_the_list)
{
	const uint64_t turns = test_scaled(200);
	struct two two = {.first = argument, .then = take_back};
	struct nonet_mutex *mutexes[2];

	(void)side;
	snprintf(two.second, sizeof(two.second), "%s.other", two.first);
	test_must(mkdir(two.second, 0700));
	mutexes[0] = make(two.first);
	mutexes[1] = make(two.second);
	for (uint64_t i = 0; i < turns; i++) {
		test_kill(test_child_until(hold_both, &two));
		for (int j = 0; j < 2; j++) {
			test_check_equal(nonet_mutex_lock(mutexes[j], NONET_NOW), -EOWNERDEAD);
			test_check_equal(nonet_mutex_recover(mutexes[j]), 0);
			test_check_equal(nonet_mutex_unlock(mutexes[j]), 0);
		}
	}
	nonet_mutex_close(mutexes[0]);
	nonet_mutex_close(mutexes[1]);
	test_domain_free_files(two.second);
	test_prove("domain thread", 6, 2 * turns, 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_peer_cant_reach_what_tells_of_a_death),
		test_case(what_the_kernel_takes_back_for_lack_of_memory_isnt_the_list),
	};
	return test_main(tests);
}
