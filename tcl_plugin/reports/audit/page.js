
'use strict';
// All texts of the data reach the page by textContent or as attributes, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const PAGE_SIZE = 48;
  const HEAT_CLASSES = 24;
  const KEY = `doubtful-labels:${data.id}`;
  const WORDS = { accept: 'accepted', reject: 'rejected' };
  const $ = (id) => document.getElementById(id);
  const cards = data.cards.map((card, rank) => ({ ...card, rank }));
  const filter = { given: null, suggested: null };
  const history = [];
  const known = new Map(cards.map((card) => [card.index, card]));
  let kept = true; // whether the browser remembers what is decided here
  let decisions = recall();
  let view = cards;
  let at = 0; // place of the current card in the view

  function recall() {
    try {
      return JSON.parse(localStorage.getItem(KEY)) || {};
    } catch (error) {
      kept = false;
      warn(`This browser does not let the page remember decisions (${error.message}): download them before you close it.`);
      return {};
    }
  }

  // The page may be open in another tab, too, in which there are decisions by now.
  function catchUp() {
    if (kept) decisions = recall();
  }

  function remember() {
    try {
      localStorage.setItem(KEY, JSON.stringify(decisions));
    } catch (error) {
      kept = false;
      warn(`Decisions cannot be kept in this browser (${error.message}): download them before you close the page.`);
    }
  }

  function warn(text) {
    $('notice').textContent = text;
    $('notice').hidden = false;
  }

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  const name = (label) => (label < 0 ? 'no class' : data.classes[label]);
  const number = (value) => value.toLocaleString('en');

  function percent(share) {
    if (share === null || share === undefined) return '–';
    if (share > 0 && share < 0.001) return '<\u00a00.1\u00a0%';
    if (share < 1 && share > 0.999) return '>\u00a099.9\u00a0%';
    return `${(100 * share).toFixed(1)}\u00a0%`; // on one line in narrow tiles
  }

  // Numbers and charts

  function drawNumbers() {
    const measured = data.measured;
    const rows = [
      ['labels', number(data.samples)],
      ['called wrong', number(data.issues)],
      ['estimated noise rate', percent(data.samples ? data.issues / data.samples : null)],
    ];
    if (measured) {
      rows.push(['measured noise rate', percent(measured.noise_rate)]);
      rows.push(['called wrong rightly', percent(measured.precision)]);
      rows.push(['wrong ones found', percent(measured.recall)]);
      rows.push(['suggestions right', percent(measured.suggestions_right)]);
    }
    rows.push(['decided here', '0']);
    for (const [what, value] of rows) {
      const shown = make('dd', { textContent: value });
      if (what === 'decided here') shown.id = 'decided-count';
      $('numbers').append(make('div', {}, make('dt', { textContent: what }), shown));
    }
  }

  function drawBars() {
    const order = data.byClass.map((_, label) => label);
    if (order.length > HEAT_CLASSES) order.sort((a, b) => data.byClass[b][1] - data.byClass[a][1] || a - b);
    $('bars-hint').textContent = 'Choose a class to see its images below.';
    for (const label of order) {
      const [samples, issues] = data.byClass[label];
      const share = samples ? issues / samples : null;
      const count = `${number(issues)} of ${number(samples)} · ${samples ? Math.round(100 * share) : '–'} %`;
      const row = make('button', { type: 'button', className: 'row', title: name(label) });
      const fill = make('span', { className: 'fill' });
      fill.style.setProperty('--share', share || 0);
      row.append(
        make('span', { className: 'label', textContent: name(label) }),
        make('span', { className: 'track' }, fill),
        make('span', { className: 'count', textContent: count }),
      );
      row.setAttribute('aria-label', `Given ${name(label)}: ${count} called wrong`);
      row.dataset.given = label;
      row.addEventListener('click', () => {
        const chosen = filter.given === label && filter.suggested === null;
        choose(chosen ? null : label, null);
      });
      $('bars').append(row);
    }
  }

  function heatClasses() {
    const weight = data.classes.map(() => 0);
    for (const [given, suggested, count] of data.pairs) {
      weight[given] += count;
      weight[suggested] += count;
    }
    const labels = data.classes.map((_, label) => label).sort((a, b) => weight[b] - weight[a] || a - b);
    return labels.slice(0, HEAT_CLASSES).sort((a, b) => a - b);
  }

  function drawHeat() {
    const labels = heatClasses();
    const counts = new Map(data.pairs.map(([given, suggested, count]) => [`${given}>${suggested}`, count]));
    const inMap = new Set(labels);
    // One by one: as arguments of one call, those of a thousand classes would be too many.
    const most = data.pairs.reduce(
      (top, [given, suggested, count]) => (inMap.has(given) && inMap.has(suggested) ? Math.max(top, count) : top),
      1,
    );
    const left = data.classes.length > labels.length;
    $('heat-hint').textContent =
      'Rows: given label. Columns: suggestion. Choose a pair to see its images below.' +
      (left ? ` Of ${number(data.classes.length)} classes, the ${labels.length} with the most doubtful labels.` : '');
    const table = $('heat');
    table.classList.toggle('tall', labels.some((label) => name(label).length > 4));
    const head = make('tr', {}, make('th', { scope: 'col', textContent: 'given \\ suggested' }));
    for (const label of labels) {
      head.append(make('th', { scope: 'col', className: 'class', textContent: name(label), title: name(label) }));
    }
    const body = make('tbody');
    for (const given of labels) {
      const row = make('tr', {}, make('th', { scope: 'row', textContent: name(given), title: name(given) }));
      for (const suggested of labels) row.append(heatCell(given, suggested, counts, most));
      body.append(row);
    }
    table.append(make('thead', {}, head), body);
  }

  function heatCell(given, suggested, counts, most) {
    const count = counts.get(`${given}>${suggested}`) || 0;
    const cell = count ? make('button', { type: 'button', textContent: number(count) }) : make('span');
    cell.style.setProperty('--share', count ? 0.1 + (0.9 * count) / most : 0);
    cell.classList.toggle('strong', count / most > 0.75);
    if (count) {
      const what = suggested === given ? 'no other class suggested' : `suggested ${name(suggested)}`;
      cell.title = `given ${name(given)}, ${what}: ${number(count)}`;
      cell.setAttribute('aria-label', cell.title);
      cell.dataset.given = given;
      cell.dataset.suggested = suggested;
      cell.addEventListener('click', () => {
        const chosen = filter.given === given && filter.suggested === suggested;
        choose(chosen ? null : given, chosen ? null : suggested);
      });
    }
    return make('td', {}, cell);
  }

  // Filter and order

  function fillSelect(select, key) {
    const counts = new Map();
    for (const card of cards) counts.set(card[key], (counts.get(card[key]) || 0) + 1);
    select.append(make('option', { value: '', textContent: 'any class' }));
    for (const label of [...counts.keys()].sort((a, b) => a - b)) {
      select.append(make('option', { value: label, textContent: `${name(label)} (${counts.get(label)})` }));
    }
    select.addEventListener('change', () => {
      filter[key] = select.value === '' ? null : Number(select.value);
      refresh();
    });
  }

  function choose(given, suggested) {
    Object.assign(filter, { given, suggested });
    refresh();
  }

  function showFilter() {
    for (const key of ['given', 'suggested']) {
      const value = filter[key] === null ? '' : String(filter[key]);
      $(key).value = value;
      if ($(key).value !== value) $(key).selectedIndex = -1; // a class that the gallery has no image of
    }
    $('clear-filter').disabled = filter.given === null && filter.suggested === null;
    for (const button of document.querySelectorAll('#heat button, #bars button')) {
      const { given, suggested } = button.dataset;
      const pressed = filter.given === Number(given) && filter.suggested === (suggested ? Number(suggested) : null);
      button.setAttribute('aria-pressed', String(pressed));
    }
  }

  const ORDERS = {
    doubt: (a, b) => a.rank - b.rank,
    index: (a, b) => a.index - b.index,
    class: (a, b) => a.given - b.given || a.rank - b.rank,
  };

  function updateView() {
    const wanted = $('decided').value;
    view = cards.filter(
      (card) =>
        (filter.given === null || card.given === filter.given) &&
        (filter.suggested === null || card.suggested === filter.suggested) &&
        (wanted === 'all' || (decisions[card.index] || 'undecided') === wanted),
    );
    view.sort(ORDERS[$('sort').value]);
    at = Math.max(0, Math.min(at, view.length - 1));
  }

  function refresh() {
    at = 0;
    updateView();
    showFilter();
    drawPage();
  }

  // Gallery

  function drawPage() {
    const page = Math.floor(at / PAGE_SIZE);
    const first = page * PAGE_SIZE;
    const shown = view.slice(first, first + PAGE_SIZE);
    const pages = Math.max(1, Math.ceil(view.length / PAGE_SIZE));
    $('gallery').replaceChildren(...shown.map((card, offset) => drawCard(card, first + offset)));
    $('page').textContent = `Page ${page + 1} of ${pages}`;
    $('previous').disabled = page === 0;
    $('next').disabled = page + 1 >= pages;
    $('empty').hidden = view.length > 0;
    $('empty').textContent = cards.length
      ? 'No image fits these filters. The gallery holds the most doubtful images only; --top sets their number.'
      : 'No label is called wrong.';
    $('shown').textContent =
      `${number(view.length)} of the ${number(cards.length)} shown here; ${number(data.issues)} are called wrong in all`;
    const [here, others] = decidedOn();
    $('decided-count').textContent = number(here.length) + (others ? ` (${number(others)} more are not on this page)` : '');
    $('download').disabled = $('forget').disabled = Object.keys(decisions).length === 0;
  }

  function drawCard(card, place) {
    const item = $('card').content.cloneNode(true).firstElementChild;
    const part = (selector) => item.querySelector(selector);
    const same = card.suggested === card.given;
    item.dataset.place = place;
    item.dataset.index = card.index;
    item.tabIndex = place === at ? 0 : -1;
    part('.given').textContent = name(card.given);
    part('.clean').textContent = percent(card.clean);
    part('.clean').title = 'probability that the given label is right';
    part('.suggested').textContent = same ? 'no other class' : name(card.suggested);
    part('.prob').textContent = percent(card.prob);
    part('.prob').title = 'probability of the suggested class';
    part('.truth').hidden = card.true === null;
    if (card.true !== null) part('.true').textContent = name(card.true);
    part('.name').textContent = card.path ? `${card.index} · ${card.path.split('/').slice(-2).join('/')}` : `sample ${card.index}`;
    part('.name').title = card.path || '';
    drawPicture(part, card);
    part('.accept').disabled = same;
    part('.accept').addEventListener('click', () => decide(place, 'accept', false));
    part('.reject').addEventListener('click', () => decide(place, 'reject', false));
    item.addEventListener('focus', () => setCurrent(place));
    showDecision(item, card);
    return item;
  }

  function drawPicture(part, card) {
    const image = part('img');
    image.hidden = !card.src;
    part('.broken').hidden = Boolean(card.src);
    if (!card.src) {
      part('.broken').textContent = `image cannot be shown: ${card.error}`;
      return;
    }
    image.alt = `sample ${card.index}`;
    image.className = card.src.startsWith('data:image/png') ? 'small' : '';
    image.src = card.src;
  }

  function showDecision(item, card) {
    const decision = decisions[card.index];
    if (decision) item.dataset.decision = decision;
    else delete item.dataset.decision;
    const badge = item.querySelector('.badge');
    badge.hidden = !decision;
    badge.textContent = decision ? WORDS[decision] : '';
    for (const kind of ['accept', 'reject']) {
      item.querySelector(`.${kind}`).setAttribute('aria-pressed', String(decision === kind));
    }
    const suggestion = card.suggested === card.given ? 'no other class suggested' : `suggested ${name(card.suggested)}, ${percent(card.prob)}`;
    item.setAttribute(
      'aria-label',
      `Sample ${card.index}: given ${name(card.given)}, ${suggestion}, ${decision ? WORDS[decision] : 'undecided'}`,
    );
  }

  function setCurrent(place) {
    at = place;
    for (const item of $('gallery').children) item.tabIndex = Number(item.dataset.place) === at ? 0 : -1;
  }

  function focusCard(place) {
    if (!view.length) {
      $('decided').focus();
      return;
    }
    at = Math.max(0, Math.min(place, view.length - 1));
    if (!cardAt(at)) drawPage();
    cardAt(at).focus();
    cardAt(at).scrollIntoView({ block: 'nearest' });
  }

  const cardAt = (place) => $('gallery').querySelector(`[data-place="${place}"]`);

  // Decisions

  // Images of this page that are decided on, and how many others: an earlier page of the run may have had more.
  function decidedOn() {
    const all = Object.keys(decisions).map(Number);
    const here = all.filter((index) => known.has(index)).sort((a, b) => a - b);
    return [here, all.length - here.length];
  }

  function decide(place, decision, advance) {
    const card = view[place];
    if (decision === 'accept' && card.suggested === card.given) {
      say(`Sample ${card.index}: there is no suggestion to accept`);
      return;
    }
    catchUp();
    history.push(card.index);
    decisions[card.index] = decision;
    say(`Sample ${card.index} ${WORDS[decision]}`);
    settle(card, place, advance);
  }

  // The card under the hand where it is decided on, otherwise the one decided on last.
  function undo(place) {
    catchUp();
    let index = view[place].index;
    while (index !== undefined && !decisions[index]) index = history.pop();
    if (index === undefined) {
      say('There is nothing to undo');
      return;
    }
    delete decisions[index];
    say(`Sample ${index} undecided again`);
    settle(cards.find((card) => card.index === index), place, false);
  }

  // Draws what a decision has changed, and puts the hand on the next card or the same.
  function settle(card, place, advance) {
    remember();
    updateView();
    const now = view.indexOf(card);
    at = Math.max(0, now < 0 ? Math.min(place, view.length - 1) : now);
    drawPage();
    focusCard(now < 0 ? place : now + (advance ? 1 : 0));
  }

  function say(text) {
    $('spoken').textContent = text;
  }

  function download() {
    catchUp();
    const [here, others] = decidedOn();
    const lines = ['sample_idx,given_label,suggested_label,decision,page'];
    for (const index of here) {
      const card = known.get(index);
      lines.push([index, card.given, card.suggested, decisions[index], data.id].join(','));
    }
    if (others) {
      warn(`${number(others)} decisions are on images that this page does not hold, and are not in the file: make the page with a larger --top.`);
    }
    const url = URL.createObjectURL(new Blob([lines.join('\n') + '\n'], { type: 'text/csv' }));
    make('a', { href: url, download: 'decisions.csv' }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    say(`${lines.length - 1} decisions downloaded`);
  }

  function forget() {
    if (!window.confirm(`Forget all ${Object.keys(decisions).length} decisions on these labels?`)) return;
    decisions = {};
    history.length = 0;
    remember();
    refresh();
  }

  // Keys

  function columnsShown() {
    return getComputedStyle($('gallery')).gridTemplateColumns.split(' ').length;
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const item = event.target.closest('.card');
    if (!item) return;
    const place = Number(item.dataset.place);
    const last = view.length - 1;
    const actions = {
      ArrowRight: () => focusCard(Math.min(place + 1, last)),
      ArrowLeft: () => focusCard(place - 1),
      ArrowDown: () => focusCard(Math.min(place + columnsShown(), last)),
      ArrowUp: () => focusCard(place - columnsShown()),
      Home: () => focusCard(0),
      End: () => focusCard(last),
      a: () => decide(place, 'accept', true),
      r: () => decide(place, 'reject', true),
      u: () => undo(place),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  function turn(step) {
    at = (Math.floor(at / PAGE_SIZE) + step) * PAGE_SIZE;
    drawPage();
    focusCard(at);
  }

  $('run').textContent = data.run;
  $('unjudged').textContent = data.unjudged.map((line) => `${line}.`).join(' ');
  if (data.warning) {
    $('warning').textContent = `Warning: ${data.warning}.`;
    $('warning').hidden = false;
  }
  drawNumbers();
  drawBars();
  drawHeat();
  fillSelect($('given'), 'given');
  fillSelect($('suggested'), 'suggested');
  $('decided').addEventListener('change', refresh);
  $('sort').addEventListener('change', refresh);
  $('clear-filter').addEventListener('click', () => choose(null, null));
  $('download').addEventListener('click', download);
  $('forget').addEventListener('click', forget);
  $('previous').addEventListener('click', () => turn(-1));
  $('next').addEventListener('click', () => turn(1));
  $('gallery').addEventListener('keydown', onKey);
  window.addEventListener('storage', (event) => {
    if (event.key !== KEY && event.key !== null) return;
    catchUp();
    updateView();
    drawPage();
  });
  refresh();
})();
