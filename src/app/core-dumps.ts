import { writeFileSync } from 'node:fs';

/**
 * Keeps the memory of this process, which has values of all tenants, out of its core dumps: none of its mappings is written
 * (core(5), `/proc/pid/coredump_filter`). A dump then has registers and no memory, also where a program receives it. Node
 * cannot set RLIMIT_CORE, which the image and the service manager can. False where the system has no such filter.
 */
export function keepMemoryOutOfCoreDumps(): boolean {
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
    return true;
  } catch {
    return false;
  }
}
