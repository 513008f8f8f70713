// Sliders in a page without a kernel, one at a time; see page.py and draw.js.

const unpack = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

async function showPage(el, data) {
  const add = (parent, tag, more = {}) => parent.appendChild(Object.assign(document.createElement(tag), more));
  const unpacked = (frame) => ({ ...frame, y: floatsOf(unpack(frame.y)), pixels: unpack(frame.pixels) });
  const scene = unpackScene({ ...data.scene, parts: data.scene.parts.map((part) => ({
    ...part, x: part.x && unpack(part.x), colours: part.colours && unpack(part.colours) })) });
  const pictures = await Promise.all(Object.values(data.backgrounds).map((png) =>
    createImageBitmap(new Blob([unpack(png)], { type: 'image/png' }))));
  const backgrounds = new Map(Object.keys(data.backgrounds).map((key, i) => [key, pictures[i]]));
  const controls = add(el, 'div', { className: 'controls' });
  const canvas = add(el, 'canvas', { role: 'img', ariaLabel: 'the fit at the position of the sliders' });
  const numbers = add(controls, 'p', { className: 'numbers' });

  const paint = (frame) => {
    drawFrame(canvas, scene, backgrounds.get(frame.key), frame);
    numbers.replaceChildren();
    for (const [name, text] of frame.numbers) add(numbers, 'span', { textContent: `${name} ${text}` });
  };
  const rows = data.sweeps.map((sent) => {
    const sweep = unpacked(sent);
    const label = add(controls, 'label');
    add(label, 'span', { textContent: sweep.name });
    const slider = add(label, 'input', {
      type: 'range', min: sweep.low, max: sweep.high, step: (sweep.high - sweep.low) / 200 });
    const output = add(label, 'output');
    const row = {
      show(position) {
        const value = sweep.logarithmic ? 10 ** position : position;
        output.textContent = `${Number(value.toPrecision(4))} ${sweep.unit}`;
      },
      reset() {
        slider.value = sweep.position;
        row.show(sweep.position);
      },
    };
    slider.addEventListener('input', () => {
      for (const other of rows) if (other !== row) other.reset();
      row.show(Number(slider.value));
      paint(frameOfSweep(sweep, scene, Number(slider.value)));
    });
    return row;
  });
  const reset = () => {
    for (const row of rows) row.reset();
    paint(unpacked(data.frame));
  };
  add(controls, 'button', { type: 'button', textContent: 'Back to the start' }).addEventListener('click', reset);
  controls.append(numbers);
  reset();
}
