/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/cancel.h"
#include "sys/fault.h"
#include "sys/files.h"

int sys_setting_read(const char *path, uint64_t *ret_value)
{
	int fd = sys_open(path, O_RDONLY);
	ssize_t size = fd < 0 ? fd : sys_fault(SYS_CALL_READ);
	unsigned long long value;
	char text[32];
	char *end;
	int cancel;

	if (size == 0) {
		cancel = sys_cancel_off();
		do
			size = read(fd, text, sizeof(text) - 1);
		while (size < 0 && errno == EINTR);
		sys_cancel_restore(cancel);
		size = size < 0 ? -errno : size;
	}
	sys_close(&fd);
	if (size < 0)
		return (int)size;
	text[size] = '\0';
	value = strtoull(text, &end, 10);
	if (end == text)
		return -EINVAL;
	*ret_value = value;
	return 0;
}
