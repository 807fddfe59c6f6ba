/* SPDX-License-Identifier: Apache-2.0 */
#include "call/call.h"

#include <errno.h>

#include "base/error.h"

static const struct nonet_call_options call_defaults = {.size = sizeof(call_defaults)};

static int call_check_options(const struct nonet_call_options *options, uint32_t allowed, struct nonet_error *reterr)
{
	const uint32_t both = NONET_CALL_POLL | NONET_CALL_SLEEP;

	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the call options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & NONET_CALL_WAIT & ~allowed)
		return error_set(reterr, -EINVAL,
				 "NONET_CALL_WAIT is for a client, who waits for the next server; leave it out");
	if (options->flags & ~allowed || options->reserved[0] || options->reserved[1] || options->reserved[2])
		return error_set(reterr, -EINVAL, "the call options have unknown flags or a reserved field set");
	if ((options->flags & both) == both)
		return error_set(reterr, -EINVAL,
				 "one polls or sleeps at once, not both; choose one of NONET_CALL_POLL and "
				 "NONET_CALL_SLEEP, or none");
	return 0;
}

int call_open(const char *address, const struct nonet_call_options *options, uint32_t allowed, uint32_t *ret_flags,
	      struct channel *ret_channel, struct nonet_error *reterr)
{
	struct channel channel;
	int error;

	options = options ? options : &call_defaults;
	error = call_check_options(options, allowed, reterr);
	if (error == 0)
		error = channel_open(address, &channel, reterr);
	if (error < 0)
		return error;
	error = channel_check_use(&channel, true, reterr);
	if (error < 0) {
		channel_close(&channel);
		return error;
	}
	*ret_flags = options->flags;
	*ret_channel = channel;
	return 0;
}
