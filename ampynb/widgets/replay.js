// The replay in the page: every moment of a run is here, and needs no kernel; see replay_view.py.

const TICK_MS = 120; // between moments while it plays
const BINS = 30;

// The points of one moment, as samples of samples.js.
function pointsOf(sent, values, position) {
  const [start, end] = [sent.starts[position], sent.starts[position + 1]];
  return {
    count: end - start,
    colours: [sent.colour],
    owners: new Int32Array(end - start),
    at: (i, column) => values[(start + i) * sent.columns + column],
  };
}

function drawHistogram(pen, panel, samples) {
  const counts = new Array(BINS).fill(0);
  const [low, high] = panel.xlim;
  for (let i = 0; i < samples.count; i += 1) {
    const bin = Math.floor(((samples.at(i, panel.x) - low) / (high - low)) * BINS);
    if (bin >= 0 && bin < BINS) counts[bin] += 1;
  }
  const [left, top, width, height] = panel.box;
  const highest = Math.max(...counts, 1);
  pen.beginPath();
  pen.moveTo(left, top + height);
  counts.forEach((count, bin) => {
    const y = top + height * (1 - (0.92 * count) / highest);
    pen.lineTo(left + (bin / BINS) * width, y);
    pen.lineTo(left + ((bin + 1) / BINS) * width, y);
  });
  pen.lineTo(left + width, top + height);
  [pen.strokeStyle] = samples.colours;
  pen.lineWidth = 1.4;
  pen.stroke();
}

function drawMoment(canvas, layout, picture, samples) {
  Object.assign(canvas, { width: picture.width, height: picture.height });
  const pen = canvas.getContext('2d');
  pen.setTransform(layout.ratio, 0, 0, layout.ratio, 0, 0);
  pen.drawImage(picture, 0, 0, layout.width, layout.height);
  pen.globalAlpha = 0.9;
  const all = Array.from({ length: samples.count }, (_, i) => i);
  for (const panel of layout.panels) {
    if (panel.y === null) drawHistogram(pen, panel, samples);
    else dotsOf(pen, panel, samples, all, 2.8);
  }
}

const decode = (png) => createImageBitmap(new Blob([bytesOf(png)], { type: 'image/png' }));

function render({ model, el }) {
  const bin = [];
  const listen = (event, act) => {
    model.on(event, act);
    bin.push(() => model.off(event, act));
  };
  const parts = {
    controls: make('div', 'ampynb-replay', { role: 'group', ariaLabel: 'replay' }),
    play: make('button', 'jupyter-widgets jupyter-button widget-button', { type: 'button' }),
    slider: make('input', '', { type: 'range', min: 0, step: 1, ariaLabel: 'moment of the run' }),
    title: make('output', 'ampynb-title', { ariaLive: 'off' }),
    fit: make('select', '', { ariaLabel: 'fit that is drawn' }),
    temperature: make('select', '', { ariaLabel: 'temperature' }),
    alert: make('div', 'ampynb-alert', { role: 'alert' }),
    panes: make('div', 'ampynb-panes'),
    left: make('div', 'ampynb-pane'),
    right: make('div', 'ampynb-pane'),
    scatter: make('canvas', '', { role: 'img', ariaLabel: 'points of the moment, over the result in grey' }),
    picture: make('canvas', '', { role: 'img', ariaLabel: 'the fit at the moment' }),
    numbers: make('div', 'ampynb-numbers', { role: 'status', ariaLive: 'off' }),
    hint: make('div', 'ampynb-hint', { textContent: 'Grey: the result. Dashed: the other one of best and median.' }),
  };
  el.classList.add('ampynb-explorer', 'ampynb-corner');
  bin.push(keepKeys(el));
  for (const of of ['best', 'median']) {
    parts.fit.append(make('option', '', { value: of, textContent: of === 'best' ? 'best so far' : 'median' }));
  }
  parts.controls.append(parts.play, parts.slider, parts.title, parts.fit, parts.temperature);
  parts.left.append(parts.scatter, parts.hint);
  parts.right.append(parts.picture, parts.numbers);
  parts.panes.append(parts.left, parts.right);
  el.append(parts.controls, parts.alert, parts.panes);

  let [layout, picture, values, scene, fits] = [null, null, null, null, {}];
  const bitmaps = new Map();
  const frameOf = (of, position) => {
    const sent = fits[of];
    return sent && {
      key: sent.keys[position],
      y: sent.y.subarray(position * scene.points, (position + 1) * scene.points),
      pixels: sent.pixels.subarray(position * scene.pixels, (position + 1) * scene.pixels),
    };
  };
  const paint = () => {
    const position = model.get('position');
    const moment = model.get('moments')[position];
    if (!moment || !picture) return;
    Object.assign(parts.slider, { max: model.get('moments').length - 1, value: position });
    parts.slider.setAttribute('aria-valuetext', moment.title);
    parts.title.textContent = moment.title;
    showNumbers(parts.numbers, moment.numbers);
    const points = model.get('points');
    drawMoment(parts.scatter, layout, picture, pointsOf(points, values, position));
    const of = model.get('fit');
    parts.fit.value = of;
    const frame = scene && frameOf(of, position);
    parts.picture.hidden = !frame;
    parts.fit.hidden = !frame;
    if (!frame || !bitmaps.get(frame.key)) return;
    drawFrame(parts.picture, scene, bitmaps.get(frame.key), frame);
    const other = frameOf(of === 'best' ? 'median' : 'best', position);
    drawCurves(parts.picture, scene, other.y, { alpha: 0.9, width: 1.2, dash: [5, 4] });
  };
  let waiting = false;
  const repaint = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  };
  const read = async () => {
    const sent = model.get('scene');
    const pngs = model.get('backgrounds');
    const fresh = await Promise.all(Object.values(pngs).map(decode));
    const ground = await decode(model.get('scatter').png);
    if (sent !== model.get('scene')) return; // a newer one is on its way
    bitmaps.clear();
    Object.keys(pngs).forEach((key, i) => bitmaps.set(key, fresh[i]));
    scene = sent.parts ? unpackScene(sent) : null;
    fits = Object.fromEntries(Object.entries(model.get('fits')).map(([of, one]) =>
      [of, { ...one, y: floatsOf(one.y), pixels: bytesOf(one.pixels) }]));
    values = floatsOf(model.get('points').values);
    [layout, picture] = [model.get('scatter'), ground];
    repaint();
  };

  const go = (position) => {
    model.set('position', position);
    model.save_changes();
    repaint();
  };
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    parts.play.textContent = '▶ Play';
  };
  const play = () => {
    const last = model.get('moments').length - 1;
    if (model.get('position') >= last) go(0);
    parts.play.textContent = '‖ Pause';
    timer = setInterval(() => {
      if (model.get('position') >= last) stop();
      else go(model.get('position') + 1);
    }, TICK_MS);
  };
  stop();
  parts.play.addEventListener('click', () => (timer ? stop() : play()));
  parts.slider.addEventListener('input', () => { stop(); go(Number(parts.slider.value)); });
  parts.fit.addEventListener('change', () => { model.set('fit', parts.fit.value); model.save_changes(); repaint(); });
  parts.temperature.addEventListener('change', () => {
    stop();
    model.set('temperature', Number(parts.temperature.value));
    model.save_changes();
  });
  for (const name of ['position', 'fit']) listen(`change:${name}`, repaint);
  listen('change:scatter', read);
  const follow = (name, act) => {
    act(model.get(name));
    listen(`change:${name}`, () => act(model.get(name)));
  };
  follow('alert', (text) => { parts.alert.textContent = text; });
  follow('temperatures', (texts) => {
    parts.temperature.hidden = texts.length < 2;
    parts.temperature.replaceChildren(...texts.map((text, i) =>
      make('option', '', { value: i, textContent: `temperature ${text}` })));
    parts.temperature.value = model.get('temperature');
  });
  follow('temperature', (place) => { parts.temperature.value = place; });
  read();
  const width = (pane) => clamped(pane.clientWidth, 900);
  const forget = watchPage(parts.panes, (_, page) =>
    model.send({ do: 'page', scatter: width(parts.left), fit: width(parts.right), ...page }));
  return () => {
    stop();
    forget();
    for (const end of bin) end();
  };
}

export default { initialize, render };
