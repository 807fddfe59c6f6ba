/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOMAIN_MEMBER_H
#define DOMAIN_MEMBER_H

#include "domain/domain.h"

/*
 * Whether a member's process is there, or is just going: by its life lock.
 * @fd: .domain, a description of its own
 *
 * Return: 1, 0: it is gone with all of its threads; or -ENOMEM, -ENOLCK.
 */
int domain_member_lives(const struct domain *domain, int fd, uint32_t member);

/* This process has an object open, once more, or once less, so that others see who has. @object: its file's number */
void domain_member_adds(const struct domain *domain, uint64_t object);
void domain_member_removes(const struct domain *domain, uint64_t object);

#endif
