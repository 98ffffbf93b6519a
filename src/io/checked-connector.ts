import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import { callbackify } from 'node:util';
import { buildConnector } from './undici.ts';
import { OperatorError } from '#src/errors.ts';
import type { ConnectRules } from './connect-rules.ts';

/**
 * A connector of undici that reaches only addresses that the rules allow. A name is resolved once, and the socket gets the
 * very addresses that were checked: another answer of the DNS a moment later (rebinding) changes nothing. The address
 * at the other end is checked again before the first byte of a request. Fails with `ADDRESS_FORBIDDEN`, which does not
 * say what the name stands for.
 */
export function checkedConnector(
  rules: ConnectRules,
  options: buildConnector.BuildOptions,
): buildConnector.connector {
  const connect = buildConnector({ ...options, autoSelectFamily: true, lookup: checkedLookup(rules) });
  return (target, callback) => {
    const { host, hostname, protocol } = target;
    const origin = `${protocol}//${host ?? hostname}`;
    const begin = (): void =>
      connect(target, (failure, socket) => {
        if (failure !== null) {
          callback(failure instanceof AddressRefused ? forbidden(origin) : failure, null);
        } else if (socket.remoteAddress !== undefined && rules.refuses(socket.remoteAddress)) {
          socket.destroy();
          callback(forbidden(origin), null);
        } else callback(null, socket);
      });
    // Node does not look up what is an address already.
    if (isIP(hostname) === 0) begin();
    else whenAllowed(rules, hostname, { begin, fail: (failure) => callback(failure, null), origin });
  };
}

function whenAllowed(
  rules: ConnectRules,
  address: string,
  then: {
    readonly begin: () => void;
    readonly fail: (failure: Error) => void;
    readonly origin: string;
  },
): void {
  rules
    .addressesOf(address)
    .then(
      (addresses) => (addresses === undefined ? then.fail(forbidden(then.origin)) : then.begin()),
      then.fail,
    );
}

class AddressRefused extends Error {}

/** Answers as `dns.lookup` does with `all`, which `autoSelectFamily` implies. All addresses are allowed. */
function checkedLookup(rules: ConnectRules): LookupFunction {
  return callbackify(async (hostname: string, _options: object) => {
    const addresses = await rules.addressesOf(hostname);
    if (addresses === undefined) throw new AddressRefused();
    return [...addresses];
  });
}

function forbidden(origin: string): OperatorError {
  return new OperatorError('ADDRESS_FORBIDDEN', { op: 'backend.connect', target: origin });
}
