import Agent from 'undici/lib/dispatcher/agent.js';
import Client from 'undici/lib/dispatcher/client.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import api from 'undici/lib/api/index.js';
import buildConnector from 'undici/lib/core/connect.js';

/*
 * The parts of undici that we use. Its index also loads fetch, WebSocket, caches and mocks: 35 ms of each start, and
 * their memory.
 */

// As its index does it: `dispatcher.request` and the like.
Object.assign(Dispatcher.prototype, api);

export { Agent, buildConnector, Client, Dispatcher };
