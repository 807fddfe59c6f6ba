/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_DOCTOR_H
#define NONET_TOOL_DOCTOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * What nonet doctor looks at. Each check is a row of its group's table, and a function that looks and fills in a
 * finding; it changes nothing, waits for nothing, and says "can't tell" where it can't look. To add one: its function
 * and its row in the group's doctor_*.c, a planted fault in tests/cli/test_doctor_*.py, its entry in nonet-doctor(1).
 */

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_UNKNOWN, /* couldn't be looked at */
	DOCTOR_NOTE,    /* works, and will bite under load or in a case that is said */
	DOCTOR_PROBLEM, /* something fails now, or nearly */
};

/* Printable ASCII all of it, whatever names and files of others it quotes. */
struct doctor_finding {
	enum doctor_level level;
	char found[256]; /* what is there; for DOCTOR_UNKNOWN why nobody can say */
	char means[512]; /* what that does to a program; empty if nothing */
	char mend[384];  /* a shell command; empty if none helps */
};

struct doctor {
	const char *root;    /* what is read in place of /: "" for this machine itself */
	unsigned uid;        /* the effective one */
	uint64_t privileges; /* effective capabilities, a bit each */
};

typedef void doctor_function(const struct doctor *doctor, struct doctor_finding *ret_finding);

struct doctor_check {
	const char *name;
	const char *about; /* what is looked at, in half a line */
	doctor_function *look;
};

/* Each group's checks; an entry without name ends them. */
struct doctor_group {
	const char *name;
	const struct doctor_check *checks;
};

extern const struct doctor_check doctor_access[];
extern const struct doctor_check doctor_kernel[];
extern const struct doctor_check doctor_limits[];
extern const struct doctor_check doctor_memory[];
extern const struct doctor_check doctor_own[];
extern const struct doctor_check doctor_pipes[];
extern const struct doctor_check doctor_posix_queues[];
extern const struct doctor_check doctor_sockets[];
extern const struct doctor_check doctor_sysv[];

/* Reads who we are. @root must stay. */
void doctor_init(struct doctor *doctor, const char *root);

/* Whether the capability with this number of linux/capability.h is effective. */
int doctor_may(const struct doctor *doctor, unsigned capability);

/* What is found out by trying can be found out only where we run. */
int doctor_can_try(const struct doctor *doctor);

/* doctor_cgroup.c, doctor_logind.c: too long to stand in their group's file */
doctor_function doctor_cgroup_memory;
doctor_function doctor_remove_ipc;

/*
 * Filling in a finding. The texts are sentences, but what was found has no full stop.
 */
#define DOCTOR_FORMAT(n) __attribute__((format(printf, n, n + 1)))
void doctor_found(struct doctor_finding *finding, enum doctor_level level, const char *format, ...) DOCTOR_FORMAT(3);
void doctor_means(struct doctor_finding *finding, const char *format, ...) DOCTOR_FORMAT(2);
void doctor_mend(struct doctor_finding *finding, const char *format, ...) DOCTOR_FORMAT(2);

/* As doctor_mend(), with sudo before the command if we aren't root. */
void doctor_mend_as_root(const struct doctor *doctor, struct doctor_finding *finding, const char *format, ...)
	DOCTOR_FORMAT(3);

/* That the shell's hard limit is raised: its option of prlimit(1) and docker(1), and to what. */
void doctor_mend_limit(const struct doctor *doctor, struct doctor_finding *finding, const char *option, uint64_t limit);

/* @path couldn't be read, or has not what it should have; @code is a negative errno. */
void doctor_cant_tell(struct doctor_finding *finding, const char *path, int code);

/* For checks that try, where doctor_can_try() says no. */
void doctor_cant_try(struct doctor_finding *finding);

/* DOCTOR_PROBLEM from 90 % of @limit on, DOCTOR_NOTE from 70 %, else DOCTOR_OK; a limit of 0 is full. */
enum doctor_level doctor_fullness(uint64_t used, uint64_t limit);

/*
 * Reading, all below doctor->root. Only regular files, without waiting. Return: 0 or more, or a negative errno;
 * -EBADMSG: the text isn't what it should be.
 */

/* NULL and errno if it can't be opened. The caller closes it. */
FILE *doctor_open(const struct doctor *doctor, const char *path);

/* The path below the root. The caller frees it; NULL: no memory. */
char *doctor_path(const struct doctor *doctor, const char *path);

/* The first line, without its end. */
int doctor_line(const struct doctor *doctor, const char *path, char *ret_line, size_t size);

/* The file's first numbers. "max" and "unlimited" are DOCTOR_UNLIMITED. */
#define DOCTOR_UNLIMITED UINT64_MAX
int doctor_numbers(const struct doctor *doctor, const char *path, uint64_t *ret_numbers, size_t count);
int doctor_number(const struct doctor *doctor, const char *path, uint64_t *ret_number);

/* What follows @key in the first line that begins with it, from the next character that is no blank. */
int doctor_field(const struct doctor *doctor, const char *path, const char *key, char *ret_value, size_t size);

/*
 * Whether /proc/sys shows the kernel's settings. Where it is masked, as in some containers, that a setting is missing
 * says nothing of the kernel.
 */
int doctor_sees_settings(const struct doctor *doctor);

/* A row of /proc/self/limits. */
int doctor_rlimit(const struct doctor *doctor, const char *name, uint64_t *ret_soft, uint64_t *ret_hard);

/* How many lines a file has, without its heading. */
int doctor_rows(const struct doctor *doctor, const char *path, uint64_t *ret_rows);

/* A mount of /proc/self/mountinfo. */
struct doctor_mount {
	char root[256];    /* which folder of the filesystem is mounted */
	char point[256];   /* where */
	char options[256]; /* the mount's own: rw,nosuid */
	char type[32];
	char super[512]; /* the filesystem's options: rw,size=64k */
};

/* Every mount in turn until @want returns non-zero for one. */
typedef int doctor_mount_wanted(const struct doctor_mount *mount, const void *data);

/* The last mount that is wanted: it covers those before. Return: 1 if there is one, 0 if not, or a negative errno. */
int doctor_mount_find(const struct doctor *doctor, doctor_mount_wanted *want, const void *data,
		      struct doctor_mount *ret_mount);

/* Ready-made for doctor_mount_find(): by the place or type that @data is. */
doctor_mount_wanted doctor_mount_at, doctor_mount_of_type;

/* Whether comma-separated options have this one; with a value after "=": where it begins, or NULL. */
const char *doctor_mount_option(const char *options, const char *name);

/* For people: "64 MiB", "12.5 KiB"; "no limit". */
const char *doctor_size(uint64_t size, char *text, size_t text_size);
#define DOCTOR_SIZE(size) doctor_size(size, (char[32]){0}, 32)
/* "1024"; "no limit". */
const char *doctor_count(uint64_t count, char *text, size_t text_size);
#define DOCTOR_COUNT(count) doctor_count(count, (char[32]){0}, 32)

#endif
