import { describe, expect, it } from 'vitest';
import { pictureOf, recordingOf } from './picture.ts';

const SIZE = { columns: 20, rows: 3 };
const OUTPUT =
  '\n$ kubectl get <x>\nNAME   READY\na      True\n\n\n\n# Then\n\n$ bao kv list & more\none\n\n';

describe('the picture of the demo', () => {
  it('pauses after each block, and has all lines, the long ones cut', () => {
    const lines = [
      '$ kubectl get <x>',
      'NAME   READY',
      'a      True',
      '',
      '# Then',
      '',
      '$ bao kv list & more',
    ];
    expect(recordingOf(OUTPUT, SIZE)).toEqual({ lines: [...lines, 'one'], stops: [3, 5, 8] });
    expect(recordingOf('$ a command that is longer than that\n', SIZE).lines).toEqual([
      '$ a command that is…',
    ]);
  });

  it('scrolls so that the last line of each block is at the bottom, and stays at the end', () => {
    const svg = pictureOf(recordingOf(OUTPUT, SIZE), { title: 'a', ...SIZE, pauseMs: 1000 });
    const frames = [...svg.matchAll(/([\d.]+)%\{transform:translateY\((-?\d+)px\)\}/g)];
    expect(frames.map(([, at, moved]) => [Number(at), Number(moved) / 17])).toEqual([
      [0, 0],
      [14.286, -2],
      [28.571, -5],
      [100, -5],
    ]);
    expect(svg).toContain('animation:scroll 7000ms');
  });

  it('shows what was printed as text, and loads nothing', () => {
    const svg = pictureOf(recordingOf(OUTPUT, SIZE), { title: 'a "demo"', ...SIZE, pauseMs: 1000 });
    expect(svg).toContain('$ kubectl get &lt;x&gt;');
    expect(svg).toContain('aria-label="a &quot;demo&quot;"');
    expect(svg).not.toMatch(/href|url\(|<script/);
  });
});
