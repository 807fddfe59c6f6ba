/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

void doctor_init(struct doctor *doctor, const char *root)
{
	char text[64];

	doctor->root = root;
	doctor->uid = (unsigned)geteuid();
	doctor->privileges = 0;
	/* "real effective saved filesystem" */
	if (doctor_field(doctor, "/proc/self/status", "Uid:", text, sizeof(text)) >= 0)
		(void)sscanf(text, "%*u %u", &doctor->uid);
	if (doctor_field(doctor, "/proc/self/status", "CapEff:", text, sizeof(text)) >= 0)
		(void)sscanf(text, "%" SCNx64, &doctor->privileges);
}

int doctor_may(const struct doctor *doctor, unsigned capability)
{
	return (int)(doctor->privileges >> capability & 1);
}

int doctor_can_try(const struct doctor *doctor)
{
	return !doctor->root[0];
}

/* Names of files are others' choice: nothing of them may steer a terminal or break the encoding of JSON. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void __attribute__((format(printf, 3, 0))) fill(char *text, size_t size, const char *format, va_list arguments)
{
	vsnprintf(text, size, format, arguments);
	make_printable(text);
}

void doctor_found(struct doctor_finding *finding, enum doctor_level level, const char *format, ...)
{
	va_list arguments;

	finding->level = level;
	va_start(arguments, format);
	fill(finding->found, sizeof(finding->found), format, arguments);
	va_end(arguments);
}

void doctor_means(struct doctor_finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(finding->means, sizeof(finding->means), format, arguments);
	va_end(arguments);
}

void doctor_mend(struct doctor_finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(finding->mend, sizeof(finding->mend), format, arguments);
	va_end(arguments);
}

void doctor_mend_as_root(const struct doctor *doctor, struct doctor_finding *finding, const char *format, ...)
{
	const char *prefix = doctor->uid == 0 ? "" : "sudo ";
	size_t used = strlen(prefix);
	va_list arguments;

	memcpy(finding->mend, prefix, used + 1);
	va_start(arguments, format);
	fill(finding->mend + used, sizeof(finding->mend) - used, format, arguments);
	va_end(arguments);
}

void doctor_mend_limit(const struct doctor *doctor, struct doctor_finding *finding, const char *option, uint64_t limit)
{
	/* A container's root: what it was started with is all it can have. */
	if (doctor->uid == 0 && !doctor_may(doctor, CAP_SYS_RESOURCE))
		doctor_mend(finding, "docker run --ulimit %s=%" PRIu64 " IMAGE", option, limit);
	else
		doctor_mend_as_root(doctor, finding, "prlimit --%s=%" PRIu64 " --pid $$", option, limit);
}

static const char *reason(int code)
{
	return code == -EBADMSG ? "isn't what it should be" : strerror(-code);
}

void doctor_cant_tell(struct doctor_finding *finding, const char *path, int code)
{
	memset(finding, 0, sizeof(*finding));
	doctor_found(finding, DOCTOR_UNKNOWN, "Can't tell: %s: %s", path, reason(code));
}

void doctor_cant_try(struct doctor_finding *finding)
{
	doctor_found(finding, DOCTOR_UNKNOWN, "Can't tell: it has to be tried on the machine itself");
}

enum doctor_level doctor_fullness(uint64_t used, uint64_t limit)
{
	if (used >= limit - limit / 10)
		return DOCTOR_PROBLEM;
	return used >= limit / 10 * 7 && limit >= 10 ? DOCTOR_NOTE : DOCTOR_OK;
}

const char *doctor_size(uint64_t size, char *text, size_t text_size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)size;
	size_t i;

	if (size == DOCTOR_UNLIMITED)
		return "no limit";
	for (i = 0; value >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		value /= 1024;
	snprintf(text, text_size, "%.*f %s", value < 10 && value != (double)(int)value ? 1 : 0, value, units[i]);
	return text;
}

const char *doctor_count(uint64_t count, char *text, size_t text_size)
{
	if (count == DOCTOR_UNLIMITED)
		return "no limit";
	snprintf(text, text_size, "%" PRIu64, count);
	return text;
}
