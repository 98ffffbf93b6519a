import { OperatorError } from '#src/errors.ts';
import { nearestName } from './nearest-name.ts';
import { ConfigSchema, SETTINGS } from './schema.ts';
import type { Config, Setting } from './schema.ts';

const OP = 'config.load';

/**
 * Reads the settings from the arguments after the subcommand and from the environment. The result is frozen.
 * Throws `CONFIG_INVALID`; its message names every problem, by flag. It does not repeat values: a token that was pasted
 * into the wrong flag must not appear in a log.
 */
export function loadConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const problems: string[] = [];
  const given = readFlags(argv, problems);
  const raw: Record<string, string> = {};
  for (const setting of SETTINGS) {
    // Manifests often set a variable to the empty string to mean "not set".
    const value = given.get(setting) ?? (env[setting.env] || undefined);
    if (value !== undefined) raw[setting.key] = value;
  }
  const parsed = ConfigSchema.safeParse(raw);
  problems.push(...problemsBetween(parsed.data));
  if (parsed.success && problems.length === 0) return Object.freeze(parsed.data);
  for (const issue of parsed.error?.issues ?? []) {
    problems.push(problemOf(issue.path[0], issue.message, given));
  }
  throw new OperatorError('CONFIG_INVALID', { op: OP, detail: `${problems.join('; ')}.` });
}

/** What no setting is to blame for alone. */
function problemsBetween(config: Config | undefined): readonly string[] {
  if (config === undefined) return [];
  const { leaderElection, metricsCertPath, metricsSecure, slices } = config;
  return [
    ...(metricsSecure && metricsCertPath === undefined ? ['--metrics-secure needs --metrics-cert-path'] : []),
    ...(slices > 1 && !leaderElection ? ['--slices above 1 needs --leader-election'] : []),
  ];
}

function problemOf(
  key: PropertyKey | undefined,
  message: string,
  given: ReadonlyMap<Setting, string>,
): string {
  const setting = SETTINGS.find((candidate) => candidate.key === key);
  if (setting === undefined) return message;
  return given.has(setting)
    ? `--${setting.flag} ${message}`
    : `--${setting.flag} (${setting.env}) ${message}`;
}

/** `--flag value`, `--flag=value`, and `--flag` alone for a switch. */
function readFlags(argv: readonly string[], problems: string[]): ReadonlyMap<Setting, string> {
  const given = new Map<Setting, string>();
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const { name, inline } = splitFlag(argument);
    if (name === undefined) {
      problems.push(`argument ${argv.length - rest.length} is not a flag`);
      continue;
    }
    const setting = SETTINGS.find(({ flag }) => flag === name);
    const value = inline ?? takeValue(setting, rest);
    if (setting === undefined) problems.push(unknownFlag(name));
    else if (value === undefined) problems.push(`--${name} needs a value`);
    else if (given.has(setting)) problems.push(`--${name} is given twice`);
    else given.set(setting, value);
  }
  return given;
}

function splitFlag(argument: string): { readonly name?: string; readonly inline?: string } {
  return /^--(?<name>[^=]+)(=(?<inline>.*))?$/s.exec(argument)?.groups ?? {};
}

/** Removes the value of `setting` from `rest`. An unknown flag takes a value too, so that it is reported as one problem. */
function takeValue(setting: Setting | undefined, rest: string[]): string | undefined {
  const [next] = rest;
  if (setting?.isSwitch === true) return next === 'true' || next === 'false' ? rest.shift() : 'true';
  return next === undefined || next.startsWith('--') ? undefined : rest.shift();
}

function unknownFlag(name: string): string {
  const nearest = nearestName(
    name,
    SETTINGS.map(({ flag }) => flag),
  );
  return nearest === undefined
    ? `--${name} is not a flag`
    : `--${name} is not a flag; did you mean --${nearest}?`;
}
