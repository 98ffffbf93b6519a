import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { OperatorError } from '#src/errors.ts';
import type { Clock, Logger } from '#src/ports.ts';

/** A certificate and its private key, as PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** As often as controller-runtime looks. */
const RELOAD_MS = 10_000;

/** Throws `CONFIG_INVALID`; drops the cause, which can quote the key. */
export async function readPair(files: CertificateFiles): Promise<Pair> {
  try {
    const [cert, key] = await Promise.all([readFile(files.certificate), readFile(files.key)]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch {
    throw new OperatorError('CONFIG_INVALID', {
      op: 'telemetry.certificate',
      target: `${files.certificate}, ${files.key}`,
      detail: 'The files are not a readable certificate and its unencrypted private key.',
      hint: 'Set --metrics-cert-path, --metrics-cert-name and --metrics-cert-key to a pair in PEM.',
    });
  }
}

/**
 * Calls `use` with each new pair until `signal` aborts. While the files are not a pair, as in the middle of an update, the
 * pair before stays in use, and the log says so once.
 */
export async function followPair(
  files: CertificateFiles,
  first: Pair,
  parts: {
    readonly use: (pair: Pair) => void;
    readonly clock: Pick<Clock, 'sleep'>;
    readonly logger: Logger;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { use, clock, logger, signal } = parts;
  let current = first;
  let isBroken = false;
  const reload = async (): Promise<void> => {
    const pair = await readPair(files);
    if (pair.cert.equals(current.cert) && pair.key.equals(current.key)) return;
    use(pair);
    current = pair;
    logger.info('certificate of the metrics server replaced');
  };
  while (!signal.aborted) {
    await clock.sleep(RELOAD_MS, signal).catch(() => undefined); // Rejects only when the signal aborts.
    if (signal.aborted) return;
    try {
      await reload();
      isBroken = false;
    } catch (failure) {
      if (!isBroken)
        logger.error('certificate of the metrics server not usable; the last one stays', failure);
      isBroken = true;
    }
  }
}
