/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "channel/publisher.h"
#include "channel/test_link_script.h"

/* How two sides meet of whom one is hostile: whatever it sends, or doesn't, is an error by the deadline. */

/* What is sent in place of memory. */
enum thing {
	WHAT_IS_RIGHT,
	NOTHING,
	A_PIPE,
	A_SOCKET,
	A_DIRECTORY,
	A_PATH, /* O_PATH */
	A_DEVICE,
	AN_EPOLL,
	AN_EVENTFD,
	TOO_SMALL,
	TOO_LARGE,
	EMPTY,
	HOLES,
	UNSEALED,
	MAY_SHRINK,
	MAY_GROW,
	MAY_BE_WRITTEN,
	MAY_BE_SEALED,
};

static int make_thing(enum thing thing, size_t size)
{
	int fds[2];
	int fd;

	switch (thing) {
	case A_PIPE:
		test_must(pipe2(fds, O_CLOEXEC));
		close(fds[1]);
		return fds[0];
	case A_SOCKET:
		return (int)test_must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	case A_DIRECTORY:
		return (int)test_must(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	case A_PATH:
		return (int)test_must(open("/dev/zero", O_PATH | O_CLOEXEC));
	case A_DEVICE:
		return (int)test_must(open("/dev/zero", O_RDWR | O_CLOEXEC));
	case AN_EPOLL:
		return (int)test_must(epoll_create1(EPOLL_CLOEXEC));
	case AN_EVENTFD:
		return (int)test_must(eventfd(0, EFD_CLOEXEC));
	case TOO_SMALL:
		return script_memory(size / 2, SCRIPT_SEALS, NULL);
	case TOO_LARGE:
		return script_memory(size * 2, SCRIPT_SEALS, NULL);
	case EMPTY:
	case HOLES:
		fd = (int)test_must(memfd_create("script", MFD_CLOEXEC | MFD_ALLOW_SEALING));
		test_must(ftruncate(fd, thing == HOLES ? (off_t)size : 0));
		test_must(fcntl(fd, F_ADD_SEALS, SCRIPT_SEALS));
		return fd;
	case UNSEALED:
		return script_memory(size, 0, NULL);
	case MAY_SHRINK:
		return script_memory(size, SCRIPT_SEALS & ~F_SEAL_SHRINK, NULL);
	case MAY_GROW:
		return script_memory(size, SCRIPT_SEALS & ~F_SEAL_GROW, NULL);
	case MAY_BE_WRITTEN:
		return script_memory(size, SCRIPT_SEALS & ~F_SEAL_FUTURE_WRITE, NULL);
	case MAY_BE_SEALED:
		return script_memory(size, SCRIPT_SEALS & ~F_SEAL_SEAL, NULL);
	default:
		return script_memory(size, SCRIPT_SEALS, NULL);
	}
}

struct script {
	const char *what;
	struct link_hello hello;
	enum thing words, ring;
	size_t size; /* of the message; 0: what is right */
	int expected;
	int more; /* descriptors */
};

#define RIGHT_PUBLISHER  .magic = LINK_PUBLISHER, .layout = CHANNEL_LAYOUT
#define RIGHT_SUBSCRIBER .magic = LINK_SUBSCRIBER, .layout = CHANNEL_LAYOUT

/* To one who subscribes; what is left out is right. */
static const struct script publishers[] = {
	{"another magic", {.magic = 1, .layout = CHANNEL_LAYOUT, .lane = SCRIPT_LANE}, .expected = -EBADMSG},
	{"a subscriber's", {RIGHT_SUBSCRIBER}, .expected = -EBADMSG},
	{"another version's", {.magic = LINK_PUBLISHER, .layout = 1, .lane = SCRIPT_LANE}, .expected = -EPROTO},
	{"no policy", {RIGHT_PUBLISHER, .policy = 3, .lane = SCRIPT_LANE}, .expected = -EBADMSG},
	{"no lane", {RIGHT_PUBLISHER, .lane = 0}, .expected = -EBADMSG},
	{"a small lane", {RIGHT_PUBLISHER, .lane = 4096}, .expected = -EBADMSG},
	{"no power of two", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE + 8}, .expected = -EBADMSG},
	{"a huge lane", {RIGHT_PUBLISHER, .lane = UINT64_C(1) << 63}, .expected = -EBADMSG},
	{"more lane than memory", {RIGHT_PUBLISHER, .lane = 2 * SCRIPT_LANE}, .expected = -EBADMSG},
	{"less lane than memory", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE}, .ring = TOO_LARGE, .expected = -EBADMSG},
	{"half a message", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE}, .size = 16, .expected = -EBADMSG},
	{"a long message", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE}, .size = 100000, .expected = -EBADMSG},
	{"nothing with it", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE}, .words = NOTHING, .expected = -EBADMSG},
	{"one alone", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE}, .ring = NOTHING, .expected = -EBADMSG},
	{"three", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE}, .more = 1, .expected = -EBADMSG},
	{"a hundred", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE}, .more = 100, .expected = -EBADMSG},
	{"zeros for words", {RIGHT_PUBLISHER, .lane = SCRIPT_LANE}, .words = WHAT_IS_RIGHT, .expected = 0},
};

static const struct script subscribers[] = {
	{"another magic", {.magic = 1, .layout = CHANNEL_LAYOUT}, .expected = -EBADMSG},
	{"a publisher's", {RIGHT_PUBLISHER}, .expected = -EBADMSG},
	{"another version's", {.magic = LINK_SUBSCRIBER, .layout = 1}, .expected = -EPROTO},
	{"half a message", {RIGHT_SUBSCRIBER}, .size = 16, .expected = -EBADMSG},
	{"nothing with it", {RIGHT_SUBSCRIBER}, .words = NOTHING, .expected = -EBADMSG},
	{"two", {RIGHT_SUBSCRIBER}, .more = 1, .expected = -EBADMSG},
	{"all flags", {RIGHT_SUBSCRIBER, .flags = ~0u}, .expected = 0},
};

static void play(struct nonet_unix *socket, const struct script *script)
{
	static char message[100000];
	int fds[NONET_UNIX_DESCRIPTORS_MAX];
	size_t count = 0;

	memcpy(message, &script->hello, sizeof(script->hello));
	if (script->words != NOTHING)
		fds[count++] = make_thing(script->words, LINK_PAGE);
	if (script->hello.magic != LINK_SUBSCRIBER && script->words != NOTHING && script->ring != NOTHING)
		fds[count++] = make_thing(script->ring, SCRIPT_LANE);
	for (int i = 0; i < script->more; i++)
		fds[count++] = make_thing(WHAT_IS_RIGHT, LINK_PAGE);
	test_check_equal(nonet_unix_send_descriptors(socket, message,
						     script->size ? script->size : sizeof(script->hello), fds, count,
						     test_deadline()),
			 0);
	while (count > 0)
		close(fds[--count]);
}

/* @publishes: the scripted side does */
static void meet(const struct script *script, enum nonet_unix_type type, bool publishes)
{
	struct nonet_publisher *publisher = NULL;
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_error error = {0};
	struct nonet_unix *good;
	struct nonet_unix *bad;
	int result;

	link_pair(type, &good, &bad);
	play(bad, script);
	result = publishes ? nonet_subscriber_take_socket(&good, NULL, test_deadline(), &subscriber, &error)
			   : nonet_publisher_take_socket(&good, NULL, test_deadline(), &publisher, &error);
	if (result != script->expected)
		test_note("%s (%d, %d): %d, %s", script->what, script->words, script->ring, result, error.text);
	test_check_equal(result, script->expected);
	test_check(!(script->hello.flags & LINK_FENCED) || (publisher && !publisher->can_unfence));
	test_check(result == 0 ? good == NULL : good && !publisher && !subscriber && error.text[0]);
	nonet_publisher_close(publisher);
	nonet_subscriber_close(subscriber);
	nonet_unix_close(good);
	nonet_unix_close(bad);
}

static void what_is_wrong_is_refused(void **state)
{
	(void)state;
	for (int type = NONET_UNIX_STREAM; type <= NONET_UNIX_SEQPACKET; type++) {
		for (size_t i = 0; i < sizeof(publishers) / sizeof(publishers[0]); i++)
			meet(&publishers[i], (enum nonet_unix_type)type, true);
		for (size_t i = 0; i < sizeof(subscribers) / sizeof(subscribers[0]); i++)
			meet(&subscribers[i], (enum nonet_unix_type)type, false);
	}
}

static void what_is_no_sealed_memory_is_refused(void **state)
{
	(void)state;
	for (int thing = A_PIPE; thing <= MAY_BE_SEALED; thing++) {
		const struct script as_words = {"words", script_publisher, .words = (enum thing)thing,
						.expected = -EBADMSG};
		const struct script as_ring = {"ring", script_publisher, .ring = (enum thing)thing,
					       .expected = -EBADMSG};
		const struct script as_page = {"page", script_subscriber, .words = (enum thing)thing,
					       .expected = -EBADMSG};

		meet(&as_words, NONET_UNIX_STREAM, true);
		meet(&as_ring, NONET_UNIX_STREAM, true);
		meet(&as_page, NONET_UNIX_STREAM, false);
	}
}

/* Bytes that are no message, half of one, or none: the deadline counts, and the end. */
static void who_says_nothing_is_waited_for_until_the_deadline(void **state)
{
	static const char *const bytes[] = {"", "x", "GET / HTTP/1.1\r\nHost: nobody in particular at all\r\n\r\n"};
	struct nonet_publisher *publisher = NULL;
	struct nonet_subscriber *subscriber = NULL;
	struct nonet_error error = {0};
	struct nonet_unix *good;
	struct nonet_unix *bad;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		for (int publishes = 0; publishes < 2; publishes++) {
			nonet_time until;
			int result;

			link_pair(NONET_UNIX_STREAM, &good, &bad);
			test_check_equal(nonet_unix_write(bad, bytes[i], strlen(bytes[i]), NONET_NOW, NULL), 0);
			until = nonet_after(NONET_MS(20));
			result = publishes ? nonet_publisher_take_socket(&good, NULL, until, &publisher, &error)
					   : nonet_subscriber_take_socket(&good, NULL, until, &subscriber, &error);
			test_check(result == (i < 2 ? -ETIMEDOUT : -EBADMSG));
			test_check(i >= 2 || nonet_clock() >= until);
			bad = nonet_unix_close(bad);
			result = publishes
					 ? nonet_publisher_take_socket(&good, NULL, test_deadline(), &publisher, &error)
					 : nonet_subscriber_take_socket(&good, NULL, test_deadline(), &subscriber,
									&error);
			test_check(result == -EPIPE || result == -ECONNRESET || result == -EBADMSG);
			test_check(error.text[0] && !publisher && !subscriber);
			nonet_unix_close(good);
		}
	}
}

static int open_again(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return (int)test_must(open(path, O_RDWR | O_CLOEXEC));
}

/* Whatever who has a descriptor tries, the memory can't be written, cut, punched, grown, or unsealed. */
static void refuses(int fd, size_t size)
{
	const int seals = (int)test_must(fcntl(fd, F_GET_SEALS));
	void *base = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	char byte = 1;

	test_check_equal(seals & SCRIPT_SEALS, SCRIPT_SEALS);
	test_check(base != MAP_FAILED);
	test_check(mprotect(base, size, PROT_READ | PROT_WRITE) < 0 && errno == EACCES);
	test_check(madvise(base, size, MADV_REMOVE) < 0);
	test_must(munmap(base, size));
	test_check(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
	test_check(pwrite(fd, &byte, 1, 0) < 0 && errno == EPERM);
	test_check(ftruncate(fd, 0) < 0 && errno == EPERM);
	test_check(ftruncate(fd, (off_t)size * 2) < 0 && errno == EPERM);
	test_check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 && errno == EPERM);
	test_check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
}

static void refuses_again(int fd, size_t size)
{
	const int again = open_again(fd);

	refuses(fd, size);
	refuses(again, size);
	close(again);
	close(fd);
}

static void *subscribe(void *argument)
{
	struct nonet_unix *socket = argument;
	struct nonet_subscriber *subscriber = NULL;

	test_check_equal(nonet_subscriber_take_socket(&socket, NULL, test_deadline(), &subscriber, NULL), 0);
	nonet_subscriber_close(subscriber);
	return NULL;
}

static void the_kernel_refuses_to_write(void **state)
{
	struct link_side side = {0};
	struct link_hello hello;
	struct nonet_unix *bad;
	struct nonet_unix *good;
	pthread_t thread;
	void *page = NULL;
	void *ring = NULL;
	int fds[2];

	(void)state;
	/* What a publisher gives. */
	link_pair(NONET_UNIX_STREAM, &side.socket, &bad);
	test_check_equal(pthread_create(&thread, NULL, link_publish, &side), 0);
	script_get(bad, &hello, fds, 2);
	refuses_again(fds[0], LINK_PAGE);
	refuses_again(fds[1], (size_t)hello.lane);
	script_give(bad, &script_subscriber, &page, NULL);
	test_check_equal(pthread_join(thread, NULL), 0);
	test_check_equal(side.error, 0);
	nonet_publisher_close(side.publisher);
	nonet_unix_close(bad);
	test_must(munmap(page, LINK_PAGE));
	/* What a subscriber gives. */
	link_pair(NONET_UNIX_STREAM, &good, &bad);
	test_check_equal(pthread_create(&thread, NULL, subscribe, good), 0);
	script_give(bad, &script_publisher, &page, &ring);
	script_get(bad, &hello, fds, 1);
	refuses_again(fds[0], LINK_PAGE);
	test_check_equal(pthread_join(thread, NULL), 0);
	nonet_unix_close(bad);
	test_must(munmap(page, LINK_PAGE));
	test_must(munmap(ring, SCRIPT_LANE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_is_wrong_is_refused),
		test_case(what_is_no_sealed_memory_is_refused),
		test_case(who_says_nothing_is_waited_for_until_the_deadline),
		test_case(the_kernel_refuses_to_write),
	};
	return test_main(tests);
}
