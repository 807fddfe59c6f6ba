/* SPDX-License-Identifier: Apache-2.0 */
/* What the library assumes of UNIX sockets. None of nonet's own code is called. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness/test.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return address;
}

static int socket_at(const char *path, int type)
{
	const struct sockaddr_un address = address_of(path);
	const int fd = (int)test_must(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	test_must(bind(fd, (const struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* Return: 0 or the errno. */
static int connect_to(const char *path, int type, int *ret_fd)
{
	const struct sockaddr_un address = address_of(path);
	const int fd = (int)test_must(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
	const int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;

	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return error;
}

static void a_datagram_connect_tells_a_bound_path_from_a_stale_one(void **state)
{
	static const struct {
		int type;
		bool listens;
		int answer;
	} rows[] = {
		{SOCK_STREAM, true, EPROTOTYPE},
		{SOCK_STREAM, false, EPROTOTYPE},
		{SOCK_SEQPACKET, true, EPROTOTYPE},
		{SOCK_SEQPACKET, false, EPROTOTYPE},
		{SOCK_DGRAM, false, 0},
	};
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "socket");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int fd = socket_at(path, rows[i].type);
		struct pollfd item = {.fd = fd, .events = POLLIN};

		if (rows[i].listens)
			test_must(listen(fd, 5));
		test_check_equal(connect_to(path, SOCK_DGRAM, NULL), rows[i].answer);
		/* Whoever listens has not been bothered. */
		if (rows[i].listens || rows[i].type == SOCK_DGRAM)
			test_check_equal(test_must(poll(&item, 1, 0)), 0);
		close(fd);
		test_check_equal(connect_to(path, SOCK_DGRAM, NULL), ECONNREFUSED);
		test_must(unlink(path));
		test_check_equal(connect_to(path, SOCK_DGRAM, NULL), ENOENT);
	}
	/* So what isn't a socket has to be looked at before. */
	close((int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
	test_check_equal(connect_to(path, SOCK_DGRAM, NULL), ECONNREFUSED);
	unlink(path);
	test_directory_free(directory);
}

static void a_bound_path_has_the_sockets_mode_less_the_umask(void **state)
{
	static const mode_t modes[] = {0777, 0600, 0660, 0, 0421};
	static const mode_t masks[] = {0, 022, 077, 0777};
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "socket");
	struct sockaddr_un address = address_of(path);
	const mode_t old = umask(0);
	struct stat status;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		for (size_t j = 0; j < sizeof(masks) / sizeof(masks[0]); j++) {
			const int fd = (int)test_must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

			umask(masks[j]);
			test_must(fchmod(fd, modes[i]));
			test_must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
			test_must(lstat(path, &status));
			test_check_equal(status.st_mode & 07777, modes[i] & ~masks[j]);
			close(fd);
			unlink(path);
		}
	}
	umask(old);
	test_directory_free(directory);
}

/* Return: the bytes; *ret_set is how many descriptors came, each closed; *ret_control is what came beside them. */
static ssize_t receive(int fd, void *buffer, size_t size, int *ret_set, size_t *ret_control)
{
	_Alignas(struct cmsghdr) uint8_t control[512];
	struct iovec vector = {.iov_base = buffer, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	const ssize_t came = test_must(recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));

	*ret_set = 0;
	*ret_control = message.msg_controllen;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (; CMSG_LEN((size_t)(*ret_set + 1) * sizeof(int)) <= part->cmsg_len; (*ret_set)++) {
			int one;

			memcpy(&one, CMSG_DATA(part) + (size_t)*ret_set * sizeof(int), sizeof(int));
			close(one);
		}
	}
	return came;
}

static void send_with(int fd, const char *text, int count)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(4 * sizeof(int))] = {0};
	struct iovec vector = {.iov_base = (void *)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	if (count > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		for (int i = 0; i < count; i++)
			memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)) + (size_t)i * sizeof(int), &fd, sizeof(int));
	}
	test_check_equal(sendmsg(fd, &message, MSG_NOSIGNAL), strlen(text));
}

static void a_time_stamp_marks_each_packet_and_not_the_end(void **state)
{
	const int on = 1;
	size_t control;
	char byte;
	int fds[2];
	int set;

	(void)state;
	test_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	test_must(setsockopt(fds[0], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
	for (int i = 0; i < 3; i++)
		send_with(fds[1], i % 2 ? "a" : "", 0);
	close(fds[1]);
	for (int i = 0; i < 3; i++) {
		test_check_equal(receive(fds[0], &byte, 1, &set, &control), i % 2);
		test_check(control > 0);
	}
	for (int i = 0; i < 2; i++) {
		test_check_equal(receive(fds[0], &byte, 1, &set, &control), 0);
		test_check_equal(control, 0);
	}
	close(fds[0]);
}

static void a_read_ends_with_the_first_bytes_that_came_with_descriptors(void **state)
{
	char buffer[64] = "";
	size_t control;
	int fds[2];
	int set;

	(void)state;
	test_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	send_with(fds[1], "plain ", 0);
	send_with(fds[1], "one", 1);
	send_with(fds[1], " after", 0);
	send_with(fds[1], "two", 2);
	send_with(fds[1], "three", 3);
	test_check_equal(receive(fds[0], buffer, sizeof(buffer), &set, &control), strlen("plain one"));
	test_check_equal(set, 1);
	test_check_equal(receive(fds[0], buffer, sizeof(buffer), &set, &control), strlen(" aftertwo"));
	test_check_equal(set, 2);
	test_check_equal(receive(fds[0], buffer, sizeof(buffer), &set, &control), strlen("three"));
	test_check_equal(set, 3);
	close(fds[0]);
	close(fds[1]);
}

static int accept_one(struct test_child_side *side, void *listener)
{
	(void)side;
	close((int)test_must(accept4(*(int *)listener, NULL, NULL, SOCK_CLOEXEC)));
	return 0;
}

static void peer_credentials_name_who_called_listen(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "socket");
	int listener = socket_at(path, SOCK_STREAM);
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);
	struct test_child *child;
	int fd;

	(void)state;
	test_must(listen(listener, 5));
	test_must(fcntl(listener, F_SETFL, 0));
	child = test_child_start(accept_one, &listener);
	test_check_equal(connect_to(path, SOCK_STREAM, &fd), 0);
	test_must(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size));
	test_check_equal(peer.pid, getpid());
	test_check_equal(test_child_join(child), 0);
	test_must(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size));
	test_check_equal(peer.pid, getpid());
	close(fd);
	close(listener);
	unlink(path);
	test_directory_free(directory);
}

static int connect_and_wait(struct test_child_side *side, void *path)
{
	int fd;

	test_check_equal(connect_to(path, SOCK_STREAM, &fd), 0);
	test_report(side, "ready");
	test_await(side, "end");
	close(fd);
	return 0;
}

static void a_peers_pidfd_outlives_the_peer(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "socket");
	const int listener = socket_at(path, SOCK_STREAM);
	struct test_child *child;
	struct pollfd early = {.fd = -1, .events = POLLIN};
	int late = -1;
	socklen_t size = sizeof(int);
	int known;
	int error;
	int fd;

	(void)state;
	test_must(listen(listener, 5));
	child = test_child_until(connect_and_wait, (void *)path);
	fd = (int)test_must(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	known = getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &early.fd, &size) < 0 ? errno : 0;
	if (known == 0)
		test_check_equal(test_must(poll(&early, 1, 0)), 0);
	test_child_tell(child, "end");
	test_check_equal(test_child_join(child), 0);
	size = sizeof(int);
	error = getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &late, &size) < 0 ? errno : 0;
	close(fd);
	close(listener);
	unlink(path);
	test_directory_free(directory);
	if (known == ENOPROTOOPT)
		test_not_applicable("SO_PEERPIDFD is there from Linux 6.5 on; the library falls back to pidfd_open()");
	test_check_equal(known, 0);
	/* It was taken while the peer lived: now it says that it doesn't. */
	test_check_equal(test_must(poll(&early, 1, 0)), 1);
	test_check(syscall(SYS_pidfd_send_signal, early.fd, 0, NULL, 0) < 0 && errno == ESRCH);
	close(early.fd);
	/* Asked for only now: from Linux 6.16 on all the same, before that EINVAL, as the process is gone. */
	test_note("a pidfd of a peer that is reaped: %s", error ? strerror(error) : "there");
	test_check(error == 0 || error == EINVAL || error == ESRCH);
	if (error == 0) {
		test_check(syscall(SYS_pidfd_send_signal, late, 0, NULL, 0) < 0 && errno == ESRCH);
		close(late);
	}
}

static void a_datagram_socket_polls_for_room_at_its_receiver(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "socket");
	const int receiver = socket_at(path, SOCK_DGRAM);
	struct pollfd item = {.events = POLLOUT};
	char byte;

	(void)state;
	test_check_equal(connect_to(path, SOCK_DGRAM, &item.fd), 0);
	test_check_equal(test_must(poll(&item, 1, 0)), 1);
	while (send(item.fd, "a", 1, MSG_DONTWAIT) == 1)
		;
	test_check_equal(errno, EAGAIN);
	test_check_equal(test_must(poll(&item, 1, 0)), 0);
	test_check_equal(recv(receiver, &byte, 1, MSG_DONTWAIT), 1);
	test_check_equal(test_must(poll(&item, 1, 0)), 1);
	while (send(item.fd, "a", 1, MSG_DONTWAIT) == 1)
		;
	close(receiver);
	test_check(test_must(poll(&item, 1, 0)) == 1 && send(item.fd, "a", 1, MSG_DONTWAIT) < 0);
	test_check_equal(errno, ECONNREFUSED);
	close(item.fd);
	unlink(path);
	test_directory_free(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_datagram_connect_tells_a_bound_path_from_a_stale_one),
		test_case(a_bound_path_has_the_sockets_mode_less_the_umask),
		test_case(a_time_stamp_marks_each_packet_and_not_the_end),
		test_case(a_read_ends_with_the_first_bytes_that_came_with_descriptors),
		test_case(peer_credentials_name_who_called_listen),
		test_case(a_peers_pidfd_outlives_the_peer),
		test_case(a_datagram_socket_polls_for_room_at_its_receiver),
	};

	return test_main(tests);
}
