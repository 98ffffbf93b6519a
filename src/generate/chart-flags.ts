import { z } from 'zod';
import { ConfigSchema, SETTINGS, type ConfigKey } from '#src/config/schema.ts';

/** Part of a JSON schema, draft 7. */
export interface JsonSchema {
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly [keyword: string]: unknown;
}

/** Flags that follow from other values of the chart, with these values: they are not in `operator`. */
export const FLAGS_OF_THE_CHART: Readonly<Partial<Record<ConfigKey, string>>> = {
  kubeconfig: 'always the service account of the pod',
  context: 'always the service account of the pod',
  serviceAccountDir: 'always the service account of the pod',
  leaderElection: 'always true: an update starts the new pod before the old one ends',
  leaderElectionNamespace: 'always the namespace of the pod',
  leaseName: 'follows from the name of the release',
  identity: 'always the name of the pod',
  healthBindAddress: 'follows from healthPort',
  metricsBindAddress: 'follows from metrics.port',
  metricsSecure: 'metrics.secure',
  metricsCertPath: 'follows from metrics.certSecret',
  metricsCertName: 'always tls.crt',
  metricsCertKey: 'always tls.key',
  workerTemplate: 'follows from workers.enabled',
  watchNamespaces: 'follows from rbac.scope and rbac.namespaces',
  watchSecrets: 'follows from rbac.scope',
};

const LISTS: ReadonlySet<ConfigKey> = new Set(['allowConnectTo']);

/** The flags of the operator that are values: the JSON schema of `operator` in values.yaml, from the operator's own schema. */
export function operatorSchema(): JsonSchema {
  const settings = SETTINGS.filter(({ key }) => FLAGS_OF_THE_CHART[key] === undefined);
  return {
    type: 'object',
    additionalProperties: false,
    description: 'Flags of the operator by name. What is not set has the default of the operator.',
    properties: Object.fromEntries(
      settings.map(({ key, flag, isSwitch, description, default: byDefault }) => [
        key,
        {
          description: `${description} Flag --${flag}${byDefault === undefined ? '' : `, default ${byDefault}`}.`,
          ...(isSwitch ? { type: 'boolean' } : valueSchema(key)),
        },
      ]),
    ),
  };
}

function valueSchema(key: ConfigKey): JsonSchema {
  if (LISTS.has(key)) return { type: 'array', items: { type: 'string' } };
  const json = z.toJSONSchema(ConfigSchema.shape[key], { io: 'output', unrepresentable: 'any' });
  const { type, minimum, maximum, minLength, maxLength, pattern, enum: words } = json;
  if (typeof type !== 'string') throw new Error(`the chart cannot tell the type of ${key}`);
  return { type, minimum, maximum, minLength, maxLength, pattern, enum: words };
}
