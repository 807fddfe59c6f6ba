/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BIT(name) NONET_INSPECT_SCHEME(NONET_SCHEME_##name)

#define QUEUES     (BIT(POSIXMQ) | BIT(SYSVMSG))
#define SEMAPHORES (BIT(POSIXSEM) | BIT(SYSVSEM) | BIT(SEMAPHORE))
#define MEMORY     (BIT(POSIXSHM) | BIT(SYSVSHM))
#define SOCKETS    (BIT(UNIX) | BIT(UNIX_SEQPACKET) | BIT(UNIX_DGRAM))
#define LOCKS      (BIT(OFDLOCK) | BIT(POSIXLOCK) | BIT(FLOCK))
#define OWN        (BIT(MUTEX) | BIT(RWLOCK) | BIT(CONDITION) | BIT(EVENT) | BIT(SEMAPHORE) | BIT(CHANNEL))
#define LISTED     (QUEUES | SEMAPHORES | MEMORY | SOCKETS | LOCKS | OWN | BIT(FIFO))

const char *const object_words[] = {"queues", "semaphores", "memory", "fifos", "sockets", "locks", "domains", NULL};

static const uint64_t word_kinds[] = {QUEUES, SEMAPHORES, MEMORY, BIT(FIFO), SOCKETS, LOCKS, OWN};

uint64_t object_kinds(const char *word)
{
	size_t i;

	for (i = 0; object_words[i]; i++)
		if (strcmp(object_words[i], word) == 0)
			return word_kinds[i];
	for (i = 1; nonet_scheme_name((enum nonet_scheme)i); i++)
		if (strcmp(nonet_scheme_name((enum nonet_scheme)i), word) == 0)
			return NONET_INSPECT_SCHEME(i) & LISTED;
	return 0;
}

static int is(const struct nonet_inspect_object *object, uint64_t kinds)
{
	return (NONET_INSPECT_SCHEME(object->scheme) & kinds) != 0;
}

static int knows(const struct nonet_inspect_object *object, uint32_t what)
{
	return (object->known & what) == what;
}

static const char *set(char text[OBJECT_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *set(char text[OBJECT_TEXT], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, OBJECT_TEXT, format, arguments);
	va_end(arguments);
	return text;
}

const char *object_owner(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	const struct passwd *user;

	if (!knows(object, NONET_INSPECT_OWNER))
		return "";
	user = getpwuid(object->owner);
	return user ? set(text, "%s", user->pw_name) : set(text, "%" PRIu32, object->owner);
}

const char *object_mode(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	return knows(object, NONET_INSPECT_OWNER) ? set(text, "%04" PRIo32, object->mode) : "";
}

/* 4096 is 4K, 5000 is 4.9K. */
static const char *bytes_text(uint64_t bytes, char text[OBJECT_TEXT])
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	if (value < 10 && value > (double)(uint64_t)value)
		return set(text, "%.1f%c", value, units[unit]);
	return set(text, "%.0f%c", value, units[unit]);
}

const char *object_size(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	if (is(object, LOCKS))
		return "";
	return knows(object, NONET_INSPECT_BYTES) ? bytes_text(object->bytes, text) : "";
}

const char *object_queued(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	if (is(object, LOCKS | BIT(EVENT)))
		return "";
	return knows(object, NONET_INSPECT_COUNT) ? set(text, "%" PRIu64, object->count) : "";
}

/* In seconds. */
static int64_t age_of(int64_t time)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (int64_t)now.tv_sec - time / NONET_S(1);
	/* The clock was set back. */
	return age > 0 ? age : 0;
}

const char *age_text(int64_t time, char text[OBJECT_TEXT])
{
	const int64_t age = age_of(time);

	if (age < 120)
		return set(text, "%" PRId64 "s", age);
	if (age < 120 * 60)
		return set(text, "%" PRId64 "m", age / 60);
	if (age < 48 * 3600)
		return set(text, "%" PRId64 "h", age / 3600);
	return set(text, "%" PRId64 "d", age / 86400);
}

const char *object_age(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	return knows(object, NONET_INSPECT_CREATED) ? age_text(object->created, text) : "";
}

static void note(char text[OBJECT_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(char text[OBJECT_TEXT], const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	if (used > 0 && used + 3 < OBJECT_TEXT) {
		strcpy(text + used, ", ");
		used += 2;
	}
	va_start(arguments, format);
	vsnprintf(text + used, OBJECT_TEXT - used, format, arguments);
	va_end(arguments);
}

static void note_users(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	if (object->scheme == NONET_SCHEME_SYSVSHM)
		note(text, "%" PRIu64 " attached", object->users);
	else if (object->users > 0)
		note(text, "open in %" PRIu64 " process%s", object->users, object->users == 1 ? "" : "es");
}

static void note_room(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	char bytes[OBJECT_TEXT];

	if (object->scheme == NONET_SCHEME_POSIXMQ)
		note(text, "room for %" PRIu64 " messages", object->room);
	else if (object->scheme == NONET_SCHEME_SYSVMSG)
		note(text, "room for %s", bytes_text(object->room, bytes));
	else if (object->scheme == NONET_SCHEME_SEMAPHORE && knows(object, NONET_INSPECT_COUNT))
		note(text, "%" PRIu64 " of %" PRIu64 " permits free", object->count, object->room);
	else if (object->scheme == NONET_SCHEME_SEMAPHORE)
		note(text, "%" PRIu64 " permits", object->room);
	else if (object->room != 1)
		note(text, "%" PRIu64 " semaphores", object->room);
}

static void note_channel(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	note(text, "%" PRIu32 " publisher%s", object->publishers, object->publishers == 1 ? "" : "s");
	note(text, "%" PRIu32 " subscriber%s", object->subscribers, object->subscribers == 1 ? "" : "s");
}

static void note_calls(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	note(text, "%s", object->servers ? "a server" : "no server");
	note(text, "%" PRIu32 " client%s", object->clients, object->clients == 1 ? "" : "s");
}

static void note_event(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	note(text, "%s", object->flags & NONET_INSPECT_SET ? "set" : "not set");
	if (object->count == 1)
		note(text, "happened once");
	else if (object->count > 1)
		note(text, "happened %" PRIu64 " times", object->count);
	if (object->flags & NONET_INSPECT_SLEEPERS)
		note(text, "some may sleep until it does");
}

const char *lock_range(int64_t start, int64_t length, char text[OBJECT_TEXT])
{
	if (length > 0)
		return set(text, ", bytes %" PRId64 " to %" PRId64, start, start + (length - 1));
	return start > 0 ? set(text, ", from byte %" PRId64 " on", start) : "";
}

static void note_range(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	char range[OBJECT_TEXT];

	if (knows(object, NONET_INSPECT_PID))
		note(text, "held by %" PRId32, object->pid);
	note(text, "%s%s", object->flags & NONET_INSPECT_SHARED ? "shared" : "exclusive",
	     lock_range((int64_t)object->count, (int64_t)object->bytes, range));
}

const char *object_notes(const struct nonet_inspect_object *object, char text[OBJECT_TEXT])
{
	char age[OBJECT_TEXT];

	text[0] = '\0';
	if (object->flags & NONET_INSPECT_LISTENING)
		note(text, "listens");
	if (object->flags & NONET_INSPECT_REMOVED)
		note(text, is(object, MEMORY) ? "removed, goes with its last user" : "the path is gone");
	if (object->flags & NONET_INSPECT_STALE)
		note(text, "nobody has it open");
	if (object->flags & NONET_INSPECT_LOCKED)
		note(text, "never swapped");
	if (object->flags & NONET_INSPECT_DAMAGED)
		note(text, "damaged: nobody can use it");
	if (object->flags & NONET_INSPECT_GIVEN_UP)
		note(text, "given up: nobody can lock it");
	if (object->flags & NONET_INSPECT_OWNER_DEAD)
		note(text, "its holder died");
	if (object->flags & NONET_INSPECT_SIGNALS)
		note(text, "only counts");
	if (object->scheme == NONET_SCHEME_EVENT && knows(object, NONET_INSPECT_COUNT))
		note_event(object, text);
	if (knows(object, NONET_INSPECT_PLACES))
		note_channel(object, text);
	if (knows(object, NONET_INSPECT_CALLERS))
		note_calls(object, text);
	if (is(object, OWN) && knows(object, NONET_INSPECT_PID))
		note(text, "held by %" PRId32, object->pid);
	if (is(object, LOCKS))
		note_range(object, text);
	if (knows(object, NONET_INSPECT_USERS))
		note_users(object, text);
	if (knows(object, NONET_INSPECT_ROOM))
		note_room(object, text);
	if (object->waiters > 0)
		note(text, "%" PRIu64 " wait%s", object->waiters, object->waiters == 1 ? "s" : "");
	if (knows(object, NONET_INSPECT_USED))
		note(text, "used %s ago", age_text(object->used, age));
	return text;
}

static const struct {
	const char *name;
	const char *(*text)(const struct nonet_inspect_object *object, char text[OBJECT_TEXT]);
} rows[] = {
	{"owner", object_owner},   {"mode", object_mode}, {"size", object_size},
	{"queued", object_queued}, {"age", object_age},   {"notes", object_notes},
};

void print_object(const struct nonet_inspect_object *object)
{
	char text[OBJECT_TEXT];
	size_t i;

	printf("%-8s%s\n", "address", object->address);
	if (object->known & NONET_INSPECT_ID)
		printf("%-8s%d\n", "id", object->id);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int permits = rows[i].text == object_queued && is(object, SEMAPHORES);

		if (*rows[i].text(object, text))
			printf("%-8s%s\n", permits ? "permits" : rows[i].name, text);
	}
}

json_t *time_json(int64_t time)
{
	const time_t seconds = (time_t)(time / NONET_S(1));
	struct tm parts;
	char text[64];

	if (!gmtime_r(&seconds, &parts) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return json_null();
	return json_string(text);
}

/* A number by the name that it has for this kind; nothing where it isn't known. */
static int add_number(json_t *json, const struct nonet_inspect_object *object, uint32_t what, const char *name,
		      uint64_t value)
{
	if (!knows(object, what) || !name)
		return 0;
	return json_object_set_new(json, name, json_integer((json_int_t)value));
}

static const char *count_name(const struct nonet_inspect_object *object)
{
	return is(object, QUEUES)       ? "messages"
	       : is(object, LOCKS)      ? "start"
	       : is(object, BIT(EVENT)) ? "count"
					: "value";
}

static const char *room_name(const struct nonet_inspect_object *object)
{
	return object->scheme == NONET_SCHEME_POSIXMQ     ? "depth"
	       : object->scheme == NONET_SCHEME_SYSVMSG   ? "bytes_max"
	       : object->scheme == NONET_SCHEME_SEMAPHORE ? "permits"
							  : "semaphores";
}

static int add_owner(json_t *json, const struct nonet_inspect_object *object)
{
	char owner[OBJECT_TEXT], mode[OBJECT_TEXT];
	int r;

	if (!knows(object, NONET_INSPECT_OWNER))
		return 0;
	r = json_object_set_new(json, "owner", json_string(object_owner(object, owner)));
	r |= json_object_set_new(json, "uid", json_integer(object->owner));
	r |= json_object_set_new(json, "gid", json_integer(object->group));
	r |= json_object_set_new(json, "mode", json_string(object_mode(object, mode)));
	return r;
}

static int add_times(json_t *json, const struct nonet_inspect_object *object)
{
	int r = 0;

	if (knows(object, NONET_INSPECT_CREATED)) {
		r |= json_object_set_new(json, "created", time_json(object->created));
		r |= json_object_set_new(json, "age_s", json_integer(age_of(object->created)));
	}
	if (knows(object, NONET_INSPECT_USED))
		r |= json_object_set_new(json, "used", time_json(object->used));
	return r;
}

static int add_flags(json_t *json, const struct nonet_inspect_object *object)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
		{NONET_INSPECT_REMOVED, "removed"},     {NONET_INSPECT_STALE, "stale"},
		{NONET_INSPECT_LISTENING, "listening"}, {NONET_INSPECT_LOCKED, "locked"},
		{NONET_INSPECT_DAMAGED, "damaged"},     {NONET_INSPECT_OWNER_DEAD, "holder_dead"},
		{NONET_INSPECT_GIVEN_UP, "given_up"},   {NONET_INSPECT_SLEEPERS, "sleepers"},
		{NONET_INSPECT_SIGNALS, "signals"},
	};
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (object->flags & flags[i].flag)
			r |= json_object_set_new(json, flags[i].name, json_true());
	if (is(object, LOCKS))
		r |= json_object_set_new(json, "shared", json_boolean(object->flags & NONET_INSPECT_SHARED));
	if (object->scheme == NONET_SCHEME_EVENT && knows(object, NONET_INSPECT_COUNT))
		r |= json_object_set_new(json, "set", json_boolean(object->flags & NONET_INSPECT_SET));
	return r;
}

json_t *object_json(const struct nonet_inspect_object *object)
{
	json_t *json = json_pack("{s:s, s:s}", "address", object->address, "kind", nonet_scheme_name(object->scheme));
	int r = json ? 0 : -1;

	if (r == 0)
		r = add_owner(json, object);
	r = r ? r : add_number(json, object, NONET_INSPECT_ID, "id", (uint64_t)object->id);
	r = r ? r
	      : add_number(json, object, NONET_INSPECT_BYTES, is(object, LOCKS) ? "length" : "bytes", object->bytes);
	r = r ? r : add_number(json, object, NONET_INSPECT_COUNT, count_name(object), object->count);
	r = r ? r : add_number(json, object, NONET_INSPECT_ROOM, room_name(object), object->room);
	r = r ? r
	      : add_number(json, object, NONET_INSPECT_USERS,
			   object->scheme == NONET_SCHEME_SYSVSHM ? "attached" : "processes", object->users);
	r = r ? r : add_number(json, object, NONET_INSPECT_WAITERS, "waiters", object->waiters);
	r = r ? r
	      : add_number(json, object, NONET_INSPECT_PID, is(object, LOCKS | OWN) ? "holder" : "creator",
			   (uint64_t)object->pid);
	r = r ? r : add_number(json, object, NONET_INSPECT_PLACES, "publishers", object->publishers);
	r = r ? r : add_number(json, object, NONET_INSPECT_PLACES, "subscribers", object->subscribers);
	r = r ? r : add_number(json, object, NONET_INSPECT_CALLERS, "servers", object->servers);
	r = r ? r : add_number(json, object, NONET_INSPECT_CALLERS, "clients", object->clients);
	r = r ? r : add_times(json, object);
	r = r ? r : add_flags(json, object);
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

json_t *coverage_json(const struct nonet_inspect_coverage *coverage)
{
	return json_pack("{s:I, s:I, s:I, s:b, s:b, s:b}", "processes", (json_int_t)coverage->processes, "unreadable",
			 (json_int_t)coverage->unreadable, "places_unreadable", (json_int_t)coverage->places,
			 "posix_queues", !coverage->no_queues, "processes_hidden",
			 (coverage->hidden & NONET_INSPECT_HIDES_PROCESSES) != 0, "outside_hidden",
			 (coverage->hidden & NONET_INSPECT_HIDES_OUTSIDE) != 0);
}

json_t *domains_json(const struct nonet_inspect_list *list)
{
	const struct nonet_inspect_domain *domain;
	json_t *all = json_array();
	size_t i;
	int r = all ? 0 : -1;

	for (i = 0; r == 0 && (domain = nonet_inspect_get_domain(list, i)); i++)
		r = json_array_append_new(
			all, json_pack("{s:s%, s:I, s:I, s:I, s:I, s:b}", "path", domain->path, strlen(domain->path),
				       "uid", (json_int_t)domain->owner, "members", (json_int_t)domain->members,
				       "objects", (json_int_t)domain->objects, "bytes", (json_int_t)domain->bytes,
				       "damaged", (domain->flags & NONET_INSPECT_DAMAGED) != 0));
	if (r == 0)
		return all;
	json_decref(all);
	return NULL;
}

void print_domains(const struct nonet_inspect_list *list)
{
	const struct nonet_inspect_domain *domain;
	char bytes[OBJECT_TEXT];
	size_t i, j;

	for (i = 0; (domain = nonet_inspect_get_domain(list, i)); i++) {
		printf("domain ");
		for (j = 0; domain->path[j]; j++)
			putchar(domain->path[j] >= ' ' && domain->path[j] <= '~' ? domain->path[j] : '?');
		if (domain->flags & NONET_INSPECT_DAMAGED)
			printf(": damaged, or of another version: nobody can be a member\n");
		else
			printf(": %" PRIu64 " object%s, %" PRIu64 " process%s, %s\n", domain->objects,
			       domain->objects == 1 ? "" : "s", domain->members, domain->members == 1 ? "" : "es",
			       bytes_text(domain->bytes, bytes));
	}
}

void print_coverage(const struct nonet_inspect_coverage *coverage)
{
	if (coverage->unreadable > 0)
		printf("%" PRIu64 " of %" PRIu64
		       " processes couldn't be looked into: one of them may have more of these open\n",
		       coverage->unreadable, coverage->processes);
	if (coverage->places > 0)
		printf("%" PRIu64 " place%s couldn't be read: there may be more objects\n", coverage->places,
		       coverage->places == 1 ? "" : "s");
	if (coverage->hidden & NONET_INSPECT_HIDES_PROCESSES)
		printf("/proc hides the processes of other users (its mount option hidepid): what they have open isn't "
		       "seen; look as root\n");
	if (coverage->hidden & NONET_INSPECT_HIDES_OUTSIDE)
		printf("processes outside of this PID namespace, and their locks, can't be seen from here\n");
	if (coverage->no_queues)
		printf("POSIX queues can't be listed: mount them (mount -t mqueue none /dev/mqueue), or look as "
		       "root\n");
}
