/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NONET_TOOL_DOCTOR_TRY_H
#define NONET_TOOL_DOCTOR_TRY_H

/*
 * Features of the kernel, each tried on an object of our own that is gone afterwards. None waits.
 * Return: 0 if it works; the negative errno that it fails with; or the positive one of what it is to be tried on.
 */
typedef int doctor_try(void);

doctor_try doctor_try_nosignal;
doctor_try doctor_try_pidfd;
doctor_try doctor_try_close_range;
doctor_try doctor_try_pidfs;
doctor_try doctor_try_peer_pidfd;
doctor_try doctor_try_futex_waitv;
doctor_try doctor_try_membarrier;
doctor_try doctor_try_wipe_on_fork;
doctor_try doctor_try_ofd_lock;
doctor_try doctor_try_future_write;
doctor_try doctor_try_fallocate;
doctor_try doctor_try_io_uring;
doctor_try doctor_try_user_namespace;

#endif
