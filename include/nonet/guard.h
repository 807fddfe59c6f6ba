/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_GUARD_H
#define NONET_GUARD_H

#include <nonet/error.h>
#include <nonet/macro.h>

NONET_BEGIN_DECLS

/*
 * SIGBUS, and how nonet keeps it from ending the program. Whoever else may write to a mapped file can truncate it, or
 * punch a hole into it that a full file system can't fill again; who then touches that memory gets SIGBUS. The memory
 * of nonet/memory.h and nonet/mapfile.h is guarded: the access finds zeros instead, in memory that is this process's
 * own from then on, and the object is damaged: all its calls are -EBADMSG. The program goes on. (Zeros come page by
 * page; after 4,096 of them all of the object's memory is zeros at once.)
 *
 * For this a handler of SIGBUS is installed when the first such memory is mapped. Every other SIGBUS goes to whoever
 * had the signal before, with that handler's mask and flags, or ends the process as it would have. A handler that the
 * program installs later replaces nonet's, unless it hands the faults on: see nonet_guard_handle().
 *
 * Two things can't be guarded: a thread that blocks SIGBUS, which the kernel ends the process for; and a system call
 * that is given the memory (write(2), read(2)), which is -EFAULT and damages nothing.
 */

/**
 * nonet_guard_install() - put the handler of SIGBUS in place
 * @reterr: NULL, or where to put the sentence
 *
 * Done by itself with the first guarded memory. By hand to have it after another handler was installed, which is then
 * the one that gets every other fault (don't, if it calls nonet's), and after nonet_guard_uninstall().
 *
 * Return: 0, or -ENOMEM.
 * Context: any thread; not in a signal handler. A forked child has its parent's handler, and its guarded memory.
 * Source: sigaction(2), mmap(2).
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_guard_install(struct nonet_error *reterr);

/**
 * nonet_guard_uninstall() - leave SIGBUS alone, from now on and for all memory
 *
 * Gives the signal back to whoever had it before. Memory that is mapped later doesn't install the handler again.
 * Guarded memory is still known to nonet_guard_handle().
 *
 * Return: 0, or -EBUSY: another handler was installed over nonet's, and stays. If it calls nonet's in its turn, that
 *   passes everything on.
 * Context: any thread; not in a signal handler.
 */
NONET_PUBLIC int nonet_guard_uninstall(void);

/**
 * nonet_guard_handle() - for a program's own handler of SIGBUS: mend a fault, if it was in guarded memory
 * @code:    the handler's info->si_code
 * @address: its info->si_addr
 *
 * The program's handler, installed with SA_SIGINFO, calls this first, and returns if it says 1.
 *
 * Return: 1: mended, the access will be tried again when the handler returns; 0: not nonet's.
 * Context: a handler of SIGBUS, in any thread, nested too. errno is kept.
 */
NONET_PUBLIC NONET_MUST_CHECK int nonet_guard_handle(int code, void *address);

NONET_END_DECLS

#endif
