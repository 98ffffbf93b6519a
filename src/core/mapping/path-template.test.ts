import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperatorError } from '#src/errors.ts';
import { compilePathTemplate } from './path-template.ts';

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);

describe('mapping.path', () => {
  it('renders namespace, name and labels', () => {
    const template = compilePathTemplate('apps/{namespace}/{label:team}/{name}/v1', 'payments');
    expect(template.toPath('db', { team: 'core' })).toEqual({ path: 'apps/payments/core/db/v1' });
    expect(template.folder).toBe('apps/payments');
    expect(template.reversible).toBe(false);
  });

  it('reports the label that a Secret lacks', () => {
    const template = compilePathTemplate('{label:team}/{name}', 'payments');
    expect(template.toPath('db', {})).toEqual({ missingLabel: 'team' });
    expect(template.toPath('db', { team: '' })).toEqual({ missingLabel: 'team' });
  });

  it('gives back the name of every path that it rendered', () => {
    fc.assert(
      fc.property(
        name,
        fc.constantFrom('{namespace}/{name}', '{name}', 'k8s-{name}.d/x', 'a/{name}-{namespace}'),
        (n, text) => {
          const template = compilePathTemplate(text, 'payments');
          const rendered = template.toPath(n, {});
          expect('path' in rendered && template.toName(rendered.path)).toBe(n);
        },
      ),
    );
  });

  it('does not match paths of another shape', () => {
    const template = compilePathTemplate('{namespace}/{name}', 'payments');
    for (const path of ['payments', 'payments/', 'payments/a/b', 'other/a', ''])
      expect(template.toName(path)).toBeUndefined();
  });

  it.each([
    '{namespace}',
    '{name}/{name}',
    '{secret}/{name}',
    '{label:}/{name}',
    '{name',
    'name}',
    '{{name}}',
  ])('refuses %s with SPEC_INVALID', (text) => {
    const compile = (): unknown => compilePathTemplate(text, 'payments');
    expect(compile).toThrow(OperatorError);
    expect(compile).toThrow(expect.objectContaining({ code: 'SPEC_INVALID' }));
  });
});
