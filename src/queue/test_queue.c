/* SPDX-License-Identifier: Apache-2.0 */
/* Names, modes, what is refused, and the sentences, of both carriers. */
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/test_queue.h"

#define CARRIERS 2

static const char *new_address(int carrier)
{
	return carrier == 0 ? new_posix() : new_sysv();
}

static void refused(const char *address, const struct nonet_queue_options *options, bool create, int code,
		    const char *words)
{
	struct nonet_queue *queue = NULL;
	struct nonet_error error = {0};
	int got = create ? nonet_queue_create(address, options, &queue, &error)
			 : nonet_queue_open(address, options, &queue, &error);

	test_check(!queue);
	if (got != code || error.code != code || !strstr(error.text, words))
		test_fail("%s: %s, \"%s\", not %s with \"%s\"", address, nonet_error_name(got), error.text,
			  nonet_error_name(code), words);
}

static void what_is_no_queue_is_refused(void **state)
{
	(void)state;
	for (int create = 0; create < 2; create++) {
		refused("queue:jobs", NULL, create, -EOPNOTSUPP, "yet; posixmq: and sysvmsg: are there");
		refused("unix:/tmp/x", NULL, create, -EOPNOTSUPP, "unix: names something that isn't a queue");
		refused("posixmq:jobs", NULL, create, -EINVAL, "posixmq:/jobs");
		refused("sysvmsg:/no/such/file#1", NULL, create, -ENOENT, "key of the file");
	}
	refused("sysvmsg:id=5", NULL, true, -EINVAL, "gives a new queue its id");
	refused("sysvmsg:id=2147483647", NULL, false, -ENOENT, "there is none");
	test_check_equal(nonet_queue_unlink("unix:/tmp/x", NULL), -EOPNOTSUPP);
	test_check_equal(nonet_queue_unlink("nothing", NULL), -EINVAL);
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const char *address = new_address(carrier);
		struct nonet_error error;

		refused(address, NULL, false, -ENOENT, "there is none");
		test_check_equal(nonet_queue_unlink(address, &error), -ENOENT);
		test_check(strstr(error.text, "can't remove the queue") && !strstr(error.text, "make it"));
	}
}

static void bad_options_are_refused(void **state)
{
	const struct nonet_queue_select bad = selecting(NONET_QUEUE_TYPE, 0);
	const struct nonet_queue_options rows[] = {
		{.size = 3},
		{.size = sizeof(rows[0]), .flags = 64},
		{.size = sizeof(rows[0]), .mode = 01000},
		{.size = sizeof(rows[0]), .reserved = {1}},
		{.size = sizeof(rows[0]), .reserved = {0, 1}},
		{.size = sizeof(rows[0]), .ready = &bad},
	};
	const struct nonet_queue_options made[] = {
		{.size = sizeof(rows[0]), .flags = NONET_QUEUE_REUSE},
		{.size = sizeof(rows[0]), .mode = 0600},
		{.size = sizeof(rows[0]), .depth = 1},
		{.size = sizeof(rows[0]), .message_size = 1},
	};

	(void)state;
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const char *address = new_address(carrier);

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			refused(address, &rows[i], true, -EINVAL, "queue");
			refused(address, &rows[i], false, -EINVAL, "queue");
		}
		/* What only making a queue decides. */
		for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
			refused(address, &made[i], false, -EINVAL, "queue");
	}
}

static void a_bad_label_or_selection_is_refused(void **state)
{
	const struct nonet_queue_label labels[] = {
		{0},
		{.size = sizeof(labels[0]), .priority = 32768},
		{.size = sizeof(labels[0]), .type = -1},
		{.size = sizeof(labels[0]), .reserved = 1},
	};
	const struct nonet_queue_select selections[] = {
		{0},
		{.size = sizeof(selections[0]), .which = 17},
		{.size = sizeof(selections[0]), .type = 1},
		{.size = sizeof(selections[0]), .which = NONET_QUEUE_TYPE},
		{.size = sizeof(selections[0]), .which = NONET_QUEUE_LOWEST, .type = -4},
		{.size = sizeof(selections[0]), .reserved = 1},
	};

	(void)state;
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const char *address = new_address(carrier);
		struct nonet_queue *queue = make(address);
		struct nonet_queue_message message;
		size_t size;

		for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
			test_check_equal(nonet_queue_send(queue, "a", 1, &labels[i], NONET_NOW), -EINVAL);
		test_check_equal(nonet_queue_send(queue, "a", 1, NULL, NONET_NOW), 0);
		for (size_t i = 0; i < sizeof(selections) / sizeof(selections[0]); i++) {
			test_check_equal(nonet_queue_receive(queue, &size, 1, &selections[i], NONET_NOW, &message),
					 -EINVAL);
			test_check_equal(nonet_queue_message_size(queue, &selections[i], NONET_NOW, &size), -EINVAL);
		}
		test_check_equal(nonet_queue_receive(queue, &size, 1, NULL, NONET_NOW, &message), 0);
		unmake(queue, address);
	}
}

static void it_does_what_it_was_opened_for(void **state)
{
	(void)state;
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const struct nonet_queue_options sends = {.size = sizeof(sends), .flags = NONET_QUEUE_SEND};
		const struct nonet_queue_options receives = {.size = sizeof(sends), .flags = NONET_QUEUE_RECEIVE};
		const char *address = new_address(carrier);
		struct nonet_queue_message message;
		struct nonet_queue *receiver;
		struct nonet_queue *sender;
		struct nonet_error error;
		uint64_t count;
		size_t size;

		test_check_equal(nonet_queue_create(address, &sends, &sender, NULL), 0);
		test_check_equal(nonet_queue_open(address, &receives, &receiver, NULL), 0);
		test_check_equal(nonet_queue_receive(sender, &size, 1, NULL, NONET_NOW, &message), -EBADF);
		test_check_equal(nonet_queue_message_size(sender, NULL, NONET_NOW, &size), -EBADF);
		test_check_equal(nonet_queue_peek(sender, 0, NULL, 0, &message), -EBADF);
		test_check_equal(nonet_queue_drain(sender, &count), -EBADF);
		test_check_equal(nonet_queue_send(receiver, "a", 1, NULL, NONET_NOW), -EBADF);
		nonet_queue_explain(receiver, -EBADF, &error);
		test_check(strstr(error.text, "opened only to receive"));
		nonet_queue_explain(sender, -EBADF, &error);
		test_check(strstr(error.text, "opened only to send"));
		test_check_equal(nonet_queue_send(sender, "a", 1, NULL, NONET_NOW), 0);
		test_check_equal(nonet_queue_receive(receiver, &size, 1, NULL, NONET_NOW, &message), 0);
		nonet_queue_close(sender);
		unmake(receiver, address);
	}
	test_check(nonet_queue_close(NULL) == NULL);
}

static void a_mode_is_exact_whatever_the_umask(void **state)
{
	static const uint32_t modes[] = {0, 0600, 0666, 0770, 0777, 0622, 0200};
	static const mode_t masks[] = {0, 022, 0777};
	const mode_t old = umask(0);

	(void)state;
	for (int i = 0; i < CARRIERS * 7 * 3; i++) {
		const struct nonet_queue_options options = {.size = sizeof(options), .mode = modes[i / CARRIERS % 7]};
		const char *address = new_address(i % CARRIERS);
		struct nonet_queue_status status;
		struct nonet_queue *queue;

		umask(masks[i / CARRIERS / 7]);
		test_check_equal(nonet_queue_create(address, &options, &queue, NULL), 0);
		umask(old);
		/* Root is told whatever the mode is; others may not be of 0200. */
		if (nonet_queue_status(queue, &status) == 0)
			test_check_equal(status.mode, options.mode ? options.mode : 0600);
		else
			test_check(options.mode == 0200 && geteuid() != 0);
		unmake(queue, address);
	}
}

static int a_stranger_tries(struct test_child_side *side, void *argument)
{
	const struct nonet_queue_options sends = {.size = sizeof(sends), .flags = NONET_QUEUE_SEND};
	const struct nonet_queue_options receives = {.size = sizeof(sends), .flags = NONET_QUEUE_RECEIVE};
	struct nonet_queue_message message;
	struct nonet_queue *queue;
	char byte;

	(void)side;
	test_must(setgid(65534));
	test_must(setuid(65534));
	refused(argument, &receives, false, -EACCES, "its owner and mode don't let this user");
	test_check_equal(nonet_queue_open(argument, &sends, &queue, NULL), 0);
	test_check_equal(nonet_queue_send(queue, "a", 1, NULL, NONET_NOW), 0);
	test_check_equal(nonet_queue_receive(queue, &byte, 1, NULL, NONET_NOW, &message), -EBADF);
	nonet_queue_close(queue);
	test_check(nonet_queue_unlink(argument, NULL) == -EACCES || nonet_queue_unlink(argument, NULL) == -EPERM);
	return 0;
}

static void a_mode_keeps_strangers_out(void **state)
{
	const struct nonet_queue_options options = {.size = sizeof(options), .mode = 0622};

	(void)state;
	test_skip_unless_root("to become somebody else");
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const char *address = new_address(carrier);
		struct nonet_queue_message message;
		struct nonet_queue *queue;
		char byte;

		test_check_equal(nonet_queue_create(address, &options, &queue, NULL), 0);
		test_check_equal(test_child_join(test_child_start(a_stranger_tries, (void *)address)), 0);
		test_check_equal(nonet_queue_receive(queue, &byte, 1, NULL, NONET_NOW, &message), 0);
		unmake(queue, address);
	}
}

/* Of many who make the same queue at once, one makes it. */
static int make_at_once(struct test_child_side *side, void *argument)
{
	struct nonet_queue *queue;
	int code;

	test_report(side, "ready");
	test_await(side, "go");
	code = nonet_queue_create(argument, NULL, &queue, NULL);
	test_check(code == 0 || code == -EEXIST);
	if (code == 0)
		nonet_queue_close(queue);
	test_report_number(side, code);
	return 0;
}

static void one_of_many_makes_it(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		const char *address = new_address(i % CARRIERS);
		struct test_child *children[4];
		int made = 0;

		for (int j = 0; j < 4; j++)
			children[j] = test_child_until(make_at_once, (void *)address);
		for (int j = 0; j < 4; j++)
			test_child_tell(children[j], "go");
		for (int j = 0; j < 4; j++) {
			made += test_child_number(children[j]) == 0;
			test_check_equal(test_child_join(children[j]), 0);
		}
		test_check_equal(made, 1);
		test_check_equal(nonet_queue_unlink(address, NULL), 0);
	}
}

/* With NONET_QUEUE_REUSE each gets it, though another removes it all the time. */
static int make_and_remove(struct test_child_side *side, void *argument)
{
	const struct nonet_queue_options reuse = {
		.size = sizeof(reuse), .flags = NONET_QUEUE_REUSE, .depth = 1, .message_size = 100};
	struct nonet_queue *queue;

	test_report(side, "ready");
	for (int i = 0; i < 300; i++) {
		test_check_equal(nonet_queue_create(argument, &reuse, &queue, NULL), 0);
		nonet_queue_close(queue);
		test_check(nonet_queue_unlink(argument, NULL) <= 0);
	}
	return 0;
}

static void reusing_meets_whatever_is_there(void **state)
{
	(void)state;
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const char *address = new_address(carrier);
		struct test_child *children[2];
		struct nonet_queue *queue = make(address);

		refused(address, NULL, true, -EEXIST, "is there already");
		for (int i = 0; i < 2; i++)
			children[i] = test_child_start(make_and_remove, (void *)address);
		for (int i = 0; i < 2; i++)
			test_check_equal(test_child_join(children[i]), 0);
		nonet_queue_close(queue);
		(void)!nonet_queue_unlink(address, NULL);
	}
}

static void a_key_may_be_made_of_a_file(void **state)
{
	const char *directory = test_directory_new();
	const char *path = test_path(directory, "key");
	struct nonet_queue *queue;
	struct nonet_queue *other;
	char address[128];
	char key[64];
	int fd;

	(void)state;
	fd = (int)test_must(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	close(fd);
	snprintf(address, sizeof(address), "sysvmsg:%s#7", path);
	snprintf(key, sizeof(key), "sysvmsg:%u", (unsigned int)ftok(path, 7));
	queue = make(address);
	test_check(strcmp(nonet_queue_address(queue), address) == 0);
	test_check_equal(nonet_queue_open(key, NULL, &other, NULL), 0);
	nonet_queue_close(other);
	refused(address, NULL, true, -EEXIST, "may be another file's");
	unmake(queue, address);
	test_must(unlink(path));
	test_directory_free(directory);
}

/* Each limit's sentence names it, and what raises it. A child, whose limits are its own. */
static int meet_the_limits(struct test_child_side *side, void *argument)
{
	const struct nonet_queue_options deepest = {.size = sizeof(deepest), .depth = 70000, .message_size = 10};
	const struct nonet_queue_options largest = {.size = sizeof(largest), .depth = 1, .message_size = 100000000};
	const struct nonet_queue_options deep = {.size = sizeof(deep), .depth = 60000, .message_size = 10};
	const struct nonet_queue_options large = {.size = sizeof(large), .depth = 1, .message_size = 10000000};
	const struct nonet_queue_options most = {.size = sizeof(most), .depth = 10, .message_size = 8192};
	const struct nonet_queue_options huge = {.size = sizeof(huge), .depth = 0x7fffffff};
	struct rlimit limit = {.rlim_cur = 10000, .rlim_max = 10000};

	(void)side;
	(void)argument;
	refused(new_posix(), &deepest, true, -EINVAL, "at most 65536 messages of 16 MiB");
	refused(new_posix(), &largest, true, -EINVAL, "at most 65536 messages of 16 MiB");
	refused(new_sysv(), &largest, true, -EINVAL, "sysctl -w kernel.msgmax=100000000");
	if (geteuid() == 0) {
		test_must(setgid(65534));
		test_must(setuid(65534));
	}
	refused(new_posix(), &deep, true, -EINVAL, "sysctl -w fs.mqueue.msg_max=60000");
	refused(new_posix(), &large, true, -EINVAL, "sysctl -w fs.mqueue.msgsize_max=10000000");
	refused(new_sysv(), &huge, true, -EPERM, "sysctl -w kernel.msgmnb=");
	test_must(setrlimit(RLIMIT_MSGQUEUE, &limit));
	refused(new_posix(), &most, true, -EMFILE, "ulimit -q 82880");
	return 0;
}

static void a_limit_is_named_with_what_raises_it(void **state)
{
	(void)state;
	test_check_equal(test_child_join(test_child_start(meet_the_limits, NULL)), 0);
}

/* One that is there needs no room. */
static void who_reuses_a_queue_meets_no_limit(void **state)
{
	const struct nonet_queue_options options = {
		.size = sizeof(options), .flags = NONET_QUEUE_REUSE, .depth = 0x7fffffff, .message_size = 0x7fffffff};

	(void)state;
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const char *address = new_address(carrier);
		struct nonet_queue *queue;
		struct nonet_queue *other = make(address);

		test_check_equal(nonet_queue_create(address, &options, &queue, NULL), 0);
		nonet_queue_close(queue);
		unmake(other, address);
		refused(address, &options, true, -EINVAL, "can't make");
	}
}

static void each_documented_code_has_its_sentence(void **state)
{
	static const struct {
		int code;
		const char *words[CARRIERS];
	} rows[] = {
		{-EAGAIN,
		 {"no such message, or no room for one more, now", "no such message, or no room for one more, now"}},
		{-ETIMEDOUT, {"before the deadline", "before the deadline"}},
		{-EMSGSIZE, {"the 8192 bytes", "the 8192 bytes"}},
		{-EIDRM, {"was removed", "was removed"}},
		{-EOPNOTSUPP, {"sysvmsg:'s", "posixmq:'s"}},
		{-EINVAL, {"nonet/queue.h", "nonet/queue.h"}},
		{-EBUSY, {"wait for its descriptor", "wait for its descriptor"}},
		{-ECHILD, {"the parent's", "the parent's"}},
		{-EACCES, {"don't let this user", "don't let this user"}},
		{-ENOMEM, {"memory", "ulimit -u"}},
		{-EMFILE, {"ulimit -n", "ulimit -n"}},
	};

	(void)state;
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const char *address = new_address(carrier);
		struct nonet_queue *queue = make(address);

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct nonet_error error;

			nonet_queue_explain(queue, rows[i].code, &error);
			test_check_equal(error.code, rows[i].code);
			if (!strstr(error.text, rows[i].words[carrier]) ||
			    !strstr(error.text, nonet_queue_address(queue)))
				test_fail("%s: \"%s\" doesn't say \"%s\"", nonet_error_name(rows[i].code), error.text,
					  rows[i].words[carrier]);
		}
		unmake(queue, address);
	}
}

/* Who sends isn't told of messages that didn't come. */
static void a_handle_that_goes_one_way_is_told_of_that_way(void **state)
{
	static const struct {
		int code;
		uint32_t flags;
		const char *words, *not_words;
	} rows[] = {
		{-EAGAIN, NONET_QUEUE_SEND, "had no room for the message now", "such message"},
		{-EAGAIN, NONET_QUEUE_RECEIVE, "had no such message now", "room"},
		{-ETIMEDOUT, NONET_QUEUE_SEND, "had no room for the message before the deadline", "such message"},
		{-ETIMEDOUT, NONET_QUEUE_RECEIVE, "had no such message before the deadline", "room"},
		{-EMSGSIZE, NONET_QUEUE_SEND, "larger than the 8192 bytes", "buffer"},
		{-EMSGSIZE, NONET_QUEUE_RECEIVE, "bring one of the 8192 bytes", " or than"},
	};

	(void)state;
	for (int carrier = 0; carrier < CARRIERS; carrier++) {
		const char *address = new_address(carrier);
		struct nonet_queue *queue = make(address);

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			const struct nonet_queue_options options = {.size = sizeof(options), .flags = rows[i].flags};
			struct nonet_queue *one_way;
			struct nonet_error error;

			test_must(nonet_queue_open(address, &options, &one_way, NULL));
			nonet_queue_explain(one_way, rows[i].code, &error);
			if (!strstr(error.text, rows[i].words) || strstr(error.text, rows[i].not_words))
				test_fail("\"%s\" doesn't say \"%s\"", error.text, rows[i].words);
			nonet_queue_close(one_way);
		}
		unmake(queue, address);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_case(what_is_no_queue_is_refused),
		test_case(bad_options_are_refused),
		test_case(a_bad_label_or_selection_is_refused),
		test_case(it_does_what_it_was_opened_for),
		test_case(a_mode_is_exact_whatever_the_umask),
		test_case(a_mode_keeps_strangers_out),
		test_case(one_of_many_makes_it),
		test_case(reusing_meets_whatever_is_there),
		test_case(a_key_may_be_made_of_a_file),
		test_case(a_limit_is_named_with_what_raises_it),
		test_case(who_reuses_a_queue_meets_no_limit),
		test_case(each_documented_code_has_its_sentence),
		test_case(a_handle_that_goes_one_way_is_told_of_that_way),
	};

	return test_main(tests);
}
