/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>

#include "harness/inventory.h"
#include "harness/names.h"

/* The kernel's tables (sysvipc(5)): a heading, then lines that begin with key and id. */
static const struct {
	const char *path;
	const char *what;
} tables[] = {
	{"/proc/sysvipc/sem", "set of semaphores"},
	{"/proc/sysvipc/msg", "message queue"},
	{"/proc/sysvipc/shm", "shared memory segment"},
};

void inventory_sysv_objects(struct inventory *inventory)
{
	char line[512];
	char key[64];

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		FILE *table = fopen(tables[i].path, "re");
		int number;
		int id;

		/* The keys of others are theirs: tests run side by side. */
		while (table && fgets(line, sizeof(line), table)) {
			if (sscanf(line, "%d %d", &number, &id) != 2 || !test_sysv_key_is_own(number))
				continue;
			snprintf(key, sizeof(key), "%s %d", tables[i].what, id);
			snprintf(line, sizeof(line), "key %#x", (unsigned int)number);
			inventory_add(inventory, key, line, 0);
		}
		if (table)
			fclose(table);
	}
}
