// The explorer in the page: rows of controls, a canvas, numbers and buttons; see view.py.

const REMIND_MS = 1000;
const sameNumbers = (one, other, but = -1) =>
  one.length === other.length && one.every((value, i) => i === but || value === other[i]);
const rounded = (value) => Number(value.toPrecision(12)); // as the kernel does

// The newest of what may be shown: the kernel's frame if it is for these values, else a
// frame of the sweep of what is being moved, else the kernel's last.
class Picture {
  constructor(model, canvas, numbers, valuesNow) {
    Object.assign(this, { model, canvas, numbers, valuesNow });
    this.backgrounds = new Map();
    this.sweeps = new Map();
    this.moved = null;
    this.waiting = false;
    this.readScene();
    this.readFrame();
  }

  readScene() {
    const sent = this.model.get('scene');
    this.scene = sent.parts ? unpackScene(sent) : null;
    for (const kept of [this.sweeps, this.backgrounds]) kept.clear();
  }

  readFrame() {
    const sent = this.model.get('frame');
    this.exact = sent.key ? { ...sent, y: floatsOf(sent.y), pixels: bytesOf(sent.pixels) } : sent;
    const { key, png } = this.model.get('background');
    if (key) this.addBackground(key, png);
    this.schedule();
  }

  addBackground(key, png) {
    if (this.backgrounds.has(key)) return;
    this.backgrounds.set(key, null);
    createImageBitmap(new Blob([bytesOf(png)], { type: 'image/png' })).then((bitmap) => {
      if (!this.backgrounds.has(key)) return;
      this.backgrounds.set(key, bitmap);
      this.schedule();
    });
  }

  addSweep(content, [y, pixels]) {
    if (content.epoch !== this.scene?.epoch) return;
    this.sweeps.set(content.name, { ...content, y: floatsOf(y), pixels: bytesOf(pixels) });
    this.schedule();
  }

  hasSweep(row) {
    const sweep = this.sweeps.get(row.name);
    return Boolean(sweep) && sameNumbers(sweep.values, this.valuesNow(), row.index);
  }

  // The frame for the values as they are now, or null where only the kernel can tell.
  present() {
    if (this.exact.values && sameNumbers(this.exact.values, this.valuesNow())) return this.exact;
    if (this.moved && this.scene && this.hasSweep(this.moved)) {
      const frame = frameOfSweep(this.sweeps.get(this.moved.name), this.scene, this.moved.position());
      if (frame && this.backgrounds.get(frame.key)) return frame;
    }
    return null;
  }

  schedule() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }

  paint() {
    const frame = this.present() ?? this.exact;
    const background = this.backgrounds.get(frame.key);
    if (frame === this.painted && background === this.ground) return;
    Object.assign(this, { painted: frame, ground: background });
    if (this.scene && background) drawFrame(this.canvas, this.scene, background, frame);
    this.canvas.hidden = !this.scene;
    showNumbers(this.numbers, frame.numbers ?? []);
  }
}

const padlock = (shut) => `<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" fill="none"
  stroke="currentColor" stroke-width="1.6"><rect x="3" y="7" width="10" height="7" rx="1.5"
  ${shut ? 'fill="currentColor"' : ''}/><path d="M5 7V5a3 3 0 0 1 6 0${shut ? 'v2' : ''}"/></svg>`;

// One line of the table: a slider and a number box, which are ipywidgets' own views.
async function makeRow(manager, entry, index, send) {
  const el = make('div', 'ampynb-row', { });
  const get = (reference) => manager.get_model(reference.slice('IPY_MODEL_'.length));
  const [slider, number] = await Promise.all([get(entry.slider), get(entry.number)]);
  const views = await Promise.all([manager.create_view(slider), manager.create_view(number)]);
  for (const view of views) {
    el.append(view.el);
    view.trigger('displayed');
  }
  views[1].el.querySelector('input')?.setAttribute('aria-label', `value of ${entry.name}`);
  const lock = make('button', 'ampynb-lock', { type: 'button' });
  lock.addEventListener('click', () => send({ do: row.fixed ? 'free' : 'fix', name: entry.parameter }));
  if (entry.lock) el.append(lock);
  const logarithmic = slider.get('_model_name') === 'FloatLogSliderModel';
  const scaled = (value) => (logarithmic ? Math.log10(value) : value);
  const row = {
    ...entry, index, el, slider, number, views, fixed: false,
    value: () => number.get('value'),
    position: () => scaled(slider.get('value')),
    // A slider that is shown rounds to its grid and reports that: nobody moved it.
    wasMoved: () => {
      const [low, high] = [slider.get('min'), slider.get('max')];
      const here = Math.min(Math.max(scaled(row.value()), low), high);
      return Math.abs(row.position() - here) >= 0.49 * slider.get('step');
    },
    setFixed: (fixed) => {
      row.fixed = fixed;
      el.classList.toggle('ampynb-fixed', fixed);
      lock.innerHTML = padlock(fixed);
      lock.title = fixed ? `${entry.parameter} is fixed: free it` : `fix ${entry.parameter}`;
      lock.setAttribute('aria-label', lock.title);
      lock.setAttribute('aria-pressed', String(fixed));
    },
  };
  return row;
}

// Puts the rows into groups that open and close, one for each component or array.
function placeRows(container, entries, elements) {
  const groups = new Map([['', container]]);
  entries.forEach((entry, i) => {
    if (!groups.has(entry.group)) {
      const group = make('details', 'ampynb-group', { open: true });
      group.append(make('summary', '', { textContent: entry.group }));
      container.append(group);
      groups.set(entry.group, group);
    }
    groups.get(entry.group).append(elements[i]);
  });
}

async function copy(area, text) {
  Object.assign(area, { value: text, hidden: false, rows: Math.max(3, text.split('\n').length) });
  area.select();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    document.execCommand('copy'); // pages that may not use the clipboard by themselves
  }
}

async function render({ model, el }) {
  const manager = model.widget_manager;
  const bin = [];
  const listen = (target, event, act) => {
    target.on(event, act);
    bin.push(() => target.off(event, act));
  };
  const send = (content) => {
    if (content.do === 'copy') copy(parts.code, model.get('code'));
    else model.send(content);
  };
  const parts = {
    controls: make('div', 'ampynb-controls', { role: 'group', ariaLabel: 'parameters' }),
    figure: make('div', 'ampynb-figure'),
    canvas: make('canvas', '', { role: 'img', ariaLabel: 'the fit at the parameters of the sliders' }),
    extra: make('img', '', { alt: 'further panels', hidden: true }),
    numbers: make('div', 'ampynb-numbers', { role: 'status', ariaLive: 'off' }),
    alert: make('div', 'ampynb-alert', { role: 'alert' }),
    buttons: make('div', 'ampynb-buttons', { role: 'toolbar', ariaLabel: 'actions' }),
    chips: make('ul', 'ampynb-chips', { ariaLabel: 'snapshots' }),
    code: make('textarea', 'ampynb-code', { readOnly: true, hidden: true, ariaLabel: 'code' }),
    below: make('div', 'ampynb-below'),
  };
  el.classList.add('ampynb-explorer');
  parts.figure.append(parts.canvas, parts.extra);
  parts.controls.append(parts.numbers, parts.alert, parts.buttons, parts.chips, parts.code);
  const top = make('div', 'ampynb-top');
  top.append(parts.controls, parts.figure);
  el.append(top, parts.below);

  const entries = model.get('controls');
  const moving = entries.filter((entry) => entry.slider);
  const rows = await Promise.all(moving.map((entry, i) => makeRow(manager, entry, i, send)));
  const elements = entries.map((entry) => rows.find((row) => row.name === entry.name)?.el
    ?? make('div', 'ampynb-still', { textContent: entry.text }));
  const rest = make('div', 'ampynb-rows');
  placeRows(rest, entries, elements);
  parts.controls.prepend(rest);

  const picture = new Picture(model, parts.canvas, parts.numbers, () => rows.map((row) => row.value()));
  const hurry = makeHurry(model);
  bin.push(hurry.end);
  let asked = '';
  const ask = (row) => {
    if (row.fixed || !picture.scene || picture.hasSweep(row)) return;
    const question = JSON.stringify([row.name, picture.scene.epoch,
      rows.map((other) => (other === row ? null : other.value()))]);
    if (question !== asked) send({ do: 'sweep', name: row.name });
    asked = question;
  };
  // A move that the kernel did not take for one, it is told of by the number box.
  let reminder = 0;
  const remind = (row) => {
    if (picture.exact.values[row.index] !== row.value()) row.number.save_changes();
  };
  for (const row of rows) {
    for (const event of ['pointerenter', 'pointerdown', 'focusin']) {
      row.el.addEventListener(event, () => ask(row));
    }
    listen(row.slider, 'change:value', (_, value, options) => {
      if (!options?.updated_view || !row.wasMoved()) return;
      picture.moved = row;
      row.number.set('value', rounded(value)); // shown at once; the kernel sets it too
      picture.schedule();
      if (!picture.present()) hurry.wait();
      clearTimeout(reminder);
      reminder = setTimeout(() => remind(row), REMIND_MS);
    });
  }
  listen(model, 'msg:custom', (content, buffers) => {
    if (content.kind === 'sweep') picture.addSweep(content, buffers);
    if (content.kind === 'background') picture.addBackground(content.key, buffers[0]);
  });
  listen(model, 'change:scene', () => { picture.readScene(); picture.readFrame(); });
  listen(model, 'change:frame', () => {
    picture.readFrame();
    const held = rows.find((row) => row.el.contains(document.activeElement));
    if (held) ask(held);
  });

  const follow = (name, act) => {
    act(model.get(name));
    listen(model, `change:${name}`, () => act(model.get(name)));
  };
  follow('fixed', (fixed) => rows.forEach((row) => row.setFixed(fixed.includes(row.parameter))));
  follow('buttons', (buttons) => showButtons(parts.buttons, buttons, send));
  follow('alert', (text) => { parts.alert.textContent = text; });
  follow('chips', (chips) => parts.chips.replaceChildren(...chips.map(({ name, text }) => {
    const chip = make('button', 'ampynb-chip', { type: 'button', textContent: text, title: `go back to ${name}` });
    chip.addEventListener('click', () => send({ do: 'restore', name }));
    const item = make('li', '');
    item.append(chip);
    return item;
  })));
  follow('extra', (png) => {
    URL.revokeObjectURL(parts.extra.src);
    parts.extra.hidden = !png?.byteLength;
    if (!parts.extra.hidden) parts.extra.src = URL.createObjectURL(new Blob([bytesOf(png)], { type: 'image/png' }));
  });
  follow('below', async (below) => {
    const views = await Promise.all(below.map(async (reference) =>
      manager.create_view(await manager.get_model(reference.slice('IPY_MODEL_'.length)))));
    parts.below.replaceChildren(...views.map((view) => view.el));
    for (const view of views) view.trigger('displayed');
  });

  bin.push(keepKeys(el));
  const forget = watchPage(parts.figure, (width, page) => send({ do: 'page', width: clamped(width, 1100), ...page }));
  return () => {
    forget();
    clearTimeout(reminder);
    for (const stop of bin) stop();
    for (const row of rows) for (const view of row.views) view.remove();
  };
}

export default { initialize, render };
