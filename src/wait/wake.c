/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "sys/event.h"
#include "sys/files.h"
#include "sys/memory.h"
#include "waitable/waitable.h"

struct nonet_wake {
	struct nonet_waitable waitable;
	int fd;
};

int nonet_wake_new(struct nonet_wake **ret_wake, struct nonet_error *reterr)
{
	struct nonet_wake *wake = sys_allocate(sizeof(*wake));
	int fd;

	if (!wake)
		return error_set(reterr, -ENOMEM, "can't make a wake object: %s", error_reason(-ENOMEM));
	fd = sys_eventfd_create();
	if (fd < 0) {
		sys_free(wake);
		return error_set(reterr, fd, "can't make a wake object: %s", error_reason(fd));
	}
	wake->fd = fd;
	waitable_init(&wake->waitable, fd, NULL);
	*ret_wake = wake;
	return 0;
}

struct nonet_wake *nonet_wake_free(struct nonet_wake *wake)
{
	if (!wake)
		return NULL;
	waitable_done(&wake->waitable);
	sys_close(&wake->fd);
	return sys_free(wake);
}

void nonet_wake_signal(struct nonet_wake *wake)
{
	/* Fails only where the counter is full, after 2^64 - 2 signals: then it is readable anyway. */
	(void)sys_counter_write(wake->fd, 1);
}

int nonet_wake_clear(struct nonet_wake *wake)
{
	uint64_t count;

	return sys_counter_read(wake->fd, &count) == 0;
}

int nonet_wake_fd(struct nonet_wake *wake)
{
	return wake->fd;
}

int nonet_wake_arm(struct nonet_wake *wake)
{
	return waitable_arm(&wake->waitable);
}

struct nonet_waitable *nonet_wake_waitable(struct nonet_wake *wake)
{
	return &wake->waitable;
}
