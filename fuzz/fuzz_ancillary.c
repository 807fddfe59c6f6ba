/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control buffer that recvmsg(2) fills. Three properties:
 *  - any bytes: nothing is read beyond them, nothing written beyond the rooms that were given, and no descriptor comes
 *    out more often than it is in there;
 *  - every descriptor in a well-formed buffer comes out, in order, or there was no room for it;
 *  - what unix_ancillary_build() made, unix_ancillary_parse() reads.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unix/unix_ancillary.h"

#define CANARY      0x5a5a5a5a
#define STRAYS_MOST 8

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What the C library's own macros find, for a buffer that they can walk: aligned, lengths within it. */
static size_t reference(struct msghdr *message, int *fds, size_t capacity)
{
	size_t count = 0;
	int fd;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		const size_t left =
			message->msg_controllen - (size_t)((uint8_t *)header - (uint8_t *)message->msg_control);
		size_t size;

		if (header->cmsg_len < CMSG_LEN(0) || header->cmsg_len > left)
			break;
		size = header->cmsg_len - CMSG_LEN(0);
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i + sizeof(fd) <= size && count < capacity; i += sizeof(fd)) {
			memcpy(&fd, CMSG_DATA(header) + i, sizeof(fd));
			fds[count++] = fd;
		}
	}
	return count;
}

static void check_any_bytes(const uint8_t *data, size_t size, int flags, size_t strays_capacity)
{
	struct {
		int before;
		struct unix_rights rights;
		int behind;
	} room = {.before = CANARY, .behind = CANARY};
	int strays[STRAYS_MOST + 2];
	static int expected[NONET_UNIX_DESCRIPTORS_MAX];
	uint8_t *control = malloc(size ? size : 1);
	struct msghdr message = {.msg_control = control, .msg_controllen = size};
	bool stamped;
	size_t count;
	size_t most;

	for (size_t i = 0; i < STRAYS_MOST + 2; i++)
		strays[i] = CANARY;
	if (size)
		memcpy(control, data, size);
	count = unix_ancillary_parse(control, size, flags, &room.rights, strays + 1, strays_capacity, &stamped);
	require(room.before == CANARY && room.behind == CANARY);
	require(count <= strays_capacity);
	require(strays[0] == CANARY && strays[strays_capacity + 1] == CANARY);
	require(room.rights.count <= NONET_UNIX_DESCRIPTORS_MAX);
	require((room.rights.count + count) * sizeof(int) <= size);
	require(room.rights.truncated == !!(flags & MSG_CTRUNC));
	most = reference(&message, expected, NONET_UNIX_DESCRIPTORS_MAX);
	require(room.rights.count == most);
	require(most == 0 || memcmp(room.rights.fds, expected, most * sizeof(int)) == 0);
	free(control);
}

static void check_built(const uint8_t *data, size_t size)
{
	const size_t count =
		size / sizeof(int) < NONET_UNIX_DESCRIPTORS_MAX ? size / sizeof(int) : NONET_UNIX_DESCRIPTORS_MAX;
	static int fds[NONET_UNIX_DESCRIPTORS_MAX];
	struct unix_rights rights;
	struct {
		struct unix_control control;
		uint32_t behind;
	} room = {.behind = CANARY};
	bool stamped;
	size_t used;

	if (count == 0)
		return;
	memcpy(fds, data, count * sizeof(int));
	used = unix_ancillary_build(room.control.bytes, fds, count);
	require(used <= sizeof(room.control.bytes) && room.behind == CANARY);
	require(unix_ancillary_parse(room.control.bytes, used, 0, &rights, NULL, 0, &stamped) == 0);
	require(rights.count == count && !rights.truncated && !stamped);
	require(memcmp(rights.fds, fds, count * sizeof(int)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Never larger than what we give to recvmsg(2). */
	if (size < 2 || size - 2 > UNIX_CONTROL_SIZE)
		return 0;
	check_any_bytes(data + 2, size - 2, data[0] & 1 ? MSG_CTRUNC : 0, data[1] % (STRAYS_MOST + 1));
	check_built(data + 2, size - 2);
	return 0;
}
