import { OperatorError } from '#src/errors.ts';
import type { Clock } from '#src/ports.ts';
import type { BackendDriver } from '../driver.ts';
import type { BackendDefinition, BackendFactory } from '../registry.ts';
import { DirectoryDriver } from './driver.ts';
import { Folder } from './folder.ts';

export interface DirectoryFactoryOptions {
  /** Operator flag --directory-root. */
  readonly root: string | undefined;
  readonly clock: Clock;
}

/** Files below the folder `<root>/<namespace>/<path>`: a namespace cannot name what belongs to another one. */
export class DirectoryFactory implements BackendFactory {
  readonly kind = 'directory';
  readonly #options: DirectoryFactoryOptions;
  readonly #living = new Set<string>();

  constructor(options: DirectoryFactoryOptions) {
    this.#options = options;
  }

  /** Throws `SPEC_INVALID` without --directory-root. No I/O. */
  create({ spec, tenant, title }: BackendDefinition): BackendDriver {
    const { clock, root } = this.#options;
    const invalid = (detail: string) =>
      new OperatorError('SPEC_INVALID', { op: 'directory.create', target: title, detail });
    const { directory } = spec;
    if (directory === undefined) throw invalid('spec.directory is missing.');
    if (root === undefined) {
      throw invalid(
        'The operator was started without --directory-root; name the folder that it may use there.',
      );
    }
    const { allowWorldReadable, path, trailingNewline } = directory;
    // A backend of all namespaces is only probed as a whole: that the root is there and may be used.
    const segments = tenant === undefined ? [] : [tenant, ...(path?.split('/') ?? [])];
    const folder = new Folder({ root, segments, allowWorldReadable });
    return new DirectoryDriver({ folder, living: this.#living, trailingNewline, clock });
  }
}
