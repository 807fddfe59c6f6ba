/* SPDX-License-Identifier: Apache-2.0 */
#include "stream/explain.h"

#include <errno.h>

#include "base/error.h"

bool stream_explain(const struct stream *stream, const char *kind, int code, struct nonet_error *ret_error)
{
	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "nothing to receive from the %s now, or no room to send", kind);
		return true;
	case -ETIMEDOUT:
		error_set(ret_error, code,
			  "the other side of the %s sent nothing, or took nothing, before the deadline", kind);
		return true;
	case -EBADMSG:
		error_set(
			ret_error, code,
			stream->receiver.broken
				? "what came from the %s isn't a message of nonet's: the other side uses plain bytes, "
				  "has a larger message size, or is damaged"
				: "the other side of the %s went away in the middle of a message, which is lost",
			kind);
		return true;
	default:
		return false;
	}
}

void stream_explain_accept(const char *name, int code, struct nonet_error *ret_error)
{
	switch (code) {
	case -EAGAIN:
		error_set(ret_error, code, "nobody is waiting to connect to %s now", name);
		return;
	case -ETIMEDOUT:
		error_set(ret_error, code, "nobody connected to %s before the deadline", name);
		return;
	case -EMFILE:
		error_set(ret_error, code,
			  "this process has no descriptor left for a connection to %s: raise its RLIMIT_NOFILE (ulimit "
			  "-n), or close some",
			  name);
		return;
	default:
		error_set(ret_error, code, "can't accept a connection to %s: %s", name, error_reason(code));
		return;
	}
}
