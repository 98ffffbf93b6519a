import type { Dispatcher } from 'undici';
import type { Mandate, Permit } from '#src/ports.ts';

/**
 * Asks the mandate and the permit synchronously, immediately before a request is written to its socket. A request can wait
 * for a connection for a long time after it was handed to its pool, so an answer before that says nothing. What they throw
 * is the failure of the request, and nothing of it is sent: undici writes after `onRequestStart` (lib/dispatcher/client-h1.js,
 * writeH1).
 */
export function askAtSend(
  dispatcher: Dispatcher,
  mandate: Mandate,
  permit: Pick<Permit, 'require'> | undefined,
): Dispatcher {
  const ask = (): void => {
    mandate.assertHeld();
    permit?.require();
  };
  return dispatcher.compose((dispatch) => (options, handler) => dispatch(options, asking(handler, ask)));
}

function asking(handler: Dispatcher.DispatchHandler, ask: () => void): Dispatcher.DispatchHandler {
  return {
    onRequestStart: (controller, context) => {
      ask();
      handler.onRequestStart?.(controller, context);
    },
    onRequestUpgrade: (...upgrade) => handler.onRequestUpgrade?.(...upgrade),
    onResponseStart: (...start) => handler.onResponseStart?.(...start),
    onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
    onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
    onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
  };
}
