import type { OpenBaoSpec } from '#src/api/v1alpha1/secret-backend.ts';
import { OperatorError } from '#src/errors.ts';
import type { Clock, Random } from '#src/ports.ts';
import type { CredentialSource } from '../credentials.ts';
import type { BackendDriver } from '../driver.ts';
import type { BackendDefinition, BackendFactory } from '../registry.ts';
import { KubernetesAuth } from './auth/kubernetes.ts';
import type { AuthMethod } from './auth/method.ts';
import { TokenAuth } from './auth/token.ts';
import type { BaoClient } from './client.ts';
import { BaoConnection } from './connection.ts';
import { OpenBaoDriver } from './driver.ts';
import { pathRefusalOf } from './path.ts';

export interface OpenBaoFactoryOptions {
  readonly credentials: CredentialSource;
  readonly clock: Clock;
  readonly random: Random;
  /** `keyferry/<version>`, shown in the server's audit log. */
  readonly userAgent: string;
  /** Operator flag --allow-insecure-http. */
  readonly allowInsecureHttp: boolean;
}

export class OpenBaoFactory implements BackendFactory {
  readonly kind = 'openbao';
  readonly #options: OpenBaoFactoryOptions;

  constructor(options: OpenBaoFactoryOptions) {
    this.#options = options;
  }

  /** Throws `SPEC_INVALID` for a spec that the schema lets pass and that cannot work. No I/O. */
  create(definition: BackendDefinition): BackendDriver {
    const { openbao } = definition.spec;
    if (openbao === undefined) throw invalid(definition, 'spec.openbao is missing.');
    const prefix = openbao.pathPrefix ?? '';
    this.#check(definition, openbao);
    const { clock, random, userAgent } = this.#options;
    const connection = new BaoConnection({
      client: {
        origin: new URL(openbao.address).origin,
        namespace: openbao.namespace,
        serverName: openbao.tlsServerName,
        timeoutMs: openbao.requestTimeoutSeconds * 1000,
        maxInFlight: openbao.maxInFlight,
        userAgent,
        clock,
      },
      readCa: (signal) => this.#readCa(definition, openbao, signal),
      openSession: (client) => ({ method: this.#authMethod(definition, openbao, client), clock, random }),
      mount: openbao.mount,
      prefix,
    });
    return new OpenBaoDriver({
      connection,
      mount: openbao.mount,
      prefix,
      maxInFlight: openbao.maxInFlight,
      clock,
    });
  }

  #check(definition: BackendDefinition, openbao: OpenBaoSpec): void {
    const protocols = this.#options.allowInsecureHttp ? ['https:', 'http:'] : ['https:'];
    const url = URL.canParse(openbao.address) ? new URL(openbao.address) : undefined;
    if (url === undefined || url.href !== `${url.origin}/`) {
      throw invalid(definition, 'spec.openbao.address is not https://host:port.');
    }
    if (!protocols.includes(url.protocol)) {
      throw invalid(definition, 'spec.openbao.address must be https.');
    }
    checkPath(definition, 'mount', openbao.mount);
    if (openbao.pathPrefix !== undefined) checkPath(definition, 'pathPrefix', openbao.pathPrefix);
  }

  async #readCa(
    definition: BackendDefinition,
    openbao: OpenBaoSpec,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const ref = openbao.caSecretRef;
    if (ref === undefined) return openbao.caBundle;
    const pem = await this.#options.credentials.readSecretKey(
      definition.namespace,
      ref.name,
      ref.key,
      signal,
    );
    return pem.reveal().toString('utf8');
  }

  #authMethod(definition: BackendDefinition, openbao: OpenBaoSpec, client: BaoClient): AuthMethod {
    const { credentials } = this.#options;
    const { namespace } = definition;
    const { token, kubernetes } = openbao.auth;
    if (token !== undefined) {
      return new TokenAuth({ client, credentials, namespace, secretRef: token.secretRef });
    }
    if (kubernetes === undefined) throw invalid(definition, 'spec.openbao.auth names no method.');
    return new KubernetesAuth({
      client,
      credentials,
      namespace,
      serviceAccount: kubernetes.serviceAccountRef.name,
      audiences: kubernetes.audiences ?? [],
      mountPath: kubernetes.mountPath,
      role: kubernetes.role,
    });
  }
}

function checkPath(definition: BackendDefinition, field: 'mount' | 'pathPrefix', path: string): void {
  const refusal = pathRefusalOf(path);
  if (refusal !== undefined) throw invalid(definition, `spec.openbao.${field}: ${refusal.message}`);
}

function invalid(definition: BackendDefinition, detail: string): OperatorError {
  return new OperatorError('SPEC_INVALID', {
    op: 'openbao.create',
    target: `SecretBackend ${definition.namespace}/${definition.name}`,
    detail,
  });
}
