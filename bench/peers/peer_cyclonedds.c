/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include <dds/dds.h>
#include <dds/version.h>
#include <errno.h>
#include <peer_cyclonedds_type.h> /* which idlc makes */
#include <stdio.h>
#include <stdlib.h>

/*
 * Cyclone DDS over loopback: reliable, and nothing overwritten. Its threads receive, on the same CPU as all of a side,
 * so that waiting asleep is faster than looking all the time.
 */
#define CYCLONEDDS_TAKEN 32u

struct cyclonedds_end {
	dds_entity_t participant;
	dds_entity_t writer;
	dds_entity_t reader;
	dds_entity_t waiting;
	size_t size;
};

static const char cyclonedds_configuration[] =
	"<CycloneDDS><Domain id=\"any\">"
	"<General><Interfaces><NetworkInterface name=\"lo\"/></Interfaces><AllowMulticast>false</AllowMulticast>"
	"<MaxMessageSize>65500B</MaxMessageSize></General>"
	"<Discovery><ParticipantIndex>auto</ParticipantIndex><Peers><Peer address=\"127.0.0.1\"/></Peers></Discovery>"
	"<Internal><Watermarks><WhcHigh>4MB</WhcHigh></Watermarks></Internal>"
	"</Domain></CycloneDDS>";

static void cyclonedds_version(char *text, size_t room)
{
	snprintf(text, room, "Cyclone DDS %s", DDS_VERSION);
}

static int cyclonedds_failed(dds_return_t result)
{
	if (result >= 0)
		return 0;
	fprintf(stderr, "Cyclone DDS: %s\n", dds_strretcode(result));
	return result == DDS_RETCODE_OUT_OF_RESOURCES ? -ENOMEM : -EIO;
}

static void cyclonedds_close(void *handle)
{
	struct cyclonedds_end *end = handle;

	/* And all that belongs to it. */
	if (end && end->participant > 0)
		dds_delete(end->participant);
	free(end);
}

static dds_entity_t cyclonedds_topic(const struct cyclonedds_end *end, const struct peer_session *session, int from)
{
	char name[128];

	snprintf(name, sizeof(name), "%s_%c", session->name, from ? 'b' : 'a');
	for (char *at = name; *at; at++) {
		if (*at == '-')
			*at = '_';
	}
	return dds_create_topic(end->participant, &NonetPeers_Message_desc, name, NULL, NULL);
}

/* Return: what failed, or the last that was made. */
static dds_entity_t cyclonedds_make(struct cyclonedds_end *end, const struct peer_session *session,
				    const dds_qos_t *qos)
{
	dds_entity_t out;
	dds_entity_t in;
	dds_entity_t condition;

	end->participant = dds_create_participant(DDS_DOMAIN_DEFAULT, NULL, NULL);
	if (end->participant < 0)
		return end->participant;
	out = cyclonedds_topic(end, session, session->side);
	in = cyclonedds_topic(end, session, !session->side);
	if (out < 0 || in < 0)
		return out < 0 ? out : in;
	end->writer = dds_create_writer(end->participant, out, qos, NULL);
	end->reader = dds_create_reader(end->participant, in, qos, NULL);
	if (end->writer < 0 || end->reader < 0)
		return end->writer < 0 ? end->writer : end->reader;
	condition = dds_create_readcondition(end->reader, DDS_ANY_STATE);
	end->waiting = dds_create_waitset(end->participant);
	if (condition < 0 || end->waiting < 0)
		return condition < 0 ? condition : end->waiting;
	return dds_waitset_attach(end->waiting, condition, 0);
}

static int cyclonedds_open(const struct peer_session *session, void **ret_end)
{
	struct cyclonedds_end *end = calloc(1, sizeof(*end));
	dds_qos_t *qos = dds_create_qos();
	int error = -ENOMEM;

	if (end && qos && setenv("CYCLONEDDS_URI", cyclonedds_configuration, 1) == 0) {
		end->size = session->size;
		dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_INFINITY);
		dds_qset_history(qos, DDS_HISTORY_KEEP_ALL, 0);
		error = cyclonedds_failed(cyclonedds_make(end, session, qos));
	}
	dds_delete_qos(qos);
	if (error < 0)
		cyclonedds_close(end);
	else
		*ret_end = end;
	return error;
}

/* What is written before a reader is known is lost. */
static int cyclonedds_join(void *handle)
{
	struct cyclonedds_end *end = handle;

	while (dds_get_matched_subscriptions(end->writer, NULL, 0) < 1 ||
	       dds_get_matched_publications(end->reader, NULL, 0) < 1)
		dds_sleepfor(DDS_MSECS(1));
	return 0;
}

static int cyclonedds_send(void *handle, void *message, size_t count)
{
	struct cyclonedds_end *end = handle;
	NonetPeers_Message sample = {
		.bytes = {._maximum = (uint32_t)end->size, ._length = (uint32_t)end->size, ._buffer = message},
	};
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		peer_next(message);
		error = cyclonedds_failed(dds_write(end->writer, &sample));
	}
	return error;
}

static int cyclonedds_receive(void *handle, struct peer_reader *reader, size_t count)
{
	struct cyclonedds_end *end = handle;
	dds_sample_info_t about[CYCLONEDDS_TAKEN];
	int error = 0;

	for (size_t got = 0; got < count && !error;) {
		uint32_t most = count - got < CYCLONEDDS_TAKEN ? (uint32_t)(count - got) : CYCLONEDDS_TAKEN;
		void *samples[CYCLONEDDS_TAKEN] = {NULL};
		dds_return_t taken = dds_take(end->reader, samples, about, most, most);

		if (taken == 0)
			error = cyclonedds_failed(dds_waitset_wait(end->waiting, NULL, 0, DDS_INFINITY));
		if (taken <= 0) {
			error = error ? error : cyclonedds_failed(taken);
			continue;
		}
		for (dds_return_t i = 0; i < taken; i++) {
			const NonetPeers_Message *sample = samples[i];

			if (!about[i].valid_data)
				continue;
			if (sample->bytes._length != end->size)
				error = -EPROTO;
			else
				peer_take(reader, sample->bytes._buffer, end->size);
			got++;
		}
		dds_return_loan(end->reader, samples, taken);
	}
	return error;
}

const struct peer nonet_peer = {
	.mode = "sleeps, loopback, reliable; its shared memory, which is iceoryx, isn't used",
	.version = cyclonedds_version,
	.open = cyclonedds_open,
	.join = cyclonedds_join,
	.send = cyclonedds_send,
	.receive = cyclonedds_receive,
	.close = cyclonedds_close,
};
