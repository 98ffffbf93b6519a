import { describe, expect, it } from 'vitest';
import { pictureOf, scenesOf } from './picture.ts';

const SIZE = { columns: 20, rows: 3 };
const OUTPUT =
  'servers up\n\n$ kubectl get <x>\nNAME   READY\na      True\n\n$ bao kv list & more\none\ntwo\nthree\nfour\n';

describe('the picture of the demo', () => {
  it('has a scene for each command, with its first lines', () => {
    expect(scenesOf(OUTPUT, SIZE)).toEqual([
      { lines: ['$ kubectl get <x>', 'NAME   READY', 'a      True'] },
      { lines: ['$ bao kv list & more', 'one', '…'] },
    ]);
    expect(scenesOf('$ a command that is longer than that\n', SIZE)[0]?.lines).toEqual([
      '$ a command that is…',
    ]);
  });

  it('shows what was printed as text, and loads nothing', () => {
    const svg = pictureOf(scenesOf(OUTPUT, SIZE), { title: 'a "demo"', ...SIZE, sceneMs: 1000 });
    expect(svg).toContain('$ kubectl get &lt;x&gt;');
    expect(svg).toContain('aria-label="a &quot;demo&quot;"');
    expect(svg).not.toMatch(/href|url\(|<script/);
  });
});
