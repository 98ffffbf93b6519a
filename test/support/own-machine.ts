import { ConnectRules } from '#src/io/connect-rules.ts';

/** Backends may be on this machine, where all servers of the tests are. */
export const OWN_MACHINE = new ConnectRules({ allowed: ['127.0.0.0/8', '::1'], apiServers: [] });
