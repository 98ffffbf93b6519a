import { PROJECTED_FROM_ANNOTATION } from './marks.ts';
import type { Address, Version } from '#src/core/document.ts';
import type { Permit } from '#src/ports.ts';
import type { ProjectionStore } from '../driver.ts';
import type { SecretApi } from './api.ts';

const OP = 'kube.secret.project';

/** An annotation names the original of a projection. The values, labels, type and owners do not change. */
export class SecretProjections implements ProjectionStore {
  readonly #api: SecretApi;

  constructor(api: SecretApi) {
    this.#api = api;
  }

  async mark(address: Address, expect: Version, origin: string, permit: Permit): Promise<void> {
    const secret = await this.#api.getExactly(address, expect, { op: OP, signal: permit.signal });
    if (secret.metadata.annotations?.[PROJECTED_FROM_ANNOTATION] === origin) return;
    await this.#api.annotate(address, expect, { [PROJECTED_FROM_ANNOTATION]: origin }, permit);
  }

  async unmark(address: Address, expect: Version, origin: string, permit: Permit): Promise<void> {
    const secret = await this.#api.getExactly(address, expect, { op: OP, signal: permit.signal });
    if (secret.metadata.annotations?.[PROJECTED_FROM_ANNOTATION] !== origin) return;
    await this.#api.annotate(address, expect, { [PROJECTED_FROM_ANNOTATION]: null }, permit);
  }
}
