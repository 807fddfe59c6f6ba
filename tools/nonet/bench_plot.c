/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nonet/error.h>
#include <nonet/process.h>
#include <nonet/version.h>

#include "bench_keep.h"
#include "say.h"
#include "verb.h"

/* Nothing that it is asked to draw takes it so long. */
#define PATIENCE NONET_S(30)

/* Whether a row is a point of a line: the same thing in other sizes. */
static int is_point(const struct bench_found *found, const struct bench_case *of)
{
	return found->result.code == 0 && found->row->subject.mode == of->mode &&
	       strcmp(found->row->subject.what, of->what) == 0;
}

/* The first of its line, which has several points. */
static int begins_line(const struct bench_found *found, size_t count, size_t index, enum bench_mode mode)
{
	const struct bench_case *of = &found[index].row->subject;
	size_t i, points = 0;

	if (of->mode != mode || !is_point(&found[index], of))
		return 0;
	for (i = 0; i < count; i++) {
		if (!is_point(&found[i], of))
			continue;
		if (points++ == 0 && i != index)
			return 0;
	}
	return points > 1;
}

static int has_lines(const struct bench_found *found, size_t count, enum bench_mode mode)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (begins_line(found, count, i, mode))
			return 1;
	return 0;
}

/* One picture: the data of all its lines, then the lines. */
static void print_picture(FILE *file, const struct bench_found *found, size_t count, enum bench_mode mode,
			  const char *label)
{
	const char *before = "plot";
	size_t i, j;

	if (!has_lines(found, count, mode))
		return;
	for (i = 0; i < count; i++) {
		if (!begins_line(found, count, i, mode))
			continue;
		fprintf(file, "$%s%zu << END\n", bench_mode_name(mode), i);
		for (j = i; j < count; j++) {
			const double size = (double)found[j].row->subject.size, each = found[j].result.each;

			if (is_point(&found[j], &found[i].row->subject))
				fprintf(file, "%.0f %g\n", size, mode == BENCH_STREAM ? size / each : each);
		}
		fputs("END\n", file);
	}
	fprintf(file, "set ylabel '%s'\n", label);
	for (i = 0; i < count; i++) {
		if (!begins_line(found, count, i, mode))
			continue;
		fprintf(file, "%s $%s%zu using 1:2 with linespoints title '%s'", before, bench_mode_name(mode), i,
			found[i].row->subject.what);
		before = ", \\\n";
	}
	fputc('\n', file);
}

/* The script, which isn't anywhere in the file system. Return: its descriptor, or a negative errno. */
static int write_script(const struct bench_found *found, size_t count, const struct bench_machine *machine)
{
	int fd = memfd_create("nonet-bench", MFD_CLOEXEC), copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
	const char *at;

	if (!file) {
		const int code = -errno;

		if (copy >= 0)
			close(copy);
		if (fd >= 0)
			close(fd);
		return code;
	}
	fputs("set terminal svg size 1000,900 background 'white'\nset title '", file);
	for (at = machine->cpu; *at; at++)
		fputc(*at == '\'' || *at < ' ' ? ' ' : *at, file);
	fprintf(file, ", nonet %s'\n", nonet_version());
	fputs("set multiplot layout 2,1\nset logscale xy\nset grid\nset key outside\nset xlabel 'bytes of a message'\n"
	      "set format x '%.0b %B'\n",
	      file);
	print_picture(file, found, count, BENCH_POLL, "one way, looked for, ns");
	fputs("unset title\n", file);
	print_picture(file, found, count, BENCH_STREAM, "GB a second");
	fputs("unset multiplot\n", file);
	if (fclose(file) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -EIO;
}

/* Return: 0; or STATUS_FAILED after saying why. */
static int draw(int script, int picture)
{
	const char *const arguments[] = {"gnuplot", NULL};
	const struct nonet_process_options options = {
		.size = sizeof(options),
		.input = {NONET_PROCESS_DESCRIPTOR, script},
		.output = {NONET_PROCESS_DESCRIPTOR, picture},
		.death_signal = 9,
	};
	struct nonet_process_status status;
	struct nonet_process *process;
	struct nonet_error error;
	int r = nonet_process_spawn(arguments, &options, &process, &error);

	if (r == -ENOENT)
		return say_failure("there is no gnuplot to draw with: on Debian, apt install gnuplot-nox");
	if (r < 0)
		return say_error(&error, NULL);
	r = nonet_process_wait(process, nonet_after(PATIENCE), &status);
	if (r == -ETIMEDOUT)
		(void)!nonet_process_stop(process, NONET_NOW, nonet_after(NONET_S(1)), NULL);
	nonet_process_close(process);
	if (r < 0)
		return say_failure("can't wait for gnuplot: %s", nonet_error_name(r));
	if (status.how != NONET_PROCESS_EXITED || status.code != 0)
		return say_failure("gnuplot failed, and has said why");
	return 0;
}

int bench_plot(const char *path, const struct bench_found *found, size_t count, const struct bench_machine *machine)
{
	char other[4096];
	int script, picture, r;

	if (!has_lines(found, count, BENCH_POLL) && !has_lines(found, count, BENCH_STREAM))
		return say_failure("there is nothing to draw: nothing was measured in several sizes");
	if ((size_t)snprintf(other, sizeof(other), "%s.XXXXXX", path) >= sizeof(other))
		return say_failure("can't write %s: %s", path, strerror(ENAMETOOLONG));
	script = write_script(found, count, machine);
	if (script < 0)
		return say_failure("can't tell gnuplot what to draw: %s", strerror(-script));
	picture = mkostemp(other, O_CLOEXEC);
	r = picture < 0 ? say_failure("can't write %s: %s", path, strerror(errno)) : draw(script, picture);
	/* As any file that a command makes. */
	if (r == 0) {
		const mode_t mask = umask(0);

		umask(mask);
		if (fchmod(picture, 0666 & ~mask) < 0 || rename(other, path) < 0)
			r = say_failure("can't write %s: %s", path, strerror(errno));
	}
	if (r != 0 && picture >= 0)
		unlink(other);
	if (picture >= 0)
		close(picture);
	close(script);
	return r;
}
