/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include <string.h>

#include <nonet/channel.h>

#include "channel/channel_layout.h"
#include "channel/link.h"
#include "domain/object.h"
#include "sys/futex.h"

/*
 * A channel as a publisher or subscriber has it open. Its geometry was looked at once, when it was opened, and is
 * private since; whatever else is read from the board is data.
 */
struct channel {
	struct object object;
	uint32_t lanes; /* that the handle knows, by numbers from 0 on; see channel_view() */
	uint32_t first;
	uint32_t stride;
	uint32_t all; /* lanes that there are */
	uint32_t seats;
	uint32_t clients; /* 0: it isn't for calls */
	uint64_t ring;    /* bytes of a lane's ring, a power of two */
	enum channel_policy policy;
	size_t page;               /* of the rings' memory, in bytes */
	struct channel_link *link; /* over a socket, where there is no domain; else NULL */
};

/* A lane's ring, mapped twice in a row; for a subscriber once more behind that. */
struct channel_ring {
	uint8_t *base;
	size_t shown; /* so far behind is what a subscriber's messages are shown in */
	struct guard_map map;
};

extern const struct object_kind channel_kind;

/* Whether all of its options can be: 0, -EINVAL. */
int channel_check_options(const struct nonet_channel_options *options, struct nonet_error *reterr);

/* Whether a lane can have so many bytes. */
bool channel_is_lane(uint64_t size);

int channel_open(const char *address, struct channel *ret_channel, struct nonet_error *reterr);
/* To look at it alone: object_observe(). */
int channel_observe(const char *address, struct channel *ret_channel, struct nonet_error *reterr);
void channel_close(struct channel *channel);

/* Whether it is for calls, or for publishers and subscribers: 0, or -EPROTO with the sentence. */
int channel_check_use(const struct channel *channel, bool for_calls, struct nonet_error *reterr);

/* The same channel once more, for another handle. Errors as object_again(). */
int channel_again(const struct channel *channel, struct channel *ret_channel);

/*
 * Of all lanes the handle is to know only @count: the one numbered @first, and then each @stride farther. Before it has
 * taken a lane or a seat.
 */
static inline void channel_view(struct channel *channel, uint32_t first, uint32_t stride, uint32_t count)
{
	channel->first = first;
	channel->stride = stride;
	channel->lanes = count;
}

/* That lanes can be mapped: 0; -ESTALE: the descriptor isn't the file's any more; -EBADMSG: it was cut off. */
int channel_check_file(const struct channel *channel);

/* Where in the file a lane's ring is. */
uint64_t channel_place(const struct channel *channel, uint32_t lane);

/* Map a lane's ring. @to_write: its publisher */
int channel_map(const struct channel *channel, uint32_t lane, bool to_write, struct channel_ring *ret_ring);
void channel_unmap(struct channel_ring *ring);

static inline struct channel_board *channel_board(const struct channel *channel)
{
	return channel->object.payload;
}

/* The number among all of a lane that the handle knows. */
static inline uint32_t channel_number(const struct channel *channel, uint32_t lane)
{
	return channel->first + lane * channel->stride;
}

static inline struct channel_lane *channel_lane(const struct channel *channel, uint32_t lane)
{
	return (struct channel_lane *)(channel_board(channel) + 1) + channel_number(channel, lane);
}

static inline struct channel_seat *channel_seat(const struct channel *channel, uint32_t seat)
{
	struct channel_lane *lanes = (struct channel_lane *)(channel_board(channel) + 1);

	return (struct channel_seat *)(lanes + channel->all) + seat;
}

/* @number: of a lane, among all */
static inline struct channel_position *channel_position_in(const struct channel *channel, uint32_t number,
							   uint32_t seat)
{
	return (struct channel_position *)channel_seat(channel, channel->seats) + (size_t)number * channel->seats +
	       seat;
}

static inline struct channel_position *channel_position(const struct channel *channel, uint32_t lane, uint32_t seat)
{
	return channel_position_in(channel, channel_number(channel, lane), seat);
}

/* The bytes of the payload. */
static inline size_t channel_payload(uint32_t lanes, uint32_t seats)
{
	return sizeof(struct channel_board) + lanes * sizeof(struct channel_lane) +
	       seats * sizeof(struct channel_seat) + (size_t)lanes * seats * sizeof(struct channel_position);
}

#define CHANNEL_SMALL 64u

/*
 * Copy a message. A call of memcpy(3) and its choice among ways take as long as all else that is done for a message of
 * a line: those are copied here, in two halves that overlap.
 */
static inline void channel_copy_small(void *to, const void *from, size_t size)
{
	uint8_t *const begin = to;
	const uint8_t *const source = from;

	if (size >= 32) {
		memcpy(begin, source, 32);
		memcpy(begin + size - 32, source + size - 32, 32);
	} else if (size >= 16) {
		memcpy(begin, source, 16);
		memcpy(begin + size - 16, source + size - 16, 16);
	} else if (size >= 8) {
		memcpy(begin, source, 8);
		memcpy(begin + size - 8, source + size - 8, 8);
	} else {
		for (size_t i = 0; i < size; i++)
			begin[i] = source[i];
	}
}

static inline void channel_copy(void *to, const void *from, size_t size)
{
	if (size > CHANNEL_SMALL)
		memcpy(to, from, size);
	else
		channel_copy_small(to, from, size);
}

/* The bytes of a record with a message of so many. */
static inline uint64_t channel_record(uint64_t length)
{
	return CHANNEL_HEADER + ((length + 7) & ~UINT64_C(7));
}

static inline _Atomic uint64_t *channel_header(uint8_t *ring, uint64_t mask, uint64_t position)
{
	return (_Atomic uint64_t *)(ring + (position & mask));
}

/*
 * Take a lane or a seat: one that is free, or whose process is dead and has written its last, as the life lock tells.
 * @claim, @member: of it
 * Return: 1 taken, 0 not; or -errno, as domain_process_owner().
 */
int channel_take(const struct channel *channel, _Atomic uint64_t *claim, _Atomic uint64_t *member, uint64_t owner);

/*
 * Who has a lane or a seat and lives: its claim, without waiters and state; 0: nobody. All that he did before he left
 * is seen.
 */
uint64_t channel_owner(const struct channel *channel, const _Atomic uint64_t *claim);
/* The same of a claim that was read. */
uint64_t channel_owner_by(const struct channel *channel, uint64_t claim);

/* Whether nobody writes in a lane any more: it is free, or its dead publisher is gone with all of his threads. */
bool channel_is_left(const struct channel *channel, const struct channel_lane *lane);

/* Give it back; all that it was needed for is done. */
void channel_leave(_Atomic uint64_t *claim, _Atomic uint64_t *member);

/* Without membarrier(2): how long not to look. */
#define CHANNEL_BLIND NONET_MS(1)

/*
 * Sleep on words, and on the lives of owners, for at most DOMAIN_INTERVAL; over a socket on the last word alone. A life
 * that has ended isn't slept on.
 * @words: has room for as many more as there are owners
 * Return: 0 to look again; -ETIMEDOUT, -EBADMSG, -ESTALE, -ENOMEM.
 */
int channel_sleep(const struct channel *channel, struct sys_futex_word *words, int count, const uint64_t *owners,
		  int owner_count, nonet_time deadline);

/* It is damaged. Return: -EBADMSG. */
int channel_poison(const struct channel *channel);

/* What is said to who may not wait: -EAGAIN, or -ESTALE as object_not_now(). */
int channel_not_now(const struct channel *channel);

/* Who waits for the channel looks at who publishes, and whether there is a lane more. */
void channel_news(const struct channel *channel);

/* The codes that publishers and subscribers have in common. */
void channel_explain(const struct channel *channel, int code, struct nonet_error *ret_error);

#endif
