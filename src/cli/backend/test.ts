import { RECONCILE_REQUESTED_ANNOTATION } from '#src/api/group.ts';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { CONDITION_REASONS, isConditionReason } from '#src/api/v1alpha1/conditions.ts';
import { isReady, readyOf } from '#src/controllers/conditions.ts';
import { hasCode } from '#src/errors.ts';
import { UserCluster } from '../cluster.ts';
import type { Invocation } from '../invocation.ts';
import { printable } from '../output.ts';
import { Problem } from '../problem.ts';
import { isSet, textOf, type TypedFlags } from '../typed-flags.ts';
import { annotate } from './annotate.ts';
import { loginOf } from './login.ts';
import { findBackend, kubectlName, toBackend, type FoundBackend } from './stored.ts';

const POLL_MS = 250;
/** A probe takes 20 s at most, and waits for a worker before that. */
const DEFAULT_SECONDS = 60;
const MAX_SECONDS = 3600;
/** Writers of the status change the version of a backend, too. */
const ATTEMPTS = 5;

/** `backend test NAME`: the operator probes it now. Resolves with 1 if it is not Ready then. */
export async function testBackend(invocation: Invocation, name: string, flags: TypedFlags): Promise<number> {
  const seconds = secondsIn(textOf(flags, 'timeout'));
  await using cluster = await UserCluster.open(invocation);
  const found = await findBackend(cluster, name, isSet(flags, 'cluster'));
  const backend = await probed(invocation, cluster, found, seconds);
  const { output } = invocation;
  const title = kubectlName(found.kind, backend.metadata.name);
  const ready = readyOf(backend.status);
  if (isReady(backend)) {
    output.line(`${title} is Ready`);
    for (const [what, answer] of checkedOf(backend)) output.line(`  ${what.padEnd(13)} ${printable(answer)}`);
    return 0;
  }
  const reason = ready?.reason ?? 'NotProbed';
  output.line(`${title} is not Ready: ${printable(reason)}`);
  if (isConditionReason(reason)) output.line(`  ${CONDITION_REASONS[reason]}`);
  if (ready !== undefined) output.line(`  ${printable(ready.message)}`);
  return 1;
}

function secondsIn(text: string | undefined): number {
  if (text === undefined) return DEFAULT_SECONDS;
  const seconds = Number(text.replace(/s$/, ''));
  if (Number.isInteger(seconds) && seconds > 0 && seconds <= MAX_SECONDS) return seconds;
  throw new Problem(
    `--timeout ${text} is not a number of seconds from 1 to ${MAX_SECONDS}. Write it as --timeout 60.`,
  );
}

/** The backend after a probe that began after this request. Throws `Problem` if no operator answers in time. */
async function probed(
  { clock }: Invocation,
  cluster: UserCluster,
  { kind, object }: FoundBackend,
  seconds: number,
): Promise<Backend> {
  const token = new Date(clock.now()).toISOString();
  await requestProbe(cluster, kind, object.metadata.name, token);
  const until = clock.monotonic() + seconds * 1000;
  for (;;) {
    const current = toBackend(await cluster.get(kind, object.metadata.name));
    if (current === undefined)
      throw new Problem('This version of keyferry cannot read the backend. Use the version of the operator.');
    if (current.status.lastHandledReconcileAt === token) return current;
    if (clock.monotonic() >= until)
      throw new Problem(
        `No operator probed ${kubectlName(kind, object.metadata.name)} within ${seconds} s. Find out why: keyferry doctor.`,
      );
    await clock.sleep(POLL_MS, cluster.signal);
  }
}

async function requestProbe(
  cluster: UserCluster,
  kind: Backend['kind'],
  name: string,
  token: string,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { metadata } = await cluster.get(kind, name);
    try {
      await annotate(cluster, kind, metadata, { [RECONCILE_REQUESTED_ANNOTATION]: token });
      return;
    } catch (thrown) {
      if (attempt === ATTEMPTS || !hasCode(thrown, 'VERSION_CONFLICT')) throw thrown;
    }
  }
}

/** What a probe that succeeded has checked. */
function checkedOf({ spec, status }: Backend): readonly (readonly [string, string])[] {
  const { openbao, directory } = spec;
  const { server, identity = '', capabilities = [] } = status;
  const product = server === undefined ? '' : `${server.product} ${server.version}`.trim();
  return [
    ['reached', openbao === undefined ? product : `${product} at ${openbao.address}`],
    ...(openbao === undefined ? [] : [['logged in', loginOf(openbao.auth)] as const]),
    ...(openbao === undefined
      ? []
      : [['mount', `${openbao.mount}, KV version ${openbao.kvVersion}`] as const]),
    ...(directory === undefined ? [] : [['folder', directory.path ?? 'the root of the namespace'] as const]),
    ['identity', identity],
    ['capabilities', capabilities.length === 0 ? 'none beyond the required ones' : capabilities.join(', ')],
  ];
}
