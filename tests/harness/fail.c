/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/child_private.h"

static char skip_reason[256];

_Noreturn void test_fail_at(const char *file, int line, const char *format, ...)
{
	char text[2048];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	test_child_side_failed(file, line, text); /* returns only if this process is no child */
	fflush(stdout);
	print_error("%s:%d: %s\n", file, line, text);
	_fail(file, line);
	abort();
}

void test_check_equal_at(const char *file, int line, const char *a_text, long long a, const char *b_text, long long b)
{
	if (a != b)
		test_fail_at(file, line, "%s is %lld%s%s%s, not %s = %lld", a_text, a, a < 0 && a > -4096 ? " (" : "",
			     a < 0 && a > -4096 ? strerror((int)-a) : "", a < 0 && a > -4096 ? ")" : "", b_text, b);
}

long long test_must_at(const char *file, int line, const char *text, long long result)
{
	if (result == -1)
		test_fail_at(file, line, "%s: %s", text, strerror(errno));
	return result;
}

void test_note(const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	printf("# %s\n", text);
	fflush(stdout);
}

/* Whether @word is one of the comma-separated words of @list. */
static bool list_has(const char *list, const char *word)
{
	size_t size = strlen(word);
	const char *end;

	for (; list && *list; list = *end ? end + 1 : end) {
		end = strchrnul(list, ',');
		if ((size_t)(end - list) == size && memcmp(list, word, size) == 0)
			return true;
	}
	return false;
}

_Noreturn void test_skip(const char *feature, const char *why)
{
	const char *no_skip = getenv("NONET_TEST_NO_SKIP");

	if ((no_skip && strcmp(no_skip, "1") == 0) || list_has(getenv("NONET_TEST_REQUIRE"), feature))
		test_fail("skipping is not allowed here, but %s is missing: %s", feature, why);
	snprintf(skip_reason, sizeof(skip_reason), "needs %s: %s", feature, why);
	test_note("skipped: %s", skip_reason);
	_skip(__FILE__, __LINE__);
	abort();
}

_Noreturn void test_not_applicable(const char *why)
{
	snprintf(skip_reason, sizeof(skip_reason), "doesn't apply: %s", why);
	_skip(__FILE__, __LINE__);
	abort();
}

void test_skip_unless_root(const char *why)
{
	if (geteuid() != 0)
		test_skip("root", why);
}

const char *test_reason_not_run(void)
{
	return skip_reason[0] ? skip_reason : NULL;
}
