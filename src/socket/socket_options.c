/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/tcp.h>

#include "base/error.h"
#include "socket/socket.h"

/* What the kernel takes: MAX_TCP_KEEPIDLE and its like in <net/tcp.h>, seconds; probes; and an int of milliseconds. */
#define KEEPALIVE_SECONDS_MAX 32767
#define KEEPALIVE_COUNT_MAX   127
#define USER_TIMEOUT_MS_MAX   INT32_MAX

static int64_t rounded_up(nonet_time time, nonet_time unit)
{
	return time / unit + (time % unit != 0);
}

static bool is_within(nonet_time time, nonet_time unit, int64_t most)
{
	return time >= 0 && rounded_up(time, unit) <= most;
}

int socket_check_options(const struct nonet_socket_options *options, struct nonet_error *reterr)
{
	const uint32_t known = NONET_SOCKET_WAIT_LISTENER | NONET_SOCKET_IPV4 | NONET_SOCKET_IPV6 | NONET_SOCKET_DELAY;

	if (!options)
		return 0;
	if (options->size != sizeof(*options))
		return error_set(reterr, -EINVAL, "the socket options' size is %u, but this library's are of %zu bytes",
				 options->size, sizeof(*options));
	if (options->flags & ~known || options->reserved[0] || options->reserved[1])
		return error_set(reterr, -EINVAL, "the socket options have unknown flags or a reserved field set");
	if (options->message_size > STREAM_MESSAGE_LIMIT)
		return error_set(reterr, -EINVAL, "a message size of %llu is over the limit of 1 GiB",
				 (unsigned long long)options->message_size);
	if (options->backlog > INT32_MAX || options->send_buffer > INT32_MAX / 2 ||
	    options->receive_buffer > INT32_MAX / 2)
		return error_set(reterr, -EINVAL,
				 "a backlog of %u, or buffers of %u and %u bytes, are more than the kernel takes",
				 options->backlog, options->send_buffer, options->receive_buffer);
	if (!is_within(options->keepalive_idle, NONET_S(1), KEEPALIVE_SECONDS_MAX) ||
	    !is_within(options->keepalive_interval, NONET_S(1), KEEPALIVE_SECONDS_MAX) ||
	    options->keepalive_count > KEEPALIVE_COUNT_MAX)
		return error_set(reterr, -EINVAL,
				 "keepalive times are from 1 ns to %d s, and at most %d probes are sent: the kernel "
				 "takes no more",
				 KEEPALIVE_SECONDS_MAX, KEEPALIVE_COUNT_MAX);
	if (!is_within(options->user_timeout, NONET_MS(1), USER_TIMEOUT_MS_MAX))
		return error_set(reterr, -EINVAL, "a user timeout is from 1 ns to %d ms: the kernel takes no more",
				 USER_TIMEOUT_MS_MAX);
	return 0;
}

static int set_int(int fd, int level, int option, int64_t value)
{
	const int number = (int)value;

	return sys_set_option(fd, level, option, &number, sizeof(number));
}

static int set_keepalive(int fd, const struct nonet_socket_options *options)
{
	int error = 0;

	if ((options->keepalive_idle || options->keepalive_interval || options->keepalive_count))
		error = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (error == 0 && options->keepalive_idle)
		error = set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, rounded_up(options->keepalive_idle, NONET_S(1)));
	if (error == 0 && options->keepalive_interval)
		error = set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, rounded_up(options->keepalive_interval, NONET_S(1)));
	if (error == 0 && options->keepalive_count)
		error = set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, options->keepalive_count);
	if (error == 0 && options->user_timeout)
		error = set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, rounded_up(options->user_timeout, NONET_MS(1)));
	return error;
}

int socket_set_options(int fd, enum nonet_socket_type type, const struct nonet_socket_options *options)
{
	int error = 0;

	if (!options)
		return 0;
	if (options->send_buffer)
		error = set_int(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
	if (error == 0 && options->receive_buffer)
		error = set_int(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
	if (error == 0 && type == NONET_SOCKET_TCP)
		error = set_keepalive(fd, options);
	return error;
}

int socket_set_up(int fd, enum nonet_socket_type type, const struct nonet_socket_options *options)
{
	const bool delay = options && options->flags & NONET_SOCKET_DELAY;
	int error = socket_set_options(fd, type, options);

	if (error == 0 && type == NONET_SOCKET_TCP && !delay)
		error = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return error;
}
