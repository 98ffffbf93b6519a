import { write as writeToDescriptor, type Stats } from 'node:fs';
import { constants, lstat, open, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { OperatorError, type ErrorCode, type ErrorDetail } from '#src/errors.ts';

/** Where the lines of an audit log go. */
export interface AuditSink {
  /** Writes from `offset`, perhaps only a part, and resolves with the next offset. Throws if nothing could be written. */
  write(bytes: Buffer, offset: number): Promise<number>;
  close(): Promise<void>;
}

/** `stdout` or the path of a file. Throws `CONFIG_INVALID` for an unsuitable file. */
export async function openAuditSink(destination: string): Promise<AuditSink> {
  return destination === 'stdout' ? new StdoutSink() : FileSink.open(destination);
}

const STDOUT = 1;
/** A pipe writes this many bytes atomically, so that lines of the ordinary log are never inside an audit line. */
const PIPE_BUF = 4_096;
const LINE_FEED = 0x0a;

const write = promisify(writeToDescriptor);

class StdoutSink implements AuditSink {
  async write(bytes: Buffer, offset: number): Promise<number> {
    const { bytesWritten } = await write(STDOUT, bytes, offset, wholeLines(bytes, offset) - offset);
    return offset + bytesWritten;
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

/** The end of the last line that fits, or of a single line that is too long. */
function wholeLines(bytes: Buffer, offset: number): number {
  const last = bytes.lastIndexOf(LINE_FEED, offset + PIPE_BUF - 1);
  return (last >= offset ? last : bytes.indexOf(LINE_FEED, offset)) + 1;
}

const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const OWNER_ONLY = 0o600;
const OTHERS = 0o007;

/** Appends to a file. Opens its path again once another file, or none, is there: the file was rotated. */
class FileSink implements AuditSink {
  readonly #path: string;
  #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<FileSink> {
    return new FileSink(path, await openFile(path, 'CONFIG_INVALID'));
  }

  async write(bytes: Buffer, offset: number): Promise<number> {
    const start = (await this.#followRotation()) ? startOfLine(bytes, offset) : offset;
    const { bytesWritten } = await this.#file.write(bytes, start);
    return start + bytesWritten;
  }

  async #followRotation(): Promise<boolean> {
    const [there, mine] = await Promise.all([lstat(this.#path).catch(() => undefined), this.#file.stat()]);
    if (there?.ino === mine.ino && there.dev === mine.dev) return false;
    const next = await openFile(this.#path, 'AUDIT_LOG_BLOCKED');
    await this.#file.close();
    this.#file = next;
    return true;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The old file keeps the cut-off line; the new file gets the whole line again. */
function startOfLine(bytes: Buffer, offset: number): number {
  return offset === 0 ? 0 : bytes.lastIndexOf(LINE_FEED, offset - 1) + 1;
}

/** Throws `code`: before the start the flag is wrong, after it the file is. */
async function openFile(path: string, code: ErrorCode): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, FLAGS, OWNER_ONLY);
  } catch (cause) {
    throw unfit(path, code, { ...UNOPENED, cause });
  }
  const problem = problemOf(await file.stat(), path);
  if (problem === undefined) return file;
  await file.close();
  throw unfit(path, code, problem);
}

type Problem = Pick<ErrorDetail, 'detail' | 'hint' | 'cause'>;

const UNOPENED: Problem = {
  detail: 'The audit log cannot be opened.',
  hint: 'Create its folder, and use a file that is not a link.',
};

function problemOf(stats: Stats, path: string): Problem | undefined {
  if (!stats.isFile())
    return { detail: 'The audit log is not a regular file.', hint: 'Use a file or stdout.' };
  if ((stats.mode & OTHERS) === 0) return undefined;
  return { detail: 'Every user of the machine can access the audit log.', hint: `Run: chmod o-rwx ${path}.` };
}

function unfit(path: string, code: ErrorCode, problem: Problem): OperatorError {
  return new OperatorError(code, { op: 'audit.open', target: `--audit-log=${path}`, ...problem });
}
