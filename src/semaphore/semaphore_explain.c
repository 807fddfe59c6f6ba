/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "semaphore/semaphore.h"

void nonet_semaphore_explain(struct nonet_semaphore *semaphore, int code, struct nonet_error *ret_error)
{
	const char *text = semaphore->place.text;

	if (semaphore->carrier->explain(semaphore, code, ret_error))
		return;
	switch (code) {
	case -EINVAL:
		error_set(ret_error, code,
			  "what was asked of %s makes no sense: 0 permits or operations, more permits than a semaphore "
			  "can "
			  "have, an index that its set doesn't have, or unknown flags",
			  text);
		return;
	case -ECHILD:
		error_set(ret_error, code,
			  "%s was opened before fork(), and the thread that waits for it is the parent's: open it anew "
			  "to "
			  "wait for it together with others",
			  text);
		return;
	case -ENOMEM:
		error_set(
			ret_error, code,
			"no memory is left for %s, or no thread to wait for it: this user may have more by ulimit -u, "
			"its control group by pids.max",
			text);
		return;
	case -EMFILE:
		error_set(ret_error, code,
			  "no descriptor is left to wait for %s: raise RLIMIT_NOFILE (ulimit -n), or close some", text);
		return;
	default:
		error_set(ret_error, code, "the semaphore %s: %s", text, error_reason(code));
		return;
	}
}
