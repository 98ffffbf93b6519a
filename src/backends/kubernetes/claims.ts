import type { Address, Version } from '#src/core/document.ts';
import { hasCode } from '#src/errors.ts';
import { forEachConcurrently } from '#src/io/map-concurrently.ts';
import type { Permit } from '#src/ports.ts';
import type { ClaimStore } from '../driver.ts';
import type { SecretApi } from './api.ts';
import { versionOf, type WireSecret } from './codec.ts';
import { CLAIM_LABEL } from './marks.ts';
import { nameRefusalOf } from './refusals.ts';

const READS_AT_ONCE = 8;

type Metadata = WireSecret['metadata'];

/**
 * A claim is a label. Each change of a label gives the Secret another resourceVersion, and the API server checks the
 * resourceVersion of a delete.
 */
export class SecretClaims implements ClaimStore {
  readonly #api: SecretApi;

  constructor(api: SecretApi) {
    this.#api = api;
  }

  async claim(address: Address, expect: Version, by: string, permit: Permit): Promise<Version> {
    return this.#api.label({ name: address, expect }, { [CLAIM_LABEL]: by }, permit);
  }

  async release(
    isStale: (by: string) => boolean,
    permit: Permit,
    among: () => Promise<Iterable<Address>>,
  ): Promise<void> {
    const release = async (metadata: Metadata): Promise<void> => {
      const by = metadata.labels?.[CLAIM_LABEL];
      if (by !== undefined && isStale(by)) await this.#unclaim(metadata, permit);
    };
    if (await this.#api.mayList(permit.signal)) {
      for await (const metadata of this.#listed(permit.signal)) await release(metadata);
      return;
    }
    const names = [...new Set(await among())].filter((name) => nameRefusalOf(name) === undefined);
    await forEachConcurrently(
      names,
      async (name) => {
        const metadata = await this.#readable(name, permit.signal);
        if (metadata !== undefined) await release(metadata);
      },
      { limit: () => READS_AT_ONCE, stop: () => permit.signal.aborted },
    );
    permit.signal.throwIfAborted();
  }

  async *#listed(signal: AbortSignal): AsyncGenerator<Metadata> {
    for await (const page of this.#api.metadataPages({ labelSelector: CLAIM_LABEL }, signal))
      yield* page.items;
  }

  /**
   * Undefined without the right to get this Secret: a run without it removes nothing here. A right that was withdrawn
   * because the work is done must not stop other documents.
   */
  async #readable(name: Address, signal: AbortSignal): Promise<Metadata | undefined> {
    try {
      return await this.#api.metadata(name, signal);
    } catch (failure) {
      if (hasCode(failure, 'AUTH_DENIED')) return undefined;
      throw failure;
    }
  }

  async #unclaim(metadata: Metadata, permit: Permit): Promise<void> {
    try {
      const claimed = { name: metadata.name, expect: versionOf({ metadata }) };
      await this.#api.label(claimed, { [CLAIM_LABEL]: null }, permit);
    } catch (failure) {
      if (!hasCode(failure, 'VERSION_CONFLICT') && !hasCode(failure, 'NOT_FOUND')) throw failure;
    }
  }
}
