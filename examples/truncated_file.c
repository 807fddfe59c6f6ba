/* SPDX-License-Identifier: Apache-2.0 */
/* A mapped file is cut off by somebody else. Any other program would be ended by SIGBUS; this one is told. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nonet/nonet.h>

#define LENGTH 100000

int main(void)
{
	const struct nonet_mapfile_options options = {.size = sizeof(options), .length = LENGTH};
	struct nonet_mapfile *mapfile;
	struct nonet_error error;
	char path[64];
	const char *base;
	int result;

	snprintf(path, sizeof(path), "/tmp/nonet-example-%d", (int)getpid());
	if (nonet_mapfile_create(path, &options, &mapfile, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	base = nonet_mapfile_base(mapfile);
	strcpy(nonet_mapfile_base(mapfile), "hello");
	result = nonet_mapfile_sync(mapfile, 0, 0, NONET_MAPFILE_DURABLE);
	if (result == 0)
		printf("on the disk: %s\n", base);

	/* Somebody else's doing, from any process. */
	if (truncate(path, 0) < 0)
		perror("truncate");
	printf("after the cut: %d\n", base[LENGTH - 1]);
	result = nonet_mapfile_check(mapfile);
	nonet_mapfile_explain(mapfile, result, &error);
	printf("%s: %s\n", nonet_error_name(result), error.text);

	nonet_mapfile_close(mapfile);
	return nonet_mapfile_unlink(path, NULL) < 0 || result != -EBADMSG;
}
