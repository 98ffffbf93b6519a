import type { SecretMigration } from '#src/api/v1alpha1/secret-migration.ts';
import { stopped } from '#src/errors/stopped.ts';
import type { Change } from '#src/runtime/informer.ts';
import { objectKey } from '#src/runtime/store.ts';
import type { Stop } from './stop.ts';

interface Running {
  readonly metadata: SecretMigration['metadata'];
  readonly stop: Stop;
}

/** The attempts that are under way, so that a change of their migration stops them at once. */
export class RunningAttempts {
  readonly #running = new Map<string, Running>();
  readonly #stopping = new Set<{ readonly isAmong: (key: string) => boolean; readonly because: string }>();
  #because: string | undefined;

  /** `latest`: what the watch shows now, which can be newer than what the attempt has read. Dispose of it at the end. */
  add({ metadata }: SecretMigration, stop: Stop, latest: SecretMigration | undefined): Disposable {
    const key = objectKey(metadata);
    this.#running.set(key, { metadata, stop });
    this.onChange({ old: undefined, current: latest });
    if (this.#because !== undefined) stop.stop(stopped(this.#because));
    for (const { because, isAmong } of this.#stopping) if (isAmong(key)) stop.stop(stopped(because));
    return { [Symbol.dispose]: () => this.#running.delete(key) };
  }

  /** Stops all that are under way and all that follow: the process ends. */
  stopAll(because: string): void {
    this.#because = because;
    for (const { stop } of this.#running.values()) stop.stop(stopped(because));
  }

  /** Stops those that are under way with the migrations of these keys, and those that are added before it is disposed of. */
  stopAmong(isAmong: (key: string) => boolean, because: string): Disposable {
    const stopping = { isAmong, because };
    this.#stopping.add(stopping);
    for (const [key, { stop }] of this.#running) if (isAmong(key)) stop.stop(stopped(because));
    return { [Symbol.dispose]: () => this.#stopping.delete(stopping) };
  }

  onChange(change: Pick<Change<SecretMigration>, 'old' | 'current'>): void {
    const migration = change.current ?? change.old;
    if (migration === undefined) return;
    const running = this.#running.get(objectKey(migration.metadata));
    const because = running && whyStop(running.metadata, change);
    if (because !== undefined) running?.stop.stop(stopped(because));
  }
}

function whyStop(
  running: SecretMigration['metadata'],
  { old, current }: Pick<Change<SecretMigration>, 'old' | 'current'>,
): string | undefined {
  if ((current ?? old)?.metadata.uid !== running.uid) return undefined;
  if (current?.metadata.deletionTimestamp !== undefined || current === undefined)
    return 'The migration was deleted.';
  if (current.metadata.generation <= running.generation) return undefined;
  return current.spec.suspend ? 'The migration was suspended.' : 'The spec of the migration changed.';
}
