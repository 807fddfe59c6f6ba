/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "interrupt.h"
#include "say.h"
#include "verb.h"

#define OUTPUT_SIZE ((size_t)256 * 1024)

int output_open(struct output *output)
{
	memset(output, 0, sizeof(*output));
	output->buffer = malloc(OUTPUT_SIZE);
	if (!output->buffer)
		return -ENOMEM;
	output->at_once = isatty(STDOUT_FILENO);
	return 0;
}

void output_close(struct output *output)
{
	free(output->buffer);
	output->buffer = NULL;
}

/* What we write to may be non-blocking by another's doing: it is shared with whoever else has it open. */
static int write_all(int fd, const char *bytes, size_t size)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	ssize_t n;

	while (size > 0) {
		n = write(fd, bytes, size);
		if (n >= 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (errno == EINTR) {
			if (interrupt_signal())
				return -EINTR;
		} else if (errno == EAGAIN) {
			if (poll(&room, 1, -1) < 0 && interrupt_signal())
				return -EINTR;
		} else {
			return -errno;
		}
	}
	return 0;
}

void output_watch(struct nonet_wait_set *set)
{
	const int flags = fcntl(STDOUT_FILENO, F_GETFL);
	struct stat status;

	/*
	 * Who can't be watched is noticed when there is something to write. One that could be read too would be ready
	 * by what we write ourselves.
	 */
	if (flags >= 0 && (flags & O_ACCMODE) == O_WRONLY && fstat(STDOUT_FILENO, &status) == 0 &&
	    S_ISFIFO(status.st_mode))
		(void)!nonet_wait_set_add_fd(set, STDOUT_FILENO, NONET_WAIT_RECEIVE, NULL);
}

/* Whether standard output is a pipe that nobody reads. */
static int output_is_left(void)
{
	struct pollfd output = {.fd = STDOUT_FILENO};

	return poll(&output, 1, 0) > 0 && output.revents & POLLERR;
}

int output_flush(struct output *output)
{
	size_t used = output->used;

	output->used = 0;
	if (used == 0 && output_is_left())
		return -EPIPE;
	return used > 0 ? write_all(STDOUT_FILENO, output->buffer, used) : 0;
}

int output_write(struct output *output, const void *bytes, size_t size)
{
	int r;

	if (size == 0)
		return 0;
	if (size > OUTPUT_SIZE - output->used) {
		r = output_flush(output);
		if (r < 0)
			return r;
	}
	if (size >= OUTPUT_SIZE)
		return write_all(STDOUT_FILENO, bytes, size);
	memcpy(output->buffer + output->used, bytes, size);
	output->used += size;
	return 0;
}

int output_end_message(struct output *output)
{
	return output->at_once ? output_flush(output) : 0;
}

int output_failed(int code)
{
	if (code == -EINTR && interrupt_signal())
		return -interrupt_signal();
	if (code == -EPIPE)
		return -SIGPIPE;
	return say_failure("can't write to standard output: %s", strerror(-code));
}

int output_json_line(json_t *line)
{
	if (!line)
		return say_failure("no memory is left");
	json_dumpf(line, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(line);
	return output_finish_stdio(STATUS_DONE);
}

int output_write_to(int fd, const char *text)
{
	return write_all(fd, text, strlen(text));
}

int output_finish_stdio(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return output_failed(errno ? -errno : -EIO);
}

/* libsmartcols fills up each line of a cell that has several, also in the last column. */
int output_table(struct libscols_table *table)
{
	char *text = NULL;
	const char *line;
	size_t size, end;
	FILE *file = open_memstream(&text, &size);
	int r = file ? scols_table_set_stream(table, file) : -1;

	if (r == 0)
		r = scols_print_table(table);
	(void)scols_table_set_stream(table, stdout);
	if (file && fclose(file) < 0)
		r = -1;
	for (line = text; r == 0 && *line; line += size + (line[size] == '\n')) {
		size = strcspn(line, "\n");
		for (end = size; end > 0 && line[end - 1] == ' '; end--)
			;
		printf("%.*s\n", (int)end, line);
	}
	free(text);
	return r == 0 ? 0 : -1;
}

int output_json(json_t *json)
{
	int r = json ? json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9)) : -1;

	json_decref(json);
	/* Standard output's own error is told when it is finished. */
	if (r < 0 && !ferror(stdout))
		return say_failure("no memory is left");
	putchar('\n');
	return STATUS_DONE;
}
