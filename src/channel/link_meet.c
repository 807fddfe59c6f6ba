/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/link_meet.h"

#include <errno.h>

#include "base/error.h"
#include "sys/files.h"
#include "sys/mapping.h"
#include "sys/memory.h"
#include "waitable/waitable.h"

/* How the two sides of a link meet: memory is made and sealed, sent, looked at, and mapped. */

#define LINK_SEALS (NONET_MEMORY_SEAL_SIZE | NONET_MEMORY_SEAL_WRITERS | NONET_MEMORY_SEAL_SEALS)

static char link_text[] = "the channel over a socket";

int link_begin(struct channel *channel, struct nonet_unix *socket, struct nonet_error *reterr)
{
	struct channel_link *link;
	void *base;
	int error;

	if (nonet_unix_get_type(socket) == NONET_UNIX_DATAGRAM)
		return error_set(reterr, -EOPNOTSUPP,
				 "a channel is over a stream or packets, not datagrams: they don't tell the other "
				 "side's end");
	link = sys_allocate(sizeof(*link));
	if (!link)
		return error_set(reterr, -ENOMEM, "no memory for a channel's handle");
	link->socket = socket;
	link->fd = nonet_unix_fd(socket);
	error = sys_map_reserve(2 * (size_t)LINK_PAGE, &base);
	if (error == 0) {
		error = guard_map_adopt(&channel->object.map, base, 2 * (size_t)LINK_PAGE, true, LINK_PAGE);
		if (error < 0)
			(void)sys_unmap(base, 2 * (size_t)LINK_PAGE);
	}
	if (error < 0) {
		sys_free(link);
		return error_set(reterr, error, "can't map a channel's words: %s", error_reason(error));
	}
	channel->object.generation = sys_generation();
	channel->object.text = link_text;
	channel->object.payload = (char *)base + LINK_PAYLOAD;
	channel->object.fd = -1;
	channel->all = 1;
	channel_view(channel, 0, 1, 1);
	channel->seats = 1;
	channel->page = DOMAIN_PAGE;
	channel->link = link;
	return 0;
}

void link_keep(struct channel *channel, struct nonet_unix **socket)
{
	/* What waited for the socket would take our bytes for messages. */
	waitable_done(nonet_unix_waitable(channel->link->socket));
	*socket = NULL;
}

void link_drop(struct channel *channel)
{
	channel->link->socket = NULL;
	channel_link_close(channel);
}

int link_make(uint64_t length, uint32_t flags, struct nonet_memory **ret_memory, struct nonet_error *reterr)
{
	const struct nonet_memory_options options = {.size = sizeof(options), .length = length, .flags = flags};

	return nonet_memory_new(&options, ret_memory, reterr);
}

int link_seal(struct nonet_memory *memory, struct nonet_error *reterr)
{
	int error = nonet_memory_seal(memory, LINK_SEALS);

	return error < 0 ? error_set(reterr, error, "can't seal a channel's memory: %s", error_reason(error)) : 0;
}

/* Whether all of it is there: who reads a hole of a peer's pays for it, or gets no memory and SIGBUS. */
static int link_check_whole(struct nonet_memory *memory, uint64_t length, struct nonet_error *reterr)
{
	struct stat status;
	int error = sys_stat_fd(nonet_memory_descriptor(memory), &status);

	if (error < 0)
		return error_set(reterr, error, "can't look at a channel's memory: %s", error_reason(error));
	if ((uint64_t)status.st_size != length || (uint64_t)status.st_blocks < length / 512)
		return error_set(reterr, -EBADMSG,
				 "the other side of the socket sent memory of %lld bytes, of which %llu are there, "
				 "but a channel's has %llu; it is broken, or hostile",
				 (long long)status.st_size, (unsigned long long)status.st_blocks * 512,
				 (unsigned long long)length);
	return 0;
}

int link_take(int *fd, uint64_t length, struct nonet_memory **ret_memory, struct nonet_error *reterr)
{
	const struct nonet_memory_options options = {
		.size = sizeof(options), .flags = NONET_MEMORY_READ_ONLY, .length = length, .seals = LINK_SEALS};
	struct nonet_error why = {0};
	struct nonet_memory *memory;
	int error = nonet_memory_take_fd(fd, &options, &memory, &why);

	switch (error) {
	case 0:
		break;
	case -EPERM:
	case -ENOTSUP:
	case -ENODATA:
	case -ERANGE:
	case -EFBIG:
	case -EACCES:
		return error_set(reterr, -EBADMSG,
				 "the other side of the socket sent no channel's memory; it is broken, or hostile: %s",
				 why.text);
	default:
		return error_set(reterr, error, "can't map the other side's memory: %s", why.text);
	}
	error = link_check_whole(memory, length, reterr);
	if (error < 0) {
		nonet_memory_close(memory);
		return error;
	}
	*ret_memory = memory;
	return 0;
}

int link_map(struct channel *channel, unsigned page, struct nonet_memory *memory, bool ours, struct nonet_error *reterr)
{
	char *base = (char *)channel->object.map.base + (size_t)page * LINK_PAGE;
	int error = sys_map_at(base, nonet_memory_descriptor(memory), 0, LINK_PAGE, ours ? SYS_MAP_WRITE : 0);

	return error < 0 ? error_set(reterr, error, "can't map a channel's words: %s", error_reason(error)) : 0;
}

int link_send(struct nonet_unix *socket, const struct link_hello *hello, const int *fds, size_t count,
	      nonet_time deadline, struct nonet_error *reterr)
{
	int error = nonet_unix_send_descriptors(socket, hello, sizeof(*hello), fds, count, deadline);

	if (error < 0)
		return error_set(reterr, error, "can't send a channel's memory over the socket: %s",
				 error_reason(error));
	return 0;
}

static int link_explain_receive(int code, uint64_t magic, struct nonet_error *reterr)
{
	const char *who = magic == LINK_PUBLISHER ? "publisher" : "subscriber";

	switch (code) {
	case -EAGAIN:
	case -ETIMEDOUT:
		return error_set(reterr, code,
				 "no %s has met us over the socket in time; the other side has to call "
				 "nonet_%s_take_socket()",
				 who, who);
	case -EPIPE:
	case -ECONNRESET:
		return error_set(reterr, code, "the other side of the socket has gone before it was a %s", who);
	case -EMSGSIZE:
	case -EBADMSG:
		return error_set(reterr, -EBADMSG, "what came over the socket isn't a %s's", who);
	default:
		return error_set(reterr, code, "can't receive a %s's memory over the socket: %s", who,
				 error_reason(code));
	}
}

int link_receive(struct nonet_unix *socket, uint64_t magic, struct link_hello *ret_hello, int *ret_fds, size_t count,
		 nonet_time deadline, struct nonet_error *reterr)
{
	struct nonet_unix_ancillary beside = {
		.size = sizeof(beside), .descriptors_capacity = (uint32_t)count, .descriptors = ret_fds};
	struct link_hello hello;
	size_t size;
	int error = nonet_unix_receive_with(socket, &hello, sizeof(hello), &beside, deadline, &size);

	if (error < 0)
		return link_explain_receive(error, magic, reterr);
	if (size != sizeof(hello) || hello.magic != magic || beside.descriptors_count != count)
		error = link_explain_receive(-EBADMSG, magic, reterr);
	else if (hello.layout != CHANNEL_LAYOUT)
		error = error_set(reterr, -EPROTO,
				  "the other side of the socket has a library of another version, whose channels "
				  "have another layout");
	if (error < 0) {
		for (uint32_t i = 0; i < beside.descriptors_count; i++)
			sys_close(&ret_fds[i]);
		return error;
	}
	*ret_hello = hello;
	return 0;
}
