/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* Whether @list, as the kernel writes CPUs ("0,4-7"), has this one. */
static int is_listed(const char *list, int cpu)
{
	char *end;
	long first, last;

	for (; *list; list = *end == ',' ? end + 1 : end) {
		first = last = strtol(list, &end, 10);
		if (end == list)
			return 0;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return 1;
	}
	return 0;
}

/* Whether two CPUs are threads of one core. */
static int are_siblings(int one, int other)
{
	char path[96], list[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", one);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(list, sizeof(list), file))
		list[0] = '\0';
	fclose(file);
	list[strcspn(list, "\n")] = '\0';
	return is_listed(list, other);
}

size_t machine_cpus(int *ret_cpus, size_t max)
{
	int cpu, siblings, first = -1;
	size_t count = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 0;
	for (siblings = 0; siblings <= 1; siblings++) {
		for (cpu = 0; cpu < CPU_SETSIZE && count < max; cpu++) {
			if (!CPU_ISSET((size_t)cpu, &set) || cpu == first)
				continue;
			if (first < 0)
				first = cpu;
			else if (are_siblings(first, cpu) != siblings)
				continue;
			ret_cpus[count++] = cpu;
		}
	}
	return count;
}

static void describe_cpu(struct bench_machine *machine)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[4096], *value;

	snprintf(machine->cpu, sizeof(machine->cpu), "unknown processor");
	while (file && fgets(line, sizeof(line), file)) {
		value = strchr(line, ':');
		if (!value)
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = '\0';
		if (strncmp(line, "model name", 10) == 0)
			snprintf(machine->cpu, sizeof(machine->cpu), "%.*s", (int)sizeof(machine->cpu) - 1, value);
		if (strncmp(line, "flags", 5) == 0 && strstr(value, " hypervisor"))
			machine->is_virtual = 1;
	}
	if (file)
		fclose(file);
}

void machine_describe(const int *cpus, size_t count, struct bench_machine *ret_machine)
{
	struct utsname name;
	size_t i, used = 0;

	*ret_machine = (struct bench_machine){.is_virtual = 0};
	describe_cpu(ret_machine);
	if (uname(&name) == 0)
		snprintf(ret_machine->kernel, sizeof(ret_machine->kernel), "%.60s %.30s", name.release, name.machine);
	for (i = 0; i < count && used < sizeof(ret_machine->cpus); i++)
		used += (size_t)snprintf(ret_machine->cpus + used, sizeof(ret_machine->cpus) - used, "%s%d",
					 i ? ", " : "", cpus[i]);
}
