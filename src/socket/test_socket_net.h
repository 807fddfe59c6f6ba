/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SOCKET_TEST_SOCKET_NET_H
#define SOCKET_TEST_SOCKET_NET_H

#include <sched.h>

#include "harness/run.h"
#include "socket/test_socket.h"

/* What the tests in a network namespace of their own share. A child enters it, and it goes with the child. */

static inline void ip(const char *const argv[])
{
	struct test_result result;

	test_run(argv, NULL, 0, test_after(NONET_S(20)), &result);
	if (result.status != 0)
		test_fail("%s %s %s: status %d, %s", argv[0], argv[1], argv[2], result.status, result.err);
	test_run_free(&result);
}
#define IP(...) ip((const char *const[]){"ip", __VA_ARGS__, NULL})

static inline bool have_ip(void)
{
	const char *const argv[] = {"ip", "-Version", NULL};
	struct test_result result;
	bool have;

	test_run(argv, NULL, 0, test_after(NONET_S(20)), &result);
	have = result.status == 0;
	test_run_free(&result);
	return have;
}

static inline int need_namespaces(void **state)
{
	(void)state;
	test_skip_unless_root("a network namespace takes CAP_SYS_ADMIN");
	if (!have_ip())
		test_skip("ip", "the command ip (iproute2) makes the cable between two namespaces");
	return 0;
}

#endif
