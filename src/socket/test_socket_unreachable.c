/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/test_socket.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

/*
 * Routers, and whoever pretends to be one, tell by ICMP that a datagram didn't arrive, and the kernel says it of the
 * next call, by an errno for each of ICMP's reasons. A caller meets only those that nonet/socket.h lists.
 */

static int need_root(void **state)
{
	(void)state;
	test_skip_unless_root("a raw socket takes CAP_NET_RAW");
	return 0;
}

static const struct test_fixture rooted = {.setup = need_root};

struct told {
	struct icmphdr icmp;
	struct iphdr ip;
	struct udphdr udp;
};

/* A connected UDP socket with nobody who reads on the other side, and a raw one to lie about it. */
struct world {
	int raw;
	struct nonet_socket *sender;
	struct nonet_socket *receiver;
	struct told told;
	struct sockaddr_in host;
};

static void begin(struct world *world)
{
	struct nonet_socket_name here;
	struct nonet_socket_name there;

	world->raw = (int)test_must(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
	make_datagram_pair(own_host(), NULL, &world->sender, &world->receiver);
	test_check_equal(nonet_socket_get_name(world->sender, &here), 0);
	test_check_equal(nonet_socket_peer(world->sender, &there), 0);
	world->host = (struct sockaddr_in){.sin_family = AF_INET};
	test_check(inet_pton(AF_INET, here.host, &world->host.sin_addr) == 1);
	world->told = (struct told){
		.ip = {.version = 4, .ihl = 5, .protocol = IPPROTO_UDP, .saddr = world->host.sin_addr.s_addr},
		.udp = {.source = htons(here.port), .dest = htons(there.port)},
	};
	test_check(inet_pton(AF_INET, there.host, &world->told.ip.daddr) == 1);
}

static void end(struct world *world)
{
	close_pair(world->sender, world->receiver);
	test_must(close(world->raw));
}

/* Over the loopback it has arrived once this returns. */
static void tell(struct world *world, uint8_t type, uint8_t code)
{
	struct told told = world->told;
	uint16_t words[sizeof(told) / 2];
	uint32_t sum = 0;

	told.icmp = (struct icmphdr){.type = type, .code = code};
	memcpy(words, &told, sizeof(told));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	told.icmp.checksum = (uint16_t) ~(sum + (sum >> 16));
	test_must(
		sendto(world->raw, &told, sizeof(told), 0, (const struct sockaddr *)&world->host, sizeof(world->host)));
}

/* -EAGAIN: the kernel takes it for something that passes. */
static const struct {
	uint8_t type;
	uint8_t code;
	int told;
} reasons[] = {
	{ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, -EAGAIN},
	{ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, -EHOSTUNREACH},
	{ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, -ECONNREFUSED},
	{ICMP_DEST_UNREACH, ICMP_SR_FAILED, -EAGAIN},
	{ICMP_DEST_UNREACH, ICMP_NET_UNKNOWN, -ENETUNREACH},
	{ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN, -EHOSTUNREACH},
	{ICMP_DEST_UNREACH, ICMP_HOST_ISOLATED, -EHOSTUNREACH},
	{ICMP_DEST_UNREACH, ICMP_NET_ANO, -ENETUNREACH},
	{ICMP_DEST_UNREACH, ICMP_HOST_ANO, -EHOSTUNREACH},
	{ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, -EHOSTUNREACH},
	{ICMP_PARAMETERPROB, 0, -EHOSTUNREACH},
};

static void what_is_told_by_icmp_is_told_by_a_listed_error(void **state)
{
	struct world world;
	char byte;
	size_t size;

	(void)state;
	begin(&world);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		tell(&world, reasons[i].type, reasons[i].code);
		test_check_equal(nonet_socket_receive(world.sender, &byte, 1, NONET_NOW, &size), reasons[i].told);
		/* Once. */
		test_check_equal(nonet_socket_receive(world.sender, &byte, 1, NONET_NOW, &size), -EAGAIN);
		tell(&world, reasons[i].type, reasons[i].code);
		test_check_equal(nonet_socket_send(world.sender, "a", 1, NONET_NOW),
				 reasons[i].told == -EAGAIN ? 0 : reasons[i].told);
	}
	end(&world);
}

/* -EMSGSIZE would say of a receiver's buffer, or of a sender's message, what is true of neither. */
static void a_datagram_that_was_too_large_for_the_way_is_a_lost_one(void **state)
{
	struct nonet_socket_name name;
	struct world world;
	char byte = 'x';
	size_t size;

	(void)state;
	begin(&world);
	test_check_equal(nonet_socket_get_name(world.sender, &name), 0);
	tell(&world, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED);
	assert_int_equal(nonet_socket_receive(world.sender, &byte, 1, NONET_NOW, &size), -EAGAIN);
	tell(&world, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED);
	assert_int_equal(nonet_socket_receive(world.sender, &byte, 1, nonet_after(NONET_MS(1)), &size), -ETIMEDOUT);
	assert_int_equal(nonet_socket_send_to(world.receiver, &name, "b", 1, NONET_NOW), 0);
	tell(&world, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED);
	assert_int_equal(nonet_socket_receive(world.sender, &byte, 1, NONET_NOW, &size), 0);
	assert_int_equal(byte, 'b');
	tell(&world, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED);
	assert_int_equal(nonet_socket_send(world.sender, "a", 1, NONET_NOW), 0);
	assert_int_equal(nonet_socket_receive(world.receiver, &byte, 1, soon(), &size), 0);
	assert_int_equal(byte, 'a');
	end(&world);
}

/* The same of a ping, and of its requests. */
static void a_ping_hears_of_its_way_by_listed_errors(void **state)
{
	struct nonet_socket *ping;
	struct world world;
	char byte = 'x';
	size_t size;

	(void)state;
	begin(&world);
	world.told.ip.protocol = IPPROTO_ICMP;
	assert_int_equal(nonet_socket_connect(own_host(), NULL, NONET_SOCKET_ICMP, NULL, NONET_NOW, &ping, NULL), 0);
	tell(&world, ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN);
	assert_int_equal(nonet_socket_receive(ping, &byte, 1, NONET_NOW, &size), -EHOSTUNREACH);
	tell(&world, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED);
	assert_int_equal(nonet_socket_receive(ping, &byte, 1, NONET_NOW, &size), -EAGAIN);
	tell(&world, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED);
	assert_int_equal(nonet_socket_send(ping, "a", 1, NONET_NOW), 0);
	assert_int_equal(nonet_socket_receive(ping, &byte, 1, soon(), &size), 0);
	assert_int_equal(byte, 'a');
	nonet_socket_close(ping);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case_with(what_is_told_by_icmp_is_told_by_a_listed_error, &rooted),
		test_case_with(a_datagram_that_was_too_large_for_the_way_is_a_lost_one, &rooted),
		test_case_with(a_ping_hears_of_its_way_by_listed_errors, &rooted),
	};

	return test_main(tests);
}
