/**
 * The script of the page: filters, sorts and pages the keys, from the JSON that the page has. Plain JavaScript for browsers;
 * the tests run it in one. It writes text only, never HTML. Without it, the page shows all keys as one plain table.
 */
export const PAGE_SCRIPT = String.raw`'use strict';
(() => {
  const PAGE = 100;
  const data = JSON.parse(document.getElementById('keyferry-evidence').textContent);
  const at = (id) => document.getElementById(id);
  const shown = (text) => text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|\\/gu, (c) => '\\u{' + c.codePointAt(0).toString(16) + '}');
  const labels = JSON.parse(document.getElementById('labels').textContent);
  const side = (part) => part === undefined ? [] : [part.path, part.key, part.version, part.priorVersion].filter((text) => text !== undefined);
  const rows = data.rows.map((row, index) => ({
    row,
    cells: [
      index + 1, row.name, row.key, row.state, labels[row.outcome], row.reason || '',
      side(row.source).join(' '), side(row.destination).join(' '), row.lastTransitionTime,
    ],
  }));
  const textOf = (entry) => entry.text ??= [...entry.cells.slice(1), entry.row.message || ''].join('\n').toLowerCase();
  const heads = [...document.querySelectorAll('#keys thead th')];
  const names = heads.map((head) => head.dataset.label);
  const collator = new Intl.Collator('en', { numeric: true });
  let order = { column: 0, down: false };
  let page = 0;
  let found = rows;

  function cell(label, texts, className) {
    const td = document.createElement('td');
    td.setAttribute('role', 'cell');
    td.dataset.label = label;
    const box = document.createElement('div');
    texts.forEach((text, index) => {
      if (text === '') return;
      const part = document.createElement('span');
      part.className = index > 0 ? 'more' : className || '';
      part.textContent = text;
      box.append(part);
    });
    td.append(box);
    return td;
  }

  function line({ row, cells }) {
    const tr = document.createElement('tr');
    tr.setAttribute('role', 'row');
    const version = (part) => part === undefined || part.version === undefined ? [] : [labels.version + ' ' + shown(part.version)];
    const prior = (part) => part === undefined || part.priorVersion === undefined ? [] : [labels.prior + ' ' + shown(part.priorVersion)];
    const newKey = (part) => part === undefined || part.key === undefined ? [] : [names[2] + ' ' + shown(part.key)];
    const sourcePath = row.source && row.source.path !== undefined ? shown(row.source.path) : '';
    const number = cell(names[0], [String(cells[0])]);
    number.className = 'number';
    tr.append(
      number,
      cell(names[1], [shown(row.name)]),
      cell(names[2], [shown(row.key)]),
      cell(names[3], [row.state]),
      cell(names[4], [labels[row.outcome]], 'state ' + row.outcome),
      cell(names[5], [shown(row.reason || ''), ...(row.message === undefined ? [] : [shown(row.message)])]),
      cell(names[6], [sourcePath, ...version(row.source)]),
      cell(names[7], [row.destination === undefined ? '' : shown(row.destination.path), ...newKey(row.destination), ...version(row.destination), ...prior(row.destination)]),
      cell(names[8], [row.lastTransitionTime]),
    );
    return tr;
  }

  function draw(from, to) {
    at('rows').replaceChildren(...found.slice(from, to).map(line));
  }

  function show() {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(page, pages - 1);
    const from = page * PAGE;
    const to = Math.min(found.length, from + PAGE);
    draw(from, to);
    at('count').textContent = found.length === 0 ? labels.none
      : (from + 1) + '\u2013' + to + ' of ' + found.length + ' keys' + (found.length === rows.length ? '' : ', filtered from ' + rows.length);
    at('before').disabled = page === 0;
    at('after').disabled = page === pages - 1;
  }

  function filter() {
    const text = at('text').value.trim().toLowerCase();
    const state = at('state').value;
    const outcome = at('outcome').value;
    found = rows.filter((entry) => (state === '' || entry.row.state === state)
      && (outcome === '' || entry.row.outcome === outcome)
      && (text === '' || textOf(entry).includes(text)));
    if (order.column > 0 || order.down) {
      const { column, down } = order;
      const sign = down ? -1 : 1;
      found = found === rows ? [...rows] : found;
      found.sort((left, right) => sign * (column === 0 ? left.cells[0] - right.cells[0]
        : collator.compare(left.cells[column], right.cells[column]) || left.cells[0] - right.cells[0]));
    }
    page = 0;
    show();
  }

  heads.forEach((head, column) => head.querySelector('button').addEventListener('click', () => {
    order = { column, down: order.column === column && !order.down };
    heads.forEach((each, index) => each.setAttribute('aria-sort',
      index !== column ? 'none' : order.down ? 'descending' : 'ascending'));
    filter();
  }));
  for (const id of ['text', 'state', 'outcome']) at(id).addEventListener('input', filter);
  at('filters').addEventListener('submit', (event) => event.preventDefault());
  at('filters').addEventListener('reset', () => setTimeout(filter));
  at('before').addEventListener('click', () => { page -= 1; show(); });
  at('after').addEventListener('click', () => { page += 1; show(); });
  addEventListener('beforeprint', () => draw(0, found.length));
  addEventListener('afterprint', show);
  at('table').hidden = false;
  show();
})();
`;
