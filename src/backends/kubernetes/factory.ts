import type { KubeClient } from '#src/kube/client.ts';
import type { Driver } from '../driver.ts';
import type { BackendDefinition, BackendFactory } from '../factory.ts';
import { KubernetesDriver } from './driver.ts';

/** The Secrets of one namespace: the namespace of the SecretBackend, or of the migration for a ClusterSecretBackend. */
export class KubernetesFactory implements BackendFactory {
  readonly kind = 'kubernetes';
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  create(definition: BackendDefinition): Driver {
    return new KubernetesDriver(this.#client, definition.tenant ?? definition.credentialsNamespace);
  }
}
