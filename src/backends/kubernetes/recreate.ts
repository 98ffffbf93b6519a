import { sameFields, type Document, type Version } from '#src/core/document.ts';
import { errorOf, isAbort, OperatorError } from '#src/errors.ts';
import type { Permit } from '#src/ports.ts';
import type { NewMarks, SecretApi } from './api.ts';
import { toDocument, versionOf, type WireSecret } from './codec.ts';
import { pairsOf } from './labels.ts';
import { REFLECTS_ANNOTATION } from './marks.ts';
import { reflectsIn } from './reflects.ts';

const OP = 'kube.secret.recreate';
/** Tries of the create after the delete. The client itself repeats what never reached the server. */
const TRIES = 3;

/**
 * Gives an immutable Secret another value: asks whether the new Secret could be created → deletes exactly the state that was
 * read → creates the new one. Labels, annotations, owners and immutability of the old one stay. Between the two requests there
 * is no Secret of this name. Throws as `Driver.recreate` says.
 */
export async function recreateSecret(
  api: SecretApi,
  { document, expect }: { readonly document: Document; readonly expect: Version },
  permit: Permit,
): Promise<Version> {
  const { address } = document;
  const current = await api.getExactly(address, expect, { op: OP, signal: permit.signal });
  if (current.metadata.finalizers !== undefined && current.metadata.finalizers.length > 0)
    throw held(address);
  const isImmutable = current.immutable === true || document.attributes.immutable === true;
  const wanted: Document = {
    ...document,
    attributes: { ...document.attributes, ...(isImmutable ? { immutable: true } : {}) },
  };
  const marks = marksOf(wanted, current, expect);
  await api.requireCreatable(wanted, marks, permit.signal);
  await api.remove(address, expect, permit);
  return createAgain(api, { wanted, marks }, permit);
}

interface Task {
  readonly wanted: Document;
  readonly marks: NewMarks;
}

async function createAgain(api: SecretApi, { wanted, marks }: Task, permit: Permit): Promise<Version> {
  for (let tried = 1; ; tried += 1) {
    try {
      return versionOf(await api.create(wanted, permit, marks));
    } catch (failure) {
      if (isAbort(failure, permit.signal)) throw failure;
      const error = errorOf(failure);
      // After a lost reply the name is taken by the Secret of that request.
      if (error.code === 'ALREADY_EXISTS') return ownOrConflict(api, { wanted, marks }, permit);
      if (error.disposition !== 'transient' || tried >= TRIES) throw gone(wanted.address, error);
    }
  }
}

async function ownOrConflict(api: SecretApi, { wanted, marks }: Task, permit: Permit): Promise<Version> {
  const found = await api.get(wanted.address, permit.signal);
  const isOwn =
    found !== undefined &&
    found.metadata.annotations?.[REFLECTS_ANNOTATION] === marks.annotations?.[REFLECTS_ANNOTATION] &&
    sameFields(wanted, toDocument(found));
  if (isOwn) return versionOf(found);
  throw new OperatorError('VERSION_CONFLICT', { op: OP, target: wanted.address });
}

function marksOf(document: Document, { metadata }: WireSecret, expect: Version): NewMarks {
  const { [REFLECTS_ANNOTATION]: _earlier, ...others } = metadata.annotations ?? {};
  const { ownerReferences, labels } = metadata;
  return {
    labels: { ...labels, ...pairsOf(document.attributes.metadata) },
    annotations: { ...others, ...pairsOf(document.attributes.annotations), ...reflectsIn(document, expect) },
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
}

function held(target: string): OperatorError {
  return new OperatorError('DOCUMENT_IMMUTABLE', {
    op: OP,
    target,
    detail: 'It cannot be created again, because a finalizer would hold it when it is deleted.',
    hint: 'Remove metadata.finalizers of the Secret, or delete the Secret.',
  });
}

/** The value is at the side that leads: a run that finds no Secret creates it. */
function gone(target: string, error: OperatorError): OperatorError {
  const { code, hint, status, retryAfterMs, indeterminate } = error;
  return new OperatorError(code, {
    op: OP,
    target,
    detail: 'The immutable Secret was deleted and could not be created again; the next run creates it.',
    hint,
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    indeterminate,
    cause: error,
  });
}
