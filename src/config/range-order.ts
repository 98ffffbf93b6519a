import { OperatorError } from '#src/errors.ts';

/** What `keyferry worker` is for: the range of one generation of one migration. */
export interface RangeFlags {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly range: { readonly index: number; readonly count: number };
}

/** As Kubernetes tells it to a pod of an Indexed Job. */
const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';

const MOST_PODS = 64;
const FLAGS = {
  migration: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\/[a-z0-9][-a-z0-9.]{0,252}$/,
  uid: /^[A-Za-z0-9-]{1,64}$/,
  generation: /^[0-9]{1,15}$/,
  index: /^[0-9]{1,2}$/,
  pods: /^[0-9]{1,2}$/,
} as const;

type Flag = keyof typeof FLAGS;

/**
 * The flags of a pod of a Job, which the operator writes, and the arguments that are left: flags of the operator. `--index` is
 * JOB_COMPLETION_INDEX if it is not given. Throws `CONFIG_INVALID`.
 */
export function readRangeFlags(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { readonly order: RangeFlags; readonly rest: readonly string[] } {
  const { given, rest } = split(argv);
  const index = given.get('index') ?? env[INDEX_VARIABLE];
  if (index !== undefined) given.set('index', index);
  const [namespace = '', name = ''] = valueOf(given, 'migration').split('/');
  const range = { index: Number(valueOf(given, 'index')), count: Number(valueOf(given, 'pods')) };
  if (range.count < 2 || range.count > MOST_PODS || range.index >= range.count)
    throw wrong(`--index must be lower than --pods, and --pods a number from 2 to ${MOST_PODS}.`);
  const generation = Number(valueOf(given, 'generation'));
  return { order: { namespace, name, uid: valueOf(given, 'uid'), generation, range }, rest };
}

/** The flags of this command, and all other arguments. */
function split(argv: readonly string[]): {
  readonly given: Map<string, string>;
  readonly rest: readonly string[];
} {
  const given = new Map<string, string>();
  const rest: string[] = [];
  for (const argument of argv) {
    const { flag = '', value } = /^--(?<flag>[a-z]+)=(?<value>.*)$/s.exec(argument)?.groups ?? {};
    if (value !== undefined && Object.hasOwn(FLAGS, flag)) given.set(flag, value);
    else rest.push(argument);
  }
  return { given, rest };
}

function valueOf(given: ReadonlyMap<string, string>, flag: Flag): string {
  const value = given.get(flag);
  if (value !== undefined && FLAGS[flag].test(value)) return value;
  throw wrong(`--${flag} is missing or wrong; the Job of a migration with spec.parallelism sets it.`);
}

function wrong(detail: string): OperatorError {
  return new OperatorError('CONFIG_INVALID', { op: 'config.load', detail });
}
