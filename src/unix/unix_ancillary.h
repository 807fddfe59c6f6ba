/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIX_UNIX_ANCILLARY_H
#define UNIX_UNIX_ANCILLARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <nonet/unix.h>

/* Descriptors that came with some bytes. */
struct unix_rights {
	bool truncated; /* there were more, which this process had no room for (MSG_CTRUNC) */
	uint32_t count;
	int fds[NONET_UNIX_DESCRIPTORS_MAX];
};

/* Room for all that can come beside bytes: descriptors, and what an inherited socket may have been told to add. */
#define UNIX_CONTROL_SIZE (CMSG_SPACE(NONET_UNIX_DESCRIPTORS_MAX * sizeof(int)) + 256)

/*
 * Read what recvmsg(2) put into a control buffer. Pure: closes nothing.
 * @strays: descriptors that nobody asked for (a pidfd, where SO_PASSPIDFD is on); room for @strays_capacity
 * Return: how many strays.
 */
size_t unix_ancillary_parse(const void *control, size_t size, int flags, struct unix_rights *ret_rights, int *strays,
			    size_t strays_capacity, bool *ret_stamped);

/* Fill a control buffer of UNIX_CONTROL_SIZE bytes, aligned as struct cmsghdr. Return: how much of it was used. */
size_t unix_ancillary_build(void *control, const int *fds, size_t count);

/* @to, whose own were closed, gets what came with @from. */
void unix_rights_move(struct unix_rights *to, struct unix_rights *from);

/* Close what came. */
void unix_rights_close(struct unix_rights *rights);

/* What a receive needs: a buffer, and what to make of it afterwards, strays closed. */
struct unix_control {
	_Alignas(struct cmsghdr) uint8_t bytes[UNIX_CONTROL_SIZE];
};

/* As unix_ancillary_parse() of a message that was received just now; strays are closed. */
void unix_ancillary_take(const struct msghdr *message, struct unix_rights *ret_rights, bool *ret_stamped);

#endif
