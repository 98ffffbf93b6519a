import type { Turns } from '#src/io/turns.ts';
import type { DriverTraits } from '../driver.ts';

export interface RequestLimits {
  readonly origin: string;
  /** spec.openbao.maxInFlight. */
  readonly maxInFlight: number;
  /** The requests to the server, as its quota allows. */
  readonly turns: Pick<Turns, 'perSecond' | 'width'>;
}

/** The traits of a KV store of either version. */
export function traitsOf({ maxInFlight, origin, turns }: RequestLimits): DriverTraits {
  return {
    addressing: 'tree',
    origin,
    get concurrency() {
      return turns.width(maxInFlight);
    },
    statesAttributes: false,
    holdsJson: true,
  };
}
