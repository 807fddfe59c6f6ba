/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INSPECT_INSPECT_HOLDERS_H
#define INSPECT_INSPECT_HOLDERS_H

#include <nonet/inspect.h>

/* nonet_inspect_holders(), with another folder in the place of /proc: for tests, which make one. */
int inspect_holders_in(const char *proc, const char *address, const struct nonet_inspect_options *options,
		       nonet_time deadline, struct nonet_inspect_holders **ret_holders, struct nonet_error *reterr);

#endif
