/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SETTING_H
#define SYS_SETTING_H

#include <stdint.h>

/*
 * A number that the kernel tells in a file of its own, such as /proc/sys/kernel/msgmax. EINTR is retried.
 *
 * Return: 0, -EINVAL if no number is there, or another -errno; -ENOENT without /proc.
 */
int sys_setting_read(const char *path, uint64_t *ret_value);

#endif
