/* SPDX-License-Identifier: Apache-2.0 */
#include "unix/unix_ancillary.h"

#include <string.h>

#include "sys/files.h"

/* Linux 6.5; older headers don't have it. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

#define ANCILLARY_STRAYS 8

size_t unix_ancillary_parse(const void *control, size_t size, int flags, struct unix_rights *ret_rights, int *strays,
			    size_t strays_capacity, bool *ret_stamped)
{
	const uint8_t *bytes = control;
	struct cmsghdr header;
	size_t strays_count = 0;
	size_t offset = 0;
	size_t data;
	int fd;

	ret_rights->count = 0;
	ret_rights->truncated = flags & MSG_CTRUNC;
	*ret_stamped = false;
	/* By hand, not by CMSG_NXTHDR(), whose glibc and musl versions differ in what they check of the length. */
	while (size - offset >= sizeof(header)) {
		memcpy(&header, bytes + offset, sizeof(header));
		if (header.cmsg_len < sizeof(header) || header.cmsg_len > size - offset)
			break;
		data = header.cmsg_len - CMSG_LEN(0);
		if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_RIGHTS) {
			for (size_t i = 0; i + sizeof(fd) <= data; i += sizeof(fd)) {
				memcpy(&fd, bytes + offset + CMSG_LEN(0) + i, sizeof(fd));
				if (ret_rights->count < NONET_UNIX_DESCRIPTORS_MAX)
					ret_rights->fds[ret_rights->count++] = fd;
				else if (strays_count < strays_capacity)
					strays[strays_count++] = fd;
			}
		} else if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_PIDFD && data >= sizeof(fd)) {
			memcpy(&fd, bytes + offset + CMSG_LEN(0), sizeof(fd));
			/* The kernel puts a negative error in the descriptor's place if it could make none. */
			if (fd >= 0 && strays_count < strays_capacity)
				strays[strays_count++] = fd;
		} else if (header.cmsg_level == SOL_SOCKET) {
			*ret_stamped |= header.cmsg_type == SO_TIMESTAMPNS;
		}
		if (CMSG_ALIGN(header.cmsg_len) > size - offset)
			break;
		offset += CMSG_ALIGN(header.cmsg_len);
	}
	return strays_count;
}

void unix_ancillary_take(const struct msghdr *message, struct unix_rights *ret_rights, bool *ret_stamped)
{
	int strays[ANCILLARY_STRAYS];
	size_t count = unix_ancillary_parse(message->msg_control, message->msg_controllen, message->msg_flags,
					    ret_rights, strays, ANCILLARY_STRAYS, ret_stamped);

	while (count > 0)
		sys_close(&strays[--count]);
}

size_t unix_ancillary_build(void *control, const int *fds, size_t count)
{
	struct cmsghdr *header = control;
	int *data = (int *)CMSG_DATA(header);

	*header = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int))};
	for (size_t i = 0; i < count; i++)
		data[i] = fds[i];
	/* Nothing of our stack in the padding. */
	if (count % 2)
		data[count] = 0;
	return CMSG_SPACE(count * sizeof(int));
}

void unix_rights_close(struct unix_rights *rights)
{
	while (rights->count > 0)
		sys_close(&rights->fds[--rights->count]);
	rights->truncated = false;
}

void unix_rights_move(struct unix_rights *to, struct unix_rights *from)
{
	to->truncated = from->truncated;
	to->count = from->count;
	memcpy(to->fds, from->fds, from->count * sizeof(from->fds[0]));
	from->count = 0;
}
