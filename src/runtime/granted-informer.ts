import { documentation } from '#src/errors/documentation.ts';
import { logFieldsOf } from '#src/errors/explain.ts';
import { errorOf } from '#src/errors.ts';
import { hasRight } from '#src/kube/access-review.ts';
import type { KubeObject } from '#src/kube/client.ts';
import { describeTarget, titleOf } from '#src/kube/resource.ts';
import { Informer, type ChangeHandler, type InformerOptions, type Watched } from './informer.ts';
import type { ReadonlyStore } from './store.ts';

/** Between two questions for a right that is missing. */
const ASK_AGAIN_MS = 60_000;
/** Before a question is repeated that failed. */
const RETRY_MS = 2_000;

/**
 * The cache of a resource that the operator can do without. It asks for the right before it lists. Without the right it sends
 * no list: it logs one line, counts as synced with nothing in it, and asks again once a minute.
 */
export class GrantedInformer<T extends KubeObject> implements Watched<T> {
  readonly #options: InformerOptions<T>;
  readonly #informer: Informer<T>;
  readonly #withoutRight = Promise.withResolvers<void>();
  #isMissing = false;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#informer = new Informer(options);
  }

  /** False while the right is missing: objects can exist that the cache does not have. */
  get isGranted(): boolean {
    return !this.#isMissing || this.#informer.hasSynced;
  }

  get store(): ReadonlyStore<T> {
    return this.#informer.store;
  }

  get unparsed(): Watched<T>['unparsed'] {
    return this.#informer.unparsed;
  }

  get synced(): Promise<void> {
    return Promise.race([this.#informer.synced, this.#withoutRight.promise]);
  }

  get hasSynced(): boolean {
    return this.#isMissing || this.#informer.hasSynced;
  }

  addHandler(handler: ChangeHandler<T>): void {
    this.#informer.addHandler(handler);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#untilGranted(signal);
    await this.#informer.run(signal);
  }

  async #untilGranted(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const answer = await this.#ask(signal);
      if (answer === 'yes') break;
      if (answer === 'no') this.#doWithout();
      // Only the signal can reject the sleep, and the loop checks it next.
      const waitMs = answer === 'no' ? ASK_AGAIN_MS : RETRY_MS;
      await this.#options.clock.sleep(waitMs, signal).catch(() => undefined);
    }
    const { logger, selection } = this.#options;
    if (this.#isMissing && !signal.aborted)
      logger.info('a resource is used now', { resource: titleOf(selection.resource) });
  }

  #doWithout(): void {
    if (this.#isMissing) return;
    this.#isMissing = true;
    this.#withoutRight.resolve();
    const { logger, selection } = this.#options;
    const resource = titleOf(selection.resource);
    const grant = `list and watch on ${resource} in all namespaces`;
    logger.warn('a resource is not used: it may not be listed', {
      resource,
      grant,
      hint: `Grant it: ${documentation('security/rbac.md')}.`,
    });
  }

  async #ask(signal: AbortSignal): Promise<'yes' | 'no' | 'failed'> {
    const { client, logger, selection } = this.#options;
    const { resource } = selection;
    const about = { op: 'kube.review', target: describeTarget(resource, {}), signal };
    try {
      const answers = ['list', 'watch'].map(async (verb) => hasRight(client, { verb, resource }, about));
      return (await Promise.all(answers)).every(Boolean) ? 'yes' : 'no';
    } catch (thrown) {
      const problem = errorOf(thrown);
      // Without the right to ask, the list tells.
      if (problem.code === 'AUTH_DENIED') return 'yes';
      if (!signal.aborted)
        logger.warn('asking for a right failed, retrying', {
          resource: titleOf(resource),
          ...logFieldsOf(problem),
        });
      return 'failed';
    }
  }
}
