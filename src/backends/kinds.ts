import { DIRECTORY } from './directory/definition.ts';
import type { BackendKind } from './kind.ts';
import { KUBERNETES } from './kubernetes/definition.ts';
import { OPENBAO } from './openbao/definition.ts';

/** Every kind of backend that ships, in the order of the API. */
export const BACKEND_KINDS = [KUBERNETES, OPENBAO, DIRECTORY] as const satisfies readonly BackendKind[];
