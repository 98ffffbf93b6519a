import { Dispatcher } from './undici.ts';
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
  return new AskingDispatcher(dispatcher, () => {
    mandate.assertHeld();
    permit?.require();
  });
}

/** Not `compose` of undici: it makes a Proxy, which costs each write about as much as the rest of its dispatch. */
class AskingDispatcher extends Dispatcher {
  readonly #dispatcher: Dispatcher;
  readonly #ask: () => void;

  constructor(dispatcher: Dispatcher, ask: () => void) {
    super();
    this.#dispatcher = dispatcher;
    this.#ask = ask;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.#dispatcher.dispatch(options, new AskingHandler(handler, this.#ask));
  }
}

type Handler = Required<Dispatcher.DispatchHandler>;

class AskingHandler implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #ask: () => void;

  constructor(handler: Dispatcher.DispatchHandler, ask: () => void) {
    this.#handler = handler;
    this.#ask = ask;
  }

  onRequestStart(...[controller, context]: Parameters<Handler['onRequestStart']>): void {
    this.#ask();
    this.#handler.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(...upgrade: Parameters<Handler['onRequestUpgrade']>): void {
    this.#handler.onRequestUpgrade?.(...upgrade);
  }

  onResponseStart(...start: Parameters<Handler['onResponseStart']>): void {
    this.#handler.onResponseStart?.(...start);
  }

  onResponseData(...data: Parameters<Handler['onResponseData']>): void {
    this.#handler.onResponseData?.(...data);
  }

  onResponseEnd(...end: Parameters<Handler['onResponseEnd']>): void {
    this.#handler.onResponseEnd?.(...end);
  }

  onResponseError(...error: Parameters<Handler['onResponseError']>): void {
    this.#handler.onResponseError?.(...error);
  }
}
