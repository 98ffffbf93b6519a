import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { examplesOf } from '#src/cli/declare.ts';
import { commandsPage, declaredProgram } from './commands.ts';

function allBelow(command: Command): readonly Command[] {
  return command.commands.flatMap((each) => [each, ...allBelow(each)]);
}

function titleOf(command: Command): string {
  return command.parent === null ? '' : `${titleOf(command.parent)} ${command.name()}`.trim();
}

/** operator has a help of its own. */
const COMMANDS = allBelow(declaredProgram())
  .filter((command) => command.name() !== 'operator')
  .map((command) => [titleOf(command), command] as const);

describe('docs/commands.md', () => {
  it('has a section for every command, with its examples, and none that commander adds', () => {
    const page = commandsPage();
    expect(page).not.toContain('[help]');
    for (const [title, command] of COMMANDS) {
      if (command.commands.length > 0 && command.registeredArguments.length === 0) continue;
      expect(page).toContain(`## keyferry ${title}\n`);
      for (const [, line] of examplesOf(command)) expect(page).toContain(`keyferry ${line}`);
    }
  });

  it.each(COMMANDS)(
    'says of %s what it does, what its arguments and flags mean, and shows it',
    (_title, command) => {
      const help = command.createHelp();
      expect(command.description()).toMatch(/^[A-Z]/);
      expect(examplesOf(command).length).toBeGreaterThan(0);
      for (const argument of help.visibleArguments(command)) expect(argument.description).not.toBe('');
      for (const option of help.visibleOptions(command)) expect(option.description).not.toBe('');
    },
  );

  it.each(COMMANDS.flatMap(([, command]) => examplesOf(command).map(([, line]) => [line] as const)))(
    'shows "keyferry %s", which the declared command accepts',
    async (line) => {
      const [typed = ''] = line.split(/ (?:[|<>]|&&) /);
      const words = typed.replaceAll(/["']/g, '').split(/ +/);
      await expect(declaredProgram().parseAsync(words, { from: 'user' })).resolves.toBeDefined();
    },
  );
});
