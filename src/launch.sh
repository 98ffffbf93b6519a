#!/bin/sh
":" /* The shell runs these lines. For Node they are a comment, and the program is below.
# A Node that does not know a flag says only "bad option", so it gets none: then the program says which version is needed.
command -v node >/dev/null || {
  echo 'keyferry: there is no node in PATH; install Node 24.12 or later (https://nodejs.org/en/download), or add it to PATH.' >&2
  exit 127
}
node --disable-sigusr1 --version >/dev/null 2>&1 || exec node "$0" "$@"
# A large heap limit makes V8 collect late, and malloc keeps what it freed: together half as much memory again as is in use.
# SIGUSR1 opens no debugger, and text never becomes code (ADR 0044).
exec env MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536 node --max-old-space-size=512 --max-semi-space-size=4 --v8-pool-size=1 --disable-sigusr1 --disable-proto=delete --disallow-code-generation-from-strings "$0" "$@"
*/
