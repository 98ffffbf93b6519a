import { defineConfig } from 'vitest/config';

const integration = {
  globalSetup: ['test/cluster/global-setup.ts'],
  testTimeout: 120_000,
  hookTimeout: 120_000,
  pool: 'forks' as const,
};

/**
 * unit: beside the sources, no server, seconds. Everything else talks to real servers that test/cluster starts. One
 * project after the other.
 * hostile: attacks an operator; a cluster for each file.
 * docs: executes the commands of the documentation, page after page on the cluster of each file.
 * browser: opens pages in a headless Chromium.
 * crash: kills operators at random moments; one file at a time, on clusters of their own.
 * node: real pods on a real node; needs Linux and root, so only `make test-node` runs it.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'test/architecture/**/*.test.ts',
            'test/docs/blocks/**/*.test.ts',
            'test/soak/**/*.test.ts',
            'test/bench/**/*.test.ts',
            'test/demo/**/*.test.ts',
          ],
          sequence: { groupOrder: 0 },
          isolate: false, // They share no state, and loading the modules once is most of the time.
        },
      },
      {
        test: {
          ...integration,
          name: 'integration',
          sequence: { groupOrder: 1 },
          include: [
            'test/conformance/**/*.test.ts',
            'test/integration/**/*.test.ts',
            'test/e2e/**/*.test.ts',
          ],
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...integration,
          globalSetup: ['test/support/bundle-setup.ts'],
          name: 'hostile',
          sequence: { groupOrder: 2 },
          include: ['test/hostile/**/*.test.ts'],
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...integration,
          globalSetup: ['test/support/bundle-setup.ts'],
          name: 'docs',
          sequence: { groupOrder: 3 },
          include: ['test/docs/*.test.ts'],
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'browser',
          sequence: { groupOrder: 4 },
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
        },
      },
      {
        test: {
          ...integration,
          name: 'crash',
          sequence: { groupOrder: 5 },
          include: ['test/crash/**/*.test.ts'],
          testTimeout: 600_000,
          maxWorkers: 1,
        },
      },
      {
        test: {
          ...integration,
          globalSetup: [...integration.globalSetup, 'test/node/global-setup.ts'],
          name: 'node',
          sequence: { groupOrder: 6 },
          include: ['test/node/**/*.test.ts'],
          maxWorkers: 1,
        },
      },
    ],
  },
});
