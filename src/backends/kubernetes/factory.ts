import type { KubeClient } from '#src/kube/client.ts';
import type { BackendDriver } from '../driver.ts';
import type { BackendDefinition, BackendFactory } from '../registry.ts';
import { KubernetesDriver } from './driver.ts';

/** The Secrets of the namespace that the SecretBackend is in. */
export class KubernetesFactory implements BackendFactory {
  readonly kind = 'kubernetes';
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  create(definition: BackendDefinition): BackendDriver {
    return new KubernetesDriver(this.#client, definition.namespace);
  }
}
