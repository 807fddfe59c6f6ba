/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nonet/inspect.h>

#include "base/address.h"
#include "base/error.h"
#include "domain/claim_layout.h"
#include "inspect/own.h"
#include "inspect/own_channel.h"
#include "sys/memory.h"

/* Of one of nonet's own objects all that can be known. */

struct nonet_inspect_state {
	struct nonet_address *address;
	struct own_look own;
	struct nonet_inspect_operation operations[OBJECT_TRACE];
	size_t operation_count;
	struct nonet_inspect_coverage coverage;
};

static const char *operation_word(const struct own_kind *kind, uint32_t what)
{
	for (uint32_t i = 0; kind->did[i]; i++)
		if (i == what && i > 0)
			return kind->did[i];
	return "?";
}

/* Oldest first. One that is being written is left out: its owner is 0. */
static void state_read_trace(struct nonet_inspect_state *state)
{
	const struct object_header *header = &state->own.header;
	const uint32_t next = LOOK_FIELD(header->traced);

	if (!(header->flags & OBJECT_TRACED) || state->own.object.flags & NONET_INSPECT_DAMAGED)
		return;
	for (uint32_t i = 0; i < OBJECT_TRACE; i++) {
		const struct object_trace *trace = &header->trace[(next + i) % OBJECT_TRACE];
		const uint64_t owner = LOOK_FIELD(trace->owner);

		if (owner == 0)
			continue;
		state->operations[state->operation_count++] = (struct nonet_inspect_operation){
			.when = LOOK_FIELD(trace->when),
			.pid = LOOK_FIELD(trace->pid),
			.thread = claim_slot(owner),
			.what = operation_word(state->own.kind, LOOK_FIELD(trace->what)),
			.value = LOOK_FIELD(trace->value),
		};
	}
}

static int state_open_domain(const char *directory, nonet_time deadline, struct domain_look *ret_domain,
			     struct nonet_error *reterr)
{
	char home[OWN_HOME];
	int error;

	if (!directory) {
		own_home(home);
		directory = home;
	}
	error = domain_look_open(directory, deadline, ret_domain);
	if (error == -ENOENT)
		return error_set(reterr, error, "there is no domain in %s: nobody has made an object there", directory);
	if (error < 0)
		return error_set(reterr, error, "can't look at the domain in %s: %s", directory, error_reason(error));
	return 0;
}

static const struct own_kind *state_kind(enum nonet_scheme scheme)
{
	const struct own_kind *kind = own_kinds;

	while (kind->word && kind->scheme != scheme)
		kind++;
	return kind->word ? kind : NULL;
}

static int state_look(struct nonet_inspect_state *state, nonet_time deadline, struct nonet_error *reterr)
{
	const char *text = nonet_address_text(state->address);
	const struct own_kind *kind = state_kind(nonet_address_scheme(state->address));
	char file[ADDRESS_OBJECT_MAX + 16];
	struct domain_look domain;
	int error;

	if (!kind)
		return error_set(
			reterr, -EOPNOTSUPP,
			"%s isn't one of nonet's own objects that can be looked at: mutex:, rwlock:, condition:, "
			"event:, semaphore: and channel: are",
			text);
	error = state_open_domain(nonet_address_directory(state->address), deadline, &domain, reterr);
	if (error < 0)
		return error;
	snprintf(file, sizeof(file), "%s.%s", nonet_address_name(state->address, NULL), kind->word);
	/* Who has no time at all gets what stands in the object's own pages. */
	error = own_look(&state->own, &domain, kind, file, deadline == NONET_NOW ? nonet_clock() : deadline);
	state->coverage.places = domain.is_cut_short;
	if (error == 0 && state->own.channel)
		state->coverage.places += state->own.channel->is_cut_short;
	domain_look_close(&domain);
	if (error == -ENOENT)
		return error_set(reterr, error, "there is no %s", text);
	if (error < 0)
		return error_set(reterr, error, "can't look at %s: %s", text, error_reason(error));
	state->own.domain = NULL;
	state->own.object.address = text;
	state_read_trace(state);
	return 0;
}

int nonet_inspect_state(const char *address, const struct nonet_inspect_options *options, nonet_time deadline,
			struct nonet_inspect_state **ret_state, struct nonet_error *reterr)
{
	struct nonet_inspect_state *state;
	int error;

	if (options &&
	    (options->size != sizeof(*options) || options->flags || options->reserved[0] || options->reserved[1]))
		return error_set(reterr, -EINVAL, "the options have a wrong size, flags or a reserved field set");
	state = sys_allocate(sizeof(*state));
	if (!state)
		return error_set(reterr, -ENOMEM, "no memory to look at %s", address);
	error = nonet_address_parse(address, &state->address, reterr);
	if (error == 0)
		error = state_look(state, deadline, reterr);
	if (error < 0) {
		nonet_inspect_state_free(state);
		return error;
	}
	*ret_state = state;
	return 0;
}

const struct nonet_inspect_object *nonet_inspect_state_object(const struct nonet_inspect_state *state)
{
	return &state->own.object;
}

const struct nonet_inspect_member *nonet_inspect_state_member(const struct nonet_inspect_state *state, size_t index)
{
	return index < state->own.count ? &state->own.members[index] : NULL;
}

const struct nonet_inspect_operation *nonet_inspect_state_operation(const struct nonet_inspect_state *state,
								    size_t index)
{
	return index < state->operation_count ? &state->operations[index] : NULL;
}

const struct nonet_inspect_channel *nonet_inspect_state_channel(const struct nonet_inspect_state *state)
{
	return state->own.channel ? &state->own.channel->told : NULL;
}

const struct nonet_inspect_lane *nonet_inspect_state_lane(const struct nonet_inspect_state *state, size_t index)
{
	const struct own_channel *channel = state->own.channel;

	return channel && index < channel->told.publishers ? &channel->lanes[index] : NULL;
}

const struct nonet_inspect_subscriber *nonet_inspect_state_subscriber(const struct nonet_inspect_state *state,
								      size_t index)
{
	const struct own_channel *channel = state->own.channel;

	return channel && index < channel->count ? &channel->subscribers[index] : NULL;
}

const struct nonet_inspect_lag *nonet_inspect_state_lag(const struct nonet_inspect_state *state, size_t lane,
							size_t subscriber)
{
	const struct own_channel *channel = state->own.channel;

	if (!channel || lane >= channel->told.publishers || subscriber >= channel->count)
		return NULL;
	return own_channel_reads(channel, lane, subscriber) ? own_channel_lag(channel, lane, subscriber) : NULL;
}

const struct nonet_inspect_coverage *nonet_inspect_state_coverage(const struct nonet_inspect_state *state)
{
	return &state->coverage;
}

struct nonet_inspect_state *nonet_inspect_state_free(struct nonet_inspect_state *state)
{
	if (!state)
		return NULL;
	own_look_done(&state->own);
	nonet_address_free(state->address);
	return sys_free(state);
}
