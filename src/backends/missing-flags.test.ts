import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '#src/errors/codes.ts';
import { explain } from '#src/errors/explain.ts';
import { errorOf, type OperatorError } from '#src/errors.ts';
import { ALWAYS_HELD } from '#src/runtime/leadership.ts';
import { systemClock } from '#src/runtime/system-clock.ts';
import { OWN_MACHINE } from '#test/support/own-machine.ts';
import { DirectoryFactory } from './directory/factory.ts';
import { DirectorySpecSchema } from './directory/spec.ts';
import type { BackendDefinition, BackendFactory } from './factory.ts';
import { OpenBaoFactory } from './openbao/factory.ts';
import { OpenBaoSpecSchema } from './openbao/spec.ts';

const NAMED = {
  title: 'SecretBackend team/files',
  backend: { kind: 'SecretBackend', name: 'files', namespace: 'team', generation: 1 },
  credentialsNamespace: 'team',
  tenant: 'team',
} as const;
const clocks = { clock: systemClock, random: Math.random };

function failureOf(factory: BackendFactory, spec: BackendDefinition['spec']): OperatorError {
  try {
    factory.create({ ...NAMED, spec });
  } catch (thrown) {
    return errorOf(thrown);
  }
  throw new Error('it was created');
}

describe('a backend that needs a flag of the operator', () => {
  it('of directories names the flag, and does not call the spec invalid', () => {
    const directory = DirectorySpecSchema.parse({ path: 'tokens', trailingNewline: 'Keep' });
    const error = failureOf(new DirectoryFactory({ root: undefined, ...clocks }), {
      type: 'directory',
      directory,
    });
    expect(ERROR_CODES[error.code].conditionReason).toBe('FlagMissing');
    expect(explain(error)).toBe(
      'The operator runs without a flag that this backend needs. --directory-root names the folder with one folder for each namespace (SecretBackend team/files). Ask an administrator to start the operator with it: https://keyferry.io/docs/directory.',
    );
  });

  it('of a server at an http address names the flag, and the address as the other way', () => {
    const factory = new OpenBaoFactory({
      credentialsFor: () => {
        throw new Error('not asked for');
      },
      connectRules: OWN_MACHINE,
      mandate: ALWAYS_HELD,
      userAgent: 'keyferry/test',
      allowInsecureHttp: false,
      ...clocks,
    });
    const auth = { token: { secretRef: { name: 'bao-token' } } };
    const openbao = OpenBaoSpecSchema.parse({ address: 'http://bao.example:8200', auth });
    const error = failureOf(factory, { type: 'openbao', openbao });
    expect(ERROR_CODES[error.code].conditionReason).toBe('FlagMissing');
    expect(explain(error)).toBe(
      'The operator runs without a flag that this backend needs. spec.openbao.address is plain http, which the operator uses only with --allow-insecure-http (SecretBackend team/files). Create the backend again with an https address, or ask an administrator to set the flag.',
    );
  });
});
