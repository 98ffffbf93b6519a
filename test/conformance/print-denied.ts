import { DirectoryFactory } from '#src/backends/directory/factory.ts';
import { systemClock } from '#src/runtime/system-clock.ts';

/*
 * A program: prints as JSON which of these needs a directory driver reports as denied, with the message of each.
 * Arguments: the root of directories, and the needs as JSON.
 */

const [root, needs = '[]'] = process.argv.slice(2);
const factory = new DirectoryFactory({ root, clock: systemClock, random: Math.random });
const driver = factory.create({
  title: 't',
  spec: {
    type: 'directory',
    directory: { path: 'tokens', trailingNewline: 'Keep', allowWorldReadable: false },
  },
  backend: { kind: 'SecretBackend', namespace: 'n', name: 'b' },
  credentialsNamespace: 'team',
  tenant: 'team',
});
const refusals = await driver.denied(JSON.parse(needs), new AbortController().signal);
process.stdout.write(
  JSON.stringify(Object.fromEntries([...refusals].map(([name, { message }]) => [name, message]))),
);
