import { OUTCOMES } from './evidence.ts';
import { html, trusted, type Markup } from './markup.ts';
import { enteredIn, type Timeline } from './timeline.ts';
import { OUTCOME_LABELS } from './words.ts';

/*
 * Two charts as inline SVG. The drawing stretches to the width that there is, so its scale is text beside it.
 */

const WIDTH = 600;
const HEIGHT = 100;

/** Keys that were done by the end of each slot. */
export function doneChart({ slots, step }: Timeline): Markup {
  const most = Math.max(1, slots.at(-1)?.done ?? 0);
  const x = (index: number): number => round((index / slots.length) * WIDTH);
  const y = (done: number): number => round(HEIGHT - (done / most) * (HEIGHT - 4));
  const steps = slots.map(({ done }, index) => `V${y(done)}H${x(index + 1)}`).join('');
  const last = slots.at(-1)?.done ?? 0;
  return figure({
    title: `Keys done, in steps of ${step}`,
    label: `${last} keys were done between ${slots[0]?.from} and ${slots.at(-1)?.from}. The table below has the numbers.`,
    most,
    slots,
    drawing: `<path class="area" d="M0 ${HEIGHT}${steps}V${HEIGHT}Z"/><path class="curve" d="M0 ${HEIGHT}${steps}"/>`,
  });
}

/** Keys that entered the state that they have, in each slot. */
export function statesChart({ slots, step }: Timeline): Markup {
  const most = slots.reduce((highest, slot) => Math.max(highest, enteredIn(slot)), 1);
  const width = WIDTH / slots.length;
  const bars = slots.flatMap(({ entered }, index) => {
    let bottom = HEIGHT;
    return OUTCOMES.filter((outcome) => entered[outcome] > 0).map((outcome) => {
      const height = (entered[outcome] / most) * (HEIGHT - 4);
      bottom -= height;
      const size = `width="${round(Math.max(width * 0.8, 1))}" height="${round(height)}"`;
      return `<rect class="${outcome}" x="${round((index + 0.1) * width)}" y="${round(bottom)}" ${size}/>`;
    });
  });
  return figure({
    title: `Keys by the time of their last change, in steps of ${step}`,
    label: 'Columns of keys by what became of them. The table below has the numbers.',
    most,
    slots,
    drawing: bars.join(''),
  });
}

/** What each color means. */
export function legendOf({ slots }: Timeline): Markup {
  const used = OUTCOMES.filter((outcome) => slots.some(({ entered }) => entered[outcome] > 0));
  const items = used.map(
    (outcome) =>
      html`<li>
        <svg viewBox="0 0 10 10" aria-hidden="true">
          <rect class="${outcome}" width="10" height="10" rx="2" /></svg
        >${OUTCOME_LABELS[outcome]}
      </li>`,
  );
  return html`<ul class="legend" aria-label="Colors">
    ${items}
  </ul>`;
}

/** The numbers of both charts. */
export function timelineTable({ slots, step, withoutTime }: Timeline): Markup {
  const used = OUTCOMES.filter((outcome) => slots.some(({ entered }) => entered[outcome] > 0));
  const head = used.map(
    (outcome) => html`<th role="columnheader" scope="col">${OUTCOME_LABELS[outcome]}</th>`,
  );
  const body = slots
    .filter((slot) => enteredIn(slot) > 0)
    .map(({ from, entered, done }) => {
      const cells = used.map(
        (outcome) =>
          html`<td role="cell" data-label="${OUTCOME_LABELS[outcome]}"><div>${entered[outcome]}</div></td>`,
      );
      return html`<tr role="row">
        <th role="rowheader" scope="row" data-label="From"><div>${from}</div></th>
        ${cells}
        <td role="cell" data-label="Done by then"><div>${done}</div></td>
      </tr>`;
    });
  const left = withoutTime === 0 ? '' : `${withoutTime} keys have no usable time and are not in the charts.`;
  return html`<details>
    <summary>The numbers of the charts</summary>
    <table class="stack" role="table">
      <caption>
        Keys in steps of ${step}. ${left}
      </caption>
      <thead class="plain" role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">From</th>
          ${head}
          <th role="columnheader" scope="col">Done by then</th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${body}
      </tbody>
    </table>
  </details>`;
}

interface Figure extends Pick<Timeline, 'slots'> {
  readonly title: string;
  readonly label: string;
  readonly most: number;
  /** SVG of this file. */
  readonly drawing: string;
}

function figure({ title, label, most, slots, drawing }: Figure): Markup {
  return html`<figure>
    <figcaption>${title}</figcaption>
    <div class="plot">
      <div class="scale" aria-hidden="true"><span>${most}</span><span>0</span></div>
      <svg role="img" aria-label="${label}" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none">
        ${trusted(drawing)}
      </svg>
      <div class="axis" aria-hidden="true">
        <span>${slots[0]?.from}</span><span>${slots.at(-1)?.from}</span>
      </div>
    </div>
  </figure>`;
}

function round(length: number): number {
  return Math.round(length * 100) / 100;
}
