/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_OUTPUT_H
#define NONET_TOOL_OUTPUT_H

#include <stddef.h>

#include <jansson.h>
#include <libsmartcols/libsmartcols.h>

#include <nonet/wait.h>

/*
 * Standard output for many messages: gathered, and written when the buffer is full or output_flush() is called; on a
 * terminal after each message. Calls return 0 or a negative errno; -EINTR: a signal came (interrupt.h).
 */
struct output {
	char *buffer;
	size_t used;
	int at_once; /* flush after each message */
};

int output_open(struct output *output);
void output_close(struct output *output);

int output_write(struct output *output, const void *bytes, size_t size);
int output_end_message(struct output *output);
int output_flush(struct output *output);

/* Have a set wake when nobody reads a pipe that we write to any more; then output_flush() says -EPIPE. */
void output_watch(struct nonet_wait_set *set);

/*
 * Says why standard output couldn't be written. Return: the verb's status; for -EPIPE -SIGPIPE: who reads us has had
 * enough, and the shell is told as by any filter.
 */
int output_failed(int code);

/*
 * Prints a line of JSON by stdio, and frees it; NULL: there was no memory to make it. Return: the verb's status, as
 * output_finish_stdio().
 */
int output_json_line(json_t *line);

/* Writes the whole of @text to a descriptor that the caller of the command gave us. Return: 0 or a negative errno. */
int output_write_to(int fd, const char *text);

/* For verbs that print by stdio: writes what is left. Return: @status, or output_failed()'s. */
int output_finish_stdio(int status);

/* Prints a table, with no blanks at the ends of its lines. Return: 0, or -1: no memory. */
int output_table(struct libscols_table *table);

/* Prints a document, which is freed; NULL: there was no memory for it. Return: the verb's status so far. */
int output_json(json_t *json);

#endif
