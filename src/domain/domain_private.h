/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_DOMAIN_PRIVATE_H
#define DOMAIN_DOMAIN_PRIVATE_H

#include "domain/domain.h"

/*
 * Become one of the domain's members: the lock of its byte, kept by a mapping that no child inherits and no closing of
 * descriptors ends.
 * @fd: .domain
 */
int domain_member_take(struct domain *domain, int fd, struct nonet_error *reterr);

/* Where a directory is, freed with sys_free(): absolute where /proc tells, else @path; NULL: no memory. */
char *domain_find_path(int directory, const char *path);

/* The path that is meant by @directory (NULL: the default), and whether it is the user's own by default. */
char *domain_path(const char *directory, bool *ret_default);

#endif
