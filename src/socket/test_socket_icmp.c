/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/test_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include "socket/socket_echo.h"

/* Pings of this machine by itself. The kernel answers. */

static int need_root(void **state)
{
	(void)state;
	test_skip_unless_root("a raw socket takes CAP_NET_RAW");
	return 0;
}

static const struct test_fixture rooted = {.setup = need_root};

static struct nonet_socket *ping(const char *host)
{
	struct nonet_socket *socket = NULL;
	struct nonet_error error = {0};

	if (nonet_socket_connect(host, NULL, NONET_SOCKET_ICMP, NULL, soon(), &socket, &error) < 0)
		test_fail("can't ping %s: %s", host, error.text);
	return socket;
}

static void what_is_sent_comes_back(void **state)
{
	static const size_t sizes[] = {0, 1, 56, 57, 1472, 8000, 65507};
	struct nonet_socket_name name;
	struct nonet_socket *socket;
	size_t size;

	(void)state;
	for_each_loopback(host)
	{
		socket = ping(host);
		assert_int_equal(nonet_socket_get_type(socket), NONET_SOCKET_ICMP);
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, NONET_NOW, &size), -EAGAIN);
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, nonet_after(NONET_MS(1)), &size), -ETIMEDOUT);
		for (unsigned i = 0; i < 7; i++) {
			assert_int_equal(send_filled(socket, sizes[i], i, i % 2 ? soon() : NONET_FOREVER), 0);
			if (i % 2) {
				assert_int_equal(nonet_socket_message_size(socket, soon(), &size), 0);
				assert_int_equal(size, sizes[i]);
				assert_int_equal(nonet_socket_arm(socket), 1);
			}
			if (sizes[i] > 0)
				assert_int_equal(nonet_socket_receive(socket, NULL, 0, soon(), &size), -EMSGSIZE);
			expect_filled(socket, sizes[i], i);
			assert_int_equal(nonet_socket_arm(socket), 0);
		}
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, NONET_NOW, &size), -EAGAIN);
		assert_int_equal(send_filled(socket, 65528, 1, NONET_NOW), -EMSGSIZE);
		assert_int_equal(nonet_socket_peer(socket, &name), 0);
		assert_string_equal(name.host, host);
		assert_int_equal(nonet_socket_finish(socket), -EOPNOTSUPP);
		assert_int_equal(nonet_socket_send_to(socket, &name, "a", 1, NONET_NOW), -EOPNOTSUPP);
		nonet_socket_close(socket);
	}
}

/* Several under way; each is answered once, and none to another socket that pings the same host. */
static void answers_find_who_asked(void **state)
{
	struct nonet_socket *ours;
	struct nonet_socket *others;
	size_t size;

	(void)state;
	for_each_loopback(host)
	{
		ours = ping(host);
		others = ping(host);
		for (unsigned i = 0; i < 40; i++)
			assert_int_equal(send_filled(i % 2 ? others : ours, 100 + i, i, soon()), 0);
		for (unsigned i = 0; i < 40; i += 2)
			expect_filled(ours, 100 + i, i);
		assert_int_equal(nonet_socket_receive(ours, NULL, 0, NONET_NOW, &size), -EAGAIN);
		for (unsigned i = 1; i < 40; i += 2)
			expect_filled(others, 100 + i, i);
		close_pair(ours, others);
	}
}

/* An echo reply that nobody asked for, made by hand. */
struct forged {
	uint16_t identifier;
	uint16_t sequence;
	size_t size;
};

static void forge(int raw, const struct forged *forged)
{
	const struct sockaddr_in us = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	uint8_t packet[100 + ECHO_HEADER_SIZE] = {0};
	uint32_t sum = 0;

	packet[4] = (uint8_t)(forged->identifier >> 8);
	packet[5] = (uint8_t)forged->identifier;
	packet[6] = (uint8_t)(forged->sequence >> 8);
	packet[7] = (uint8_t)forged->sequence;
	for (size_t i = 0; i < sizeof(packet); i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	packet[2] = (uint8_t)(sum >> 8);
	packet[3] = (uint8_t)sum;
	test_must(sendto(raw, packet, forged->size, 0, (const struct sockaddr *)&us, sizeof(us)));
}

static struct sockaddr_in own_address(void)
{
	struct sockaddr_in own = {.sin_family = AF_INET};

	test_check(inet_pton(AF_INET, own_host(), &own.sin_addr) == 1);
	return own;
}

/* A socket to forge answers of our own host with: no other test's pings see them. */
static int forger(void)
{
	const int raw = (int)test_must(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
	const struct sockaddr_in own = own_address();

	test_must(bind(raw, (const struct sockaddr *)&own, sizeof(own)));
	return raw;
}

/* A socket that sees all answers of our own host. */
static int watcher(void)
{
	const int raw = (int)test_must(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
	const struct sockaddr_in own = own_address();

	test_must(connect(raw, (const struct sockaddr *)&own, sizeof(own)));
	return raw;
}

/* What the last request of a socket looked like: from the answer that another socket sees too. */
static struct echo last_of(int seeing, struct nonet_socket *socket)
{
	uint8_t packet[200];
	struct echo echo = {0};
	ssize_t size;

	/* What was before. */
	do
		size = recv(seeing, packet, sizeof(packet), MSG_DONTWAIT);
	while (size >= 0);
	assert_int_equal(send_filled(socket, 30, 1, NONET_NOW), 0);
	do
		size = test_must(recv(seeing, packet, sizeof(packet), 0));
	while (!echo_reply(false, packet, (size_t)size, &echo));
	expect_filled(socket, 30, 1);
	return echo;
}

static void what_nobody_asked_for_is_passed_over(void **state)
{
	const int raw = forger();
	const int seeing = watcher();
	struct nonet_socket *socket = ping(own_host());
	struct echo last = last_of(seeing, socket);
	size_t size;

	(void)state;
	const struct forged forgeries[] = {
		{.identifier = last.identifier, .sequence = last.sequence, .size = 38},                 /* again */
		{.identifier = last.identifier, .sequence = (uint16_t)(last.sequence + 1), .size = 38}, /* not yet */
		{.identifier = last.identifier, .sequence = (uint16_t)(last.sequence - 60), .size = 38},
		{.identifier = (uint16_t)(last.identifier + 1), .sequence = last.sequence, .size = 38},
		{.size = 8},
	};

	for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		forge(raw, &forgeries[i]);
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, nonet_after(NONET_MS(1)), &size), -ETIMEDOUT);
	}
	/* The real ones still come. */
	assert_int_equal(last_of(seeing, socket).sequence, (uint16_t)(last.sequence + 1));
	nonet_socket_close(socket);
	test_must(close(seeing));
	test_must(close(raw));
}

/* There is more of others than a call looks at that may not wait, or not any more. */
static void a_queue_of_others_is_left_in_time(void **state)
{
	const struct nonet_socket_options large = {.size = sizeof(large), .receive_buffer = 212992};
	const int raw = forger();
	const struct forged forged = {.size = 40};
	struct nonet_socket *socket;
	struct pollfd more;
	size_t size;

	(void)state;
	assert_int_equal(nonet_socket_connect(own_host(), NULL, NONET_SOCKET_ICMP, &large, soon(), &socket, NULL), 0);
	more = (struct pollfd){.fd = nonet_socket_fd(socket), .events = POLLIN};
	for (int past = 0; past < 2; past++) {
		const nonet_time deadline = past ? 1 : NONET_NOW;
		const int expired = past ? -ETIMEDOUT : -EAGAIN;

		for (int i = 0; i < 400; i++)
			forge(raw, &forged);
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, deadline, &size), expired);
		assert_int_equal(poll(&more, 1, 0), 1);
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, deadline, &size), expired);
		assert_int_equal(poll(&more, 1, 0), 0);
		/* An answer that is there is found behind a few of them. */
		for (int i = 0; i < 3; i++)
			forge(raw, &forged);
		assert_int_equal(nonet_socket_send(socket, NULL, 0, NONET_NOW), 0);
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, deadline, &size), 0);
	}
	nonet_socket_close(socket);
	test_must(close(raw));
}

/* It would take a late answer to the other's request for its own: the sequence numbers begin alike. */
static void the_next_socket_has_another_identifier(void **state)
{
	const int seeing = watcher();
	uint16_t identifiers[8];
	struct nonet_socket *socket;

	(void)state;
	for (int i = 0; i < 8; i++) {
		socket = ping(own_host());
		identifiers[i] = last_of(seeing, socket).identifier;
		for (int j = 0; j < i; j++)
			assert_int_not_equal(identifiers[j], identifiers[i]);
		nonet_socket_close(socket);
	}
	test_must(close(seeing));
}

static int flood(struct test_child_side *side, void *argument)
{
	const int raw = forger();
	const struct forged forged = {.size = 40};

	(void)argument;
	forge(raw, &forged);
	test_report(side, "ready");
	for (;;)
		forge(raw, &forged);
	return 0;
}

static void a_flood_of_others_stretches_no_deadline(void **state)
{
	struct nonet_socket *socket = ping(own_host());
	struct test_child *child = test_child_until(flood, NULL);
	nonet_time deadline;
	size_t size;

	(void)state;
	for (int i = 0; i < 5; i++) {
		deadline = test_clock() + NONET_MS(20);
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, deadline, &size), -ETIMEDOUT);
		assert_true(test_clock() >= deadline);
		assert_true(test_clock() - deadline < NONET_MS(500) * test_slowness());
		assert_int_equal(nonet_socket_receive(socket, NULL, 0, NONET_NOW, &size), -EAGAIN);
	}
	test_kill(child);
	nonet_socket_close(socket);
}

static int ping_as_nobody(struct test_child_side *side, void *argument)
{
	struct nonet_socket *socket = NULL;
	struct nonet_error error = {0};

	(void)side;
	(void)argument;
	if (geteuid() == 0)
		test_must(setresuid(65534, 65534, 65534));
	test_check_equal(nonet_socket_connect("127.0.0.1", NULL, NONET_SOCKET_ICMP, NULL, soon(), &socket, &error),
			 -EPERM);
	test_check(strstr(error.text, "no permission to ping 127.0.0.1: a raw socket takes CAP_NET_RAW"));
	test_check(strstr(error.text, "setcap"));
	test_check(!socket);
	return 0;
}

static void without_the_capability_the_sentence_says_what_it_takes(void **state)
{
	(void)state;
	assert_int_equal(test_child_join(test_child_start(ping_as_nobody, NULL)), 0);
}

static void a_reply_is_read_byte_by_byte(void **state)
{
	uint8_t packet[48] = {0x45};
	uint8_t header[ECHO_HEADER_SIZE];
	struct echo echo = {.size = 77};

	(void)state;
	packet[9] = 1;
	memcpy(packet + 28, "payload and more..", 18);
	echo_request(false, 0x1234, 0xfffe, packet + 28, 18, header);
	assert_int_equal(header[0], 8);
	memcpy(packet + 20, header, sizeof(header));
	/* A request is no reply. */
	assert_false(echo_reply(false, packet, 46, &echo));
	/* Type 8 becomes 0, and the checksum has 0x0800 more. */
	packet[20] = 0;
	packet[22] = (uint8_t)(packet[22] + 8);
	packet[23] = (uint8_t)(packet[23] + (packet[22] < 8));
	assert_true(echo_reply(false, packet, 46, &echo));
	assert_int_equal(echo.identifier, 0x1234);
	assert_int_equal(echo.sequence, 0xfffe);
	assert_int_equal(echo.begin, 28);
	assert_int_equal(echo.size, 18);
	echo.size = 77;
	for (size_t size = 0; size < 28; size++)
		assert_false(echo_reply(false, packet, size, &echo));
	for (size_t i = 20; i < 46; i++) {
		packet[i] ^= 4;
		assert_false(echo_reply(false, packet, 46, &echo));
		packet[i] ^= 4;
	}
	packet[0] = 0x44; /* a header that is too short */
	assert_false(echo_reply(false, packet, 46, &echo));
	packet[0] = 0x4f; /* one that reaches beyond the packet */
	assert_false(echo_reply(false, packet, 46, &echo));
	packet[0] = 0x65;
	assert_false(echo_reply(false, packet, 46, &echo));
	assert_int_equal(echo.size, 77);
	/* IPv6 has no header here, and a checksum that the kernel sees to. */
	echo_request(true, 1, 2, "abc", 3, packet);
	assert_int_equal(packet[0], 128);
	assert_false(echo_reply(true, packet, 11, &echo));
	packet[0] = 129;
	assert_true(echo_reply(true, packet, 11, &echo));
	assert_int_equal(echo.begin, 8);
	assert_int_equal(echo.size, 3);
	assert_false(echo_reply(true, packet, 7, &echo));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(what_is_sent_comes_back, &rooted),
		test_case_with(answers_find_who_asked, &rooted),
		test_case_with(what_nobody_asked_for_is_passed_over, &rooted),
		test_case_with(a_queue_of_others_is_left_in_time, &rooted),
		test_case_with(the_next_socket_has_another_identifier, &rooted),
		test_case_with(a_flood_of_others_stretches_no_deadline, &rooted),
		test_case(without_the_capability_the_sentence_says_what_it_takes),
		test_case(a_reply_is_read_byte_by_byte),
	};

	return test_main(tests);
}
