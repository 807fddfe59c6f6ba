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

#include <nonet/address.h>

#include "base/utf8.h"

static const struct bad {
	const char *text;
	int position;
	const char *fragment; /* of the sentence */
} bad[] = {
	/* the scheme */
	{"", 0, "address is empty"},
	{":", 0, "no scheme stands before the colon"},
	{"fifo", 4, "colon and more have to follow \"fifo\", as in fifo:/run"},
	{"unix-seqpaket:/a", 0, "no scheme \"unix-seqpaket:\"; did you mean unix-seqpacket:?"},
	{"unix_dgram:/a", 0, "did you mean unix-dgram:?"},
	{"UNIX:/a", 0, "did you mean unix:?"},
	{"tpc:h:1", 0, "did you mean tcp:?"},
	{"mutx:a", 0, "did you mean mutex:?"},
	{"semaphor", 0, "did you mean semaphore:"},
	{"xx:a", 0, "there is no scheme \"xx:\"; there are fifo:, fd:, pid:, unix:"},
	{"xx:a", 0, "queue:, log:"},
	{"fifoo bar", 0, "has no scheme; an address is scheme:rest"},
	{"localhost:80", 0, "did you mean tcp:localhost:80?"},
	{"/run/a", 0, "did you mean fifo:/run/a or unix:/run/a?"},
	{"./a:b", 0, "did you mean fifo:./a:b or unix:./a:b?"},
	{"@app", 0, "did you mean unix:@app?"},
	{"12", 0, "did you mean fd:12 or pid:12?"},
	{" fd:3", 0, "did you mean fd:?"},
	{"un\x01ix:a", 2, "control byte"},
	{"\xff:a", 0, "no printable UTF-8"},
	/* bytes and escapes */
	{"fifo:", 5, "path is missing"},
	{"fifo:a\x01", 6, "control byte; one that belongs to a name is written %01"},
	{"fifo:\x7f", 5, "written %7F"},
	{"fifo:a\n", 6, "written %0A"},
	{"fifo:ab\xff", 7, "no printable UTF-8 character; one that belongs to a name is written %FF"},
	{"fifo:\xc3", 5, "written %C3"},
	{"fifo:\xc3%bc", 5, "written %C3"},
	{"fifo:\xc0\xaf", 5, "written %C0"},
	{"fifo:\xe0\x80\xaf", 5, "written %E0"},
	{"fifo:\xed\xa0\x80", 5, "written %ED"},
	{"fifo:\xf4\x90\x80\x80", 5, "written %F4"},
	{"fifo:\xf8\x88\x80\x80\x80", 5, "written %F8"},
	{"fifo:\xc2\x9b", 5, "written %C2"},
	{"fifo:%", 6, "\"%\" is no escape"},
	{"fifo:%4", 7, "\"%4\" is no escape"},
	{"fifo:%4g", 7, "% itself is written %25"},
	{"fifo:100%/", 9, "\"%/\" is no escape"},
	{"fifo:a%00", 6, "%00 can't be in a path"},
	{"unix:a%00", 6, "only the name of an abstract UNIX socket"},
	{"mutex:%00", 6, "%00 can't be in a name"},
	{"posixmq:/%00", 9, "%00 can't be in a name"},
	{"tcp:a%00:1", 5, "%00 can't be in a host"},
	{"tcp:[::1%00]:1", 8, "%00 can't be in a host"},
	{"sysvmsg:%00#1", 8, "%00 can't be in a path"},
	{"ofdlock:%00", 8, "%00 can't be in a path"},
	{"unix:@", 6, "no name stands after @"},
	{"unix:@a\x01", 7, "control byte"},
	/* numbers */
	{"fd:", 3, "descriptor is missing"},
	{"fd:+3", 3, "decimal digits alone"},
	{"fd:-1", 3, "decimal digits alone"},
	{"fd:3 ", 4, "decimal digits alone"},
	{"fd: 3", 3, "decimal digits alone"},
	{"fd:0x3", 4, "decimal digits alone"},
	{"fd:%33", 3, "decimal digits alone"},
	{"fd:010", 3, "octal"},
	{"fd:00", 3, "octal"},
	{"fd:2147483648", 3, "out of range: the descriptor is a number from 0 to 2147483647"},
	{"fd:99999999999999999999", 3, "out of range"},
	{"pid:0", 4, "out of range: the process ID is a number from 1 to 2147483647"},
	{"pid:self", 4, "is no process ID"},
	/* hosts */
	{"tcp:", 4, "host is missing"},
	{"tcp::80", 4, "host is missing"},
	{"tcp:h", 5, "colon and the port have to follow the host \"h\""},
	{"tcp:h:", 6, "port is missing"},
	{"tcp:h:65536", 6, "from 0 to 65535"},
	{"tcp:h:http", 6, "is no port"},
	{"tcp:::1:80", 4, "IPv6 address stands in brackets"},
	{"tcp:fe80::1:80", 9, "IPv6 address stands in brackets"},
	{"tcp:a%3ab:80", 5, "is no host"},
	{"tcp:a b:80", 5, "is no host"},
	{"tcp:a%0ab:80", 5, "is no host"},
	{"tcp:a/b:80", 5, "is no host"},
	{"tcp:[", 5, "no address stands in the brackets"},
	{"tcp:[]:80", 5, "no address stands in the brackets"},
	{"tcp:[::1", 8, "bracket is not closed"},
	{"tcp:[::1]", 9, "colon and the port have to follow the host \"[::1]\""},
	{"tcp:[::1]80", 9, "colon and the port have to follow"},
	{"tcp:[::g]:80", 7, "is no IPv6 address: it has hexadecimal digits"},
	{"tcp:[1.2.3.4]:80", 5, "is no IPv6 address"},
	{"tcp:[:::]:80", 5, "is no IPv6 address"},
	{"tcp:[1:2:3:4:5:6:7:8:9]:80", 5, "is no IPv6 address"},
	{"tcp:[12345::]:80", 5, "is no IPv6 address"},
	{"tcp:[fe80::1%eth0]:80", 14, "is no escape"},
	{"tcp:[fe80::1%25]:80", 15, "no interface stands after %25"},
	{"tcp:[fe80::1%25a/b]:80", 16, "is no name of an interface"},
	{"tcp:[fe80::1%25..]:80", 15, "is no name of an interface"},
	{"tcp:[fe80::1%251234567890123456]:80", 30, "the kernel allows at most 15"},
	{"icmp:", 5, "host is missing"},
	{"icmp:a:b", 6, "is no host"},
	{"icmp:[::1]:1", 10, "stands after the host"},
	/* POSIX */
	{"posixmq:", 8, "name is missing"},
	{"posixmq:jobs", 8, "write posixmq:/jobs"},
	{"posixmq:/", 9, "no name stands after the slash"},
	{"posixmq:/a/b", 10, "second slash"},
	{"posixmq:/a%2fb", 10, "second slash"},
	{"posixmq://a", 9, "second slash"},
	{"posixmq:/.", 9, "\".\" is a directory"},
	{"posixshm:/..", 10, "\"..\" is a directory"},
	/* System V */
	{"sysvmsg:", 8, "write KEY, id=N or PATH#PROJ"},
	{"sysvmsg:0", 8, "IPC_PRIVATE"},
	{"sysvmsg:0x0", 8, "IPC_PRIVATE"},
	{"sysvmsg:00", 8, "octal"},
	{"sysvmsg:4294967296", 8, "from 1 to 4294967295"},
	{"sysvmsg:0x", 10, "no digits stand after \"0x\""},
	{"sysvmsg:0x1g", 11, "hexadecimal digits alone"},
	{"sysvmsg:0x100000000", 8, "at most 0xffffffff"},
	{"sysvmsg:12a", 10, "is no key"},
	{"sysvmsg:-1", 10, "neither KEY nor id=N"},
	{"sysvmsg:/a", 10, "a # and the project are missing"},
	{"sysvmsg:/a\x01", 10, "control byte"},
	{"sysvmsg:id=", 11, "id is missing"},
	{"sysvmsg:id=-1", 11, "is no id"},
	{"sysvmsg:id=2147483648", 11, "out of range"},
	{"sysvmsg:#1", 8, "path is missing"},
	{"sysvmsg:a#", 10, "project (a # in the path is written %23) is missing"},
	{"sysvmsg:a#0", 10, "from 1 to 255"},
	{"sysvmsg:a#256", 10, "from 1 to 255"},
	{"sysvmsg:a#b", 10, "written %23"},
	{"sysvmsg:7[0]", 9, "is no key"},
	{"sysvsem:[0]", 8, "write KEY, id=N or PATH#PROJ"},
	{"sysvsem:7[", 10, "index is missing"},
	{"sysvsem:7[]", 10, "index is missing"},
	{"sysvsem:7[0", 11, "index is not closed"},
	{"sysvsem:7[x]", 10, "is no semaphore's index"},
	{"sysvsem:7[65536]", 10, "out of range"},
	{"sysvsem:7[0]x", 12, "stands after the index"},
	{"sysvsem:a#1]", 11, "is no project"},
	/* locks */
	{"ofdlock:", 8, "path is missing"},
	{"ofdlock:,0+1", 8, "path is missing"},
	{"ofdlock:a,", 10, "start of the range is missing"},
	{"ofdlock:a,b", 10, "isn't START+LENGTH"},
	{"ofdlock:a,b", 10, "a comma that belongs to the path is written %2C"},
	{"ofdlock:a,5", 11, "has no length"},
	{"ofdlock:a,5-6", 11, "is no start of the range"},
	{"ofdlock:a,5+", 12, "length of the range is missing"},
	{"ofdlock:a,5+x", 12, "is no length of the range"},
	{"ofdlock:a,+5", 10, "isn't START+LENGTH"},
	{"posixlock:a,9223372036854775808+1", 12, "out of range"},
	{"posixlock:a,2+9223372036854775807", 14, "ends behind the last possible byte"},
	{"posixlock:a,9223372036854775807+2", 32, "ends behind the last possible byte"},
	/* nonet's own */
	{"mutex:", 6, "name is missing"},
	{"mutex:/", 7, "is only a directory"},
	{"mutex:a/", 8, "is only a directory"},
	{"mutex:.", 6, "\".\" is a directory"},
	{"mutex:a/..", 8, "\"..\" is a directory"},
	{"mutex:a%2f%2e", 10, "\".\" is a directory"},
};

static void assert_refused(const char *text, int position, const char *fragment)
{
	struct nonet_address *address = NULL;
	struct nonet_error error = {0};
	const char *at;

	assert_int_equal(nonet_address_parse(text, &address, NULL), -EINVAL);
	assert_int_equal(nonet_address_parse(text, &address, &error), -EINVAL);
	assert_null(address);
	assert_int_equal(error.code, -EINVAL);
	if (error.position != position || !strstr(error.text, fragment))
		fail_msg("\"%s\": at %d, not %d: %s", text, error.position, position, error.text);
	for (at = error.text; *at; at += utf8_printable(at, strlen(at)))
		assert_true(utf8_printable(at, strlen(at)));
}

static void bad_addresses_are_refused_at_the_byte(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i].text, bad[i].position, bad[i].fragment);
}

/* before + @count times filler + after, to be freed. */
static char *padded(const char *before, const char *filler, size_t count, const char *after)
{
	char *text = malloc(strlen(before) + strlen(filler) * count + strlen(after) + 1);
	char *end = text;

	assert_non_null(text);
	end += sprintf(end, "%s", before);
	while (count--)
		end += sprintf(end, "%s", filler);
	sprintf(end, "%s", after);
	return text;
}

static void names_are_taken_up_to_their_limits_and_no_further(void **state)
{
	static const struct limit {
		const char *before;
		size_t limit;
		const char *after;
		const char *fragment;
	} limits[] = {
		{"unix:", 107, "", "at most 107"},          {"unix-dgram:@", 107, "", "at most 107"},
		{"posixmq:/", 255, "", "at most 255"},      {"posixshm:/", 255, "", "at most 255"},
		{"posixsem:/", 251, "", "at most 251"},     {"mutex:", 200, "", "at most 200"},
		{"mutex:dir/", 200, "", "at most 200"},     {"fifo:", 4095, "", "at most 4095"},
		{"ofdlock:", 4095, ",0+0", "at most 4095"}, {"sysvshm:x", 4094, "#1", "at most 4095"},
		{"tcp:", 253, ":1", "at most 253"},         {"icmp:", 253, "", "at most 253"},
		{"icmp:[::1%25", 15, "]", "at most 15"},
	};
	static const char *const fillers[] = {"a", "%61"};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct limit *row = &limits[i];

		for (j = 0; j < 2; j++) {
			struct nonet_address *address = NULL;
			char *text = padded(row->before, fillers[j], row->limit, row->after);
			size_t position = strlen(row->before) + row->limit * strlen(fillers[j]);

			assert_int_equal(nonet_address_parse(text, &address, NULL), 0);
			nonet_address_free(address);
			free(text);
			text = padded(row->before, fillers[j], row->limit + 1, row->after);
			assert_refused(text, (int)position, row->fragment);
			free(text);
		}
	}
}

static void directory_and_name_share_a_limit(void **state)
{
	struct nonet_address *address = NULL;
	char *longest = padded("mutex:", "d", 4093, "/m");
	char *longer = padded("mutex:", "d", 4094, "/m");

	(void)state;
	assert_int_equal(nonet_address_parse(longest, &address, NULL), 0);
	assert_refused(longer, 6 + 4095, "at most 4095");
	nonet_address_free(address);
	free(longest);
	free(longer);
}

/* The sentence quotes, but has room for its own words. */
static void a_long_address_is_quoted_in_part(void **state)
{
	char *text = padded("", "\xc3\xa9", 2000, ":");
	char *digits = padded("fd:", "9", 2000, "x");

	(void)state;
	assert_refused(text, 0, "\xc3\xa9:\"; there are fifo:");
	assert_refused(digits, 2003, "999\" is no descriptor: write one in decimal digits alone");
	free(text);
	free(digits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_addresses_are_refused_at_the_byte),
		cmocka_unit_test(names_are_taken_up_to_their_limits_and_no_further),
		cmocka_unit_test(directory_and_name_share_a_limit),
		cmocka_unit_test(a_long_address_is_quoted_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
