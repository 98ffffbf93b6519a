import type { Report } from './build.ts';

/** One program that takes time to get. */
export interface Step {
  readonly name: string;
  /** On two quiet cores. */
  readonly expectedSeconds: number;
}

/** Where progress is shown and what tells the time; a test has its own. */
export interface ProgressOutput {
  /** A line that stays. */
  readonly report: Report;
  /** Replaces the current line of a terminal; undefined where lines cannot be replaced. */
  readonly rewrite?: ((line: string) => void) | undefined;
  /** Milliseconds. */
  readonly now: () => number;
}

const REWRITE_EVERY_MS = 1000;

/**
 * Counts down while programs are downloaded or built: steps left, time since the start, about how long it still takes. On a
 * terminal it is one line that changes; elsewhere one line when a step begins, because every line of a log stays.
 */
export class Progress {
  readonly #output: ProgressOutput;
  readonly #steps: readonly Step[];
  readonly #started: number;
  #done: readonly Step[] = [];

  constructor(steps: readonly Step[], output: ProgressOutput) {
    this.#steps = steps;
    this.#output = output;
    this.#started = output.now();
  }

  /** Shows the step while `work` runs. `doing` says what happens: "building", "downloading". */
  async during<T>(step: Step, doing: string, work: () => Promise<T>): Promise<T> {
    const began = this.#output.now();
    const line = (): string => `${step.name}: ${doing}; ${this.#countdown(began)}`;
    const { rewrite } = this.#output;
    if (rewrite === undefined) this.#output.report(line());
    const timer = rewrite === undefined ? undefined : setInterval(() => rewrite(line()), REWRITE_EVERY_MS);
    try {
      rewrite?.(line());
      return await work();
    } finally {
      clearInterval(timer);
      rewrite?.('');
      this.#done = [...this.#done, step];
      if (this.#done.length === this.#steps.length) {
        this.#output.report(`${this.#steps.length} programs ready after ${duration(this.#elapsedSeconds())}`);
      }
    }
  }

  #countdown(began: number): string {
    const stepsLeft = this.#steps.length - this.#done.length;
    const expected = sum(this.#steps) - sum(this.#done);
    const inStep = (this.#output.now() - began) / 1000;
    // A busy machine is slower than the two quiet cores of the estimates: what is done says by how much.
    const pace =
      this.#done.length === 0 ? 1 : (this.#elapsedSeconds() - inStep) / Math.max(1, sum(this.#done));
    const left = Math.max(0, expected * pace - inStep);
    const about = left < 1 ? 'longer than expected' : `about ${duration(left)} left`;
    const steps = `${stepsLeft} of ${this.#steps.length} steps left`;
    return `${steps}, ${duration(this.#elapsedSeconds())} so far, ${about}`;
  }

  #elapsedSeconds(): number {
    return (this.#output.now() - this.#started) / 1000;
  }
}

/** Progress on stderr; `report` gets the lines that stay. */
export function progressOutput(report: Report): ProgressOutput {
  const { stderr } = process;
  const rewrite = stderr.isTTY ? (line: string): void => void stderr.write(`\r\u001B[K${line}`) : undefined;
  return { report, rewrite, now: () => performance.now() };
}

function sum(steps: readonly Step[]): number {
  return steps.reduce((total, { expectedSeconds }) => total + expectedSeconds, 0);
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
