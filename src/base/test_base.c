/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>

#include <nonet/version.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/list.h"
#include "base/time.h"
#include "base/utf8.h"

static void times_become_timespecs(void **state)
{
	static const struct {
		nonet_time time;
		int64_t seconds;
		long nanoseconds;
	} rows[] = {
		{0, 0, 0},
		{1, 0, 1},
		{NONET_S(1) - 1, 0, 999999999},
		{NONET_S(1), 1, 0},
		{NONET_MS(1500), 1, 500000000},
		{-1, 0, 0},
		{INT64_MIN, 0, 0},
		{NONET_FOREVER, 9223372036, 854775807},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct timespec spec = time_to_timespec(rows[i].time);

		assert_int_equal(spec.tv_sec, rows[i].seconds);
		assert_int_equal(spec.tv_nsec, rows[i].nanoseconds);
	}
}

static void times_saturate(void **state)
{
	(void)state;
	assert_int_equal(time_until(5, 3), 2);
	assert_int_equal(time_until(3, 3), 0);
	assert_int_equal(time_until(2, 3), 0);
	assert_int_equal(time_until(NONET_NOW, 3), 0);
	assert_int_equal(time_until(INT64_MIN, INT64_MAX), 0);
	assert_int_equal(time_until(NONET_FOREVER, 3), NONET_FOREVER);
	assert_int_equal(time_until(NONET_FOREVER, INT64_MAX), NONET_FOREVER);
	assert_int_equal(time_until(NONET_FOREVER - 1, 1), NONET_FOREVER - 2);
	assert_int_equal(time_until(NONET_FOREVER - 1, -5), NONET_FOREVER);
	assert_int_equal(time_until(5, INT64_MIN), NONET_FOREVER);

	assert_int_equal(time_after(10, 5), 15);
	assert_int_equal(time_after(10, 0), NONET_NOW);
	assert_int_equal(time_after(10, -1), NONET_NOW);
	assert_int_equal(time_after(10, INT64_MIN), NONET_NOW);
	assert_int_equal(time_after(10, NONET_FOREVER), NONET_FOREVER);
	assert_int_equal(time_after(10, INT64_MAX - 11), INT64_MAX - 1);
	assert_int_equal(time_after(10, INT64_MAX - 10), NONET_FOREVER);
	assert_int_equal(time_after(10, INT64_MAX - 9), NONET_FOREVER);

	assert_int_equal(time_expired(NONET_NOW), -EAGAIN);
	assert_int_equal(time_expired(1), -ETIMEDOUT);
	assert_int_equal(time_expired(-1), -ETIMEDOUT);
	assert_int_equal(time_expired(NONET_FOREVER), -ETIMEDOUT);
}

static void arithmetic_that_does_not_fit_leaves_the_result(void **state)
{
	size_t size = 77;
	int64_t number = 77;

	(void)state;
	assert_false(checked_add_size(SIZE_MAX, 1, &size));
	assert_false(checked_multiply_size(SIZE_MAX / 2 + 1, 2, &size));
	assert_false(checked_add_i64(INT64_MAX, 1, &number));
	assert_false(checked_add_i64(INT64_MIN, -1, &number));
	assert_int_equal(size, 77);
	assert_int_equal(number, 77);
	assert_true(checked_add_size(SIZE_MAX - 1, 1, &size));
	assert_true(size == SIZE_MAX);
	assert_true(checked_multiply_size(SIZE_MAX / 2, 2, &size));
	assert_true(size == SIZE_MAX - 1);
	assert_true(checked_multiply_size(SIZE_MAX, 0, &size));
	assert_int_equal(size, 0);
	assert_true(checked_add_i64(INT64_MAX, INT64_MIN, &number));
	assert_int_equal(number, -1);
}

struct item {
	int value;
	struct list node;
};

static void lists_keep_order_and_allow_removal(void **state)
{
	struct item items[4];
	struct list list, *node, *after;
	int i, sum = 0;

	(void)state;
	list_init(&list);
	assert_true(list_is_empty(&list));
	for (i = 0; i < 4; i++) {
		items[i].value = i;
		list_init(&items[i].node);
		list_remove(&items[i].node);
		list_add_last(&list, &items[i].node);
	}
	assert_false(list_is_empty(&list));
	i = 0;
	list_for_each (node, &list)
		assert_int_equal(container_of(node, struct item, node)->value, i++);
	assert_int_equal(i, 4);
	list_for_each_safe (node, after, &list) {
		if (container_of(node, struct item, node)->value % 2)
			list_remove(node);
	}
	list_remove(&items[1].node);
	list_for_each (node, &list)
		sum = sum * 10 + container_of(node, struct item, node)->value;
	assert_int_equal(sum, 2);
	assert_ptr_equal(list.next, &items[0].node);
	assert_ptr_equal(list.prev, &items[2].node);
	list_for_each_safe (node, after, &list)
		list_remove(node);
	assert_true(list_is_empty(&list));
}

/* glibc knows the names as well, and the table has to have each of them. */
static void every_errno_has_its_name_and_reason(void **state)
{
	int number;

	(void)state;
	for (number = 1; number < 4096; number++) {
		const char *name = strerrorname_np(number);
		const char *reason = error_reason(-number);

		if (!name) {
			assert_string_equal(nonet_error_name(-number), "unknown error");
			assert_string_equal(reason, "unknown error");
			continue;
		}
		assert_int_equal(nonet_error_name(-number)[0], '-');
		assert_string_equal(nonet_error_name(-number) + 1, name);
		assert_true(strlen(reason) > 4);
		assert_false(isupper(reason[0]) && !isupper(reason[1]));
		assert_int_not_equal(reason[strlen(reason) - 1], '.');
	}
	assert_string_equal(error_reason(-EACCES), "permission denied");
	assert_string_equal(error_reason(-EDOTDOT), "RFS specific error");
	assert_string_equal(error_reason(-EPIPE), "broken pipe");
	assert_string_equal(error_reason(0), "success");
	assert_string_equal(nonet_error_name(0), "0");
	assert_string_equal(nonet_error_name(EPIPE), "0");
	assert_string_equal(nonet_error_name(INT_MAX), "0");
	assert_string_equal(nonet_error_name(INT_MIN), "unknown error");
	assert_string_equal(error_reason(INT_MIN), "unknown error");
}

static void an_error_is_filled(void **state)
{
	struct nonet_error error;

	(void)state;
	assert_int_equal(error_set(NULL, -EPIPE, "%s", "x"), -EPIPE);
	assert_int_equal(error_set_at(NULL, -EPIPE, 3, "%s", "x"), -EPIPE);
	assert_int_equal(error_set(&error, -EPIPE, "%s is %d", "this", 1), -EPIPE);
	assert_int_equal(error.code, -EPIPE);
	assert_int_equal(error.position, -1);
	assert_string_equal(error.text, "this is 1");
	assert_int_equal(error_set_at(&error, -EINVAL, 3, "no %s", "sense"), -EINVAL);
	assert_int_equal(error.code, -EINVAL);
	assert_int_equal(error.position, 3);
	assert_string_equal(error.text, "no sense");
	error_set_at(&error, -EINVAL, SIZE_MAX, "x");
	assert_int_equal(error.position, INT32_MAX);
	/* A sentence may be built from the one before. */
	error_set(&error, -EINVAL, "y%s", error.text);
	assert_string_equal(error.text, "yx");
}

static void sentences_are_printable(void **state)
{
	static const char *const rows[][2] = {
		{"a\nb\tc\x7f", "a\\x0Ab\\x09c\\x7F"},
		{"\x1b[31m", "\\x1B[31m"},
		{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\xbb",
		 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\xbb"},
		{"\xff\xfe", "\\xFF\\xFE"},
		{"\xc3", "\\xC3"},
		{"\xe2\x82z", "\\xE2\\x82z"},
		{"\xc2\x9b", "\\xC2\\x9B"},
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xc0\xaf", "\\xC0\\xAF"},
		{"\xe0\x9f\xbf", "\\xE0\\x9F\\xBF"},
		{"\xf0\x8f\xbf\xbf", "\\xF0\\x8F\\xBF\\xBF"},
		{"\xed\x9f\xbf", "\xed\x9f\xbf"},
		{"\xed\xa0\x80", "\\xED\\xA0\\x80"},
		{"\xee\x80\x80", "\xee\x80\x80"},
		{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		{"\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"},
		{"\xf8\x88\x80\x80\x80", "\\xF8\\x88\\x80\\x80\\x80"},
	};
	struct nonet_error error;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		error_set(&error, -EINVAL, "%s", rows[i][0]);
		assert_string_equal(error.text, rows[i][1]);
	}
}

/* Fillers of 1 to 4 bytes, shown as 1 to 16, behind starts of every length: each way that the end can fall. */
static void long_sentences_are_cut_at_a_character(void **state)
{
	static const char *const units[][2] = {
		{"a", "a"},
		{"\xc3\xa9", "\xc3\xa9"},
		{"\xe2\x82\xac", "\xe2\x82\xac"},
		{"\xf0\x9f\x8e\xbb", "\xf0\x9f\x8e\xbb"},
		{"\n", "\\x0A"},
	};
	const size_t most = sizeof(((struct nonet_error *)NULL)->text) - 1;
	size_t i, start, count, k;

	(void)state;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		const char *unit = units[i][0], *shown = units[i][1];

		for (start = 0; start < 8; start++) {
			for (count = 90; count < 700; count++) {
				struct nonet_error error;
				char raw[4096] = "", expected[4096];
				size_t whole = start + count * strlen(shown);
				size_t fitting = whole <= most ? count : (most - 3 - start) / strlen(shown);

				memset(raw, 's', start);
				strcpy(expected, raw);
				for (k = 0; k < count; k++)
					memcpy(raw + start + k * strlen(unit), unit, strlen(unit) + 1);
				for (k = 0; k < fitting; k++)
					memcpy(expected + start + k * strlen(shown), shown, strlen(shown) + 1);
				strcat(expected, whole <= most ? "" : "...");
				memset(&error, 'x', sizeof(error));
				error_set(&error, -EINVAL, "%s", raw);
				assert_string_equal(error.text, expected);
			}
		}
	}
}

static void text_is_cut_between_characters(void **state)
{
	(void)state;
	assert_int_equal(utf8_printable("", 0), 0);
	assert_int_equal(utf8_printable("\xc3\xa9", 1), 0);
	assert_int_equal(utf8_cut("abc", 3, 3), 3);
	assert_int_equal(utf8_cut("abc", 3, 2), 2);
	assert_int_equal(utf8_cut("a\xc3\xa9z", 4, 2), 1);
	assert_int_equal(utf8_cut("a\xc3\xa9z", 4, 3), 3);
	assert_int_equal(utf8_cut("\xff\xff\xff", 3, 2), 2);
	assert_int_equal(utf8_cut("\xc3\xa9", 2, 0), 0);
}

static void the_version_is_that_of_the_header(void **state)
{
	char text[32];

	(void)state;
	snprintf(text, sizeof(text), "%d.%d.%d", NONET_VERSION_MAJOR, NONET_VERSION_MINOR, NONET_VERSION_PATCH);
	assert_string_equal(nonet_version(), text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_become_timespecs),
		cmocka_unit_test(times_saturate),
		cmocka_unit_test(arithmetic_that_does_not_fit_leaves_the_result),
		cmocka_unit_test(lists_keep_order_and_allow_removal),
		cmocka_unit_test(every_errno_has_its_name_and_reason),
		cmocka_unit_test(an_error_is_filled),
		cmocka_unit_test(sentences_are_printable),
		cmocka_unit_test(long_sentences_are_cut_at_a_character),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(the_version_is_that_of_the_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
