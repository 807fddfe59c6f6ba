/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded before the library: pipes that tell a wrong story of their end. The tour must not believe it. */
#include <dlfcn.h>
#include <errno.h>

#include <nonet/pipe.h>

typedef int receive_function(struct nonet_pipe *, void *, size_t, nonet_time, size_t *);

int nonet_pipe_receive(struct nonet_pipe *pipe, void *buffer, size_t capacity, nonet_time deadline, size_t *ret_size)
{
	receive_function *receive = (receive_function *)dlsym(RTLD_NEXT, "nonet_pipe_receive");
	int r;

	if (!receive)
		return -ENOSYS;
	r = receive(pipe, buffer, capacity, deadline, ret_size);
	return r == -EPIPE ? -EBADMSG : r;
}
