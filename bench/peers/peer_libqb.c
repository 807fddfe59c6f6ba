/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <errno.h>
#include <qb/qbconfig.h>
#include <qb/qbrb.h>
#include <qb/qbutil.h>
#include <stdio.h>
#include <stdlib.h>

/* libqb: its ring buffer in shared memory, without its semaphore, written and read in place. */
struct libqb_end {
	qb_ringbuffer_t *out;
	qb_ringbuffer_t *in;
	size_t size;
};

static void libqb_version(char *text, size_t room)
{
	snprintf(text, room, "libqb %d.%d.%d", qb_ver.major, qb_ver.minor, qb_ver.micro);
}

static void libqb_close(void *handle)
{
	struct libqb_end *end = handle;

	if (end && end->in)
		qb_rb_close(end->in);
	if (end && end->out)
		qb_rb_close(end->out);
	free(end);
}

static qb_ringbuffer_t *libqb_ring(const struct peer_session *session, int from)
{
	const uint32_t flags = QB_RB_FLAG_SHARED_PROCESS | QB_RB_FLAG_NO_SEMAPHORE;
	char name[128];

	snprintf(name, sizeof(name), "%s-%c", session->name, from ? 'b' : 'a');
	/* Each chunk has a header, and the whole is rounded up to pages. */
	return qb_rb_open(name, peer_slots(session->size) * (session->size + 16),
			  session->side ? flags : flags | QB_RB_FLAG_CREATE, 0);
}

static int libqb_open(const struct peer_session *session, void **ret_end)
{
	struct libqb_end *end = calloc(1, sizeof(*end));

	if (!end)
		return -ENOMEM;
	end->size = session->size;
	end->out = libqb_ring(session, session->side);
	end->in = end->out ? libqb_ring(session, !session->side) : NULL;
	if (!end->in) {
		int error = errno ? -errno : -EIO;

		libqb_close(end);
		return error;
	}
	*ret_end = end;
	return 0;
}

static int libqb_send(void *handle, void *message, size_t count)
{
	struct libqb_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		void *room;
		int error;

		while ((room = qb_rb_chunk_alloc(end->out, end->size)) == NULL)
			peer_relax();
		peer_next(message);
		peer_copy(room, message, end->size);
		error = qb_rb_chunk_commit(end->out, end->size);
		if (error < 0)
			return error;
	}
	return 0;
}

static int libqb_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct libqb_end *end = handle;

	for (size_t i = 0; i < count; i++) {
		void *data;
		ssize_t size;

		while ((size = qb_rb_chunk_peek(end->in, &data, 0)) <= 0)
			peer_relax();
		if ((size_t)size != end->size)
			return -EPROTO;
		peer_take(reader, data, end->size);
		qb_rb_chunk_reclaim(end->in);
	}
	return 0;
}

const struct peer nonet_peer = {
	.mode = "polls, its ring buffer in place, without semaphores",
	.version = libqb_version,
	.open = libqb_open,
	.send = libqb_send,
	.receive = libqb_receive,
	.close = libqb_close,
};
