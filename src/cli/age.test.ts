import { expect, it } from 'vitest';
import { ageOf, durationText } from './age.ts';

it.each([
  [-5, '0s'],
  [42, '42s'],
  [119, '119s'],
  [300, '5m'],
  [312, '5m12s'],
  [7200, '120m'],
  [4 * 3600 + 60, '4h1m'],
  [30 * 3600, '30h'],
  [3 * 86_400 + 4 * 3600, '3d4h'],
  [400 * 86_400, '400d'],
  [3 * 365 * 86_400, '3y'],
  [9 * 365 * 86_400, '9y'],
])('%d seconds are printed as kubectl prints them: %s', (seconds, text) => {
  expect(durationText(seconds * 1000)).toBe(text);
});

it('an age without a time is unknown', () => {
  expect(ageOf(undefined, 0)).toBe('<unknown>');
  expect(ageOf('2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1, 0, 0, 5))).toBe('5s');
});
