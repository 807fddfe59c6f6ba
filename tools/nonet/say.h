/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_SAY_H
#define NONET_TOOL_SAY_H

#include <nonet/error.h>

/* What the command tells a person on standard error. Control characters never get through to the terminal. */

/* Messages begin with "nonet NAME:" from now on; NULL: with "nonet:". */
void say_verb(const char *name);

/* One line. Return: STATUS_FAILED. */
int say_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line that says what was wrong with the command line and what is right. Return: STATUS_USAGE. */
int say_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The library's sentence; if it is about a byte of @address, then also the address and a caret under that byte.
 * Return: the exit status that the error's code means.
 */
int say_error(const struct nonet_error *error, const char *address);

/* The exit status that a result of the library means: timed out, or failed. */
int say_status(int code);

/* Whether text on this descriptor may be coloured: it's a terminal, and NO_COLOR isn't set (no-color.org). */
int say_in_color(int fd);

#endif
