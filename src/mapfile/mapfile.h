/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MAPFILE_MAPFILE_H
#define MAPFILE_MAPFILE_H

#include <stdbool.h>

#include <nonet/mapfile.h>

#include "guard/change.h"
#include "guard/guard_map.h"

struct nonet_mapfile {
	struct guard_map map;
	int fd;
	unsigned how; /* SYS_MAP_* */
	uint64_t offset;
	bool durable; /* its name is on the device */
	char *path;
	struct change change;
};

#endif
