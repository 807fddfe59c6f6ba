/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>

#include "base/error.h"
#include "channel/channel.h"
#include "sys/files.h"
#include "sys/mapping.h"

/* Channels as objects: making and opening them, and mapping their lanes. */

bool channel_is_lane(uint64_t size)
{
	return (size & (size - 1)) == 0 && size >= CHANNEL_LANE_LEAST && size <= CHANNEL_LANE_MOST;
}

static bool channel_check(const void *payload, size_t size)
{
	const struct channel_board *board = payload;

	/* Each is read once more, with its bounds, by channel_know(). */
	return size >= sizeof(*board);
}

const struct object_kind channel_kind = {
	.scheme = NONET_SCHEME_CHANNEL,
	.number = CHANNEL_KIND,
	.layout = CHANNEL_LAYOUT,
	.word = "channel",
	.goes_on = true,
	.check = channel_check,
};

static const struct nonet_channel_options channel_defaults = {.size = sizeof(channel_defaults)};

int channel_check_options(const struct nonet_channel_options *options, struct nonet_error *reterr)
{
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL,
				 "the channel options' size is %u, but this library's are of %zu bytes", options->size,
				 sizeof(*options));
	if (options->flags & ~(NONET_CHANNEL_MAY_EXIST | NONET_CHANNEL_CALLS) || options->reserved[0] ||
	    options->reserved[1])
		return error_set(reterr, -EINVAL, "the channel options have unknown flags or a reserved field set");
	if (options->mode & ~0777u)
		return error_set(reterr, -EINVAL, "the mode %#o of a channel has more than permission bits",
				 options->mode);
	if (options->policy > CHANNEL_DROP)
		return error_set(reterr, -EINVAL, "a channel's policy is 0, 1 or 2 (enum nonet_channel_policy), not %u",
				 options->policy);
	if (options->publishers > CHANNEL_PUBLISHERS)
		return error_set(reterr, -EINVAL, "%u %s were asked for; a channel takes up to %u", options->publishers,
				 options->flags & NONET_CHANNEL_CALLS ? "clients" : "publishers", CHANNEL_PUBLISHERS);
	if (options->subscribers > CHANNEL_SUBSCRIBERS)
		return error_set(reterr, -EINVAL, "%u subscribers were asked for; a channel takes up to %u",
				 options->subscribers, CHANNEL_SUBSCRIBERS);
	if (options->flags & NONET_CHANNEL_CALLS && (options->policy != CHANNEL_BLOCK || options->subscribers))
		return error_set(
			reterr, -EINVAL,
			"a channel for calls has a server and clients: set publishers to how many, and neither "
			"subscribers nor a policy");
	if (options->lane && !channel_is_lane(options->lane))
		return error_set(reterr, -EINVAL,
				 "a lane of %llu bytes was asked for; its size is a power of two from 64 KiB to 1 TiB",
				 (unsigned long long)options->lane);
	return 0;
}

/* Where the first ring begins. */
static uint64_t channel_rings(uint32_t lanes, uint32_t seats)
{
	const uint64_t end = OBJECT_PAYLOAD + channel_payload(lanes, seats);

	return (end + DOMAIN_PAGE - 1) & ~(uint64_t)(DOMAIN_PAGE - 1);
}

static void channel_fill(const struct object *object, const void *argument)
{
	const struct nonet_channel_options *options = argument;
	struct channel_board *board = object->payload;

	board->lanes = options->publishers;
	board->seats = options->subscribers;
	board->ring = options->lane;
	board->policy = options->policy;
	board->clients = options->flags & NONET_CHANNEL_CALLS ? (options->publishers - 1) / 2 : 0;
	/* Nobody has armed, no publisher waits, and all places are nobody's. */
	for (uint32_t number = 0; number < options->publishers; number++) {
		struct channel_lane *lane = (struct channel_lane *)(board + 1) + number;

		atomic_store_explicit(&lane->member, CHANNEL_NOBODY, memory_order_relaxed);
		atomic_store_explicit(&lane->bell, 1, memory_order_relaxed);
		atomic_store_explicit(&lane->room, 1, memory_order_relaxed);
	}
	for (uint32_t number = 0; number < options->subscribers; number++) {
		struct channel_lane *end = (struct channel_lane *)(board + 1) + options->publishers;

		atomic_store_explicit(&((struct channel_seat *)end + number)->member, CHANNEL_NOBODY,
				      memory_order_relaxed);
	}
}

int nonet_channel_create(const char *address, const struct nonet_channel_options *options, struct nonet_error *reterr)
{
	struct nonet_channel_options own = options ? *options : channel_defaults;
	struct object_make make = {.fill = channel_fill, .argument = &own};
	struct object object;
	int error = channel_check_options(&own, reterr);

	if (error < 0)
		return error;
	own.publishers = own.publishers ? own.publishers : 1;
	own.subscribers = own.subscribers ? own.subscribers : 16;
	if (own.flags & NONET_CHANNEL_CALLS) {
		own.subscribers = CHANNEL_CALL_SEATS(options->publishers ? options->publishers : 16);
		own.publishers = CHANNEL_CALL_LANES(options->publishers ? options->publishers : 16);
	}
	own.lane = own.lane ? own.lane : CHANNEL_LANE_USUAL;
	make.mode = own.mode;
	make.may_exist = own.flags & NONET_CHANNEL_MAY_EXIST;
	make.size = channel_payload(own.publishers, own.subscribers);
	make.file = channel_rings(own.publishers, own.subscribers) + own.publishers * own.lane;
	error = object_create(address, &channel_kind, &make, &object, reterr);
	if (error == 0)
		object_close(&object);
	return error;
}

int nonet_channel_unlink(const char *address, struct nonet_error *reterr)
{
	return object_unlink(address, &channel_kind, reterr);
}

/* Copied once, and checked: from here on nothing that a peer writes is a bound. */
static bool channel_know(struct channel *channel)
{
	const struct channel_board board = {
		.lanes = channel_board(channel)->lanes,
		.seats = channel_board(channel)->seats,
		.ring = channel_board(channel)->ring,
		.policy = channel_board(channel)->policy,
		.clients = channel_board(channel)->clients,
	};

	if (!channel_has_places(&board) || !channel_is_lane(board.ring) || board.policy > CHANNEL_DROP ||
	    channel->object.size != channel_payload(board.lanes, board.seats) ||
	    channel->object.file != channel_rings(board.lanes, board.seats) + board.lanes * board.ring)
		return false;
	channel->all = board.lanes;
	channel_view(channel, 0, 1, board.lanes);
	channel->seats = board.seats;
	channel->clients = board.clients;
	channel->ring = board.ring;
	channel->policy = (enum channel_policy)board.policy;
	channel->page = DOMAIN_PAGE;
	return true;
}

static int channel_begin(struct channel *channel, struct channel *ret_channel, struct nonet_error *reterr)
{
	int error;

	if (!channel_know(channel)) {
		error = error_set(reterr, -EBADMSG,
				  "%s is damaged: a member wrote over it, or cut it off; remove it and make another",
				  channel->object.text);
		object_close(&channel->object);
		return error;
	}
	*ret_channel = *channel;
	return 0;
}

int channel_open(const char *address, struct channel *ret_channel, struct nonet_error *reterr)
{
	struct channel channel = {0};
	int error = object_open(address, &channel_kind, &channel.object, reterr);

	return error < 0 ? error : channel_begin(&channel, ret_channel, reterr);
}

int channel_observe(const char *address, struct channel *ret_channel, struct nonet_error *reterr)
{
	struct channel channel = {0};
	int error = object_observe(address, &channel_kind, &channel.object, reterr);

	return error < 0 ? error : channel_begin(&channel, ret_channel, reterr);
}

int channel_check_use(const struct channel *channel, bool for_calls, struct nonet_error *reterr)
{
	if (for_calls == (channel->clients != 0))
		return 0;
	if (for_calls)
		return error_set(reterr, -EPROTO,
				 "%s is for publishers and subscribers, not for calls; make another with "
				 "NONET_CHANNEL_CALLS (nonet reply makes one)",
				 channel->object.text);
	return error_set(reterr, -EPROTO,
			 "%s is for calls: its messages are those of a server and its clients; use nonet call and "
			 "nonet reply, or nonet_client_open()",
			 channel->object.text);
}

int channel_again(const struct channel *channel, struct channel *ret_channel)
{
	struct channel again = *channel;
	int error = channel_check_file(channel);

	if (error == 0)
		error = object_again(&channel->object, &again.object);
	if (error == 0)
		*ret_channel = again;
	return error;
}

void channel_close(struct channel *channel)
{
	if (channel->link)
		channel_link_close(channel);
	else
		object_close(&channel->object);
}

uint64_t channel_place(const struct channel *channel, uint32_t lane)
{
	return channel->link
		       ? 0
		       : channel_rings(channel->all, channel->seats) + channel_number(channel, lane) * channel->ring;
}

/* Whether the descriptor is still the file's: a daemon may have closed all that it doesn't know. */
int channel_check_file(const struct channel *channel)
{
	struct stat status;
	int error = sys_stat_fd(channel->object.fd, &status);

	if (error == -EBADF || (error == 0 && !object_is_file(&channel->object, &status)))
		return -ESTALE;
	if (error < 0)
		return error;
	return (uint64_t)status.st_size < channel->object.file ? channel_poison(channel) : 0;
}

/* Rings up to this size have all of their pages in the page table at once, so that no message waits for that. */
#define CHANNEL_TOUCHED ((size_t)64 << 20)

/* Addresses for @size bytes, from a whole page on: huge ones aren't mapped elsewhere. */
static int channel_reserve(size_t size, size_t page, void **ret_base)
{
	const size_t more = page > DOMAIN_PAGE ? page : 0;
	size_t before;
	void *base;
	int error = sys_map_reserve(size + more, &base);

	if (error < 0)
		return error;
	before = more ? (page - (uintptr_t)base % page) % page : 0;
	if (before > 0)
		(void)sys_unmap(base, before);
	if (more > before)
		(void)sys_unmap((char *)base + before + size, more - before);
	*ret_base = (char *)base + before;
	return 0;
}

/* Two halves, or four: the first two can be written. */
static int channel_map_parts(const struct channel *channel, uint32_t lane, bool to_write, bool twice,
			     struct channel_ring *ret_ring)
{
	const size_t half = (size_t)channel->ring;
	const size_t size = (twice ? 4 : 2) * half;
	const unsigned now = half <= CHANNEL_TOUCHED ? SYS_MAP_NOW : 0;
	const off_t place = (off_t)channel_place(channel, lane);
	struct channel_ring ring = {.shown = twice ? 2 * half : 0};
	void *base;
	int error;

	if (channel->ring > SIZE_MAX / (twice ? 8 : 4))
		return -ENOMEM;
	error = channel_reserve(size, channel->page, &base);
	if (error < 0)
		return error;
	for (size_t at = 0; at < size && error == 0; at += half) {
		const bool writes = to_write || at < ring.shown;

		error = sys_map_at((char *)base + at, channel->object.fd, place, half,
				   (writes ? SYS_MAP_WRITE : 0) | now);
	}
	if (error == 0)
		error = guard_map_adopt(&ring.map, base, size, to_write, channel->page);
	if (error < 0) {
		(void)sys_unmap(base, size);
		return error;
	}
	(void)sys_map_advise(base, size, SYS_MAP_NOT_DUMPED);
	ring.base = base;
	*ret_ring = ring;
	return 0;
}

/*
 * A subscriber has the ring's two halves twice: what he is given to read can't be written, and we read through what
 * could be. Processors fetch a line that another core has written with fewer steps, if its page may be written here
 * too: a message takes two thirds of the time (docs/adr/0014). Where there aren't so many addresses it takes longer.
 */
int channel_map(const struct channel *channel, uint32_t lane, bool to_write, struct channel_ring *ret_ring)
{
	int error = -ENOMEM;

	if (!to_write && !channel->link && !channel->object.observed)
		error = channel_map_parts(channel, lane, to_write, true, ret_ring);
	if (error == -ENOMEM || error == -EAGAIN)
		error = channel_map_parts(channel, lane, to_write, false, ret_ring);
	return error;
}

void channel_unmap(struct channel_ring *ring)
{
	guard_map_done(&ring->map);
	ring->base = NULL;
}
