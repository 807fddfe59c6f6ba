/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_PARSE_H
#define NONET_TOOL_PARSE_H

#include <getopt.h>
#include <stdint.h>

#include <nonet/time.h>

/* What people write on the command line. Each call returns 0, or STATUS_USAGE after it said what is wrong. */

/* A duration: 250ms, 1.5s, 2 (seconds); units ns us ms s m h; "forever". */
int parse_duration(const char *option, const char *text, nonet_time *ret_duration);

/* A number of bytes: 4096, 64K, 16M, 1G; powers of 1024; 1 to @max. */
int parse_size(const char *option, const char *text, uint64_t max, uint64_t *ret_size);

/* A count of 1 or more. */
int parse_count(const char *option, const char *text, uint64_t *ret_count);

/* A whole number that fits an int, also below 0. */
int parse_integer(const char *option, const char *text, int *ret_value);
/* The same, of 0 or more. */
int parse_whole(const char *option, const char *text, int *ret_value);

/* Permissions in octal, 1 to 777. */
int parse_mode(const char *option, const char *text, uint32_t *ret_mode);

/*
 * The values of long options, also of those that have a letter, are above all letters: so parse_complain() knows which
 * it was. That of --help, which every verb has, and where a verb's own begin.
 */
#define PARSE_HELP 256
#define PARSE_LONG 257

/*
 * For what getopt_long() answers with '?' or ':' (opterr is 0, the option string begins with ':'): says which option
 * was unknown, ambiguous, or lacks its argument. Return: STATUS_USAGE.
 */
int parse_complain(int answer, char *argv[], const struct option *options);

/* The moment that lies a duration, as parsed, from now. */
nonet_time parse_deadline(nonet_time duration);

#endif
