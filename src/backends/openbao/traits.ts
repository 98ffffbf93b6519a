import type { Turns } from '#src/io/turns.ts';
import type { DriverTraits } from '../driver.ts';

export interface RequestLimits {
  /** spec.openbao.maxInFlight. */
  readonly maxInFlight: number;
  /** The requests to the server, as its quota allows. */
  readonly turns: Pick<Turns, 'perSecond' | 'width'>;
}

/** The traits of a KV store of either version. */
export function traitsOf({ maxInFlight, turns }: RequestLimits): DriverTraits {
  return {
    addressing: 'tree',
    get concurrency() {
      return turns.width(maxInFlight);
    },
    statesAttributes: false,
  };
}
