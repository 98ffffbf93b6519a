import { ACKNOWLEDGE_IDENTITY_ANNOTATION } from '#src/api/group.ts';
import type { Backend } from '#src/api/v1alpha1/cluster-secret-backend.ts';
import { MAX_IDENTITY, MAX_PLACE, type BackendStatus } from '#src/api/v1alpha1/secret-backend.ts';
import { UNKNOWN_IDENTITY, type Probe } from '#src/backends/driver.ts';
import type { BackendKind } from '#src/backends/kind.ts';
import { placeOf } from '#src/backends/spec.ts';
import { boundedText } from '#src/core/bounded-text.ts';
import { OperatorError } from '#src/errors.ts';
import { namespaceOf, titleOf } from './names.ts';

/*
 * Which store a backend is for. The first probe records its identity, with the place in the spec where it was found. From
 * then on another store at the same place is refused until an annotation of the backend names it: only the person who
 * restored or replaced a store can know what is in it.
 */

/** An identity in a message and in the annotation; a longer or unprintable one is cut, and stays another one than any other. */
const MAX_SHOWN = 128;

/** What the status says of the store after a probe that succeeded: the one that is recorded from then on. */
export function recordedStore(
  { spec, status }: Backend,
  { identity }: Pick<Probe, 'identity'>,
  kinds: readonly BackendKind[],
): Required<Pick<BackendStatus, 'identity' | 'identityPlace'>> {
  const found = boundedText(identity, MAX_IDENTITY);
  // What cannot be read now does not make the recorded identity forgotten.
  const isKept = identity === UNKNOWN_IDENTITY && status.identity !== undefined;
  return { identity: isKept ? status.identity : found, identityPlace: placeIn(spec, kinds) };
}

/**
 * Why this store must not be used: `BACKEND_IDENTITY_CHANGED`, with the command that acknowledges it. Undefined if it is the
 * recorded one, if none is recorded, if the spec leads to another place since, or if the annotation names it.
 */
export function changedStore(
  backend: Backend,
  { identity }: Pick<Probe, 'identity'>,
  kinds: readonly BackendKind[],
): OperatorError | undefined {
  const { metadata, spec, status } = backend;
  const { identity: recorded, identityPlace = placeIn(spec, kinds) } = status;
  if (recorded === undefined || isEqual(recorded, identity)) return undefined;
  const shown = boundedText(identity, MAX_SHOWN);
  const acknowledged = metadata.annotations?.[ACKNOWLEDGE_IDENTITY_ANNOTATION];
  if (identityPlace !== placeIn(spec, kinds) || acknowledged === shown) return undefined;
  const namespace = namespaceOf(backend) ?? '';
  return new OperatorError('BACKEND_IDENTITY_CHANGED', {
    op: 'backend.identity',
    target: titleOf({ kind: backend.kind, namespace, name: metadata.name }),
    detail: `Its identity was ${boundedText(recorded, MAX_SHOWN)}, and ${shown} answers now.`,
    hint: `Nothing is read or written there. If that store is intended, run: ${commandFor(backend, shown)}.`,
  });
}

/** As far as it can be known. */
function isEqual(recorded: string, identity: string): boolean {
  return (
    [boundedText(identity, MAX_IDENTITY), UNKNOWN_IDENTITY].includes(recorded) ||
    identity === UNKNOWN_IDENTITY
  );
}

function placeIn(spec: Backend['spec'], kinds: readonly BackendKind[]): string {
  return boundedText(placeOf(spec, kinds), MAX_PLACE);
}

/** The server chose the identity: quoted, so that a shell takes all of it as text. */
function commandFor(backend: Backend, identity: string): string {
  const quotedIdentity = `'${identity.replaceAll("'", String.raw`'\''`)}'`;
  const namespace = namespaceOf(backend);
  return [
    `kubectl annotate ${backend.kind.toLowerCase()} ${backend.metadata.name}`,
    ...(namespace === undefined ? [] : [`-n ${namespace}`]),
    `${ACKNOWLEDGE_IDENTITY_ANNOTATION}=${quotedIdentity} --overwrite`,
  ].join(' ');
}
