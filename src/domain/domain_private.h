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

#endif
