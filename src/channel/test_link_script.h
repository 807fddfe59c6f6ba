/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHANNEL_TEST_LINK_SCRIPT_H
#define CHANNEL_TEST_LINK_SCRIPT_H

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel/link_layout.h"
#include "channel/test_link.h"

/* One side of a link that a test plays by hand: what it makes, sends and receives. */

#define SCRIPT_LANE  65536u
#define SCRIPT_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static const struct link_hello script_publisher = {
	.magic = LINK_PUBLISHER, .layout = CHANNEL_LAYOUT, .lane = SCRIPT_LANE};
static const struct link_hello script_subscriber = {.magic = LINK_SUBSCRIBER, .layout = CHANNEL_LAYOUT};

/* A memfd of zeros, and where it is mapped, if that is wanted. */
static inline int script_memory(size_t size, int seals, void **ret_base)
{
	const int fd = (int)test_must(memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	test_must(fallocate(fd, 0, 0, (off_t)size));
	if (ret_base) {
		*ret_base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		test_check(*ret_base != MAP_FAILED);
	}
	test_must(fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

/* Of page 0. */
static inline struct channel_lane *script_lane(void *page)
{
	return (struct channel_lane *)((char *)page + LINK_PAYLOAD + sizeof(struct channel_board));
}

static inline void script_fill(void *page)
{
	struct channel_lane *lane = script_lane(page);

	atomic_store(&lane->claim, LINK_CLAIM);
	atomic_store(&lane->bell, 1);
	atomic_store(&lane->made, 1);
	atomic_store(&lane->marked, 1);
}

/* What a good side sends first. @ret_page: mapped for writing */
static inline void script_give(struct nonet_unix *socket, const struct link_hello *hello, void **ret_page,
			       void **ret_ring)
{
	const size_t count = hello->magic == LINK_PUBLISHER ? 2 : 1;
	int fds[2] = {-1, -1};

	fds[0] = script_memory(LINK_PAGE, 0, ret_page);
	if (count == 2) {
		script_fill(*ret_page);
		fds[1] = script_memory((size_t)hello->lane, 0, ret_ring);
		test_must(fcntl(fds[1], F_ADD_SEALS, SCRIPT_SEALS));
	} else {
		struct channel_lane *lane = (struct channel_lane *)((char *)*ret_page - CHANNEL_LANE_THEIRS);
		struct channel_seat *seat = (struct channel_seat *)(lane + 1);

		atomic_store(&lane->room, 1);
		atomic_store(&seat->claim, LINK_CLAIM);
		atomic_store(&((struct channel_position *)(seat + 1))->position, CHANNEL_READS);
	}
	test_must(fcntl(fds[0], F_ADD_SEALS, SCRIPT_SEALS));
	test_check_equal(nonet_unix_send_descriptors(socket, hello, sizeof(*hello), fds, count, test_deadline()), 0);
	close(fds[0]);
	if (count == 2)
		close(fds[1]);
}

/* What the other side sends. */
static inline void script_get(struct nonet_unix *socket, struct link_hello *ret_hello, int *ret_fds, size_t count)
{
	struct nonet_unix_ancillary beside = {
		.size = sizeof(beside), .descriptors_capacity = (uint32_t)count, .descriptors = ret_fds};
	size_t size;

	test_check_equal(
		nonet_unix_receive_with(socket, ret_hello, sizeof(*ret_hello), &beside, test_deadline(), &size), 0);
	test_check(size == sizeof(*ret_hello) && beside.descriptors_count == count);
}

#endif
