// The corner explorer in the page: samples over corner plot and trace, and a fit; see corner_view.py.

const NEAR = 18; // how far a sample may be from the pointer [px]
const PATIENCE_MS = 2000; // with a question of the pointer's
const DRAGGED = 5; // from where on a press is a rectangle [px]

// The samples that are drawn as points, with the columns of all panels.
function unpackSamples(sent) {
  const values = floatsOf(sent.values);
  const ints = (view) => new Int32Array(bytesOf(view).slice().buffer);
  return {
    ...sent,
    values,
    owners: ints(sent.owners),
    indices: ints(sent.indices),
    at: (i, column) => values[i * sent.columns + column],
    row: (i) => values.subarray(i * sent.columns, (i + 1) * sent.columns),
  };
}

// A corner plot or a trace: samples below what matplotlib drew, marks above it.
class SamplePlot {
  constructor(canvas) {
    this.canvas = canvas;
    this.base = document.createElement('canvas');
    this.rectangle = null;
  }

  async read(sent, samples) {
    if (!sent.png) return;
    const picture = await createImageBitmap(new Blob([bytesOf(sent.png)], { type: 'image/png' }));
    Object.assign(this, { sent, samples });
    const size = { width: picture.width, height: picture.height };
    for (const canvas of [this.canvas, this.base]) Object.assign(canvas, size);
    const pen = this.base.getContext('2d');
    pen.setTransform(sent.ratio, 0, 0, sent.ratio, 0, 0);
    pen.globalAlpha = samples.count > 800 && !isDark(this.canvas) ? 0.35 : 0.6;
    const all = Array.from({ length: samples.count }, (_, i) => i);
    for (const panel of sent.panels) if (panel.y !== null) dotsOf(pen, panel, samples, all, DOT);
    pen.globalAlpha = 1;
    pen.drawImage(picture, 0, 0, sent.width, sent.height);
  }

  // Draws `marks`, rows of values with a look, and what is inside of `ranges` [column, low, high].
  paint(marks, ranges, ink) {
    if (!this.sent) return;
    const pen = this.canvas.getContext('2d');
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.base, 0, 0);
    pen.scale(this.sent.ratio, this.sent.ratio);
    if (ranges.length) this.paintInside(pen, ranges, ink);
    for (const { values, look } of marks) {
      for (const panel of this.sent.panels) this.paintMark(pen, panel, values, look, ink);
    }
    if (this.rectangle) this.paintRectangle(pen, this.rectangle, ink);
  }

  paintInside(pen, ranges, ink) {
    const { samples } = this;
    const inside = [];
    for (let i = 0; i < samples.count; i += 1) {
      if (ranges.every(([c, low, high]) => samples.at(i, c) >= low && samples.at(i, c) <= high)) inside.push(i);
    }
    const rangeOf = new Map(ranges.map(([column, ...edges]) => [column, edges]));
    for (const panel of this.sent.panels) {
      if (panel.y !== null) dotsOf(pen, panel, samples, inside, 1.5 * DOT);
      const own = [panel.x, panel.y].filter((column) => rangeOf.has(column));
      if (own.length !== rangeOf.size) continue;
      const [left, right] = (rangeOf.get(panel.x) ?? panel.xlim).map((value) => across(panel, value));
      const [bottom, top] = (rangeOf.get(panel.y) ?? panel.ylim).map((value) => down(panel, value));
      this.paintRectangle(pen, [left, top, right - left, bottom - top], ink, panel.box);
    }
  }

  paintRectangle(pen, rectangle, ink, box = null) {
    pen.save();
    if (box) {
      pen.beginPath();
      pen.rect(...box);
      pen.clip();
    }
    Object.assign(pen, { strokeStyle: ink, fillStyle: ink, lineWidth: 1.2 });
    pen.setLineDash([4, 3]);
    pen.strokeRect(...rectangle);
    pen.globalAlpha = 0.08;
    pen.fillRect(...rectangle);
    pen.restore();
  }

  paintMark(pen, panel, values, look, ink) {
    const x = across(panel, values[panel.x]);
    pen.beginPath();
    if (panel.y === null) {
      pen.moveTo(x, panel.box[1]);
      pen.lineTo(x, panel.box[1] + panel.box[3]);
      Object.assign(pen, { strokeStyle: ink, lineWidth: look.width });
      pen.stroke();
      return;
    }
    const y = down(panel, values[panel.y]);
    if (!within(panel.box, x, y)) return;
    pen.arc(x, y, look.radius, 0, 2 * Math.PI);
    Object.assign(pen, { strokeStyle: look.halo, lineWidth: look.width + 2.5 });
    pen.stroke();
    Object.assign(pen, { strokeStyle: ink, lineWidth: look.width });
    pen.stroke();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.sent.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  panelAt(x, y) {
    return this.sent?.panels.find((panel) => within(panel.box, x, y)) ?? null;
  }

  // The sample that is nearest to a point of the plot, or -1 if none is near.
  nearest(x, y) {
    const panel = this.panelAt(x, y);
    if (!panel || panel.y === null) return -1;
    let [found, least] = [-1, NEAR ** 2];
    for (let i = 0; i < this.samples.count; i += 1) {
      const far = (across(panel, this.samples.at(i, panel.x)) - x) ** 2
        + (down(panel, this.samples.at(i, panel.y)) - y) ** 2;
      if (far < least) [found, least] = [i, far];
    }
    return found;
  }

  // The ranges of a rectangle in one panel, by column.
  rangesOf(panel, [left, top, width, height]) {
    const ranges = [[panel.x, valueAcross(panel, left), valueAcross(panel, left + width)]];
    if (panel.y !== null) ranges.push([panel.y, valueDown(panel, top + height), valueDown(panel, top)]);
    return ranges;
  }

  // Tells what the pointer does: over a sample, away, a click on one, or a rectangle.
  listen({ hover, choose, select, repaint }) {
    let from = null;
    const { canvas } = this;
    const box = (x, y) => {
      const [left, top, width, height] = from.panel.box;
      const [endX, endY] = [Math.min(Math.max(x, left), left + width), Math.min(Math.max(y, top), top + height)];
      const lone = from.panel.y === null;
      return [Math.min(from.x, endX), lone ? top : Math.min(from.y, endY),
        Math.abs(endX - from.x), lone ? height : Math.abs(endY - from.y)];
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (!this.sent || event.button) return;
      const [x, y] = this.place(event);
      const panel = this.panelAt(x, y);
      if (!panel) return;
      from = { x, y, panel };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!this.sent) return;
      const [x, y] = this.place(event);
      if (!from) {
        hover(this.nearest(x, y));
        return;
      }
      if (Math.hypot(x - from.x, y - from.y) > DRAGGED) this.rectangle = box(x, y);
      repaint();
    });
    canvas.addEventListener('pointerup', (event) => {
      if (!from) return;
      const { panel } = from;
      const rectangle = this.rectangle && box(...this.place(event));
      Object.assign(this, { rectangle: null });
      if (rectangle) select(this.rangesOf(panel, rectangle));
      else choose(this.nearest(from.x, from.y));
      from = null;
    });
    canvas.addEventListener('pointercancel', () => { from = null; this.rectangle = null; repaint(); });
    canvas.addEventListener('pointerleave', () => { if (!from) hover(-1); });
  }
}

// The fit of one sample, with those of a region in its scene.
class FitPicture {
  constructor(model, canvas) {
    Object.assign(this, { model, canvas, bitmaps: new Map(), scene: null, fits: null });
  }

  async read() {
    const sent = this.model.get('scene');
    if (sent !== this.sent) {
      Object.assign(this, { sent, scene: sent.parts ? unpackScene(sent) : null });
      this.bitmaps.clear();
    }
    const frame = this.model.get('frame');
    const { key, png } = this.model.get('background');
    if (key && !this.bitmaps.has(key)) {
      const bitmap = await createImageBitmap(new Blob([bytesOf(png)], { type: 'image/png' }));
      if (sent !== this.sent) return;
      this.bitmaps.set(key, bitmap);
    }
    if (frame !== this.model.get('frame')) return; // a newer one is on its way
    this.frame = frame.key ? { ...frame, y: floatsOf(frame.y), pixels: bytesOf(frame.pixels) } : null;
    const fits = this.model.get('fits');
    this.fits = fits.n && fits.scene === sent.name ? { ...fits, y: floatsOf(fits.y) } : null;
    this.paint();
  }

  paint() {
    const { scene, frame, canvas } = this;
    canvas.hidden = !scene || !frame;
    const background = this.bitmaps.get(frame?.key);
    if (canvas.hidden || !background) return;
    drawFrame(canvas, scene, background, frame);
    if (!this.fits) return;
    for (let i = 0; i < this.fits.n; i += 1) {
      const y = this.fits.y.subarray(i * scene.points, (i + 1) * scene.points);
      drawCurves(canvas, scene, y, { alpha: 0.25, width: 1 });
    }
    drawCurves(canvas, scene, frame.y);
  }
}

function showParameters(container, entries, send) {
  container.replaceChildren(...entries.map(({ name, shown }) => {
    const label = make('label', 'ampynb-choice');
    const box = make('input', '', { type: 'checkbox', checked: shown });
    box.addEventListener('change', () => send({ do: 'parameter', name }));
    label.append(box, document.createTextNode(name));
    return label;
  }));
}

function save(name, png) {
  const url = URL.createObjectURL(new Blob([bytesOf(png)], { type: 'image/png' }));
  make('a', '', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const HINT = 'Click a sample to see its fit, drag a rectangle for the fits inside; arrow keys go from sample to sample.';

function render({ model, el }) {
  const bin = [];
  const listen = (event, act) => {
    model.on(event, act);
    bin.push(() => model.off(event, act));
  };
  const send = (content) => model.send(content);
  const hurry = makeHurry(model);
  bin.push(hurry.end);
  const plot = (name) => make('canvas', 'ampynb-samples', { role: 'img', ariaLabel: name });
  const parts = {
    parameters: make('div', 'ampynb-choices', { role: 'group', ariaLabel: 'parameters shown' }),
    buttons: make('div', 'ampynb-buttons', { role: 'toolbar', ariaLabel: 'actions' }),
    alert: make('div', 'ampynb-alert', { role: 'alert' }),
    keys: make('div', 'ampynb-panes', { tabIndex: 0, role: 'group', ariaLabel: `corner plot and fit. ${HINT}` }),
    left: make('div', 'ampynb-pane'),
    right: make('div', 'ampynb-pane'),
    corner: plot('corner plot, with the samples'),
    trace: plot('trace, with the samples'),
    title: make('div', 'ampynb-title', { role: 'status', ariaLive: 'polite' }),
    fit: make('canvas', '', { role: 'img', ariaLabel: 'the fit of the sample' }),
    numbers: make('div', 'ampynb-numbers'),
    region: make('div', 'ampynb-region', { role: 'status', ariaLive: 'polite' }),
    hint: make('div', 'ampynb-hint', { textContent: HINT }),
  };
  el.classList.add('ampynb-explorer', 'ampynb-corner');
  bin.push(keepKeys(el, [...KEYS, 'Escape']));
  parts.left.append(parts.corner, parts.hint);
  parts.right.append(parts.title, parts.fit, parts.numbers, parts.region, parts.trace);
  parts.keys.append(parts.left, parts.right);
  el.append(parts.parameters, parts.buttons, parts.alert, parts.keys);

  const plots = { corner: new SamplePlot(parts.corner), trace: new SamplePlot(parts.trace) };
  const fit = new FitPicture(model, parts.fit);
  let samples = unpackSamples(model.get('samples'));
  let pointed = -1; // the sample below the pointer
  let asked = -1; // that of which the kernel draws the fit

  const paint = () => {
    const ink = isDark(el) ? '#f9fafb' : '#111827';
    const halo = isDark(el) ? '#111827' : '#ffffff';
    const marks = [];
    const frame = model.get('frame');
    if (frame.chosen) marks.push({ values: frame.chosen, look: { radius: 4.5, width: 2, halo } });
    if (pointed >= 0) marks.push({ values: samples.row(pointed), look: { radius: 6.5, width: 1.2, halo } });
    for (const one of Object.values(plots)) one.paint(marks, model.get('region').ranges ?? [], ink);
  };
  let waiting = false;
  const repaint = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  };
  // One question at a time: the newest when the last was answered.
  const ask = () => {
    asked = pointed;
    send(pointed < 0 ? { do: 'leave' } : { do: 'hover', of: samples.owners[pointed], n: samples.indices[pointed] });
  };
  let [answered, since] = [true, 0];
  const askNext = () => {
    const lost = performance.now() - since > PATIENCE_MS; // as where the model failed
    if (asked === pointed || !(answered || lost)) return;
    [answered, since] = [false, performance.now()];
    ask();
    hurry.wait();
  };
  const hover = (i) => {
    if (i === pointed) return;
    pointed = i;
    repaint();
    askNext();
  };
  const choose = (i) => {
    if (i < 0) return;
    asked = -1;
    send({ do: 'choose', of: samples.owners[i], n: samples.indices[i] });
  };
  const select = (ranges) => send({ do: 'region', ranges });
  for (const one of Object.values(plots)) {
    one.listen({ hover, choose, select, repaint });
    one.canvas.addEventListener('pointerdown', () => parts.keys.focus({ preventScroll: true }));
  }
  parts.keys.addEventListener('keydown', (event) => {
    const step = STEPS[event.key];
    if (event.key === 'Escape') send({ do: 'clear' });
    if (step) {
      send({ do: 'step', steps: step[0], walkers: step[1] });
      hurry.wait();
    }
    if (step || event.key === 'Escape') event.preventDefault();
  });

  const readPlots = async () => {
    samples = unpackSamples(model.get('samples'));
    pointed = -1;
    await Promise.all(Object.entries(plots).map(([name, one]) => one.read(model.get(name), samples)));
    repaint();
  };
  const readFrame = () => {
    const frame = model.get('frame');
    parts.title.textContent = frame.title ?? '';
    showNumbers(parts.numbers, frame.numbers ?? []);
    fit.read();
    answered = true;
    askNext();
    repaint();
  };
  const follow = (name, act) => {
    act(model.get(name));
    listen(`change:${name}`, () => act(model.get(name)));
  };
  listen('change:corner', readPlots);
  listen('change:frame', readFrame);
  listen('change:fits', () => fit.read());
  listen('msg:custom', (content, buffers) => { if (content.kind === 'file') save(content.name, buffers[0]); });
  readPlots();
  readFrame();
  follow('parameters', (entries) => showParameters(parts.parameters, entries, send));
  follow('buttons', (buttons) => showButtons(parts.buttons, buttons, send));
  follow('alert', (text) => { parts.alert.textContent = text; });
  follow('region', (region) => { parts.region.textContent = region.text ?? ''; repaint(); });
  const width = (pane) => clamped(pane.clientWidth, 900);
  const forget = watchPage(parts.keys, (_, page) =>
    send({ do: 'page', corner: width(parts.left), fit: width(parts.right), ...page }));
  return () => {
    forget();
    for (const stop of bin) stop();
  };
}

export default { initialize, render };
