/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/pause.h"

#include <stdatomic.h>

#include "sys/process.h"

bool pause_helps(void)
{
	static atomic_int processors;
	int number = atomic_load_explicit(&processors, memory_order_relaxed);

	if (number == 0) {
		number = sys_processors();
		atomic_store_explicit(&processors, number, memory_order_relaxed);
	}
	return number > 1;
}
