/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HARNESS_SANITIZER_H
#define HARNESS_SANITIZER_H

#include <stdbool.h>

/* Built with a sanitizer that keeps its own mappings and threads, and makes everything slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

bool test_under_valgrind(void);

/* Whether test_lost_memory() can find anything: built with AddressSanitizer, leak detection not switched off. */
bool test_sees_lost_memory(void);

/*
 * Whether memory that is no longer reachable was found since the last call; the sanitizer prints
 * the stacks.
 */
bool test_lost_memory(void);

#endif
