/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is copied between two processes over whatever an address names: the program doesn't know what carries it. An
 * empty message is the end; what ends without one was cut short. Usage: endpoint_copy [ADDRESS [FROM [TO]]]
 * ADDRESS: unix: unix-seqpacket: unix-dgram: fifo: (a FIFO that it makes stays). Without TO the copy is thrown away.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

static int send_file(struct nonet_endpoint *endpoint, FILE *file, nonet_time deadline)
{
	char block[65536];
	size_t size;
	int result;

	do {
		size = fread(block, 1, sizeof(block), file);
		if (ferror(file)) {
			perror("the file to copy");
			return 1;
		}
		result = nonet_endpoint_send(endpoint, block, size, deadline);
	} while (result == 0 && size > 0);
	return result;
}

static int receive_file(struct nonet_endpoint *endpoint, FILE *file, nonet_time deadline)
{
	size_t size, total = 0;
	char block[65536];

	do {
		int result = nonet_endpoint_receive(endpoint, block, sizeof(block), deadline, &size);

		if (result < 0)
			return result;
		total += fwrite(block, 1, size, file);
	} while (size > 0);
	if (fflush(file) != 0 || ferror(file)) {
		perror("the copy");
		return 1;
	}
	printf("%zu bytes came over %s\n", total, nonet_endpoint_address(endpoint));
	return 0;
}

static int play(const char *address, uint32_t flags, int (*part)(struct nonet_endpoint *, FILE *, nonet_time),
		FILE *file)
{
	const struct nonet_endpoint_options options = {.size = sizeof(options), .flags = flags};
	nonet_time deadline = nonet_after(NONET_S(10));
	struct nonet_endpoint *endpoint;
	struct nonet_error error;
	int result = nonet_endpoint_open(address, &options, deadline, &endpoint, &error);

	if (result == 0) {
		result = part(endpoint, file, deadline);
		if (result < 0)
			nonet_endpoint_explain(endpoint, result, &error);
		nonet_endpoint_close(endpoint);
	}
	if (result < 0)
		fprintf(stderr, "%s\n", error.text);
	return result != 0;
}

int main(int argc, char **argv)
{
	FILE *from = fopen(argc > 2 ? argv[2] : "/proc/self/exe", "r");
	FILE *to = argc > 3 ? fopen(argv[3], "w") : tmpfile();
	const char *address;
	char own[64];
	int failed;
	int status;
	pid_t pid;

	if (!from || !to) {
		perror("can't open the files");
		return 1;
	}
	snprintf(own, sizeof(own), "unix:@nonet-endpoint-copy-%d", (int)getpid());
	address = argc > 1 ? argv[1] : own;
	pid = fork();
	if (pid == 0)
		_exit(play(address, NONET_ENDPOINT_SEND | NONET_ENDPOINT_WAIT, send_file, from));
	failed = play(address, NONET_ENDPOINT_RECEIVE | NONET_ENDPOINT_LISTEN, receive_file, to);
	/* A sender to whom nobody listens would wait until its deadline, for nothing. */
	if (failed && pid > 0)
		kill(pid, SIGTERM);
	fclose(from);
	fclose(to);
	return wait(&status) < 0 || status != 0 || failed;
}
