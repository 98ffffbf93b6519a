import type { BackendDefinition } from '#src/backends/factory.ts';
import { BackendRegistry, type LayerOptions, type OpenBackend } from '#src/backends/registry.ts';
import type { Driver } from '#src/backends/driver.ts';
import { OWN_MACHINE } from '#test/support/own-machine.ts';
import { credentialsWith } from './kube-client.ts';
import type { ConnectRules } from '#src/io/connect-rules.ts';
import { recordedCredentials } from '#src/backends/recorded-credentials.ts';
import { OpenBaoFactory } from '#src/backends/openbao/factory.ts';
import { OpenBaoSpecSchema } from '#src/backends/openbao/spec.ts';
import type { HttpKubeClient } from '#src/kube/transport.ts';
import type { AccessLog, Clock, Mandate } from '#src/ports.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import type { Cluster } from '#test/cluster/cluster.ts';
import { aNamespaceWithClient } from './kube-client.ts';
import { RESERVED } from './layers.ts';

export interface DriverOptions {
  readonly mount: string;
  /** Default: the real server. */
  readonly address?: string;
  readonly auth: Record<string, unknown>;
  readonly pathPrefix?: string;
  /** kvVersion and allowUnsafeWrites. */
  readonly kv?: Record<string, unknown>;
  readonly ca?: Record<string, unknown>;
  readonly clock?: Clock;
  /** Default: always held. */
  readonly mandate?: Mandate;
  readonly timeoutSeconds?: number;
  /** Default: none. */
  readonly accessLog?: AccessLog;
  /** Default: this machine, where all servers of the tests are. */
  readonly connectRules?: ConnectRules;
}

/** A namespace with credentials, and drivers that use them, as in a cluster. */
export class OpenBaoFixture implements AsyncDisposable {
  readonly namespace: string;
  readonly #cluster: Cluster;
  readonly #kube: HttpKubeClient;
  readonly #open: AsyncDisposable[] = [];
  #secrets = 0;

  private constructor(cluster: Cluster, namespace: string, kube: HttpKubeClient) {
    this.#cluster = cluster;
    this.namespace = namespace;
    this.#kube = kube;
  }

  static async open(cluster: Cluster): Promise<OpenBaoFixture> {
    const { namespace, client } = await aNamespaceWithClient(cluster, 'bao');
    return new OpenBaoFixture(cluster, namespace, client);
  }

  /** Stores a Secret and returns the reference to its only key. */
  async storeSecret(key: string, text: string): Promise<{ readonly name: string; readonly key: string }> {
    return { name: await this.storeSecretData({ [key]: text }), key };
  }

  /** Stores a Secret and returns its name. */
  async storeSecretData(stringData: Readonly<Record<string, string>>, type = 'Opaque'): Promise<string> {
    this.#secrets += 1;
    const name = `credentials-${this.#secrets}`;
    const secret = { metadata: { name }, type, stringData };
    await this.#cluster.kube('POST', `/api/v1/namespaces/${this.namespace}/secrets`, secret);
    return name;
  }

  async replaceSecretData(name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/secrets/${name}`;
    await this.#cluster.kube('PUT', path, { metadata: { name }, stringData });
  }

  /** `auth.token` with a token of this policy, as an administrator would hand it over. */
  async tokenAuth(policy: string): Promise<Record<string, unknown>> {
    return this.tokenAuthWith(await this.#cluster.createToken(policy));
  }

  async tokenAuthWith(token: string): Promise<Record<string, unknown>> {
    return { token: { secretRef: await this.storeSecret('token', `${token}\n`) } };
  }

  driver(options: DriverOptions): Driver {
    const driver = this.#factory(options).create(this.#definition(options));
    this.#open.push(driver);
    return driver;
  }

  /** Two backends of one process that lead to the same documents. */
  twins(options: DriverOptions): readonly [Driver, Driver] {
    const factory = this.#factory(options);
    const definition = this.#definition(options);
    const twins = [factory.create(definition), factory.create(definition)] as const;
    this.#open.push(...twins);
    return twins;
  }

  /** The same as a ClusterSecretBackend, with all layers around its drivers. */
  shared(options: DriverOptions, layers: LayerOptions): OpenBackend {
    const registry = new BackendRegistry([this.#factory(options)], layers);
    const { spec, ...definition } = this.#definition(options);
    const shared = { ...definition, spec: { ...spec, reservedPrefixes: RESERVED }, tenant: undefined };
    const backend = registry.open(shared);
    this.#open.push(backend);
    return backend;
  }

  #factory(options: DriverOptions): OpenBaoFactory {
    return new OpenBaoFactory({
      credentialsFor: recordedCredentials(credentialsWith(this.#kube), {
        clock: systemClock,
        accessLog: options.accessLog,
      }),
      connectRules: options.connectRules ?? OWN_MACHINE,
      mandate: options.mandate ?? ALWAYS_HELD,
      clock: options.clock ?? systemClock,
      random: Math.random,
      userAgent: 'keyferry/test',
      allowInsecureHttp: true,
    });
  }

  #definition(options: DriverOptions): BackendDefinition {
    const openbao = OpenBaoSpecSchema.parse({
      address: options.address ?? this.#cluster.baoUrl,
      mount: options.mount,
      pathPrefix: options.pathPrefix,
      auth: options.auth,
      requestTimeoutSeconds: options.timeoutSeconds ?? 20,
      ...options.kv,
      ...(options.ca ?? { caBundle: this.#cluster.baoCaPem }),
    });
    return {
      title: `SecretBackend ${this.namespace}/bao`,
      spec: { type: 'openbao', openbao },
      backend: { kind: 'SecretBackend', namespace: this.namespace, name: 'bao' },
      credentialsNamespace: this.namespace,
      tenant: this.namespace,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#open) await opened[Symbol.asyncDispose]();
    await this.#kube[Symbol.asyncDispose]();
  }
}
