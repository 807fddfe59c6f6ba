/* SPDX-License-Identifier: Apache-2.0 */
/* Four processes count in one piece of shared memory, whichever of them comes first and makes it. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nonet/nonet.h>

#define ADDRESS "posixshm:/nonet-example-%d"
#define EACH    100000

static struct nonet_memory *open_or_make(const char *address)
{
	const struct nonet_memory_options options = {
		.size = sizeof(options), .flags = NONET_MEMORY_EXISTING, .length = sizeof(uint64_t)};
	struct nonet_memory *memory = NULL;
	struct nonet_error error;

	if (nonet_memory_create(address, &options, &memory, &error) < 0)
		fprintf(stderr, "%s\n", error.text);
	return memory;
}

static int count(const char *address)
{
	struct nonet_memory *memory = open_or_make(address);
	_Atomic uint64_t *counter = memory ? nonet_memory_base(memory) : NULL;

	for (int i = 0; counter && i < EACH; i++)
		atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
	nonet_memory_close(memory);
	return !counter;
}

int main(void)
{
	struct nonet_memory *memory;
	char address[64];
	int failed = 0, status;

	snprintf(address, sizeof(address), ADDRESS, (int)getpid());
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			_exit(count(address));
	while (wait(&status) > 0)
		failed |= status;
	memory = open_or_make(address);
	if (!memory)
		return 1;
	printf("counted to %llu\n", (unsigned long long)*(uint64_t *)nonet_memory_base(memory));
	failed |= *(uint64_t *)nonet_memory_base(memory) != 4 * EACH;
	nonet_memory_close(memory);
	return failed || nonet_memory_unlink(address, NULL) < 0;
}
