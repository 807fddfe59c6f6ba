/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "say.h"
#include "verb.h"

#define OPTIONS_MAX 32

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{"", 1000000000},  {"ns", 1},          {"us", 1000},         {"ms", 1000000},
	{"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}, {NULL, 0},
};

static const struct unit sizes[] = {
	{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0},
};

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * A decimal number, with a fraction if that isn't finer than one, and a unit after it. Not strtod(): it takes what
 * nobody means here (0x1p3, nan, leading blanks), and a locale's comma.
 * Return: 1 if @text is that and the product fits, else 0.
 */
static int parse_with_unit(const char *text, const struct unit *units, int64_t *ret_value)
{
	const char *at = text, *fraction = NULL, *digit;
	int64_t value = 0, factor, place, part;

	if (!is_digit(*at))
		return 0;
	for (; is_digit(*at); at++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
			return 0;
	if (*at == '.' && is_digit(at[1]))
		for (fraction = ++at; is_digit(*at); at++)
			;
	while (units->name && strcmp(units->name, at) != 0)
		units++;
	if (!units->name)
		return 0;
	factor = units->factor;
	if (__builtin_mul_overflow(value, factor, &value))
		return 0;
	for (digit = fraction, place = factor; digit && digit < at; digit++) {
		part = (*digit - '0') * (place / 10);
		if (*digit != '0' && place % 10 != 0)
			return 0;
		place /= 10;
		if (__builtin_add_overflow(value, part, &value))
			return 0;
	}
	*ret_value = value;
	return 1;
}

int parse_duration(const char *option, const char *text, nonet_time *ret_duration)
{
	int64_t value;

	if (strcmp(text, "forever") == 0) {
		*ret_duration = NONET_FOREVER;
		return 0;
	}
	if (!parse_with_unit(text, durations, &value))
		return say_usage("%s takes a duration such as 250ms, 1.5s or 2 (seconds), not \"%s\"", option, text);
	*ret_duration = value;
	return 0;
}

nonet_time parse_deadline(nonet_time duration)
{
	return duration == NONET_FOREVER ? NONET_FOREVER : nonet_after(duration);
}

int parse_size(const char *option, const char *text, uint64_t max, uint64_t *ret_size)
{
	int64_t value;

	if (strchr(text, '.') || !parse_with_unit(text, sizes, &value) || value < 1 || (uint64_t)value > max)
		return say_usage("%s takes a number of bytes such as 4096, 64K or 16M, from 1 to %llu, not \"%s\"",
				 option, (unsigned long long)max, text);
	*ret_size = (uint64_t)value;
	return 0;
}

int parse_count(const char *option, const char *text, uint64_t *ret_count)
{
	int64_t value;

	if (strspn(text, "0123456789") != strlen(text) || !parse_with_unit(text, sizes, &value) || value < 1)
		return say_usage("%s takes a whole number, 1 or more, not \"%s\"", option, text);
	*ret_count = (uint64_t)value;
	return 0;
}

static int parse_from(int least, const char *option, const char *text, int *ret_value)
{
	const char *digits = text + (text[0] == '-');
	int64_t value;

	if (strspn(digits, "0123456789") != strlen(digits) || !parse_with_unit(digits, sizes, &value) ||
	    value > (int64_t)INT_MAX + (digits > text) || (digits > text && -value < least))
		return say_usage("%s takes a whole number from %d to %d, not \"%s\"", option, least, INT_MAX, text);
	*ret_value = (int)(digits > text ? -value : value);
	return 0;
}

int parse_integer(const char *option, const char *text, int *ret_value)
{
	return parse_from(INT_MIN, option, text, ret_value);
}

int parse_whole(const char *option, const char *text, int *ret_value)
{
	return parse_from(0, option, text, ret_value);
}

int parse_mode(const char *option, const char *text, uint32_t *ret_mode)
{
	uint32_t mode = 0;
	size_t i, size = strlen(text);

	for (i = 0; i < size && size <= 4 && text[i] >= '0' && text[i] <= '7'; i++)
		mode = mode * 8 + (uint32_t)(text[i] - '0');
	if (i < size || mode == 0 || mode > 0777)
		return say_usage("%s takes permissions in octal such as 0600 or 660, not \"%s\"", option, text);
	*ret_mode = mode;
	return 0;
}

int parse_complain(int answer, char *argv[], const struct option *options)
{
	const char *names[OPTIONS_MAX + 1], *word = argv[optind - 1], *nearest;
	size_t i, length;

	if (answer == ':')
		return say_usage("option %s needs an argument after it", word);
	if (optopt != 0 && optopt < PARSE_HELP)
		return say_usage("there is no option -%c: --help lists them", optopt);
	if (optopt != 0)
		return say_usage("option %.*s takes no argument", (int)strcspn(word, "="), word);
	length = strcspn(word, "=");
	for (i = 0; i < OPTIONS_MAX && options[i].name; i++)
		names[i] = options[i].name;
	names[i] = NULL;
	nearest = length > 2 ? verb_nearest(word + 2, names) : NULL;
	if (nearest)
		return say_usage("there is no option %.*s: did you mean --%s?", (int)length, word, nearest);
	return say_usage("there is no option %.*s: --help lists them", (int)length, word);
}
