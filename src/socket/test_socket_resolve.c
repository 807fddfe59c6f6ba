/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/test_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "harness/sanitizer.h"
#include "sys/resolve.h"

/* Looking up names, with a resolver of our own in the place of the C library's: it can be held up. */

static sem_t held;
static atomic_int calls;
static atomic_bool blocked_all; /* signals, in the thread that asked */

struct answer {
	const char *host;
	int code;   /* EAI_* */
	int number; /* errno with it */
	const char *addresses[4];
};

static const struct answer answers[] = {
	{.host = "one.test", .addresses = {"127.0.0.1"}},
	{.host = "held.test", .addresses = {"127.0.0.1"}},
	{.host = "many.test", .addresses = {"127.1.1.1", "127.1.1.2", "127.0.0.1"}},
	{.host = "nowhere.test", .addresses = {"127.1.1.1", "127.1.1.2", "127.1.1.3"}},
	{.host = "foreign.test", .addresses = {"192.0.2.1", "127.0.0.1"}},
	{.host = "none.test", .code = EAI_NONAME},
	{.host = "empty.test", .code = EAI_NODATA},
	{.host = "again.test", .code = EAI_AGAIN},
	{.host = "fail.test", .code = EAI_FAIL},
	{.host = "memory.test", .code = EAI_MEMORY},
	{.host = "system.test", .code = EAI_SYSTEM, .number = EMFILE},
	{.host = "wait.test", .code = EAI_SYSTEM, .number = ETIMEDOUT},
	{.host = "refused.test", .code = EAI_SYSTEM, .number = ECONNREFUSED},
};

static struct addrinfo *make_address(const char *text, struct addrinfo *next)
{
	struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)(info + 1);
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)(info + 1);

	test_check(info);
	info->ai_addr = (struct sockaddr *)(info + 1);
	info->ai_next = next;
	if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
		info->ai_family = ipv4->sin_family = AF_INET;
		info->ai_addrlen = sizeof(*ipv4);
	} else if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1) {
		info->ai_family = ipv6->sin6_family = AF_INET6;
		info->ai_addrlen = sizeof(*ipv6);
	} else {
		free(info);
		return NULL;
	}
	return info;
}

/* These two are what the library calls. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret_found)
{
	struct addrinfo *found = NULL;
	sigset_t mask;

	test_check(!port && hints->ai_socktype == SOCK_STREAM);
	if (hints->ai_flags & AI_NUMERICHOST) {
		found = make_address(host, NULL);
		*ret_found = found;
		return found ? 0 : EAI_NONAME;
	}
	atomic_fetch_add(&calls, 1);
	test_check(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
	atomic_store(&blocked_all, sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGTERM));
	if (strcmp(host, "held.test") == 0)
		while (sem_wait(&held) < 0)
			;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strcmp(host, answers[i].host) != 0)
			continue;
		for (size_t j = 4; j-- > 0;)
			if (answers[i].addresses[j])
				found = make_address(answers[i].addresses[j], found);
		*ret_found = found;
		errno = answers[i].number;
		return answers[i].code;
	}
	return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *found)
{
	struct addrinfo *next;

	for (; found; found = next) {
		next = found->ai_next;
		free(found);
	}
}

static int connect_to(const char *host, const struct port *port, nonet_time deadline, struct nonet_error *ret_error)
{
	struct nonet_socket *socket = (struct nonet_socket *)1;
	int result = nonet_socket_connect(host, port->text, NONET_SOCKET_TCP, NULL, deadline, &socket, ret_error);

	if (result == 0)
		nonet_socket_close(socket);
	else
		assert_ptr_equal(socket, (struct nonet_socket *)1);
	return result;
}

static void a_name_is_looked_up_in_a_thread_without_signals(void **state)
{
	struct port port;
	struct nonet_socket_listener *listener = listen_at("127.0.0.1", NULL, &port);

	(void)state;
	atomic_store(&calls, 0);
	assert_int_equal(connect_to("127.0.0.1", &port, NONET_NOW, NULL), 0);
	assert_int_equal(atomic_load(&calls), 0);
	assert_int_equal(connect_to("one.test", &port, soon(), NULL), 0);
	assert_int_equal(atomic_load(&calls), 1);
	assert_true(atomic_load(&blocked_all));
	/* Without a deadline there is nothing to bound. */
	assert_int_equal(connect_to("one.test", &port, NONET_FOREVER, NULL), 0);
	assert_false(atomic_load(&blocked_all));
	nonet_socket_listener_close(listener);
}

/* A thread frees what it shares with its caller a moment after it has answered: of the last one some may be left. */
static void look_ups_leave_nothing(void **state)
{
	struct port port;
	struct nonet_socket_listener *listener = listen_at("127.0.0.1", NULL, &port);
	size_t heap = 0;

	(void)state;
	for (int i = 0; i < 400; i++) {
		assert_int_equal(connect_to("none.test", &port, soon(), NULL), -ENOENT);
		if (i == 100)
			heap = heap_in_use();
	}
	/* A request takes more than half a kilobyte. */
	assert_true(heap_in_use() < heap + 300 * 100);
	nonet_socket_listener_close(listener);
}

static int look_up_in_a_child(struct test_child_side *side, void *argument)
{
	const struct port port = {"1"};

	(void)side;
	(void)argument;
	test_check_equal(connect_to("none.test", &port, soon(), NULL), -ENOENT);
	return 0;
}

static void a_look_up_that_hangs_ends_at_the_deadline(void **state)
{
	struct nonet_socket_listener *listener = (struct nonet_socket_listener *)1;
	struct nonet_socket *socket;
	struct nonet_error error = {0};
	const struct port port = {"1"};
	nonet_time deadline;

	(void)state;
	for (int i = 0; i < 3; i++) {
		deadline = test_clock() + NONET_MS(20);
		if (i == 0)
			assert_int_equal(connect_to("held.test", &port, deadline, &error), -ETIMEDOUT);
		if (i == 1)
			assert_int_equal(nonet_socket_listen("held.test", "0", NULL, deadline, &listener, &error),
					 -ETIMEDOUT);
		if (i == 2)
			assert_int_equal(nonet_socket_bind("held.test", "0", NULL, deadline, &socket, &error),
					 -ETIMEDOUT);
		assert_true(test_clock() >= deadline);
		assert_true(test_clock() - deadline < NONET_MS(500) * test_slowness());
		assert_string_equal(error.text, "the host held.test wasn't looked up before the deadline");
	}
	/* The threads go on with nobody who waits for them; that they leave nothing is looked at after the test. */
	for (int i = 0; i < 3; i++)
		test_must(sem_post(&held));
}

/* Who tries again and again doesn't fill the process with threads. */
static void look_ups_that_hang_are_not_piled_up(void **state)
{
	const struct port port = {"1"};
	struct nonet_error error = {0};
	nonet_time begin;
	int code;

	(void)state;
	for (int i = 0; i < SYS_RESOLVE_GIVEN_UP_MAX; i++)
		assert_int_equal(connect_to("held.test", &port, test_clock() + NONET_US(100), &error), -ETIMEDOUT);
	begin = test_clock();
	for (int i = 0; i < 100; i++)
		assert_int_equal(connect_to("none.test", &port, test_clock() + NONET_S(20), &error), -EREMOTEIO);
	assert_true(test_clock() - begin < NONET_S(2));
	assert_string_equal(error.text,
			    "the name servers gave no answer about the host none.test: see /etc/resolv.conf");
	/* Whoever waits without a deadline makes no thread. */
	assert_int_equal(connect_to("none.test", &port, NONET_FOREVER, NULL), -ENOENT);
	/* A child has none of them. The sanitizer's allocator doesn't survive a fork beside threads that begin. */
	if (!TEST_SANITIZED)
		assert_int_equal(test_child_join(test_child_start(look_up_in_a_child, NULL)), 0);
	for (int i = 0; i < SYS_RESOLVE_GIVEN_UP_MAX; i++)
		test_must(sem_post(&held));
	/* As soon as one has ended. */
	begin = test_clock();
	do
		code = connect_to("none.test", &port, test_clock() + NONET_S(20), &error);
	while (code == -EREMOTEIO && test_clock() < begin + NONET_S(20));
	assert_int_equal(code, -ENOENT);
}

static void without_time_no_name_is_looked_up(void **state)
{
	const struct port port = {"1"};
	struct nonet_error error = {0};

	(void)state;
	atomic_store(&calls, 0);
	assert_int_equal(connect_to("held.test", &port, NONET_NOW, &error), -EAGAIN);
	assert_non_null(strstr(error.text, "give a deadline, or a numeric address"));
	assert_int_equal(atomic_load(&calls), 0);
}

static void each_failure_has_its_code_and_sentence(void **state)
{
	static const struct {
		const char *host;
		int code;
		const char *words;
	} failures[] = {
		{"none.test", -ENOENT, "there is no host none.test"},
		{"empty.test", -ENOENT, "there is no host empty.test"},
		{"again.test", -EREMOTEIO, "the name servers gave no answer about the host again.test"},
		{"fail.test", -EREMOTEIO, "the name servers gave no answer about the host fail.test"},
		{"memory.test", -ENOMEM, "can't look up the host memory.test"},
		{"system.test", -EMFILE, "can't look up the host system.test"},
		/* Not what a deadline says. */
		{"wait.test", -EREMOTEIO, "the name servers gave no answer"},
		/* The resolver's own connection was: nobody asked the host itself. */
		{"refused.test", -EREMOTEIO, "the name servers gave no answer"},
	};
	const struct port port = {"1"};
	struct nonet_error error;

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		for (int how = 0; how < 2; how++) {
			assert_int_equal(connect_to(failures[i].host, &port, how ? NONET_FOREVER : soon(), &error),
					 failures[i].code);
			assert_non_null(strstr(error.text, failures[i].words));
		}
	}
}

static void all_addresses_are_tried_in_turn(void **state)
{
	struct port port;
	struct nonet_socket_listener *listener = listen_at("127.0.0.1", NULL, &port);
	struct nonet_error error = {0};
	char words[128];

	(void)state;
	assert_int_equal(connect_to("many.test", &port, soon(), &error), 0);
	assert_int_equal(connect_to("nowhere.test", &port, soon(), &error), -ECONNREFUSED);
	snprintf(words, sizeof(words), "nobody listens at nowhere.test:%s (the last of 3 addresses that were tried)",
		 port.text);
	assert_string_equal(error.text, words);
	nonet_socket_listener_close(listener);
}

/* One whose backlog is full gives no answer: the next ones have their share of the time all the same. */
static void an_address_without_an_answer_leaves_time_for_the_others(void **state)
{
	const struct nonet_socket_options few = {.size = sizeof(few), .backlog = 1};
	struct port port;
	struct nonet_socket_listener *full = listen_at("127.1.1.1", &few, &port);
	struct nonet_socket_listener *listener;
	struct nonet_socket *clients[8];
	size_t count = 0;
	nonet_time deadline;

	(void)state;
	while (count < 8 && nonet_socket_connect("127.1.1.1", port.text, NONET_SOCKET_TCP, NULL, NONET_NOW,
						 &clients[count], NULL) == 0)
		count++;
	assert_true(count < 8);
	assert_int_equal(nonet_socket_listen("127.0.0.1", port.text, NULL, NONET_NOW, &listener, NULL), 0);
	/* Within this machine the others answer at once, so that too late they would be asked too: but it isn't. */
	deadline = test_clock() + NONET_S(3);
	assert_int_equal(connect_to("many.test", &port, deadline, NULL), 0);
	assert_true(test_clock() < deadline - NONET_S(1));
	while (count > 0)
		nonet_socket_close(clients[--count]);
	nonet_socket_listener_close(full);
	nonet_socket_listener_close(listener);
}

static void the_first_address_that_is_here_is_listened_at(void **state)
{
	struct nonet_socket_listener *listener;
	struct nonet_socket_name name;

	(void)state;
	assert_int_equal(nonet_socket_listen("foreign.test", "0", NULL, soon(), &listener, NULL), 0);
	assert_int_equal(nonet_socket_listener_get_name(listener, &name), 0);
	assert_string_equal(name.host, "127.0.0.1");
	nonet_socket_listener_close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(a_name_is_looked_up_in_a_thread_without_signals),
		test_case(look_ups_leave_nothing),
		test_case(a_look_up_that_hangs_ends_at_the_deadline),
		test_case(look_ups_that_hang_are_not_piled_up),
		test_case(without_time_no_name_is_looked_up),
		test_case(each_failure_has_its_code_and_sentence),
		test_case(all_addresses_are_tried_in_turn),
		test_case(an_address_without_an_answer_leaves_time_for_the_others),
		test_case(the_first_address_that_is_here_is_listened_at),
	};

	sem_init(&held, 0, 0);
	return test_main(tests);
}
