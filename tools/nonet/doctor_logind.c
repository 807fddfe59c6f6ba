/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "doctor.h"

/* logind.conf(5): the first of these to have the file, or a drop-in of that name, wins. */
static const char *const folders[] = {"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"};
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

/* systemd's SYSTEM_UID_MAX as it is built nearly everywhere: their IPC objects are never removed. */
#define SYSTEM_UID_MAX 999

struct setting {
	int removes;
	char from[256]; /* the file that says so; empty: none does */
};

/* A drop-in, by its name and the first folder that has one of that name. */
struct drop_in {
	char name[256];
	size_t folder;
};

/* Return: the value, or -1 if it is no boolean, which systemd then ignores. */
static int boolean(const char *text)
{
	static const char *const words[2][6] = {
		{"0", "no", "n", "false", "f", "off"},
		{"1", "yes", "y", "true", "t", "on"},
	};
	size_t value, i;

	for (value = 0; value < 2; value++)
		for (i = 0; i < 6; i++)
			if (strcasecmp(text, words[value][i]) == 0)
				return (int)value;
	return -1;
}

static char *trim(char *text)
{
	size_t size;

	text += strspn(text, " \t");
	for (size = strlen(text); size > 0 && strchr(" \t\r\n", text[size - 1]); size--)
		text[size - 1] = '\0';
	return text;
}

static void read_file(const struct doctor *doctor, const char *path, struct setting *setting)
{
	FILE *file = doctor_open(doctor, path);
	char *line = NULL, *text, *value;
	int in_section = 0;
	size_t room = 0;

	if (!file) /* a link to /dev/null is how a file of the vendor is masked */
		return;
	while (getline(&line, &room, file) >= 0) {
		text = trim(line);
		if (*text == '[')
			in_section = strcmp(text, "[Login]") == 0;
		value = strchr(text, '=');
		if (!in_section || !value)
			continue;
		*value = '\0';
		if (strcmp(trim(text), "RemoveIPC") != 0 || boolean(trim(value + 1)) < 0)
			continue;
		setting->removes = boolean(trim(value + 1));
		snprintf(setting->from, sizeof(setting->from), "%s", path);
	}
	free(line);
	fclose(file);
}

static int exists(const struct doctor *doctor, const char *path)
{
	char *whole = doctor_path(doctor, path);
	struct stat status;
	int r = whole && lstat(whole, &status) == 0;

	free(whole);
	return r;
}

static int is_drop_in(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return size > 5 && strcmp(entry->d_name + size - 5, ".conf") == 0;
}

static int by_name(const void *a, const void *b)
{
	const struct drop_in *one = a, *other = b;
	int r = strcmp(one->name, other->name);

	return r ? r : (one->folder > other->folder) - (one->folder < other->folder);
}

/* Adds those of a folder. */
static void list_drop_ins(const struct doctor *doctor, size_t folder, struct drop_in **drop_ins, size_t *count)
{
	struct dirent **entries = NULL;
	struct drop_in *more;
	char path[64], *whole;
	int i, n = 0;

	snprintf(path, sizeof(path), "%s/logind.conf.d", folders[folder]);
	whole = doctor_path(doctor, path);
	if (whole)
		n = scandir(whole, &entries, is_drop_in, NULL);
	free(whole);
	more = n > 0 ? reallocarray(*drop_ins, *count + (size_t)n, sizeof(**drop_ins)) : NULL;
	if (more)
		*drop_ins = more;
	for (i = 0; i < n; i++) {
		if (more) {
			more[*count].folder = folder;
			snprintf(more[*count].name, sizeof(more->name), "%s", entries[i]->d_name);
			(*count)++;
		}
		free(entries[i]);
	}
	free(entries);
}

static void read_settings(const struct doctor *doctor, struct setting *setting)
{
	struct drop_in *drop_ins = NULL;
	size_t i, count = 0;
	char path[384];

	for (i = 0; i < FOLDERS; i++) {
		snprintf(path, sizeof(path), "%s/logind.conf", folders[i]);
		if (exists(doctor, path)) {
			read_file(doctor, path, setting);
			break;
		}
	}
	for (i = 0; i < FOLDERS; i++)
		list_drop_ins(doctor, i, &drop_ins, &count);
	if (count > 0)
		qsort(drop_ins, count, sizeof(*drop_ins), by_name);
	for (i = 0; i < count; i++) {
		if (i > 0 && strcmp(drop_ins[i].name, drop_ins[i - 1].name) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/logind.conf.d/%s", folders[drop_ins[i].folder], drop_ins[i].name);
		read_file(doctor, path, setting);
	}
	free(drop_ins);
}

/* Asked of /etc/passwd alone: the name service may have to wait for a network. */
static int lingers(const struct doctor *doctor)
{
	FILE *file = doctor_open(doctor, "/etc/passwd");
	char *line = NULL, name[64], path[128];
	size_t room = 0;
	unsigned uid;
	int r = 0;

	if (!file)
		return 0;
	while (!r && getline(&line, &room, file) >= 0) {
		if (sscanf(line, "%63[^:]:%*[^:]:%u", name, &uid) != 2 || uid != doctor->uid)
			continue;
		snprintf(path, sizeof(path), "/var/lib/systemd/linger/%s", name);
		r = exists(doctor, path);
	}
	free(line);
	fclose(file);
	return r;
}

void doctor_remove_ipc(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct setting setting = {.removes = 1}; /* what systemd does if nothing is said; some distributions differ */
	const char *as_root;
	char domain[64];

	if (!exists(doctor, "/run/systemd/seats")) { /* its RuntimeDirectory= */
		doctor_found(finding, DOCTOR_OK, "Systemd-logind doesn't run here, so that nothing is removed");
		return;
	}
	read_settings(doctor, &setting);
	if (!setting.removes) {
		doctor_found(finding, DOCTOR_OK, "Logind leaves IPC objects alone (%s)", setting.from);
		return;
	}
	if (doctor->uid <= SYSTEM_UID_MAX) {
		doctor_found(finding, DOCTOR_OK, "Logind removes IPC objects, but not those of system users like you");
		return;
	}
	if (lingers(doctor)) {
		doctor_found(finding, DOCTOR_OK, "Logind removes IPC objects at the last logout, but you linger");
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "Logind removes your IPC objects when you log out (RemoveIPC=yes: %s)",
		     setting.from[0] ? setting.from : "the default");
	snprintf(domain, sizeof(domain), "/dev/shm/nonet-%u", doctor->uid);
	doctor_means(finding,
		     "When your last session ends, your System V objects, POSIX queues and everything of yours "
		     "in /dev/shm are deleted under programs that still run, as from cron, nohup or a "
		     "service with User=%s%s%s. \"loginctl enable-linger\" spares you alone.",
		     exists(doctor, domain) ? "; nonet's domain " : "", exists(doctor, domain) ? domain : "",
		     exists(doctor, domain) ? " too, whose members are then told -ESTALE" : "");
	as_root = doctor->uid == 0 ? "" : "sudo ";
	doctor_mend(finding,
		    "%smkdir -p /etc/systemd/logind.conf.d && printf '[Login]\\nRemoveIPC=no\\n' | %stee "
		    "/etc/systemd/logind.conf.d/ipc.conf && %ssystemctl kill -s HUP systemd-logind",
		    as_root, as_root, as_root);
}
