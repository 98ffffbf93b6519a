/*
 * A marker of a path names the versions that it is valid for, because custom_metadata belongs to the path: a version that
 * another client writes later has no mark. The number of a version is known before it is written: check-and-set plus one.
 *
 *   tls.key@1,*@3-5    `tls.key` in version 1, every key in versions 3 to 5
 *   tls.key            written before versions were named: valid for version 1, and unclear for every later one
 */

/** A label and the versions, first and last, for which it is valid; 0 and 0 for a label that names none. */
interface Mark {
  readonly label: string;
  readonly first: number;
  readonly last: number;
}

/** Most paths have no marks, and each document asks for all four of its path: that costs nothing. */
const NO_LABELS: readonly string[] = [];
const VERSIONS = /^([^,@]+)(?:@([1-9][0-9]{0,14})(?:-([1-9][0-9]{0,14}))?)?$/;

/** Labels with the exact versions that were written with them. */
export class VersionMarks {
  static readonly none: VersionMarks = new VersionMarks([]);
  readonly #marks: readonly Mark[];

  private constructor(marks: readonly Mark[]) {
    this.#marks = marks;
  }

  /** Undefined for a text that is not a list of such labels. */
  static parse(text: string | undefined, label: RegExp): VersionMarks | undefined {
    if (text === undefined) return VersionMarks.none;
    const marks: Mark[] = [];
    for (const part of text.split(',')) {
      const [, name, from, to] = VERSIONS.exec(part) ?? [];
      if (name === undefined || !label.test(name)) return undefined;
      const first = Number(from ?? 0);
      marks.push({ label: name, first, last: Number(to ?? first) });
    }
    return new VersionMarks(marks);
  }

  /** The labels of this version. */
  at(version: number): readonly string[] {
    if (this.isEmpty) return NO_LABELS;
    return this.#marks
      .filter(({ first, last }) => (first === 0 ? version === 1 : first <= version && version <= last))
      .map(({ label }) => label);
  }

  /** True if a label without versions leaves open whether it is valid for this one. */
  isUnclearAt(version: number): boolean {
    return version > 1 && this.namesNoVersion;
  }

  get namesNoVersion(): boolean {
    return this.#marks.some(({ first }) => first === 0);
  }

  /** These marks with exactly these labels for `version`. A label without versions then means all earlier ones. */
  with(labels: readonly string[], version: number): VersionMarks {
    if (this.isEmpty && labels.length === 0) return this;
    const marks = this.#named(version - 1).#without(version);
    for (const label of new Set(labels)) {
      const index = marks.findIndex((mark) => mark.label === label && mark.last === version - 1);
      const first = index === -1 ? version : (marks[index]?.first ?? version);
      marks.splice(index === -1 ? marks.length : index, index === -1 ? 0 : 1, {
        label,
        first,
        last: version,
      });
    }
    return new VersionMarks(marks);
  }

  /** These marks without any for `version`. */
  without(version: number): VersionMarks {
    return new VersionMarks(this.#without(version));
  }

  /** These marks without versions before `oldest`, which do not exist any more. */
  since(oldest: number): VersionMarks {
    if (this.isEmpty) return this;
    return new VersionMarks(
      this.#marks
        .filter(({ first, last }) => first === 0 || last >= oldest)
        .map((mark) => (mark.first === 0 ? mark : { ...mark, first: Math.max(mark.first, oldest) })),
    );
  }

  get isEmpty(): boolean {
    return this.#marks.length === 0;
  }

  format(): string {
    return this.#marks
      .map(({ label, first, last }) => {
        if (first === 0) return label;
        return first === last ? `${label}@${first}` : `${label}@${first}-${last}`;
      })
      .join(',');
  }

  #named(current: number): VersionMarks {
    return new VersionMarks(
      this.#marks
        .filter(({ first }) => first > 0 || current > 0)
        .map((mark) => (mark.first > 0 ? mark : { ...mark, first: 1, last: current })),
    );
  }

  #without(version: number): Mark[] {
    return this.#marks.flatMap((mark) => {
      const { first, last } = mark;
      if (first === 0 || version < first || version > last) return [mark];
      const before = first < version ? [{ ...mark, last: version - 1 }] : [];
      const after = version < last ? [{ ...mark, first: version + 1 }] : [];
      return [...before, ...after];
    });
  }
}
