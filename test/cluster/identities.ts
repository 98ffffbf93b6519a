import { readFileSync, writeFileSync } from 'node:fs';
import {
  createAuthority,
  createSigningKey,
  issueCertificate,
  type CertificateRequest,
  type PemPair,
} from './pki.ts';
import { kubeconfigFile, pkiFile, type AuthorityName, type KubeconfigName } from './state.ts';

const LOOPBACK = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] } as const;
/** Address of the Service `kubernetes`: the first of the range that servers.ts sets. */
export const KUBERNETES_SERVICE_ADDRESS = '10.96.0.1';
const APISERVER_NAMES = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'] as const;
/** As the samples and the documentation call it. */
const BAO_NAMES = [...LOOPBACK.dnsNames, 'openbao.openbao.svc'];

type Identity = readonly [name: string, request: CertificateRequest];

const IDENTITIES: Readonly<Record<AuthorityName, readonly Identity[]>> = {
  // etcd presents its certificate as a client, too, when its own gateway calls it.
  etcd: [
    ['etcd', { commonName: 'etcd', ...LOOPBACK, usages: ['server', 'client'] }],
    ['apiserver-etcd-client', { commonName: 'kube-apiserver', usages: ['client'] }],
  ],
  kubernetes: [
    [
      'apiserver',
      {
        commonName: 'kube-apiserver',
        dnsNames: [...LOOPBACK.dnsNames, ...APISERVER_NAMES],
        ipAddresses: [...LOOPBACK.ipAddresses, KUBERNETES_SERVICE_ADDRESS],
        usages: ['server'],
      },
    ],
    // With what it calls the kubelet of a node, where a cluster has one.
    [
      'apiserver-kubelet-client',
      { commonName: 'kube-apiserver', organization: 'system:masters', usages: ['client'] },
    ],
    ['admin', { commonName: 'keyferry-test-admin', organization: 'system:masters', usages: ['client'] }],
    ['controller-manager', { commonName: 'system:kube-controller-manager', usages: ['client'] }],
    ['controller-manager-server', { commonName: 'kube-controller-manager', ...LOOPBACK, usages: ['server'] }],
  ],
  bao: [['bao', { commonName: 'bao', ...LOOPBACK, dnsNames: BAO_NAMES, usages: ['server'] }]],
};

/** Writes the three authorities, every server's and client's certificate and the ServiceAccount key below `pki/`. */
export async function writeIdentities(folder: string): Promise<void> {
  const authorities = Object.entries(IDENTITIES).map(async ([name, identities]) => {
    const authority = await createAuthority(`keyferry-test-${name}-ca`);
    writePair(folder, `${name}-ca`, authority);
    for (const [identity, request] of identities) {
      writePair(folder, identity, await issueCertificate(authority, request));
    }
  });
  await Promise.all([...authorities, writeSigningKey(folder)]);
}

async function writeSigningKey(folder: string): Promise<void> {
  const { privateKey, publicKey } = await createSigningKey();
  writePrivate(pkiFile(folder, 'service-account', 'key'), privateKey);
  writePrivate(pkiFile(folder, 'service-account', 'pub'), publicKey);
}

/** Issues one more certificate of a running cluster and writes it below `pki/`. */
export async function addIdentity(
  folder: string,
  authority: AuthorityName,
  name: string,
  request: CertificateRequest,
): Promise<void> {
  writePair(folder, name, await issueCertificate(readPair(folder, `${authority}-ca`), request));
}

/** Reads a pair that `writeIdentities` wrote; an authority's name is `<name>-ca`. */
export function readPair(folder: string, name: string): PemPair {
  return {
    certificate: readFileSync(pkiFile(folder, name, 'crt'), 'utf8'),
    key: readFileSync(pkiFile(folder, name, 'key'), 'utf8'),
  };
}

/** Writes a kubeconfig that carries its certificates inline, so that it can be copied. JSON is YAML. */
export function writeKubeconfig(folder: string, name: KubeconfigName, server: string): void {
  const { certificate, key } = readPair(folder, name);
  const authority = readPair(folder, 'kubernetes-ca').certificate;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'keyferry-test',
    clusters: [
      {
        name: 'keyferry-test',
        cluster: { server, 'certificate-authority-data': base64(authority) },
      },
    ],
    users: [
      { name, user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) } },
    ],
    contexts: [{ name: 'keyferry-test', context: { cluster: 'keyferry-test', user: name } }],
  };
  writePrivate(kubeconfigFile(folder, name), JSON.stringify(kubeconfig, undefined, 2));
}

function writePair(folder: string, name: string, pair: PemPair): void {
  writePrivate(pkiFile(folder, name, 'crt'), pair.certificate);
  writePrivate(pkiFile(folder, name, 'key'), pair.key);
}

function writePrivate(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
}
