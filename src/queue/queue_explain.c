/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "queue/queue.h"

/* What the one can't the other can. */
#define POSIX_CANT                                                                                                    \
	"a POSIX queue has priorities, and its highest message comes first; types, choosing among messages by them, " \
	"and peeking are sysvmsg:'s"
#define SYSV_CANT                                                                                                    \
	"a System V queue has types; priorities and being notified by a signal are posixmq:'s, and a descriptor of " \
	"it only tells who receives that something is there; peeking needs a kernel with CONFIG_CHECKPOINT_RESTORE"

/* A handle that goes both ways doesn't know which call failed: then it is said of both. */
static const char *of_way(const struct nonet_queue *queue, const char *sending, const char *receiving, const char *both)
{
	const bool sends = queue->flags & NONET_QUEUE_SEND, receives = queue->flags & NONET_QUEUE_RECEIVE;

	return sends && receives ? both : sends ? sending : receiving;
}

static void explain_wait(struct nonet_queue *queue, int code, const char *when, struct nonet_error *ret_error)
{
	error_set(ret_error, code, "%s %s %s", nonet_queue_address(queue),
		  of_way(queue, "had no room for the message", "had no such message",
			 "had no such message, or no room for one more,"),
		  when);
}

static void explain_size(struct nonet_queue *queue, int code, struct nonet_error *ret_error)
{
	struct nonet_queue_status status;

	if (nonet_queue_status(queue, &status) < 0)
		status.message_size = queue->message_size;
	error_set(ret_error, code, "the message is larger than %s %llu bytes that %s takes at most",
		  of_way(queue, "the", "the buffer to receive it: bring one of the",
			 "the buffer to receive it, or than the"),
		  (unsigned long long)status.message_size, nonet_queue_address(queue));
}

void nonet_queue_explain(struct nonet_queue *queue, int code, struct nonet_error *ret_error)
{
	const bool posix = queue->carrier == &queue_posix_carrier;
	const char *address = nonet_queue_address(queue);

	switch (code) {
	case -EAGAIN:
		explain_wait(queue, code, "now", ret_error);
		return;
	case -ETIMEDOUT:
		explain_wait(queue, code, "before the deadline", ret_error);
		return;
	case -EMSGSIZE:
		explain_size(queue, code, ret_error);
		return;
	case -EIDRM:
		error_set(ret_error, code,
			  "the queue %s was removed, with all that was in it; make or open it anew, if it is to be "
			  "again",
			  address);
		return;
	case -EOPNOTSUPP:
		error_set(ret_error, code, "%s can't do that: %s", address, posix ? POSIX_CANT : SYSV_CANT);
		return;
	case -EINVAL:
		error_set(ret_error, code,
			  "which message of %s, or what it is sent with, isn't said as nonet/queue.h asks: a type is "
			  "above 0 where one is needed, a priority at most 32767",
			  address);
		return;
	case -EBADF:
		error_set(ret_error, code, "%s was opened only to %s", address,
			  queue->flags & NONET_QUEUE_SEND ? "send" : "receive");
		return;
	case -EBUSY:
		error_set(ret_error, code,
			  "a process is to be notified of %s already, and the kernel has room for one a queue: wait "
			  "for its descriptor",
			  address);
		return;
	case -ENOMEM:
		error_set(ret_error, code, "no memory is left for %s%s", address,
			  posix ? ""
				: ", or no thread to wait for it: this user may have more by ulimit -u, its control "
				  "group by pids.max");
		return;
	case -EMFILE:
		error_set(ret_error, code,
			  "no descriptor is left to wait for %s: raise RLIMIT_NOFILE (ulimit -n), or close some",
			  address);
		return;
	case -ECHILD:
		error_set(ret_error, code,
			  "the helper behind the descriptor of %s is the parent's: a forked child opens the queue "
			  "itself to wait for it",
			  address);
		return;
	case -EACCES:
		error_set(ret_error, code, "the owner and mode of %s don't let this user do that", address);
		return;
	default:
		error_set(ret_error, code, "the queue %s: %s", address, error_reason(code));
		return;
	}
}
