/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_IPC_KEY_H
#define SYS_IPC_KEY_H

#include <stdint.h>

/*
 * The System V key of a file and a project (1 to 255), as ftok(3) makes it: of 16 bits of the file's number and 8 of
 * the device's, so that other files may have it too; the kernel knows nothing of the file.
 *
 * Return: 0, or -errno of stat(2).
 */
int sys_ipc_key(const char *path, int project, int32_t *ret_key);

#endif
