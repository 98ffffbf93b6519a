import { documentation } from '#src/errors/documentation.ts';
import { OperatorError } from '#src/errors.ts';
import type { Clock, Random } from '#src/ports.ts';
import type { Driver } from '../driver.ts';
import { KeyedLock } from '#src/io/keyed-lock.ts';
import type { BackendDefinition, BackendFactory } from '../factory.ts';
import { memberOf } from '../kind.ts';
import { DIRECTORY } from './definition.ts';
import { DirectoryDriver } from './driver.ts';

export interface DirectoryFactoryOptions {
  /** Operator flag --directory-root. */
  readonly root: string | undefined;
  /**
   * The root is of the one person who runs the process. Default false: the namespace of the tenant is always part of the path,
   * so that no tenant can name the files of another one.
   */
  readonly isPersonal?: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** Folders below the root that the operator was started with, or a person named. */
export class DirectoryFactory implements BackendFactory {
  readonly kind = 'directory';
  readonly #options: DirectoryFactoryOptions;
  readonly #lock = new KeyedLock();

  constructor(options: DirectoryFactoryOptions) {
    this.#options = options;
  }

  /** Throws `FLAG_MISSING` if the operator was started without --directory-root. No I/O. */
  create(definition: BackendDefinition): Driver {
    const directory = memberOf(DIRECTORY, definition.spec);
    if (directory === undefined) throw invalid(definition, 'spec.directory is missing.');
    const { root, isPersonal = false, clock, random } = this.#options;
    if (root === undefined) {
      throw new OperatorError('FLAG_MISSING', {
        op: 'directory.create',
        target: definition.title,
        detail: '--directory-root names the folder with one folder for each namespace.',
        hint: `Ask an administrator to start the operator with it: ${documentation('directory.md')}.`,
      });
    }
    const { path, trailingNewline, allowWorldReadable } = directory;
    const { tenant } = definition;
    // A backend of many namespaces is only probed as a whole: does the root exist, and can it be used?
    const own = path?.split('/') ?? [];
    const segments = tenant === undefined ? [] : [...(isPersonal ? [] : [tenant]), ...own];
    return new DirectoryDriver({
      place: { root, segments, allowWorldReadable, isPersonal },
      trailingNewline,
      clock,
      random,
      lock: this.#lock,
    });
  }
}

function invalid(definition: BackendDefinition, detail: string): OperatorError {
  return new OperatorError('SPEC_INVALID', {
    op: 'directory.create',
    target: definition.title,
    detail,
  });
}
