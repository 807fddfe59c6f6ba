/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

/* Seconds that @cpu was busy since the machine started, in /proc/stat's ticks. */
static double machine_busy(int cpu)
{
	FILE *file = fopen("/proc/stat", "re");
	double busy = 0;
	char line[512];
	char name[16];

	snprintf(name, sizeof(name), "cpu%d ", cpu);
	while (file && fgets(line, sizeof(line), file)) {
		unsigned long long field[8];

		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		/* user nice system idle iowait irq softirq steal */
		if (sscanf(line + strlen(name), "%llu %llu %llu %llu %llu %llu %llu %llu", &field[0], &field[1],
			   &field[2], &field[3], &field[4], &field[5], &field[6], &field[7]) == 8)
			busy = (double)(field[0] + field[1] + field[2] + field[5] + field[6] + field[7]);
	}
	if (file)
		fclose(file);
	return busy / (double)sysconf(_SC_CLK_TCK);
}

static double machine_used(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double machine_others(const int cpus[2])
{
	static double before;
	static nonet_time since;
	nonet_time now = nonet_clock();
	double cores = cpus[0] == cpus[1] ? 1 : 2;
	double busy = machine_busy(cpus[0]) + (cores > 1 ? machine_busy(cpus[1]) : 0);
	double others = busy - machine_used(RUSAGE_SELF) - machine_used(RUSAGE_CHILDREN);
	double share = (others - before) / cores / ((double)(now - since) / 1e9);

	before = others;
	since = now;
	return share > 0 ? share : 0;
}
