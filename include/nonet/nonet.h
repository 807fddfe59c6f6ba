/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_NONET_H
#define NONET_NONET_H

/* The umbrella: all of nonet. */

#include <nonet/address.h>
#include <nonet/call.h>
#include <nonet/channel.h>
#include <nonet/condition.h>
#include <nonet/endpoint.h>
#include <nonet/error.h>
#include <nonet/event.h>
#include <nonet/filelock.h>
#include <nonet/guard.h>
#include <nonet/inspect.h>
#include <nonet/macro.h>
#include <nonet/mapfile.h>
#include <nonet/memory.h>
#include <nonet/mutex.h>
#include <nonet/pipe.h>
#include <nonet/process.h>
#include <nonet/queue.h>
#include <nonet/rwlock.h>
#include <nonet/semaphore.h>
#include <nonet/signal.h>
#include <nonet/socket.h>
#include <nonet/time.h>
#include <nonet/unix.h>
#include <nonet/version.h>
#include <nonet/wait.h>

#endif
