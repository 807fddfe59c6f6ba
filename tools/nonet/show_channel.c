/* SPDX-License-Identifier: Apache-2.0 */
#include "show_channel.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include <nonet/channel.h>
#include <nonet/inspect.h>

#include "objects.h"
#include "output.h"
#include "say.h"
#include "show_own.h"
#include "verb.h"

/* Two looks at it: rates are what went on between them. */
struct looks {
	struct nonet_inspect_state *first, *last; /* the same, where it was looked at once */
	nonet_time between;
};

static const struct {
	const char *word, *means;
} policies[] = {
	[NONET_CHANNEL_BLOCK] = {"block", "publishers wait for slow subscribers"},
	[NONET_CHANNEL_REFUSE] = {"refuse", "publishers are refused while a subscriber is slow"},
	[NONET_CHANNEL_DROP] = {"drop", "slow subscribers lose the oldest messages"},
};

static void sleep_until(nonet_time when)
{
	const struct timespec time = {.tv_sec = when / NONET_S(1), .tv_nsec = when % NONET_S(1)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
		;
}

/* Numbers only go up; a channel that was removed and made again began anew. */
static double rate(const struct looks *looks, uint64_t first, uint64_t last)
{
	return last < first ? 0 : (double)(last - first) / ((double)looks->between / 1e9);
}

/* 1234567 a second is 1.2M. */
static const char *rate_text(double value, char text[OBJECT_TEXT])
{
	static const char units[] = " kMGT";
	size_t unit = 0;

	while (value >= 1000 && units[unit + 1]) {
		value /= 1000;
		unit++;
	}
	snprintf(text, OBJECT_TEXT, unit > 0 && value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	if (unit == 0)
		snprintf(text, OBJECT_TEXT, "%.0f", value);
	return text;
}

static void print_process(uint32_t flags, int32_t pid, const char name[SHOW_NAME], const char *dead)
{
	char text[SHOW_NAME];

	if (!(flags & NONET_INSPECT_TAKEN))
		printf("nobody");
	else if (!(flags & NONET_INSPECT_ALIVE))
		printf("%s", dead);
	else if (!pid)
		printf("a process of another PID namespace (%s)", show_name(name, text));
	else
		printf("process %" PRId32 " (%s)", pid, show_name(name, text));
}

static void print_lane(const struct looks *looks, size_t index)
{
	const struct nonet_inspect_lane *lane = nonet_inspect_state_lane(looks->last, index);
	const struct nonet_inspect_lane *before = nonet_inspect_state_lane(looks->first, index);
	char label[OBJECT_TEXT], text[OBJECT_TEXT];

	snprintf(label, sizeof(label), "lane %zu", index);
	printf("%-7s ", label);
	print_process(lane->flags, lane->pid, lane->name, "one who died: the next publisher goes on there");
	printf(": %s%" PRIu64 " message%s, position %" PRIu64 ", floor %" PRIu64,
	       lane->flags & NONET_INSPECT_ABOUT ? "at least " : "", lane->messages, lane->messages == 1 ? "" : "s",
	       lane->position, lane->floor);
	if (before && looks->between > 0) {
		printf(", %s/s", rate_text(rate(looks, before->messages, lane->messages), text));
		printf(", %sB/s", rate_text(rate(looks, before->position, lane->position), text));
	}
	if (lane->flags & NONET_INSPECT_BLOCKED)
		printf(", waits for a subscriber");
	if (lane->flags & NONET_INSPECT_UNREADABLE)
		printf(", then damaged");
	putchar('\n');
}

/* Of what a subscriber hasn't read, the bytes that were overwritten: it will find them lost. */
static uint64_t overwritten(const struct looks *looks, size_t index, const struct nonet_inspect_lag *lag)
{
	const struct nonet_inspect_lane *lane = nonet_inspect_state_lane(looks->last, index);
	const uint64_t reads = lane->position - (lag->bytes < lane->position ? lag->bytes : lane->position);

	return lane->floor > reads ? lane->floor - reads : 0;
}

static void print_lag(const struct looks *looks, size_t lane, size_t index)
{
	const struct nonet_inspect_lag *lag = nonet_inspect_state_lag(looks->last, lane, index);
	uint64_t gone;

	if (!lag || lag->bytes == 0)
		return;
	if (lag->known)
		printf(", %" PRIu64 " message%s (%" PRIu64 " bytes) behind in lane %zu", lag->messages,
		       lag->messages == 1 ? "" : "s", lag->bytes, lane);
	else
		printf(", %" PRIu64 " bytes behind in lane %zu", lag->bytes, lane);
	gone = overwritten(looks, lane, lag);
	if (gone > 0)
		printf(", of which %" PRIu64 " are overwritten", gone);
}

static void print_subscriber(const struct looks *looks, size_t index)
{
	const struct nonet_inspect_subscriber *subscriber = nonet_inspect_state_subscriber(looks->last, index);
	char label[OBJECT_TEXT];
	size_t lane;

	snprintf(label, sizeof(label), "seat %" PRIu32, subscriber->seat);
	printf("%-7s ", label);
	print_process(subscriber->flags, subscriber->pid, subscriber->name, "one who died: nobody waits for it");
	if (subscriber->flags & NONET_INSPECT_ALIVE)
		for (lane = 0; nonet_inspect_state_lane(looks->last, lane); lane++)
			print_lag(looks, lane, index);
	printf(", %" PRIu64 " lost\n", subscriber->lost);
}

/* What the seats that read a lane have still to read there, in messages, or in bytes where these can't be counted. */
static void print_unread(const struct looks *looks, size_t lane, const char *whom)
{
	const struct nonet_inspect_subscriber *subscriber;
	uint64_t messages = 0, bytes = 0;
	size_t i;

	for (i = 0; (subscriber = nonet_inspect_state_subscriber(looks->last, i)) != NULL; i++) {
		const struct nonet_inspect_lag *lag = nonet_inspect_state_lag(looks->last, lane, i);

		if (!lag || !(subscriber->flags & NONET_INSPECT_ALIVE))
			continue;
		if (!lag->known)
			bytes = lag->bytes > bytes ? lag->bytes : bytes;
		else if (lag->messages > messages)
			messages = lag->messages;
	}
	if (bytes > 0)
		printf(", %" PRIu64 " bytes unread by the %s", bytes, whom);
	else
		printf(", %" PRIu64 " unread by the %s", messages, whom);
}

static void print_client(const struct looks *looks, uint32_t clients, size_t index)
{
	const struct nonet_inspect_lane *requests = nonet_inspect_state_lane(looks->last, index);
	const struct nonet_inspect_lane *replies = nonet_inspect_state_lane(looks->last, clients + index);
	const struct nonet_inspect_lane *before = nonet_inspect_state_lane(looks->first, index);
	char label[OBJECT_TEXT], text[OBJECT_TEXT];

	if (!(requests->flags & NONET_INSPECT_TAKEN))
		return;
	snprintf(label, sizeof(label), "client %zu", index);
	printf("%-9s ", label);
	print_process(requests->flags, requests->pid, requests->name, "one who died: the next client goes on there");
	if (requests->flags & NONET_INSPECT_ALIVE) {
		print_unread(looks, index, "server");
		print_unread(looks, clients + index, "client");
	}
	if (before && looks->between > 0)
		printf(", %s calls/s", rate_text(rate(looks, before->messages, requests->messages), text));
	if (requests->flags & NONET_INSPECT_BLOCKED)
		printf(", waits for the server to read");
	if (replies->flags & NONET_INSPECT_BLOCKED)
		printf(", the server waits for it to read");
	if ((requests->flags | replies->flags) & NONET_INSPECT_UNREADABLE)
		printf(", damaged");
	putchar('\n');
}

/* Whose lanes and seats are whose is told, not which they are. */
static void print_calls(const struct looks *looks, const struct nonet_inspect_channel *channel)
{
	const struct nonet_inspect_lane *server = nonet_inspect_state_lane(looks->last, 2 * (size_t)channel->clients);
	uint32_t count = 0, i;

	for (i = 0; i < channel->clients; i++)
		count += (nonet_inspect_state_lane(looks->last, i)->flags & NONET_INSPECT_ALIVE) != 0;
	printf("%-9s %" PRIu32 " of %" PRIu32 " client%s; lanes of %" PRIu64 " bytes\n", "calls", count,
	       channel->clients, channel->clients == 1 ? "" : "s", channel->lane);
	printf("%-9s ", "server");
	print_process(server->flags, server->pid, server->name, "one who died: the next server goes on");
	putchar('\n');
	for (i = 0; i < channel->clients; i++)
		print_client(looks, channel->clients, i);
}

static int print_text(const struct looks *looks)
{
	const struct nonet_inspect_channel *channel = nonet_inspect_state_channel(looks->last);
	size_t i;

	print_object(nonet_inspect_state_object(looks->last));
	if (channel && channel->clients) {
		print_calls(looks, channel);
	} else if (channel) {
		printf("%-8s%s: %s\n", "policy", policies[channel->policy].word, policies[channel->policy].means);
		printf("%-8sfor %" PRIu32 " publisher%s, %" PRIu64 " so far, and %" PRIu32
		       " subscriber%s; lanes of %" PRIu64 " bytes\n",
		       "room", channel->publishers, channel->publishers == 1 ? "" : "s", channel->lives,
		       channel->subscribers, channel->subscribers == 1 ? "" : "s", channel->lane);
		for (i = 0; i < channel->publishers; i++)
			print_lane(looks, i);
		for (i = 0; nonet_inspect_state_subscriber(looks->last, i); i++)
			print_subscriber(looks, i);
	}
	show_members(looks->last);
	print_coverage(nonet_inspect_state_coverage(looks->last));
	return STATUS_DONE;
}

static int add_process(json_t *json, uint32_t flags, int32_t pid, uint32_t member, const char name[SHOW_NAME])
{
	const int alive = (flags & NONET_INSPECT_ALIVE) != 0;
	char text[SHOW_NAME];
	int r;

	if (!(flags & NONET_INSPECT_TAKEN))
		return 0;
	r = json_object_set_new(json, "alive", json_boolean(alive));
	if (alive) {
		r |= json_object_set_new(json, "name", json_string(show_name(name, text)));
		r |= json_object_set_new(json, "member", json_integer(member));
	}
	if (alive && pid)
		r |= json_object_set_new(json, "pid", json_integer(pid));
	return r;
}

static json_t *lane_json(const struct looks *looks, size_t index)
{
	const struct nonet_inspect_lane *lane = nonet_inspect_state_lane(looks->last, index);
	const struct nonet_inspect_lane *before = nonet_inspect_state_lane(looks->first, index);
	json_t *json =
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:b}", "lane", (json_int_t)index, "publisher",
			  (json_int_t)lane->publisher, "messages", (json_int_t)lane->messages, "position",
			  (json_int_t)lane->position, "floor", (json_int_t)lane->floor, "blocked",
			  (lane->flags & NONET_INSPECT_BLOCKED) != 0, "about", (lane->flags & NONET_INSPECT_ABOUT) != 0,
			  "unreadable", (lane->flags & NONET_INSPECT_UNREADABLE) != 0);
	int r = json ? add_process(json, lane->flags, lane->pid, lane->member, lane->name) : -1;

	if (r == 0 && before && looks->between > 0)
		r = json_object_set_new(json, "messages_per_s",
					json_real(rate(looks, before->messages, lane->messages))) |
		    json_object_set_new(json, "bytes_per_s", json_real(rate(looks, before->position, lane->position)));
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *lags_json(const struct looks *looks, size_t index)
{
	const struct nonet_inspect_lag *lag;
	json_t *lags = json_array(), *json;
	size_t lane;
	int r = 0;

	for (lane = 0; nonet_inspect_state_lane(looks->last, lane) && r == 0; lane++) {
		lag = nonet_inspect_state_lag(looks->last, lane, index);
		if (!lag)
			continue;
		json = json_pack("{s:I, s:I}", "lane", (json_int_t)lane, "bytes", (json_int_t)lag->bytes);
		if (json && lag->known)
			r = json_object_set_new(json, "messages", json_integer((json_int_t)lag->messages));
		r |= json_array_append_new(lags, json);
	}
	if (r == 0)
		return lags;
	json_decref(lags);
	return NULL;
}

static json_t *subscriber_json(const struct looks *looks, size_t index)
{
	const struct nonet_inspect_subscriber *subscriber = nonet_inspect_state_subscriber(looks->last, index);
	json_t *json = json_pack("{s:I, s:I, s:o}", "seat", (json_int_t)subscriber->seat, "lost",
				 (json_int_t)subscriber->lost, "behind", lags_json(looks, index));

	if (json && add_process(json, subscriber->flags, subscriber->pid, subscriber->member, subscriber->name) == 0)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *channel_json(const struct looks *looks)
{
	const struct nonet_inspect_channel *channel = nonet_inspect_state_channel(looks->last);
	json_t *json = show_state_json(looks->last), *lanes, *seats;
	int r = json ? 0 : -1;
	size_t i;

	if (!channel || r < 0)
		return json;
	lanes = json_array();
	seats = json_array();
	for (i = 0; i < channel->publishers && r == 0; i++)
		r = json_array_append_new(lanes, lane_json(looks, i));
	for (i = 0; nonet_inspect_state_subscriber(looks->last, i) && r == 0; i++)
		r = json_array_append_new(seats, subscriber_json(looks, i));
	if (r == 0)
		r = json_object_set_new(json, "policy", json_string(policies[channel->policy].word)) |
		    json_object_set_new(json, "publishers_max", json_integer(channel->publishers)) |
		    json_object_set_new(json, "subscribers_max", json_integer(channel->subscribers)) |
		    json_object_set_new(json, "clients_max", json_integer(channel->clients)) |
		    json_object_set_new(json, "publishers_ever", json_integer((json_int_t)channel->lives)) |
		    json_object_set_new(json, "lane_bytes", json_integer((json_int_t)channel->lane)) |
		    json_object_set(json, "lanes", lanes) | json_object_set(json, "seats", seats);
	json_decref(lanes);
	json_decref(seats);
	if (r == 0)
		return json;
	json_decref(json);
	return NULL;
}

int show_channel(const struct nonet_address *address, int json, nonet_time interval)
{
	const char *text = nonet_address_text(address);
	struct nonet_error error;
	struct looks looks = {0};
	nonet_time first = 0;
	int status;

	if (nonet_inspect_state(text, NULL, nonet_after(OBJECTS_PATIENCE), &looks.first, &error) < 0)
		return say_error(&error, NULL);
	looks.last = looks.first;
	if (interval > 0 && nonet_inspect_state_channel(looks.first)) {
		first = nonet_clock();
		sleep_until(nonet_after(interval));
		if (nonet_inspect_state(text, NULL, nonet_after(OBJECTS_PATIENCE), &looks.last, &error) < 0) {
			nonet_inspect_state_free(looks.first);
			return say_error(&error, NULL);
		}
		looks.between = nonet_clock() - first;
	}
	status = output_finish_stdio(json ? output_json(channel_json(&looks)) : print_text(&looks));
	if (looks.last != looks.first)
		nonet_inspect_state_free(looks.last);
	nonet_inspect_state_free(looks.first);
	return status;
}
