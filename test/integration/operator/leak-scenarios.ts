import { expect } from 'vitest';
import { aMigration, anOpenBaoBackend, aSecret } from '#test/builders/objects.ts';
import type { Action } from '#test/support/proxy-rules.ts';
import type { Tenant } from '#test/support/tenant.ts';
import { aDirectoryBackend, plantFiles, tokenFolderOf } from '#test/support/token-files.ts';
import { aBinaryCanary, aLongCanary, aTextCanary, type Canary } from '#test/support/canary.ts';
import { eventually } from '#test/support/eventually.ts';
import { kvPut, pathOf, statesOf, versionOf } from '#test/support/queries.ts';
import type { Stage } from '#test/support/stage.ts';

/** Length of one of the values: no other number of a run is as large by chance. */
export const LONG = 79_193;

/**
 * Everything that may happen to a value, with a value of its own each, so that a leak says where it comes from. Each
 * method returns when its migrations have come to the verdict that they were made for.
 */
export class LeakScenarios {
  readonly canaries: Canary[] = [];
  readonly tenants: Tenant[] = [];
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** A value to look for. */
  #plant(canary: Canary): Buffer {
    this.canaries.push(canary);
    return canary.bytes;
  }

  #text(name: string): string {
    return this.#plant(aTextCanary(name)).toString('utf8');
  }

  /** Its token is looked for, too. */
  async #tenant(mount?: string): Promise<Tenant> {
    const tenant = await this.#stage.tenant(mount === undefined ? {} : { mount });
    const token = (await tenant.secret('bao-token'))?.data?.['token'] ?? '';
    this.#plant({ name: `token of ${tenant.namespace}`, bytes: Buffer.from(token, 'base64') });
    this.tenants.push(tenant);
    return tenant;
  }

  /** To OpenBao and back, then from there for good. */
  async thereAndBack(): Promise<void> {
    const here = await this.#tenant();
    await here.apply(aSecret('text', { value: this.#text('text') }));
    await here.apply(aSecret('binary', { value: this.#plant(aBinaryCanary('binary')) }));
    await here.apply(aSecret('long', { value: this.#plant(aLongCanary('long', LONG)) }));
    await here.apply(aMigration('rehearsal', { dryRun: true }));
    await here.untilReady('rehearsal');
    await here.apply(aMigration('out'));
    await here.untilReady('out');
    const there = await this.#tenant(here.mount);
    const mapping = { path: `${here.namespace}/{name}` };
    await there.apply(aMigration('back', { from: 'bao', to: 'kubernetes', mapping, sourcePolicy: 'Delete' }));
    await there.untilReady('back');
    await there.apply(aMigration('away', { sourcePolicy: 'Delete', mapping: { path: 'home/{name}' } }));
    await there.untilReady('away');
    expect(await statesOf(there, 'away')).toEqual({ text: 'Removed', binary: 'Removed', long: 'Removed' });
  }

  /** Other values at the destination, at either side. */
  async conflicts(): Promise<void> {
    const tenant = await this.#tenant();
    const path = `${tenant.namespace}/clash`;
    await tenant.apply(aSecret('clash', { value: this.#text('in the Secret of a conflict') }));
    await kvPut(tenant, path, { value: this.#text('at OpenBao in a conflict') });
    await tenant.apply(aMigration('out', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('out', { status: 'False', reason: 'ConflictsFound' });
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes', sourcePolicy: 'Delete' }));
    await tenant.untilReady('back', { status: 'False', reason: 'ConflictsFound' });
  }

  /** Values that replace each other while both sides are kept in step, and copies of those that were overwritten. */
  async inStep(): Promise<void> {
    const tenant = await this.#tenant();
    const { namespace } = tenant;
    const sync = { authority: 'Source', intervalSeconds: 5 } as const;
    const select = { names: ['db'] };
    await tenant.apply(aSecret('db', { value: this.#text('first, in a Secret in step') }));
    await tenant.apply(aMigration('out', { mode: 'Sync', sync, select }));
    await tenant.untilReady('out', { status: 'True', reason: 'Synced' });
    await tenant.apply(aSecret('db', { value: this.#text('second, in a Secret in step') }));
    await eventually('OpenBao follows', async () => (await versionOf(tenant, 'db')) === 2);
    await kvPut(tenant, `${namespace}/db`, { value: this.#text('of an edit where OpenBao follows') });
    await tenant.untilReady('out', { status: 'False', reason: 'ConflictsFound' });
    const from = { from: 'bao', to: 'kubernetes', mapping: { path: 'other/{name}' } };
    await kvPut(tenant, 'other/app', { value: this.#text('at OpenBao in step') });
    const options = { ...from, mode: 'Sync', sync, conflictPolicy: 'Overwrite' } as const;
    await tenant.apply(aMigration('in', { ...options, select: { names: ['app'] } }));
    await tenant.untilReady('in', { status: 'True', reason: 'Synced' });
    await tenant.apply(aSecret('app', { value: this.#text('of an edit where a Secret follows') }));
    await eventually('it is undone', async () => {
      return (await statesOf(tenant, 'in'))['app'] === 'Verified RestoredDestination';
    });
  }

  /** Documents that are refused before anything is sent. */
  async refusals(): Promise<void> {
    const tenant = await this.#tenant();
    await tenant.apply(aSecret('huge', { value: this.#plant(aBinaryCanary('too large', 900_000)) }));
    await tenant.apply(aMigration('large', { select: { names: ['huge'] } }));
    await tenant.untilReady('large', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'large')).toEqual({ huge: 'Failed TooLarge' });

    await tenant.apply(aSecret('unlabeled', { value: this.#text('without the label of its path') }));
    const mapping = { path: 'teams/{label:team}/{name}' };
    await tenant.apply(aMigration('unmapped', { select: { names: ['unlabeled'] }, mapping }));
    await tenant.untilReady('unmapped', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'unmapped')).toEqual({ unlabeled: 'Failed MappingIncomplete' });
  }

  /** Documents at OpenBao that cannot be understood, or not be kept as a Secret. */
  async oddDocuments(): Promise<void> {
    const tenant = await this.#tenant();
    const { cluster, mount, namespace } = tenant;
    await cluster.bao('POST', `${mount}/metadata/${namespace}/corrupt`, {
      custom_metadata: { 'keyferry-base64': 'value' },
    });
    await kvPut(tenant, `${namespace}/corrupt`, { value: this.#text('no base64 although marked so') });
    await kvPut(tenant, `${namespace}/nested`, { value: { deep: [this.#text('in an object')] } });
    await kvPut(tenant, `${namespace}/spaced`, { 'not a key': this.#text('in a field of a hostile name') });
    await tenant.apply(aMigration('odd', { from: 'bao', to: 'kubernetes' }));
    await tenant.untilReady('odd', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'odd')).toEqual({
      corrupt: 'Failed EncodingCorrupt',
      nested: 'Failed NotRepresentable',
      spaced: 'Failed KeyRefused',
    });
  }

  /** Files that become backups, that are in conflict, and that are refused. */
  async tokenFiles(): Promise<void> {
    const tenant = await this.#tenant();
    plantFiles(tokenFolderOf(tenant.cluster, tenant.namespace), {
      token: this.#text('in a file'),
      long: this.#plant(aLongCanary('in a long file', LONG)),
      'folder/a': this.#text('in a file of a folder'),
      'deep/er/token': this.#text('in a folder of a folder'),
      large: this.#plant(aLongCanary('in a file that is too large', 1_100_000)),
      clash: this.#text('in a file in conflict'),
    });
    await kvPut(tenant, `${tenant.namespace}/clash`, { value: this.#text('at OpenBao, of a file') });
    await tenant.apply(aDirectoryBackend({ trailingNewline: 'Keep' }));
    const all = { from: 'files', select: { all: true as const } };
    await tenant.apply(aMigration('out', { ...all, sourcePolicy: 'Backup' }));
    await tenant.untilReady('out', { status: 'False', reason: 'PartiallyFailed' });
    expect(await statesOf(tenant, 'out')).toEqual({
      token: 'Removed',
      long: 'Removed',
      folder: 'Removed',
      deep: 'Failed NotRepresentable',
      large: 'Failed NotRepresentable',
      clash: 'Conflict DestinationDiffers',
    });
  }

  /** A KV server, or something between, that says what it was told. */
  async talkativeOpenBao(): Promise<void> {
    const tenant = await this.#tenant();
    const answers: Readonly<Record<string, number>> = { broken: 500, denied: 403, rejected: 400, junk: 200 };
    for (const [name, code] of Object.entries(answers)) {
      const value = this.#text(`echoed by OpenBao with ${code}`);
      await tenant.apply(aSecret(name, { value }));
      this.#stage.bao.onRequest(documentRequest(tenant, name, 'POST'), echo(code, value));
    }
    const value = this.#text('of a document that is read back changed');
    const changed = this.#text('in a read-back that was changed');
    await tenant.apply(aSecret('altered', { value }));
    this.#stage.bao.onRequest(documentRequest(tenant, 'altered', 'GET'), {
      kind: 'mutate',
      change: (body) =>
        JSON.parse(
          JSON.stringify(body).replace(/("data":\{"value":)"[^}]*"/, `$1${JSON.stringify(changed)}`),
        ),
    });
    await tenant.apply(aMigration('out', { sourcePolicy: 'Delete' }));
    await tenant.untilReady('out', { status: 'False', reason: 'IntegrityViolated' });
    expect(await statesOf(tenant, 'out')).toEqual({
      altered: 'Copied VerifyMismatch',
      broken: 'Failed ServerError',
      denied: 'Failed PermissionDenied',
      junk: 'Failed ReplyInvalid',
      rejected: 'Failed Rejected',
    });
  }

  /** The same when it is asked for the names of the source: the whole run fails then, which conditions, events and the log tell. */
  async talkativeListing(): Promise<void> {
    const verdicts: Readonly<Record<number, string>> = { 500: 'ServerError', 405: 'Rejected' };
    this.#stage.allowErrors(/"REQUEST_REJECTED"/);
    for (const [code, reason] of Object.entries(verdicts)) {
      const tenant = await this.#tenant();
      const value = this.#text(`echoed by a listing with ${code}`);
      await kvPut(tenant, pathOf(tenant, 'db'), { value });
      const path = new RegExp(`^/v1/${tenant.mount}/metadata/${tenant.namespace}$`);
      this.#stage.bao.onRequest({ method: 'GET', path }, echo(Number(code), value));
      await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes' }));
      await tenant.untilReady('back', { status: 'False', reason });
    }
  }

  /** An API server, or a webhook in it, that says what it was told. */
  async talkativeApiServer(): Promise<void> {
    const tenant = await this.#tenant();
    for (const code of [500, 422, 403]) {
      const value = this.#text(`echoed by the API server with ${code}`);
      await kvPut(tenant, `${tenant.namespace}/doc-${code}`, { value });
      const create = { method: 'POST', path: new RegExp(`/namespaces/${tenant.namespace}/secrets$`) };
      this.#stage.api.onRequest(create, echo(code, value), 1);
    }
    await tenant.apply(aMigration('back', { from: 'bao', to: 'kubernetes' }));
    await tenant.untilReady('back', { status: 'False', reason: 'PartiallyFailed' });
    // After a 500 it looks, finds nothing, and writes once more.
    expect(Object.values(await statesOf(tenant, 'back')).toSorted()).toEqual([
      'Failed PermissionDenied',
      'Failed Rejected',
      'Verified',
    ]);
    const value = this.#text('echoed by the API server when it is deleted');
    await tenant.apply(aSecret('stuck', { value }));
    const removal = { method: 'DELETE', path: new RegExp(`/${tenant.namespace}/secrets/stuck$`) };
    this.#stage.api.onRequest(removal, echo(403, value));
    await tenant.apply(aMigration('move', { select: { names: ['stuck'] }, sourcePolicy: 'Delete' }));
    await tenant.untilReady('move', { status: 'False', reason: 'PartiallyFailed' });
  }

  /** Tokens that no server takes, one that no request can carry. */
  async badTokens(): Promise<void> {
    const tenant = await this.#tenant();
    await tenant.apply(aSecret('db', { value: this.#text('never read') }));
    await this.#meetBadToken(tenant, {
      name: 'refused',
      token: this.#plant(aLongCanary('a token that is refused', 95)).toString('utf8'),
      reason: 'PermissionDenied',
    });
    await this.#meetBadToken(tenant, {
      name: 'malformed',
      token: this.#text('a token that fits no header'),
      reason: 'CredentialsMissing',
    });
  }

  async #meetBadToken(
    tenant: Tenant,
    bad: { readonly name: string; readonly token: string; readonly reason: string },
  ): Promise<void> {
    const { cluster, mount, namespace } = tenant;
    const { name, token, reason } = bad;
    await tenant.apply(aSecret(`${name}-token`, { token }));
    const address = { address: this.#stage.bao.url, mount, caBundle: cluster.baoCaPem };
    await tenant.apply(anOpenBaoBackend({ name, tokenSecret: `${name}-token`, ...address }));
    await tenant.apply(aMigration(`to-${name}`, { to: name, select: { names: ['db'] } }));
    await tenant.untilReady(`to-${name}`, { status: 'False', reason: 'BackendNotReady' });
    const saysWhy = `--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=${reason}`;
    const waited = await cluster.kubectl(['wait', saysWhy, `secretbackend/${name}`, '-n', namespace]);
    expect(waited, waited.stderr).toMatchObject({ code: 0 });
  }
}

function documentRequest({ mount, namespace }: Tenant, name: string, method: 'GET' | 'POST') {
  return { method, path: new RegExp(`^/v1/${mount}/data/${namespace}/${name}$`) };
}

/** A reply that holds the value wherever a reply of these servers has text. */
function echo(code: number, value: string): Action {
  const body = {
    errors: [`cannot store ${value}`],
    warnings: [value],
    request_id: value,
    data: { data: { value }, metadata: { version: value, created_time: value, custom_metadata: { value } } },
    kind: 'Status',
    status: 'Failure',
    reason: value,
    message: `Secret is invalid: data: Invalid value: "${value}"`,
    details: { causes: [{ message: value, field: value }] },
    code,
  };
  return {
    kind: 'status',
    code,
    body,
    headers: { warning: `299 - ${Buffer.from(value).toString('base64')}` },
  };
}
