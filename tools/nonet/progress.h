/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_PROGRESS_H
#define NONET_TOOL_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/*
 * A line on the terminal that tells how far a long transfer is, from its second second on. Only if standard error is a
 * terminal and the other end of the transfer, @fd, isn't: nobody wants it between the lines that he types or reads.
 */
void progress_start(int fd);

/* So much was moved. Cheap: looks at the clock only now and then. */
void progress_add(size_t bytes);

/* Takes the line off the terminal, if it is there. For signal handlers too. */
void progress_erase(void);

#endif
