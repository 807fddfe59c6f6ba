/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void machine_cpu(struct machine *machine)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[4096];

	snprintf(machine->cpu, sizeof(machine->cpu), "unknown");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		if (!value)
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = 0;
		if (strncmp(line, "model name", 10) == 0)
			snprintf(machine->cpu, sizeof(machine->cpu), "%.*s", (int)sizeof(machine->cpu) - 1, value);
		if (strncmp(line, "flags", 5) == 0 && strstr(value, " hypervisor"))
			machine->virtual = true;
	}
	fclose(file);
}

void machine_describe(struct machine *ret_machine)
{
	struct utsname name;

	*ret_machine = (struct machine){.cores = sysconf(_SC_NPROCESSORS_ONLN)};
	machine_cpu(ret_machine);
	if (uname(&name) == 0)
		snprintf(ret_machine->kernel, sizeof(ret_machine->kernel), "%.60s %.30s", name.release, name.machine);
	if (getloadavg(&ret_machine->load, 1) != 1)
		ret_machine->load = 0;
}

int machine_cpus(int ret_cpus[2])
{
	cpu_set_t set;
	int found = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (CPU_ISSET((size_t)cpu, &set))
			ret_cpus[found++] = cpu;
	}
	if (found == 1)
		ret_cpus[1] = ret_cpus[0];
	return found ? 0 : -ENODEV;
}
