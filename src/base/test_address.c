/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <sys/resource.h>

#include <nonet/address.h>

#include "base/utf8.h"

#define PART_COUNT (NONET_ADDRESS_LENGTH + 1)

/* AddressSanitizer's own maps are above any limit of memory, so the test that sets one is left out there. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#define IS_SANITIZED __has_feature(address_sanitizer)
#else
#define IS_SANITIZED 0
#endif

/* The index in .number is the part; 0 stands for "hasn't got it", and HAS_0 for a number that is 0. */
#define HAS_0 INT64_MIN

static const struct good {
	const char *text;
	const char *canonical; /* NULL: the same */
	enum nonet_scheme scheme;
	const char *name;
	const char *directory;
	int64_t number[PART_COUNT];
} good[] = {
	{"fifo:/run/app/in", NULL, NONET_SCHEME_FIFO, "/run/app/in"},
	{"fifo:in", NULL, NONET_SCHEME_FIFO, "in"},
	{"fifo:%2Frun%2fa", "fifo:/run/a", NONET_SCHEME_FIFO, "/run/a"},
	{"fifo:a b", "fifo:a%20b", NONET_SCHEME_FIFO, "a b"},
	{"fifo:100%25", NULL, NONET_SCHEME_FIFO, "100%"},
	{"fifo:%2541", NULL, NONET_SCHEME_FIFO, "%41"},
	{"fifo:%41%7a", "fifo:Az", NONET_SCHEME_FIFO, "Az"},
	{"fifo:a,b#c[1]:d@e", NULL, NONET_SCHEME_FIFO, "a,b#c[1]:d@e"},
	{"fifo:%0a%1F%7f", "fifo:%0A%1F%7F", NONET_SCHEME_FIFO, "\n\x1f\x7f"},
	{"fifo:gr\xc3\xbc\xc3\x9f", NULL, NONET_SCHEME_FIFO, "gr\xc3\xbc\xc3\x9f"},
	{"fifo:%c3%bc", "fifo:\xc3\xbc", NONET_SCHEME_FIFO, "\xc3\xbc"},
	{"fifo:%c3", "fifo:%C3", NONET_SCHEME_FIFO, "\xc3"},
	{"fifo:%c2%80", "fifo:%C2%80", NONET_SCHEME_FIFO, "\xc2\x80"},
	{"fifo:%ed%a0%80", "fifo:%ED%A0%80", NONET_SCHEME_FIFO, "\xed\xa0\x80"},
	{"fifo:\xf0\x9f\x8e\xbb", NULL, NONET_SCHEME_FIFO, "\xf0\x9f\x8e\xbb"},
	{"fd:0", NULL, NONET_SCHEME_FD, .number = {[NONET_ADDRESS_DESCRIPTOR] = HAS_0}},
	{"fd:2147483647", NULL, NONET_SCHEME_FD, .number = {[NONET_ADDRESS_DESCRIPTOR] = INT_MAX}},
	{"pid:1", NULL, NONET_SCHEME_PID, .number = {[NONET_ADDRESS_PID] = 1}},
	{"pid:2147483647", NULL, NONET_SCHEME_PID, .number = {[NONET_ADDRESS_PID] = INT_MAX}},
	{"unix:/run/app/s", NULL, NONET_SCHEME_UNIX, "/run/app/s"},
	{"unix:%40s", NULL, NONET_SCHEME_UNIX, "@s"},
	{"unix:./@s", NULL, NONET_SCHEME_UNIX, "./@s"},
	{"unix-seqpacket:s", NULL, NONET_SCHEME_UNIX_SEQPACKET, "s"},
	{"unix-dgram:s", NULL, NONET_SCHEME_UNIX_DGRAM, "s"},
	{"tcp:localhost:80", NULL, NONET_SCHEME_TCP, "localhost", .number = {[NONET_ADDRESS_PORT] = 80}},
	{"tcp:0.0.0.0:0", NULL, NONET_SCHEME_TCP, "0.0.0.0", .number = {[NONET_ADDRESS_PORT] = HAS_0}},
	{"tcp:%61-b_c.d:1", "tcp:a-b_c.d:1", NONET_SCHEME_TCP, "a-b_c.d", .number = {[NONET_ADDRESS_PORT] = 1}},
	{"tcp:[::1]:65535", NULL, NONET_SCHEME_TCP, "::1", .number = {[NONET_ADDRESS_PORT] = 65535}},
	{"tcp:[0:0:0:0:0:0:0:A]:8", "tcp:[::a]:8", NONET_SCHEME_TCP, "::a", .number = {[NONET_ADDRESS_PORT] = 8}},
	{"tcp:[::a0a:a0a]:8", "tcp:[::10.10.10.10]:8", NONET_SCHEME_TCP, "::10.10.10.10",
	 .number = {[NONET_ADDRESS_PORT] = 8}},
	{"udp:[fe80::1%25eth0]:53", NULL, NONET_SCHEME_UDP, "fe80::1%eth0", .number = {[NONET_ADDRESS_PORT] = 53}},
	{"udp:[FE80::1%25a%5db%25]:53", "udp:[fe80::1%25a%5Db%25]:53", NONET_SCHEME_UDP, "fe80::1%a]b%",
	 .number = {[NONET_ADDRESS_PORT] = 53}},
	{"udp:[::%25123456789012345]:1", NULL, NONET_SCHEME_UDP, "::%123456789012345",
	 .number = {[NONET_ADDRESS_PORT] = 1}},
	{"udp:h\xc3\xbc:53", NULL, NONET_SCHEME_UDP, "h\xc3\xbc", .number = {[NONET_ADDRESS_PORT] = 53}},
	{"icmp:localhost", NULL, NONET_SCHEME_ICMP, "localhost"},
	{"icmp:[::ffff:a00:1]", "icmp:[::ffff:10.0.0.1]", NONET_SCHEME_ICMP, "::ffff:10.0.0.1"},
	{"posixmq:/jobs", NULL, NONET_SCHEME_POSIXMQ, "/jobs"},
	{"posixmq:%2fa", "posixmq:/a", NONET_SCHEME_POSIXMQ, "/a"},
	{"posixmq:/...", NULL, NONET_SCHEME_POSIXMQ, "/..."},
	{"posixsem:/p", NULL, NONET_SCHEME_POSIXSEM, "/p"},
	{"posixsem:/.", NULL, NONET_SCHEME_POSIXSEM, "/."},
	{"posixshm:/@,#[", NULL, NONET_SCHEME_POSIXSHM, "/@,#["},
	{"sysvmsg:1", "sysvmsg:0x00000001", NONET_SCHEME_SYSVMSG, .number = {[NONET_ADDRESS_KEY] = 1}},
	{"sysvmsg:4294967295", "sysvmsg:0xffffffff", NONET_SCHEME_SYSVMSG,
	 .number = {[NONET_ADDRESS_KEY] = UINT32_MAX}},
	{"sysvmsg:0xfFfFffff", "sysvmsg:0xffffffff", NONET_SCHEME_SYSVMSG,
	 .number = {[NONET_ADDRESS_KEY] = UINT32_MAX}},
	{"sysvmsg:0x0000162e", NULL, NONET_SCHEME_SYSVMSG, .number = {[NONET_ADDRESS_KEY] = 5678}},
	{"sysvmsg:0X10", "sysvmsg:0x00000010", NONET_SCHEME_SYSVMSG, .number = {[NONET_ADDRESS_KEY] = 16}},
	{"sysvshm:id=0", NULL, NONET_SCHEME_SYSVSHM, .number = {[NONET_ADDRESS_ID] = HAS_0}},
	{"sysvshm:id=2147483647", NULL, NONET_SCHEME_SYSVSHM, .number = {[NONET_ADDRESS_ID] = INT_MAX}},
	{"sysvshm:/srv/app#1", NULL, NONET_SCHEME_SYSVSHM, "/srv/app", .number = {[NONET_ADDRESS_PROJECT] = 1}},
	{"sysvshm:a#b#255", "sysvshm:a%23b#255", NONET_SCHEME_SYSVSHM, "a#b",
	 .number = {[NONET_ADDRESS_PROJECT] = 255}},
	{"sysvshm:id=7#2", NULL, NONET_SCHEME_SYSVSHM, "id=7", .number = {[NONET_ADDRESS_PROJECT] = 2}},
	{"sysvshm:12#2", NULL, NONET_SCHEME_SYSVSHM, "12", .number = {[NONET_ADDRESS_PROJECT] = 2}},
	{"sysvsem:7", "sysvsem:0x00000007", NONET_SCHEME_SYSVSEM, .number = {[NONET_ADDRESS_KEY] = 7}},
	{"sysvsem:0x7[0]", "sysvsem:0x00000007[0]", NONET_SCHEME_SYSVSEM,
	 .number = {[NONET_ADDRESS_KEY] = 7, [NONET_ADDRESS_INDEX] = HAS_0}},
	{"sysvsem:id=7[65535]", NULL, NONET_SCHEME_SYSVSEM,
	 .number = {[NONET_ADDRESS_ID] = 7, [NONET_ADDRESS_INDEX] = 65535}},
	{"sysvsem:a[1]#3[2]", NULL, NONET_SCHEME_SYSVSEM, "a[1]",
	 .number = {[NONET_ADDRESS_PROJECT] = 3, [NONET_ADDRESS_INDEX] = 2}},
	{"ofdlock:/a", NULL, NONET_SCHEME_OFDLOCK, "/a"},
	{"ofdlock:/a,0+0", NULL, NONET_SCHEME_OFDLOCK, "/a",
	 .number = {[NONET_ADDRESS_START] = HAS_0, [NONET_ADDRESS_LENGTH] = HAS_0}},
	{"ofdlock:a%2Cb", NULL, NONET_SCHEME_OFDLOCK, "a,b"},
	{"ofdlock:a,b,1+2", "ofdlock:a%2Cb,1+2", NONET_SCHEME_OFDLOCK, "a,b",
	 .number = {[NONET_ADDRESS_START] = 1, [NONET_ADDRESS_LENGTH] = 2}},
	{"posixlock:a,1+9223372036854775807", NULL, NONET_SCHEME_POSIXLOCK, "a",
	 .number = {[NONET_ADDRESS_START] = 1, [NONET_ADDRESS_LENGTH] = INT64_MAX}},
	{"posixlock:a,9223372036854775807+1", NULL, NONET_SCHEME_POSIXLOCK, "a",
	 .number = {[NONET_ADDRESS_START] = INT64_MAX, [NONET_ADDRESS_LENGTH] = 1}},
	{"flock:/a,1+2", NULL, NONET_SCHEME_FLOCK, "/a,1+2"},
	{"file:/a#1", NULL, NONET_SCHEME_FILE, "/a#1"},
	{"mutex:m", NULL, NONET_SCHEME_MUTEX, "m"},
	{"mutex:.m", NULL, NONET_SCHEME_MUTEX, ".m"},
	{"mutex:a/b/m", NULL, NONET_SCHEME_MUTEX, "m", "a/b"},
	{"mutex:a%2fm", "mutex:a/m", NONET_SCHEME_MUTEX, "m", "a"},
	{"mutex:../m", NULL, NONET_SCHEME_MUTEX, "m", ".."},
	{"mutex:a///m", "mutex:a/m", NONET_SCHEME_MUTEX, "m", "a"},
	{"mutex:/m", NULL, NONET_SCHEME_MUTEX, "m", "/"},
	{"mutex://m", "mutex:/m", NONET_SCHEME_MUTEX, "m", "/"},
	{"rwlock:@a b/m d", "rwlock:@a%20b/m%20d", NONET_SCHEME_RWLOCK, "m d", "@a b"},
	{"condition:c", NULL, NONET_SCHEME_CONDITION, "c"},
	{"event:e", NULL, NONET_SCHEME_EVENT, "e"},
	{"semaphore:s", NULL, NONET_SCHEME_SEMAPHORE, "s"},
	{"channel:c", NULL, NONET_SCHEME_CHANNEL, "c"},
	{"queue:q", NULL, NONET_SCHEME_QUEUE, "q"},
	{"log:/var/l", NULL, NONET_SCHEME_LOG, "l", "/var"},
};

#define for_each_good(row) for (const struct good *row = good; row < good + sizeof(good) / sizeof(good[0]); row++)

static struct nonet_address *parse(const char *text)
{
	struct nonet_address *address = NULL;
	struct nonet_error error;

	if (nonet_address_parse(text, &address, &error) < 0)
		fail_msg("%s: %s", text, error.text);
	return address;
}

static void assert_same_address(const struct nonet_address *a, const struct nonet_address *b)
{
	size_t a_size, b_size;
	int part;

	assert_int_equal(nonet_address_scheme(a), nonet_address_scheme(b));
	assert_int_equal(nonet_address_is_abstract(a), nonet_address_is_abstract(b));
	assert_string_equal(nonet_address_text(a), nonet_address_text(b));
	assert_int_equal(!nonet_address_name(a, &a_size), !nonet_address_name(b, &b_size));
	assert_int_equal(a_size, b_size);
	if (nonet_address_name(a, NULL))
		assert_memory_equal(nonet_address_name(a, NULL), nonet_address_name(b, NULL), a_size + 1);
	assert_int_equal(!nonet_address_directory(a), !nonet_address_directory(b));
	if (nonet_address_directory(a))
		assert_string_equal(nonet_address_directory(a), nonet_address_directory(b));
	for (part = NONET_ADDRESS_DESCRIPTOR; part < PART_COUNT; part++) {
		int64_t a_value = 0, b_value = 0;

		assert_int_equal(nonet_address_number(a, part, &a_value), nonet_address_number(b, part, &b_value));
		assert_int_equal(a_value, b_value);
	}
}

static void good_addresses_have_their_parts(void **state)
{
	(void)state;
	for_each_good(row)
	{
		struct nonet_address *address = parse(row->text);
		const char *name;
		size_t size = 77;
		int part;

		assert_string_equal(nonet_address_text(address), row->canonical ? row->canonical : row->text);
		assert_int_equal(nonet_address_scheme(address), row->scheme);
		assert_int_equal(nonet_address_is_abstract(address), 0);
		name = nonet_address_name(address, &size);
		assert_int_equal(!name, !row->name);
		if (name)
			assert_string_equal(name, row->name);
		assert_int_equal(size, row->name ? strlen(row->name) : 0);
		assert_int_equal(!nonet_address_directory(address), !row->directory);
		if (row->directory)
			assert_string_equal(nonet_address_directory(address), row->directory);
		for (part = NONET_ADDRESS_DESCRIPTOR; part < PART_COUNT; part++) {
			int64_t expected = row->number[part], value = 77;
			int result = nonet_address_number(address, part, &value);

			assert_int_equal(result, expected ? 0 : -ENODATA);
			assert_int_equal(value, !expected ? 77 : expected == HAS_0 ? 0 : expected);
		}
		nonet_address_free(address);
	}
}

static void good_addresses_survive_the_round_trip(void **state)
{
	(void)state;
	for_each_good(row)
	{
		struct nonet_address *first = parse(row->text);
		struct nonet_address *second = parse(nonet_address_text(first));

		assert_same_address(first, second);
		nonet_address_free(first);
		nonet_address_free(second);
	}
}

/* Each prefix, and each address with one byte changed to one that has a meaning somewhere. */
static void what_is_nearly_an_address_is_read_or_refused_with_a_position(void **state)
{
	/* The NUL at the end stands for no change. */
	static const char bytes[] = "%:/,#[]@+=.-0x~ \x01\xff";

	(void)state;
	for_each_good(row)
	{
		size_t size = strlen(row->text), length, i;

		for (length = 0; length <= size; length++) {
			for (i = 0; i < sizeof(bytes); i++) {
				/* An own block of just this size, for the sanitizers. */
				char *text = strndup(row->text, length);
				struct nonet_address *address = NULL;
				struct nonet_error error;
				int result;

				if (length && bytes[i])
					text[length - 1] = bytes[i];
				result = nonet_address_parse(text, &address, &error);
				if (result < 0) {
					assert_int_equal(result, -EINVAL);
					assert_int_equal(error.code, -EINVAL);
					assert_in_range(error.position, 0, length);
					assert_null(address);
				}
				nonet_address_free(address);
				free(text);
			}
		}
	}
}

static void abstract_names_may_hold_any_byte(void **state)
{
	struct nonet_address *address, *again;
	char text[1 + 5 + 3 * 107 + 1] = "unix:@";
	size_t size;
	int i;

	(void)state;
	address = parse("unix-dgram:@a%00@%00");
	assert_int_equal(nonet_address_is_abstract(address), 1);
	assert_memory_equal(nonet_address_name(address, &size), "a\0@\0", 5);
	assert_int_equal(size, 4);
	assert_string_equal(nonet_address_text(address), "unix-dgram:@a%00@%00");
	nonet_address_free(address);

	/* The longest, all of it NUL: the text is three times as long. */
	for (i = 0; i < 107; i++)
		strcat(text, "%00");
	address = parse(text);
	assert_string_equal(nonet_address_text(address), text);
	nonet_address_name(address, &size);
	assert_int_equal(size, 107);
	again = parse(nonet_address_text(address));
	assert_same_address(address, again);
	nonet_address_free(again);
	nonet_address_free(address);
}

static void every_single_byte_survives_in_every_kind_of_name(void **state)
{
	static const char *const before[] = {"fifo:",    "unix:",  "unix:@",     "posixmq:/", "sysvmsg:",
					     "ofdlock:", "mutex:", "mutex:dir/", "mutex:",    "udp:[::1%25"};
	static const char *const after[] = {"", "", "", "", "#1", "", "", "", "/name", "]:1"};
	size_t i;
	int byte;

	(void)state;
	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		for (byte = 1; byte < 256; byte++) {
			struct nonet_address *address, *again;
			const char *at;
			char text[64];

			/* With y, as a lone dot is refused as a name. */
			snprintf(text, sizeof(text), "%s%%%02xy%s", before[i], byte, after[i]);
			/* No interface has these in its name. */
			if (before[i][0] == 'u' && before[i][1] == 'd' && strchr("/: \t\n\v\f\r", byte))
				continue;
			/* A second slash is no part of a POSIX name. */
			if (before[i][0] == 'p' && byte == '/')
				continue;
			address = parse(text);
			again = parse(nonet_address_text(address));
			assert_same_address(address, again);
			at = nonet_address_text(address);
			assert_null(strchr(at, ' '));
			for (; *at; at += utf8_printable(at, strlen(at)))
				assert_true(utf8_printable(at, strlen(at)));
			nonet_address_free(again);
			nonet_address_free(address);
		}
	}
}

/* Canonical text at its longest, three bytes for each of the path. */
static void a_path_of_spaces_is_escaped(void **state)
{
	struct nonet_address *address;
	char text[5 + 4095 + 1] = "fifo:";

	(void)state;
	memset(text + 5, ' ', 4095);
	address = parse(text);
	assert_int_equal(strlen(nonet_address_text(address)), 5 + 3 * 4095);
	nonet_address_free(address);
}

static void odd_questions_have_answers(void **state)
{
	struct nonet_address *address = parse("fd:3");
	int64_t value = 77;
	size_t size = 77;

	(void)state;
	assert_int_equal(nonet_address_number(address, 0, &value), -EINVAL);
	assert_int_equal(nonet_address_number(address, NONET_ADDRESS_LENGTH + 1, &value), -EINVAL);
	assert_int_equal(value, 77);
	assert_null(nonet_address_name(address, NULL));
	assert_null(nonet_address_name(address, &size));
	assert_int_equal(size, 0);
	assert_null(nonet_address_free(address));
	assert_null(nonet_address_free(NULL));
	assert_string_equal(nonet_scheme_name(NONET_SCHEME_UNIX_SEQPACKET), "unix-seqpacket");
	assert_string_equal(nonet_scheme_name(NONET_SCHEME_LOG), "log");
	assert_null(nonet_scheme_name(0));
	assert_null(nonet_scheme_name(NONET_SCHEME_LOG + 1));
	assert_null(nonet_scheme_name((enum nonet_scheme) - 1));
}

/* Reading needs four times the text at once, which the limit forbids. */
#if !IS_SANITIZED
static void a_lack_of_memory_is_reported(void **state)
{
	const size_t size = (size_t)64 << 20;
	struct rlimit before, tight;
	struct nonet_address *address = NULL;
	struct nonet_error error = {.position = 77};
	char *text;
	int result;

	(void)state;
	text = malloc(size);
	assert_non_null(text);
	memset(text, 'a', size);
	memcpy(text, "fifo:", 5);
	text[size - 1] = '\0';
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	tight = before;
	tight.rlim_cur = size * 3;
	assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
	result = nonet_address_parse(text, &address, &error);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	free(text);
	assert_int_equal(result, -ENOMEM);
	assert_int_equal(error.code, -ENOMEM);
	assert_int_equal(error.position, -1);
	assert_null(address);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_addresses_have_their_parts),
		cmocka_unit_test(good_addresses_survive_the_round_trip),
		cmocka_unit_test(what_is_nearly_an_address_is_read_or_refused_with_a_position),
		cmocka_unit_test(abstract_names_may_hold_any_byte),
		cmocka_unit_test(every_single_byte_survives_in_every_kind_of_name),
		cmocka_unit_test(a_path_of_spaces_is_escaped),
		cmocka_unit_test(odd_questions_have_answers),
#if !IS_SANITIZED
		cmocka_unit_test(a_lack_of_memory_is_reported),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
