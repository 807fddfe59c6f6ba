/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/test.h"
#include "sys/event.h"
#include "sys/fault.h"
#include "wait/wait_set.h"
#include "waitable/waitable.h"

/* A test that hangs is a test that fails: no wait here is meant to last. */
#define SOON test_after(NONET_S(20))

static struct nonet_wait_set *set_new(void)
{
	struct nonet_wait_set *set;

	assert_int_equal(nonet_wait_set_new(&set, NULL), 0);
	return set;
}

static struct nonet_wake *wake_new(void)
{
	struct nonet_wake *wake;

	assert_int_equal(nonet_wake_new(&wake, NULL), 0);
	return wake;
}

static void add(struct nonet_wait_set *set, struct nonet_wake *wake, uint32_t events)
{
	assert_int_equal(nonet_wait_set_add(set, nonet_wake_waitable(wake), events, wake), 0);
}

/* Exactly one member is ready, this one. */
static void expect_one(struct nonet_wait_set *set, const void *data, uint32_t events)
{
	struct nonet_wait_event got[4];
	size_t count = 99;

	assert_int_equal(nonet_wait(set, got, 4, SOON, &count), 0);
	assert_int_equal(count, 1);
	assert_ptr_equal(got[0].data, data);
	assert_int_equal(got[0].events, events);
	assert_int_equal(got[0].reserved, 0);
}

static void expect_none(struct nonet_wait_set *set)
{
	struct nonet_wait_event got = {.data = &got, .events = 77};
	size_t count = 99;

	assert_int_equal(nonet_wait(set, &got, 1, NONET_NOW, &count), -EAGAIN);
	assert_int_equal(count, 99);
	assert_ptr_equal(got.data, &got);
	assert_int_equal(got.events, 77);
}

static void an_empty_set_waits_until_the_deadline_and_not_less(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wait_event got;
	size_t count = 99;

	(void)state;
	expect_none(set);
	assert_int_equal(nonet_wait(set, &got, 1, 1, &count), -ETIMEDOUT);
	for (int i = 0; i < 20; i++) {
		nonet_time deadline = nonet_after(NONET_US(50 + 137 * i));

		assert_int_equal(nonet_wait(set, &got, 1, deadline, &count), -ETIMEDOUT);
		assert_true(nonet_clock() >= deadline);
	}
	assert_int_equal(count, 99);
	assert_int_equal(nonet_wait(set, &got, 0, SOON, &count), -EINVAL);
	assert_null(nonet_wait_set_free(set));
	assert_null(nonet_wait_set_free(NULL));
}

static void a_member_is_reported_until_it_is_drained(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wake *wake = wake_new();

	(void)state;
	add(set, wake, NONET_WAIT_RECEIVE);
	expect_none(set);
	nonet_wake_signal(wake);
	expect_one(set, wake, NONET_WAIT_RECEIVE);
	expect_one(set, wake, NONET_WAIT_RECEIVE);
	assert_int_equal(nonet_wake_clear(wake), 1);
	expect_none(set);
	nonet_wait_set_free(set);
	nonet_wake_free(wake);
}

static void only_what_was_asked_for_is_reported(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wake *wake = wake_new();
	struct nonet_waitable *waitable = nonet_wake_waitable(wake);

	(void)state;
	/* An eventfd has room to write nearly always. */
	add(set, wake, NONET_WAIT_SEND);
	nonet_wake_signal(wake);
	expect_one(set, wake, NONET_WAIT_SEND);
	assert_int_equal(nonet_wait_set_change(set, waitable, NONET_WAIT_RECEIVE | NONET_WAIT_SEND), 0);
	expect_one(set, wake, NONET_WAIT_RECEIVE | NONET_WAIT_SEND);
	assert_int_equal(nonet_wait_set_change(set, waitable, NONET_WAIT_RECEIVE), 0);
	expect_one(set, wake, NONET_WAIT_RECEIVE);
	nonet_wake_clear(wake);
	expect_none(set);
	nonet_wake_free(wake);
	nonet_wait_set_free(set);
}

/* A peer that went away, or only stopped sending, is readiness of whatever was asked for. */
static void departures_are_reported_as_readiness(void **state)
{
	struct nonet_wait_set *set = set_new();
	int fds[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(nonet_wait_set_add_fd(set, fds[0], NONET_WAIT_RECEIVE, &fds[0]), 0);
	expect_none(set);
	close(fds[1]);
	expect_one(set, &fds[0], NONET_WAIT_RECEIVE);
	assert_int_equal(nonet_wait_set_remove_fd(set, fds[0]), 0);
	close(fds[0]);

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(fds[1], &byte, 1) == 1)
		;
	assert_int_equal(nonet_wait_set_add_fd(set, fds[1], NONET_WAIT_SEND, &fds[1]), 0);
	expect_none(set);
	close(fds[0]);
	expect_one(set, &fds[1], NONET_WAIT_SEND);
	assert_int_equal(nonet_wait_set_remove_fd(set, fds[1]), 0);
	close(fds[1]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(nonet_wait_set_add_fd(set, fds[0], NONET_WAIT_RECEIVE, &fds[0]), 0);
	expect_none(set);
	shutdown(fds[1], SHUT_WR);
	expect_one(set, &fds[0], NONET_WAIT_RECEIVE);
	close(fds[1]);
	expect_one(set, &fds[0], NONET_WAIT_RECEIVE);
	assert_int_equal(nonet_wait_set_remove_fd(set, fds[0]), 0);
	close(fds[0]);
	nonet_wait_set_free(set);
}

static void wrong_use_is_refused_and_changes_nothing(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wait_set *other = set_new();
	struct nonet_wake *wake = wake_new();
	struct nonet_waitable *waitable = nonet_wake_waitable(wake);
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int fd = nonet_wake_fd(wake);

	(void)state;
	assert_int_equal(nonet_wait_set_add(set, waitable, 0, NULL), -EINVAL);
	assert_int_equal(nonet_wait_set_add(set, waitable, 4 | NONET_WAIT_SEND, NULL), -EINVAL);
	assert_int_equal(nonet_wait_set_add(set, NULL, NONET_WAIT_RECEIVE, NULL), -EINVAL);
	assert_int_equal(nonet_wait_set_change(set, waitable, NONET_WAIT_SEND), -ENOENT);
	assert_int_equal(nonet_wait_set_remove(set, waitable), -ENOENT);
	add(set, wake, NONET_WAIT_RECEIVE);
	assert_int_equal(nonet_wait_set_add(set, waitable, NONET_WAIT_SEND, NULL), -EBUSY);
	assert_int_equal(nonet_wait_set_add(other, waitable, NONET_WAIT_SEND, NULL), -EBUSY);
	assert_int_equal(nonet_wait_set_remove(other, waitable), -ENOENT);
	assert_int_equal(nonet_wait_set_change(other, waitable, NONET_WAIT_SEND), -ENOENT);
	assert_int_equal(nonet_wait_set_change(set, waitable, 0), -EINVAL);
	nonet_wake_signal(wake);
	expect_one(set, wake, NONET_WAIT_RECEIVE);

	assert_int_equal(nonet_wait_set_add_fd(set, fd, NONET_WAIT_SEND, NULL), -EEXIST);
	assert_int_equal(nonet_wait_set_add_fd(other, fd, NONET_WAIT_RECEIVE, &fd), 0);
	assert_int_equal(nonet_wait_set_add_fd(other, fd, NONET_WAIT_RECEIVE, NULL), -EEXIST);
	assert_int_equal(nonet_wait_set_remove(set, waitable), 0);
	assert_int_equal(nonet_wait_set_add(other, waitable, NONET_WAIT_RECEIVE, NULL), -EBUSY);
	expect_one(other, &fd, NONET_WAIT_RECEIVE);
	expect_none(set);

	assert_int_equal(nonet_wait_set_add_fd(set, file, NONET_WAIT_RECEIVE, NULL), -EPERM);
	assert_int_equal(nonet_wait_set_add_fd(set, -1, NONET_WAIT_RECEIVE, NULL), -EBADF);
	close(file);
	assert_int_equal(nonet_wait_set_add_fd(set, file, NONET_WAIT_RECEIVE, NULL), -EBADF);
	assert_int_equal(nonet_wait_set_add_fd(set, INT32_MAX, NONET_WAIT_RECEIVE, NULL), -EBADF);
	assert_int_equal(nonet_wait_set_add_fd(set, fd, 0, NULL), -EINVAL);
	assert_int_equal(nonet_wait_set_remove_fd(set, fd), -ENOENT);
	assert_int_equal(nonet_wait_set_remove_fd(set, -1), -ENOENT);
	assert_int_equal(nonet_wait_set_remove_fd(set, INT32_MAX), -ENOENT);
	nonet_wait_set_free(other);
	nonet_wait_set_free(set);
	nonet_wake_free(wake);
}

static void a_closed_object_leaves_its_set(void **state)
{
	struct nonet_wait_set *set = set_new();
	struct nonet_wake *first = wake_new();
	struct nonet_wake *second = wake_new();

	(void)state;
	add(set, first, NONET_WAIT_RECEIVE);
	add(set, second, NONET_WAIT_RECEIVE);
	nonet_wake_signal(first);
	nonet_wake_signal(second);
	nonet_wake_free(first);
	expect_one(set, second, NONET_WAIT_RECEIVE);
	/* And a set that goes first leaves its members as they are, free for another set. */
	nonet_wait_set_free(set);
	set = set_new();
	add(set, second, NONET_WAIT_RECEIVE);
	expect_one(set, second, NONET_WAIT_RECEIVE);
	nonet_wake_free(second);
	expect_none(set);
	nonet_wait_set_free(set);
}

/* Closed too early, and open elsewhere: epoll goes on reporting it, and can't be told to stop. */
static void a_descriptor_closed_too_early_is_never_reported(void **state)
{
	struct nonet_wait_set *set = set_new();
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	int kept = dup(fd);
	struct nonet_wait_event got;
	size_t count;

	(void)state;
	assert_int_equal(nonet_wait_set_add_fd(set, fd, NONET_WAIT_RECEIVE, NULL), 0);
	close(fd);
	assert_int_equal(nonet_wait_set_remove_fd(set, fd), 0);
	expect_none(set);
	assert_int_equal(nonet_wait(set, &got, 1, nonet_after(NONET_MS(2)), &count), -ETIMEDOUT);
	close(kept);
	nonet_wait_set_free(set);
}

static size_t many(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= 10100)
		return 10000;
	print_message("RLIMIT_NOFILE is %llu: fewer than 10,000 members\n", (unsigned long long)limit.rlim_cur);
	return (size_t)limit.rlim_cur - 100;
}

static void ten_thousand_members_cost_what_is_ready(void **state)
{
	size_t size = many();
	struct nonet_wake **wakes = calloc(size, sizeof(*wakes));
	struct nonet_wait_set *set = set_new();

	(void)state;
	/* Half as objects, half as plain descriptors. */
	for (size_t i = 0; i < size; i++) {
		wakes[i] = wake_new();
		if (i % 2)
			add(set, wakes[i], NONET_WAIT_RECEIVE);
		else
			assert_int_equal(
				nonet_wait_set_add_fd(set, nonet_wake_fd(wakes[i]), NONET_WAIT_RECEIVE, wakes[i]), 0);
	}
	expect_none(set);
	for (size_t i = 0; i < size; i += 37) {
		nonet_wake_signal(wakes[i]);
		sys_fault_record();
		expect_one(set, wakes[i], NONET_WAIT_RECEIVE);
		assert_int_equal(sys_fault_recorded(), 1);
		assert_int_equal(sys_fault_recorded_call(0), SYS_CALL_EPOLL_WAIT);
		sys_fault_disarm();
		nonet_wake_clear(wakes[i]);
	}
	for (size_t i = 0; i < size; i++) {
		if (i % 2 == 0)
			assert_int_equal(nonet_wait_set_remove_fd(set, nonet_wake_fd(wakes[i])), 0);
		nonet_wake_free(wakes[i]);
	}
	expect_none(set);
	assert_true(list_is_empty(&set->members) && list_is_empty(&set->graves) && list_is_empty(&set->ghosts));
	nonet_wait_set_free(set);
	free(wakes);
}

/* @max smaller than what is ready: each ready member gets its turn. */
static void nobody_is_starved(void **state)
{
	enum {
		MEMBERS = 300
	};
	struct nonet_wake *wakes[MEMBERS];
	int seen[MEMBERS] = {0};
	struct nonet_wait_set *set = set_new();
	struct nonet_wait_event got[7];

	(void)state;
	for (size_t i = 0; i < MEMBERS; i++) {
		wakes[i] = wake_new();
		assert_int_equal(nonet_wait_set_add(set, nonet_wake_waitable(wakes[i]), NONET_WAIT_RECEIVE, &seen[i]),
				 0);
		nonet_wake_signal(wakes[i]);
	}
	for (int call = 0; call < 3 * (MEMBERS / 7 + 1); call++) {
		size_t count;

		assert_int_equal(nonet_wait(set, got, 7, SOON, &count), 0);
		assert_int_equal(count, 7);
		for (size_t i = 0; i < count; i++)
			(*(int *)got[i].data)++;
	}
	for (size_t i = 0; i < MEMBERS; i++) {
		assert_in_range(seen[i], 3, 4);
		nonet_wake_free(wakes[i]);
	}
	nonet_wait_set_free(set);
}

struct family {
	struct nonet_wait_set *set;
	struct nonet_wake *member;
	struct nonet_wake *closed;
	int fd;
};

static int use_and_free_the_parents_set(struct test_child_side *side, void *argument)
{
	struct family *family = argument;
	struct nonet_waitable *waitable = nonet_wake_waitable(family->member);
	struct nonet_wait_event got;
	struct nonet_wait_set *own;
	size_t count;

	(void)side;
	test_check(nonet_wait(family->set, &got, 1, NONET_NOW, &count) == -ECHILD);
	test_check(nonet_wait_set_add(family->set, waitable, NONET_WAIT_RECEIVE, NULL) == -ECHILD);
	test_check(nonet_wait_set_change(family->set, waitable, NONET_WAIT_SEND) == -ECHILD);
	test_check(nonet_wait_set_remove(family->set, waitable) == -ECHILD);
	test_check(nonet_wait_set_add_fd(family->set, family->fd, NONET_WAIT_RECEIVE, NULL) == -ECHILD);
	test_check(nonet_wait_set_remove_fd(family->set, family->fd) == -ECHILD);

	/* The objects work in the child's own set, and leave it when they are closed. */
	test_check(nonet_wait_set_new(&own, NULL) == 0);
	test_check(nonet_wait_set_add(own, waitable, NONET_WAIT_SEND, &own) == 0);
	test_check(nonet_wait(own, &got, 1, NONET_NOW, &count) == 0);
	test_check(got.data == &own);
	/* One closed before the set that it came with is freed, one after. */
	nonet_wake_free(family->closed);
	nonet_wait_set_free(family->set);
	waitable_touch(waitable);
	nonet_wake_free(family->member);
	test_check(nonet_wait(own, &got, 1, NONET_NOW, &count) == -EAGAIN);
	nonet_wait_set_free(own);
	close(family->fd);
	return 0;
}

static void a_forked_child_is_refused_and_disturbs_nothing(void **state)
{
	struct family family = {.set = set_new(), .member = wake_new(), .closed = wake_new()};
	struct nonet_wait_set *set = family.set;

	(void)state;
	family.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	add(set, family.member, NONET_WAIT_RECEIVE);
	add(set, family.closed, NONET_WAIT_RECEIVE);
	assert_int_equal(nonet_wait_set_add_fd(set, family.fd, NONET_WAIT_RECEIVE, &family.fd), 0);
	assert_int_equal(test_child_join(test_child_start(use_and_free_the_parents_set, &family)), 0);

	expect_none(set);
	nonet_wake_signal(family.member);
	expect_one(set, family.member, NONET_WAIT_RECEIVE);
	nonet_wake_clear(family.member);
	nonet_wake_signal(family.closed);
	expect_one(set, family.closed, NONET_WAIT_RECEIVE);
	nonet_wake_clear(family.closed);
	assert_int_equal(sys_counter_write(family.fd, 1), 0);
	expect_one(set, &family.fd, NONET_WAIT_RECEIVE);
	nonet_wake_free(family.member);
	nonet_wake_free(family.closed);
	assert_int_equal(nonet_wait_set_remove_fd(set, family.fd), 0);
	close(family.fd);
	nonet_wait_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(an_empty_set_waits_until_the_deadline_and_not_less),
		test_case(a_member_is_reported_until_it_is_drained),
		test_case(only_what_was_asked_for_is_reported),
		test_case(departures_are_reported_as_readiness),
		test_case(wrong_use_is_refused_and_changes_nothing),
		test_case(a_closed_object_leaves_its_set),
		test_case(a_descriptor_closed_too_early_is_never_reported),
		test_case(ten_thousand_members_cost_what_is_ready),
		test_case(nobody_is_starved),
		test_case(a_forked_child_is_refused_and_disturbs_nothing),
	};

	return test_main(tests);
}
