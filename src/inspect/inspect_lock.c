/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/inspect_lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct lock_word {
	const char *word;
	int value;
} lock_kinds[] =
	{
		{"POSIX", NONET_SCHEME_POSIXLOCK},
		{"OFDLCK", NONET_SCHEME_OFDLOCK},
		{"FLOCK", NONET_SCHEME_FLOCK},
		{NULL, 0},
},
  lock_modes[] = {
	  {"READ", SYS_LOCK_SHARED},
	  {"WRITE", SYS_LOCK_EXCLUSIVE},
	  {NULL, 0},
};

/* 0 if it isn't there. */
static int lock_value(const struct lock_word *words, const char *word)
{
	while (words->word && strcmp(words->word, word) != 0)
		words++;
	return words->value;
}

/* As the kernel's lock_get_status() writes it: "1: POSIX  ADVISORY  WRITE 17 08:01:2042 0 EOF", "->" if it waits. */
bool inspect_lock_read(const char *text, struct inspect_lock *ret_lock)
{
	struct inspect_lock lock = {.waits = false};
	char kind[8], mode[8], end[24];
	int64_t last;
	int at = 0;

	if (sscanf(text, " %*[0-9]: %n", &at) < 0 || at == 0)
		return false;
	text += at;
	if (strncmp(text, "->", 2) == 0) {
		lock.waits = true;
		text += 2;
	}
	if (sscanf(text, " %7s %*s %7s %" SCNd32 " %x:%x:%" SCNu64 " %" SCNd64 " %23s", kind, mode, &lock.taker,
		   &lock.file.major, &lock.file.minor, &lock.file.inode, &lock.range.start, end) != 8)
		return false;
	lock.scheme = (enum nonet_scheme)lock_value(lock_kinds, kind);
	lock.mode = (enum sys_lock_mode)lock_value(lock_modes, mode);
	if (lock.scheme == 0 || lock.mode == SYS_LOCK_NONE || lock.range.start < 0)
		return false;
	if (strcmp(end, "EOF") != 0) {
		if (sscanf(end, "%" SCNd64, &last) != 1 || last < lock.range.start)
			return false;
		/* The end may be the last possible byte, and the start the first: then it is all that follow. */
		lock.range.length = last == INT64_MAX ? 0 : last - lock.range.start + 1;
	}
	*ret_lock = lock;
	return true;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int inspect_lock_compare(const struct inspect_lock *a, const struct inspect_lock *b)
{
	int order = inspect_file_compare(&a->file, &b->file);

	order = order ? order : compare_numbers((uint64_t)a->range.start, (uint64_t)b->range.start);
	order = order ? order : compare_numbers((uint64_t)a->range.length, (uint64_t)b->range.length);
	order = order ? order : compare_numbers(a->scheme, b->scheme);
	order = order ? order : compare_numbers(a->mode, b->mode);
	order = order ? order : compare_numbers((uint32_t)a->taker, (uint32_t)b->taker);
	return order ? order : compare_numbers(a->waits, b->waits);
}

bool inspect_lock_is_same(const struct inspect_lock *a, const struct inspect_lock *b)
{
	return inspect_lock_compare(a, b) == 0;
}

/* The last byte; a range that ends behind the last possible one ends there. */
static int64_t range_last(const struct sys_lock_range *range)
{
	int64_t last;

	if (range->length == 0 || __builtin_add_overflow(range->start, range->length - 1, &last))
		return INT64_MAX;
	return last;
}

bool inspect_ranges_overlap(const struct sys_lock_range *a, const struct sys_lock_range *b)
{
	return a->start <= range_last(b) && b->start <= range_last(a);
}
