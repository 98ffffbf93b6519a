import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CONDITION_REASONS,
  CONDITION_TYPES,
  EVENT_REASONS,
  LEFT_OUT_REASONS,
  ROW_REASONS,
  ROW_STATE_MEANINGS,
  ROW_STATES,
} from '#src/api/v1alpha1/conditions.ts';
import { CAPABILITIES } from '#src/backends/capabilities.ts';
import { failing } from '#src/controllers/migration/verdict.ts';
import { failedOutcome } from '#src/engine/failure.ts';
import { ERROR_CODES } from '#src/errors/codes.ts';
import { REFUSAL_REASONS } from '#src/errors/reasons.ts';
import { OperatorError, type ErrorCode } from '#src/errors.ts';
import { wordsIn, wordsOf, type SaidWord } from '#test/support/said-words.ts';

/*
 * Lists are API: what is listed is said by the sources that may say it, and what they say is listed. Each list is held
 * against its own sources only; a word that another list has as well does not count.
 */

const isErrorCode = (word: string): word is ErrorCode => Object.hasOwn(ERROR_CODES, word);
const CODES = Object.keys(ERROR_CODES).filter(isErrorCode);
const AN_ERROR = { op: 'test' } as const;

function saidTo(words: readonly SaidWord[], ...places: readonly string[]): ReadonlySet<string> {
  return new Set(words.filter(({ goesTo }) => places.includes(goesTo)).map(({ word }) => word));
}

function unsaid(listed: readonly string[], said: ReadonlySet<string>): readonly string[] {
  return listed.filter((word) => !said.has(word));
}

function unlisted(listed: readonly string[], said: ReadonlySet<string>): readonly string[] {
  return [...said].filter((word) => !listed.includes(word));
}

const BY_DOCUMENTS = wordsOf('core', 'engine', 'backends');
const BY_BACKENDS = wordsOf('backends');
const BY_CONTROLLERS = wordsOf('controllers');

/** The codes that these rooms make errors of. */
function raisedBy(...rooms: readonly string[]): readonly ErrorCode[] {
  const said = new Set(wordsOf(...rooms).flatMap(({ word, goesTo }) => (goesTo === 'asked' ? [] : word)));
  return CODES.filter((code) => said.has(code));
}

/** What a failure says, by making each that can reach a condition, and each that can reach a row. */
const REASONS_OF_FAILING = raisedBy('.').map((code) => failing(new OperatorError(code, AN_ERROR)).reason);
const REASONS_OF_FAILED = raisedBy('core', 'engine', 'backends', 'io', 'kube', 'errors').map(
  (code) => failedOutcome({ name: 'a', keys: [] }, new OperatorError(code, AN_ERROR)).reason ?? '',
);

/** `said`: all places that a word of the list can come from. `surely`: places that have words of this list only. */
const LISTS: Readonly<
  Record<
    string,
    {
      readonly listed: readonly string[];
      readonly said: ReadonlySet<string>;
      readonly surely: ReadonlySet<string>;
    }
  >
> = {
  'condition types': {
    listed: Object.keys(CONDITION_TYPES),
    said: saidTo(BY_CONTROLLERS, 'type'),
    // The types of events are the other words that go to a property of this name.
    surely: new Set([...saidTo(BY_CONTROLLERS, 'type')].filter((word) => !/^(Normal|Warning)$/.test(word))),
  },
  'condition reasons': {
    listed: Object.keys(CONDITION_REASONS),
    said: new Set([...saidTo(BY_CONTROLLERS, 'reason', 'argument', 'return'), ...REASONS_OF_FAILING]),
    surely: new Set(
      [...saidTo(BY_CONTROLLERS, 'reason'), ...REASONS_OF_FAILING].filter(
        (word) => !Object.hasOwn(EVENT_REASONS, word),
      ),
    ),
  },
  'reasons of events': {
    listed: Object.keys(EVENT_REASONS),
    said: saidTo(BY_CONTROLLERS, 'reason'),
    surely: new Set(
      [...saidTo(BY_CONTROLLERS, 'reason')].filter((word) => !Object.hasOwn(CONDITION_REASONS, word)),
    ),
  },
  'row reasons': {
    listed: Object.keys(ROW_REASONS),
    said: new Set([...saidTo(BY_DOCUMENTS, 'reason', 'argument'), ...REASONS_OF_FAILED]),
    surely: new Set([...saidTo(BY_DOCUMENTS, 'reason'), ...REASONS_OF_FAILED]),
  },
  'reasons of documents without a row': {
    listed: Object.keys(LEFT_OUT_REASONS),
    said: saidTo(BY_DOCUMENTS, 'leftOut', 'argument', 'return'),
    surely: saidTo(BY_DOCUMENTS, 'leftOut'),
  },
  'refusal reasons': {
    listed: REFUSAL_REASONS,
    said: saidTo(BY_BACKENDS, 'reason'),
    surely: saidTo(BY_BACKENDS, 'reason'),
  },
  'row states': {
    listed: ROW_STATES,
    said: saidTo(wordsOf('core', 'engine'), 'state', 'argument'),
    // The states of what was read are written small.
    surely: new Set([...saidTo(wordsOf('core', 'engine'), 'state')].filter((word) => /^[A-Z]/.test(word))),
  },
  capabilities: {
    listed: Object.keys(CAPABILITIES),
    said: saidTo(BY_BACKENDS, 'element'),
    surely: new Set(),
  },
  'error codes': {
    listed: CODES,
    said: new Set(
      wordsOf('.')
        .filter(({ goesTo }) => goesTo !== 'asked')
        .map(({ word }) => word),
    ),
    surely: new Set(),
  },
};

describe.each(Object.entries(LISTS))('the list of %s', (_name, { listed, said, surely }) => {
  it('has only words that its sources say', () => {
    expect(unsaid(listed, said)).toEqual([]);
  });

  it('has every word that they say', () => {
    expect(unlisted(listed, surely)).toEqual([]);
  });

  it('would not hide a word that nobody says', () => {
    expect(unsaid([...listed, 'NobodySaysThis'], said)).toContain('NobodySaysThis');
  });
});

describe.each(Object.entries(LISTS).filter(([, { surely }]) => surely.size > 0))(
  'a word taken out of the list of %s',
  (_name, { listed, surely }) => {
    it.each([...surely])('is missed: %s', (word) => {
      const others = listed.filter((each) => each !== word);
      expect(unlisted(others, surely)).toContain(word);
    });
  },
);

describe.each(
  Object.entries({
    CONDITION_TYPES,
    CONDITION_REASONS,
    EVENT_REASONS,
    LEFT_OUT_REASONS,
    ROW_REASONS,
    ROW_STATE_MEANINGS,
    CAPABILITIES,
  }),
)('%s', (_list, words) => {
  it.each(Object.entries(words))('has %s, with a sentence', (word, sentence) => {
    expect(word).toMatch(/^[A-Z][A-Za-z0-9]*$/);
    expect(word.length).toBeLessThanOrEqual(64);
    expect(sentence).toMatch(/^[A-Za-z].*\.$/);
  });
});

/** Proper names and words of others. */
const NAMES_OF_OTHERS =
  /^(OpenBao|OpenTelemetry|ToolHive|GitHub|GitOps|GitRepository|PowerShell|AppRole|TypeScript|CamelCase|Date|InProgress|PrometheusRule|ServiceMonitor|PodMonitor|Keyferry[A-Za-z]+)$/;
const WORDS_OF_KUBERNETES =
  /^(ServiceAccount|TokenReview|ValidatingAdmissionPolicy(Binding)?|(Cluster)?Role(Binding)?|ConfigMap|PodTemplate|(Daemon|Replica|Stateful)Set|CronJob|NetworkPolicy|PersistentVolume(Claim)?|ResourceQuota|StorageClass|RuntimeDefault|IfNotPresent|NotFound|ReferenceGrant)s?$/;
/** Kinds and values of External Secrets Operator and of Vault Secrets Operator, in the guides from there. */
const WORDS_OF_OPERATORS =
  /^((External|Push)Secrets?|IfNotExists|Replace|None|Vault(StaticSecret|DynamicSecret|PKISecret|Connection|Auth))$/;
const ROOT = join(import.meta.dirname, '../..');

/** What the API can say and take: the lists, and the kinds and enumerations of the CRDs. */
function wordsOfApi(): ReadonlySet<string> {
  const crds = globSync('crds/*.yaml', { cwd: ROOT }).flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    return [...text.matchAll(/^ *(?:- |kind: |listKind: )'?([A-Z][A-Za-z]+)'?$/gm)].map(
      ([, word = '']) => word,
    );
  });
  return new Set([...Object.values(LISTS).flatMap(({ listed }) => listed), ...crds]);
}

/** The words in a text that look like a word of the API: in quotes of code, or of two parts. */
function wordsLikeOfApi(text: string): readonly string[] {
  const found = text.matchAll(/`([A-Z][a-z]+[A-Za-z]*)`|\b((?:[A-Z][a-z]+){2,})\b/g);
  return [...found].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

describe('the documents for users', () => {
  const documents = [
    'README.md',
    ...globSync(['docs/*.md', 'docs/spec/**/*.md', 'config/**/*.yaml', 'crds/*.yaml'], {
      cwd: ROOT,
      exclude: ['docs/architecture.md', 'docs/glossary.md'],
    }),
  ];

  it.each(documents)('name no word that nothing says: %s', (file) => {
    const known = wordsOfApi();
    const words = wordsLikeOfApi(readFileSync(join(ROOT, file), 'utf8'));
    const ofOthers = [NAMES_OF_OTHERS, WORDS_OF_KUBERNETES, WORDS_OF_OPERATORS];
    const ours = words.filter((word) => !ofOthers.some((pattern) => pattern.test(word)));
    expect(ours.filter((word) => !known.has(word) && !known.has(word.replace(/s$/, '')))).toEqual([]);
  });

  it('would be caught naming one', () => {
    const text = 'The row is `Pending` with `AwaitingNothing`, or a NobodySaysThis.';
    const known = wordsOfApi();
    expect(wordsLikeOfApi(text).filter((word) => !known.has(word))).toEqual([
      'AwaitingNothing',
      'NobodySaysThis',
    ]);
  });
});

it('gives every state of a row a meaning', () => {
  expect(Object.keys(ROW_STATE_MEANINGS)).toEqual([...ROW_STATES]);
});

it('has no capability that nobody reads', () => {
  const asked = saidTo(wordsOf('controllers', 'engine', 'backends'), 'asked');
  expect(unsaid(Object.keys(CAPABILITIES), asked)).toEqual([]);
});

describe('a word', () => {
  it.each([
    ['a property', `say({ reason: 'X' })`, 'reason'],
    ['a property, by a condition', `say({ reason: a === 'Y' ? 'X' : z })`, 'reason'],
    ['a property, as a constant', `say({ reason: 'X' as const } satisfies Z)`, 'reason'],
    ['a variable', `const reason = 'X'`, 'reason'],
    ['a parameter', `function f(state: State = 'X') {}`, 'state'],
    ['a call', `say('X')`, 'argument'],
    ['a caller', `function f() { return 'X' }`, 'return'],
    ['an array', `say([['X', true]])`, 'element'],
  ])('that goes to %s is said', (_where, text, goesTo) => {
    expect(wordsIn(text)).toEqual([{ word: 'X', goesTo }]);
  });

  it.each([
    ['in a type', `type A = 'X'; let a: 'X'; function f(a: Pick<B, 'X'>): 'X' {}`],
    ['in a comparison', `if (a.reason === 'X' || 'X' !== b) f()`],
    ['as the name of a property', `f({ 'X': 1 })`],
    ['as a module', `import { a } from 'X'`],
  ])('%s is not said', (_where, text) => {
    expect(wordsIn(text)).toEqual([]);
  });

  it.each([`a.includes('X')`, `has('X') ? 1 : 2`, `hasCode(e, 'X')`])('is only asked for in %s', (text) => {
    expect(wordsIn(text)).toEqual([{ word: 'X', goesTo: 'asked' }]);
  });
});
