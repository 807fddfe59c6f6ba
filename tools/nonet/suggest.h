/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_SUGGEST_H
#define NONET_TOOL_SUGGEST_H

#include <nonet/address.h>

/*
 * As nonet_address_parse(); but of a text without a scheme the sentence says which addresses this verb could mean by
 * it, where the library can only guess among all.
 * @schemes: those that the verb takes, ended by 0, in the order in which they are suggested
 */
int suggest_parse(const char *text, const enum nonet_scheme schemes[], struct nonet_address **ret_address,
		  struct nonet_error *ret_error);

#endif
