/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor.h"

static void look_at_datagram_queue(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/net/unix/max_dgram_qlen";
	uint64_t length;
	int r = doctor_number(doctor, path, &length);

	if (r < 0) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	doctor_found(finding,
		     length < 1     ? DOCTOR_PROBLEM
		     : length <= 10 ? DOCTOR_NOTE
				    : DOCTOR_OK,
		     "A UNIX datagram socket queues %" PRIu64 " datagrams", length + 1);
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "However small they are: the next sender waits until one is read, or gets -EAGAIN. A "
			      "listener's queue of connections isn't bound by it.");
	doctor_mend_as_root(doctor, finding, "sysctl -w net.unix.max_dgram_qlen=512");
}

static void look_at_backlog(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char path[] = "/proc/sys/net/core/somaxconn";
	uint64_t length;
	int r = doctor_number(doctor, path, &length);

	if (r < 0) {
		doctor_cant_tell(finding, path, r);
		return;
	}
	doctor_found(finding,
		     length < 16     ? DOCTOR_PROBLEM
		     : length < 1024 ? DOCTOR_NOTE
				     : DOCTOR_OK,
		     "%" PRIu64 " connections may wait to be accepted by a listener", length);
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "Whatever a program asks listen(2) for. When more clients come at once, those of UNIX "
			      "sockets wait, and TCP's try again after a second.");
	doctor_mend_as_root(doctor, finding, "sysctl -w net.core.somaxconn=4096");
}

#define BUFFER_DEFAULT 212992 /* the kernel's on 64 bits */

static void look_at_buffers(const struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const paths[] = {"/proc/sys/net/core/wmem_max", "/proc/sys/net/core/rmem_max"};
	uint64_t sizes[2], least;
	size_t i;
	int r;

	for (i = 0; i < 2; i++) {
		r = doctor_number(doctor, paths[i], &sizes[i]);
		if (r < 0) {
			doctor_cant_tell(finding, paths[i], r);
			return;
		}
	}
	least = sizes[0] < sizes[1] ? sizes[0] : sizes[1];
	doctor_found(finding,
		     least < 65536            ? DOCTOR_PROBLEM
		     : least < BUFFER_DEFAULT ? DOCTOR_NOTE
					      : DOCTOR_OK,
		     "A socket may buffer %s to send and %s received", DOCTOR_SIZE(sizes[0]), DOCTOR_SIZE(sizes[1]));
	if (finding->level == DOCTOR_OK)
		return;
	doctor_means(finding, "A packet or datagram must fit into it whole, else it is -EMSGSIZE; a receiver that is "
			      "behind by so much loses UDP datagrams.");
	doctor_mend_as_root(doctor, finding, "sysctl -w net.core.wmem_max=%d net.core.rmem_max=%d", BUFFER_DEFAULT,
			    BUFFER_DEFAULT);
}

static void look_at_loopback(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd, r;

	if (!doctor_can_try(doctor)) {
		doctor_cant_try(finding);
		return;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (r == 0 && request.ifr_flags & IFF_UP) {
		doctor_found(finding, DOCTOR_OK, "The loopback interface is up");
		return;
	}
	if (r == 0)
		doctor_found(finding, DOCTOR_PROBLEM, "The loopback interface is down");
	else
		doctor_found(finding, DOCTOR_PROBLEM, "The loopback interface can't be used: %s", strerror(-r));
	doctor_means(finding, "tcp: and udp: addresses of this host, 127.0.0.1 and [::1], are -ENETUNREACH. UNIX "
			      "sockets don't need it.");
	doctor_mend_as_root(doctor, finding, "ip link set lo up");
}

/* By a raw socket, as nonet does it: what other programs ping by (net.ipv4.ping_group_range) says nothing of icmp:. */
static void look_at_ping(const struct doctor *doctor, struct doctor_finding *finding)
{
	int fd, code;

	if (!doctor_can_try(doctor)) {
		doctor_cant_try(finding);
		return;
	}
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	code = errno;
	if (fd >= 0) {
		close(fd);
		doctor_found(finding, DOCTOR_OK, "You may send ICMP echoes");
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "You may not send ICMP echoes: %s", strerror(code));
	doctor_means(finding, "icmp: addresses take the capability CAP_NET_RAW; without it they are -EPERM, also where "
			      "other programs may ping (net.ipv4.ping_group_range).");
	if (code != EPERM)
		return;
	if (doctor->uid == 0)
		doctor_mend(finding, "docker run --cap-add=NET_RAW IMAGE");
	else
		doctor_mend_as_root(doctor, finding, "setcap cap_net_raw+ep PROGRAM");
}

const struct doctor_check doctor_sockets[] = {
	{"datagram-queue", "net.unix.max_dgram_qlen: unread UNIX datagrams", look_at_datagram_queue},
	{"backlog", "net.core.somaxconn: connections not accepted yet", look_at_backlog},
	{"socket-buffers", "net.core.wmem_max, rmem_max: what a socket holds", look_at_buffers},
	{"loopback", "the interface lo, tried", look_at_loopback},
	{"ping", "ICMP echoes by a raw socket (CAP_NET_RAW), tried", look_at_ping},
	{NULL, NULL, NULL},
};
