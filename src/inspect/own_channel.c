/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect/own_channel.h"

#include <errno.h>
#include <string.h>

#include "channel/channel_layout.h"
#include "domain/claim_layout.h"
#include "sys/memory.h"

/* What the payload of a channel says. All of it may be anything: sizes are checked here, once, and are bounds then. */

static bool channel_is_power(uint64_t number)
{
	return number != 0 && (number & (number - 1)) == 0;
}

static uint64_t channel_size(const struct channel_board *board)
{
	return sizeof(*board) + board->lanes * sizeof(struct channel_lane) +
	       board->seats * sizeof(struct channel_seat) +
	       (uint64_t)board->lanes * board->seats * sizeof(struct channel_position);
}

static bool channel_is_good(const struct own_look *look)
{
	const struct channel_board *board = look->payload;
	uint64_t end;

	if (!channel_has_places(board) || !channel_is_power(board->ring) || board->ring < CHANNEL_LANE_LEAST ||
	    board->ring > CHANNEL_LANE_MOST || board->policy > CHANNEL_DROP || look->size != channel_size(board))
		return false;
	end = OBJECT_PAYLOAD + channel_size(board);
	end = (end + DOMAIN_PAGE - 1) & ~(uint64_t)(DOMAIN_PAGE - 1);
	return look->file == end + board->lanes * board->ring;
}

struct own_channel *own_channel_free(struct own_channel *channel)
{
	if (!channel)
		return NULL;
	sys_free(channel->positions);
	sys_free(channel->lags);
	sys_free(channel->subscribers);
	sys_free(channel->lanes);
	return sys_free(channel);
}

bool own_channel_reads(const struct own_channel *channel, size_t lane, size_t subscriber)
{
	return channel->lags && channel->positions[lane * channel->count + subscriber] & CHANNEL_READS;
}

static struct own_channel *channel_new(const struct channel_board *board)
{
	struct own_channel *channel = sys_allocate(sizeof(*channel));

	if (!channel)
		return NULL;
	channel->told = (struct nonet_inspect_channel){
		.policy = board->policy,
		.publishers = board->lanes,
		.subscribers = board->seats,
		.clients = board->clients,
		.lane = board->ring,
		.lives = LOOK_FIELD(board->lives),
	};
	channel->lanes = sys_allocate(board->lanes * sizeof(*channel->lanes));
	channel->subscribers = sys_allocate(board->seats * sizeof(*channel->subscribers));
	channel->positions = sys_allocate((size_t)board->lanes * board->seats * sizeof(*channel->positions));
	return channel->lanes && channel->subscribers && channel->positions ? channel : own_channel_free(channel);
}

/* Who has a lane or a seat. @name: as large as a member's */
static uint32_t channel_owner(const struct own_look *look, uint64_t claim, int32_t *ret_pid, uint32_t *ret_member,
			      char *name)
{
	const struct domain_look_thread *thread = domain_look_owner(look->domain, claim);

	if (!thread)
		return NONET_INSPECT_TAKEN;
	*ret_pid = thread->member->pid;
	*ret_member = thread->member->number;
	/* Not always ended by NUL. */
	memcpy(name, thread->member->page.name, sizeof(thread->member->page.name));
	return NONET_INSPECT_TAKEN | NONET_INSPECT_ALIVE;
}

/* One who lives has the lane of that number. */
static void channel_count(struct own_look *look, uint32_t number)
{
	const struct channel_board *board = look->payload;

	if (!board->clients)
		look->object.publishers++;
	else if (number < board->clients)
		look->object.clients++;
	else if (number == board->lanes - 1)
		look->object.servers++;
}

static void channel_look_at_lane(struct own_look *look, const struct channel_lane *shared, uint32_t number)
{
	struct nonet_inspect_lane *lane = &look->channel->lanes[number];
	const uint64_t claim = LOOK_FIELD(shared->claim);

	if (claim_is_free(claim))
		return;
	lane->flags = channel_owner(look, claim, &lane->pid, &lane->member, lane->name);
	if (!(lane->flags & NONET_INSPECT_ALIVE))
		return;
	channel_count(look, number);
	if (LOOK_FIELD(shared->wants) == LOOK_FIELD(shared->room)) {
		lane->flags |= NONET_INSPECT_BLOCKED;
		look->object.flags |= NONET_INSPECT_SLEEPERS;
	}
}

static void channel_look_at_seat(struct own_look *look, const struct channel_seat *shared, uint32_t number,
				 const struct channel_position *positions)
{
	const struct channel_board *board = look->payload;
	struct own_channel *channel = look->channel;
	struct nonet_inspect_subscriber *subscriber = &channel->subscribers[channel->count];
	const uint64_t claim = LOOK_FIELD(shared->claim);

	if (claim_is_free(claim))
		return;
	subscriber->flags = channel_owner(look, claim, &subscriber->pid, &subscriber->member, subscriber->name);
	subscriber->seat = number;
	subscriber->lost = LOOK_FIELD(shared->lost);
	/* For now seat by seat: how many subscribers there are isn't known before the last. */
	for (uint32_t lane = 0; lane < board->lanes; lane++)
		channel->positions[channel->count * board->lanes + lane] =
			LOOK_FIELD(positions[(size_t)lane * board->seats + number].position);
	channel->count++;
	if (subscriber->flags & NONET_INSPECT_ALIVE) {
		look->object.subscribers += !board->clients;
		look->object.flags |= NONET_INSPECT_SLEEPERS;
	}
}

int own_channel_look(struct own_look *look)
{
	const struct channel_board *board = look->payload;
	const struct channel_lane *lanes = (const struct channel_lane *)(board + 1);
	const struct channel_seat *seats;

	if (!channel_is_good(look))
		return -EBADMSG;
	look->channel = channel_new(board);
	if (!look->channel)
		return -ENOMEM;
	seats = (const struct channel_seat *)(lanes + board->lanes);
	for (uint32_t number = 0; number < board->lanes; number++)
		channel_look_at_lane(look, &lanes[number], number);
	for (uint32_t number = 0; number < board->seats; number++)
		channel_look_at_seat(look, &seats[number], number,
				     (const struct channel_position *)(seats + board->seats));
	/* Whoever isn't known to be alive would be left out. */
	if (!look->domain->is_cut_short)
		look->object.known |= board->clients ? NONET_INSPECT_CALLERS : NONET_INSPECT_PLACES;
	return 0;
}
