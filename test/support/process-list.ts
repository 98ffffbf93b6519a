import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

/** Command lines that contain `text`, of all running processes on this machine except this one. */
export function processesMentioning(text: string): readonly string[] {
  const own = String(process.pid);
  const all = existsSync('/proc/self/cmdline') ? fromProc() : fromPs();
  return all.filter(([pid, line]) => pid !== own && line.includes(text)).map(([, line]) => line);
}

type Listed = readonly [pid: string, commandLine: string];

function fromProc(): readonly Listed[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid): Listed => [pid, commandLineOf(pid)]);
}

/** Empty for a process that has ended meanwhile, and for a zombie. */
function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function fromPs(): readonly Listed[] {
  const lines = execFileSync('ps', ['-axo', 'pid=,command='], { encoding: 'utf8' }).split('\n');
  return lines.map((line): Listed => {
    const [pid = '', ...rest] = line.trim().split(/\s+/);
    return [pid, rest.join(' ')];
  });
}
