/* SPDX-License-Identifier: Apache-2.0 */
#include "conform/message.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "harness/test.h"

static uint64_t message_word(uint64_t number, uint64_t index)
{
	uint64_t word = (number + 1) * 0x9e3779b97f4a7c15u ^ (index + 1) * 0xd1342543de82ef95u;

	return word ^ word >> 29;
}

void message_fill(void *ret_bytes, size_t size, uint64_t number)
{
	uint8_t *bytes = ret_bytes;
	uint64_t word;

	for (size_t at = 0; at < size; at += sizeof(word)) {
		word = message_word(number, at / sizeof(word));
		memcpy(bytes + at, &word, size - at < sizeof(word) ? size - at : sizeof(word));
	}
}

bool message_is(const void *bytes, size_t size, uint64_t number)
{
	const uint8_t *given = bytes;
	uint64_t word;

	for (size_t at = 0; at < size; at += sizeof(word)) {
		word = message_word(number, at / sizeof(word));
		if (memcmp(given + at, &word, size - at < sizeof(word) ? size - at : sizeof(word)) != 0)
			return false;
	}
	return true;
}

static void check_sent(const char *file, int line, struct nonet_endpoint *endpoint, int code, uint64_t number,
		       size_t size)
{
	struct nonet_error error;

	if (code == 0)
		return;
	nonet_endpoint_explain(endpoint, code, &error);
	test_fail_at(file, line, "message %llu of %zu bytes wasn't sent: %s (%s)", (unsigned long long)number, size,
		     error.text, nonet_error_name(code));
}

static void check_received(const char *file, int line, struct nonet_endpoint *endpoint, int code, uint64_t number,
			   size_t wanted, const void *bytes, size_t size)
{
	struct nonet_error error;

	if (code < 0) {
		nonet_endpoint_explain(endpoint, code, &error);
		test_fail_at(file, line, "message %llu of %zu bytes wasn't received: %s (%s)",
			     (unsigned long long)number, wanted, error.text, nonet_error_name(code));
	}
	if (size != wanted)
		test_fail_at(file, line, "message %llu came with %zu bytes, not %zu", (unsigned long long)number, size,
			     wanted);
	if (!message_is(bytes, size, number))
		test_fail_at(file, line, "what came isn't message %llu of %zu bytes", (unsigned long long)number, size);
}

static void *buffer_new(size_t size)
{
	void *buffer = malloc(size ? size : 1);

	test_check(buffer);
	return buffer;
}

void message_send_at(const char *file, int line, struct nonet_endpoint *endpoint, uint64_t number, size_t size)
{
	uint8_t *bytes = buffer_new(size);
	int code;

	message_fill(bytes, size, number);
	code = nonet_endpoint_send(endpoint, bytes, size, test_deadline());
	free(bytes);
	check_sent(file, line, endpoint, code, number, size);
}

void message_receive_at(const char *file, int line, struct nonet_endpoint *endpoint, uint64_t number, size_t size)
{
	uint8_t *bytes = buffer_new(size);
	size_t came = 0;
	int code = nonet_endpoint_receive(endpoint, bytes, size, test_deadline(), &came);

	check_received(file, line, endpoint, code, number, size, bytes, came);
	free(bytes);
}

/* Everything under way has been answered, and the receiver's window is shut: until it reads, nothing changes any more.
 */
static bool is_at_rest(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_unacked == 0 &&
	       info.tcpi_snd_wnd == 0;
}

/*
 * TCP makes more room for a while: the receiver's window grows, what waits is put together in its buffer, and the rest
 * of a window that is too small for a segment is used only after a fifth of a second.
 */
static bool grows(struct nonet_endpoint *endpoint)
{
	const nonet_time deadline = test_clock() + NONET_MS(400);
	struct pollfd room = {.fd = nonet_endpoint_fd(endpoint), .events = POLLOUT};
	int domain = AF_UNSPEC;
	socklen_t size = sizeof(domain);

	if (getsockopt(room.fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain == AF_UNIX)
		return false;
	/* That it is at rest has no event. Nor has less room than POLLOUT tells: the caller tries until it finds none.
	 */
	while (!is_at_rest(room.fd) && test_clock() < deadline)
		if (test_poll(&room, 1, test_clock() + NONET_MS(2)) > 0)
			break;
	return true;
}

uint64_t message_fill_up(struct nonet_endpoint *endpoint, size_t size)
{
	uint8_t *bytes = buffer_new(size);
	uint64_t count = 0;
	uint64_t before;
	int code;

	do {
		before = count;
		do {
			message_fill(bytes, size, count);
			code = nonet_endpoint_send(endpoint, bytes, size, NONET_NOW);
			count += code == 0;
		} while (code == 0 && count < 1000000);
	} while (code == -EAGAIN && count > before && grows(endpoint));
	free(bytes);
	test_check_equal(code, -EAGAIN);
	return count;
}

size_t transfer_size(const struct transfer *transfer, uint64_t number)
{
	struct test_random random = test_random_init(transfer->seed, number);
	size_t largest = transfer->largest;

	if (test_random_between(&random, 0, 3) > 0 && largest - transfer->smallest > 100)
		largest = transfer->smallest + 100;
	return test_random_between(&random, transfer->smallest, largest);
}

static nonet_time transfer_deadline(const struct transfer *transfer, uint64_t number)
{
	return transfer->for_ever && number % 2 == 0 ? NONET_FOREVER : test_deadline();
}

void transfer_send(const struct transfer *transfer, struct nonet_endpoint *endpoint)
{
	uint8_t *bytes = buffer_new(transfer->largest);
	size_t size;
	int code;

	for (uint64_t i = 0; i < transfer->count; i++) {
		size = transfer_size(transfer, i);
		message_fill(bytes, size, i);
		pair_room(transfer->pair);
		code = nonet_endpoint_send(endpoint, bytes, size, transfer_deadline(transfer, i));
		check_sent(TEST_HERE, endpoint, code, i, size);
	}
	free(bytes);
}

void transfer_receive(const struct transfer *transfer, struct nonet_endpoint *endpoint)
{
	uint8_t *bytes = buffer_new(transfer->largest);
	size_t size = 0;
	int code;

	for (uint64_t i = 0; i < transfer->count; i++) {
		code = nonet_endpoint_receive(endpoint, bytes, transfer->largest, transfer_deadline(transfer, i),
					      &size);
		check_received(TEST_HERE, endpoint, code, i, transfer_size(transfer, i), bytes, size);
		pair_taken(transfer->pair);
	}
	free(bytes);
}

int transfer_sender(struct test_child_side *side, void *argument)
{
	const struct transfer *transfer = argument;
	struct nonet_endpoint *endpoint = pair_open(transfer->pair, PAIR_SENDER);

	test_report(side, "ready");
	transfer_send(transfer, endpoint);
	nonet_endpoint_close(endpoint);
	return 0;
}

int transfer_receiver(struct test_child_side *side, void *argument)
{
	const struct transfer *transfer = argument;
	struct nonet_endpoint *endpoint = pair_open(transfer->pair, PAIR_RECEIVER);

	test_report(side, "ready");
	transfer_receive(transfer, endpoint);
	nonet_endpoint_close(endpoint);
	return 0;
}

int idle_sender(struct test_child_side *side, void *pair)
{
	struct nonet_endpoint *endpoint = pair_open(pair, PAIR_SENDER);

	test_report(side, "ready");
	test_await(side, "end");
	nonet_endpoint_close(endpoint);
	return 0;
}

int idle_receiver(struct test_child_side *side, void *pair)
{
	struct nonet_endpoint *endpoint = pair_open(pair, PAIR_RECEIVER);

	test_report(side, "ready");
	test_await(side, "end");
	nonet_endpoint_close(endpoint);
	return 0;
}
