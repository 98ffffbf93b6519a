import type { Address, Version } from '#src/core/document.ts';
import { hasCode } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { ClaimStore } from '../driver.ts';
import type { SecretApi } from './api.ts';
import { versionOf } from './codec.ts';
import { CLAIM_LABEL } from './marks.ts';

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

  async release(isStale: (by: string) => boolean, permit: Permit): Promise<void> {
    for await (const page of this.#api.metadataPages({ labelSelector: CLAIM_LABEL }, permit.signal)) {
      for (const metadata of page.items) {
        if (isStale(metadata.labels?.[CLAIM_LABEL] ?? '')) await this.#unclaim(metadata, permit);
      }
    }
  }

  async #unclaim(metadata: Parameters<typeof versionOf>[0]['metadata'], permit: Permit): Promise<void> {
    try {
      const claimed = { name: metadata.name, expect: versionOf({ metadata }) };
      await this.#api.label(claimed, { [CLAIM_LABEL]: null }, permit);
    } catch (failure) {
      if (!hasCode(failure, 'VERSION_CONFLICT') && !hasCode(failure, 'NOT_FOUND')) throw failure;
    }
  }
}
