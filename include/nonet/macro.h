/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_MACRO_H
#define NONET_MACRO_H

/*
 * What every public header needs: visibility, the must-check attribute, C++ linkage.
 * nonet's results are ints: 0 or more is success, a negative errno is failure.
 */

#ifdef __cplusplus
#define NONET_BEGIN_DECLS extern "C" {
#define NONET_END_DECLS   }
#else
#define NONET_BEGIN_DECLS
#define NONET_END_DECLS
#endif

#if defined(__GNUC__)
#define NONET_PUBLIC     __attribute__((visibility("default")))
#define NONET_MUST_CHECK __attribute__((warn_unused_result))
#else
#define NONET_PUBLIC
#define NONET_MUST_CHECK
#endif

#endif
