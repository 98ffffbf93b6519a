import { OperatorError, type ErrorDetail } from '#src/errors.ts';
import { joinPath } from './path.ts';

/*
 * Settings that look right and are not. Each is named with what to change; the facts come from replies of the server.
 */

/** Where a backend looks in a server, as the spec says. */
export interface Place {
  readonly mount: string;
  /** '' for the mount itself. */
  readonly prefix: string;
  readonly kvVersion: 1 | 2;
}

const OP = 'openbao.probe';

/** `spec.openbao.mount` is a path in the mount `real`. */
export function mountIsInside(real: string, place: Place): OperatorError {
  const folder = folderOf(place, place.mount.slice(real.length + 1));
  const meant = joinPath(folder, place.prefix);
  const detail = `The mount is ${real}.`;
  const hint = `Set spec.openbao.mount to ${real}`;
  return new OperatorError('MOUNT_MISSING', {
    op: OP,
    target: place.mount,
    detail: folder === '' ? detail : `${detail} The rest belongs into spec.openbao.pathPrefix.`,
    hint: meant === '' ? `${hint}.` : `${hint} and spec.openbao.pathPrefix to ${meant}.`,
  });
}

/**
 * The prefix without the mount and the part of the API's path that its start repeats; undefined if it repeats neither.
 * Such a folder can exist: only the server knows.
 */
export function prefixWithoutRepeats(place: Place): string | undefined {
  const meant = folderOf(place, withoutStart(place.prefix, place.mount));
  return meant === place.prefix ? undefined : meant;
}

/** There is no such folder as the prefix, which starts with the mount or a part of the API's path. */
export function prefixRepeats(meant: string, { mount, prefix }: Place): OperatorError {
  const change = meant === '' ? 'Remove spec.openbao.pathPrefix' : `Set spec.openbao.pathPrefix to ${meant}`;
  const repeated = meant === '' ? prefix : prefix.slice(0, -meant.length - 1);
  return new OperatorError('FOLDER_MISSING', {
    op: OP,
    target: joinPath(mount, prefix),
    detail: `spec.openbao.pathPrefix starts with ${repeated}, which is a part of the API's path and not of the folder.`,
    hint: `${change}; if the folder has this name, create a document in it.`,
  });
}

/** The folder that a path below a mount names, without the tree of the API of KV version 2. */
function folderOf({ kvVersion }: Place, path: string): string {
  if (kvVersion === 1) return path;
  const below = withoutStart(path, 'data');
  return below === path ? withoutStart(path, 'metadata') : below;
}

function withoutStart(path: string, start: string): string {
  if (path === start) return '';
  return path.startsWith(`${start}/`) ? path.slice(start.length + 1) : path;
}

/** The server at the address does not reply to sys/health as OpenBao and Vault do. */
export function notThisServer(
  origin: string,
  about: Pick<ErrorDetail, 'op' | 'target' | 'unansweredAt'> & { readonly status: number },
): OperatorError {
  // Go, nginx and others reply 400 to plain text at a port with TLS; a proxy redirects it.
  const wantsTls = origin.startsWith('http:') && about.status >= 300 && about.status <= 400;
  return new OperatorError('REPLY_INVALID', {
    ...about,
    detail: wantsTls ? 'The server refuses plain http.' : 'The server is not OpenBao or Vault.',
    hint: wantsTls
      ? 'Set spec.openbao.address to https://host:port.'
      : 'Set spec.openbao.address to the address of the API of OpenBao or Vault.',
  });
}

/** The path at which an auth method probably is enabled; undefined if `mountPath` does not look wrong. */
export function meantMountPath(mountPath: string): string | undefined {
  const meant = withoutStart(mountPath, 'auth').replace(/\/login$/, '');
  return meant === mountPath || meant === '' ? undefined : meant;
}
