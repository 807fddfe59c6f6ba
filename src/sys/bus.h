/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_BUS_H
#define SYS_BUS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * SIGBUS for memory that its file doesn't back. The handler asks @mender, and what that doesn't mend goes to whoever
 * was there before as if we weren't: a handler with its mask and flags, SIG_IGN, or death with a core at the very
 * instruction.
 */

/* Whether the access may be tried again. Runs in a signal handler. */
typedef bool sys_bus_mender(void *address);

/* Put the handler in place, unless it is there: 0 or -errno. Any thread. */
int sys_bus_install(sys_bus_mender *mender);

/* Take it away: 0, or -EBUSY if somebody put another over it; then ours passes everything on. */
int sys_bus_uninstall(void);

/* Whether it was put in place and not taken away; costs no system call. Somebody may have put another over it. */
bool sys_bus_is_installed(void);

/* For menders: nothing but zeros from @page on, private to the process: 0 or -errno. */
int sys_bus_replace(void *page, size_t size, bool writable);

/* For menders: whether sys_bus_replace() was there before. */
bool sys_bus_is_replaced(void *page, size_t size);

/* For menders: between the two no handler runs in this thread, which could fault in its turn. */
void sys_bus_hold(sigset_t *ret_before);
void sys_bus_let(const sigset_t *before);

/* For menders, and whoever waits for one: let others run for a millisecond, those of lower priority too. */
void sys_bus_pause(void);

#endif
