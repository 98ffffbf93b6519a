/** The flags of a command, as commander has them: by camel case name, of any type. */
export class TypedFlags {
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(options: unknown) {
    this.#options = isRecord(options) ? options : {};
  }

  /** Undefined if it was not given and has no default. */
  text(name: string): string | undefined {
    const option = this.#options[name];
    return typeof option === 'string' ? option : undefined;
  }

  /** True if it was given. */
  isOn(name: string): boolean {
    return this.#options[name] === true;
  }

  /** What all flags of this name say together. */
  list(name: string): readonly string[] {
    const option = this.#options[name];
    return Array.isArray(option) ? option.map(String) : [];
  }
}

function isRecord(options: unknown): options is Readonly<Record<string, unknown>> {
  return typeof options === 'object' && options !== null;
}
