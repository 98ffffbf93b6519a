import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '#src/ports.ts';
import { configInvalid, requireAuthorities, type TlsSettings } from './config.ts';

interface Material {
  readonly tls: TlsSettings;
  readonly authorization: string | undefined;
}

/** Short, because the token of an exec plugin may expire at any time and client-node uses it to the last second. */
const MATERIAL_MAX_AGE_MS = 30_000;

/** Runs client-node's authenticators at most once per maximum age, one at a time (an exec plugin is a process). */
export class AgingMaterial {
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  #material: Material | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<Material> | undefined;

  constructor(config: KubeConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  async read(): Promise<Material> {
    if (this.#material !== undefined && this.#clock.monotonic() - this.#readAt < MATERIAL_MAX_AGE_MS) {
      return this.#material;
    }
    this.#reading ??= this.#load().finally(() => (this.#reading = undefined));
    return await this.#reading;
  }

  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  async #load(): Promise<Material> {
    const options: RequestOptions = {};
    try {
      await this.#config.applyToHTTPSOptions(options);
    } catch {
      // The error would contain the output of an exec plugin or the content of a key file.
      throw configInvalid('The credentials of the kubeconfig user cannot be loaded.');
    }
    const material = toMaterial(options);
    const { ca } = material.tls;
    if (ca !== undefined)
      requireAuthorities(ca, 'The certificate authority of the cluster in the kubeconfig');
    this.#material = material;
    this.#readAt = this.#clock.monotonic();
    return this.#material;
  }
}

function toMaterial(options: RequestOptions): Material {
  const { ca, cert, key, servername, auth } = options;
  return {
    tls: {
      ...pem('ca', ca),
      ...pem('cert', cert),
      ...pem('key', key),
      ...(servername === undefined ? {} : { serverName: servername }),
    },
    authorization:
      typeof auth === 'string' ? `Basic ${Buffer.from(auth).toString('base64')}` : bearerOf(options),
  };
}

function pem(name: 'ca' | 'cert' | 'key', value: unknown): Partial<TlsSettings> {
  if (typeof value === 'string') return { [name]: value };
  return Buffer.isBuffer(value) ? { [name]: value.toString('utf8') } : {};
}

function bearerOf({ headers }: RequestOptions): string | undefined {
  const value = headers !== undefined && 'Authorization' in headers ? headers['Authorization'] : undefined;
  // A token file ends with a line break, which a header cannot have.
  return typeof value === 'string' ? value.trim() : undefined;
}
