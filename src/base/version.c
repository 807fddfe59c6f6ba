/* SPDX-License-Identifier: Apache-2.0 */
#include <nonet/version.h>

#define SPELL(macro)                #macro
#define DOTTED(major, minor, patch) SPELL(major) "." SPELL(minor) "." SPELL(patch)

const char *nonet_version(void)
{
	return DOTTED(NONET_VERSION_MAJOR, NONET_VERSION_MINOR, NONET_VERSION_PATCH);
}
