// What every view in the page is made of.

const make = (tag, className, more = {}) => Object.assign(document.createElement(tag), { className, ...more });

// Whether the ground on which an element stands is dark.
function isDark(el) {
  for (let at = el; at; at = at.parentElement) {
    const [red, green, blue, alpha = 1] = getComputedStyle(at).backgroundColor.match(/[\d.]+/g).map(Number);
    if (alpha > 0.5) return 0.3 * red + 0.6 * green + 0.1 * blue < 128;
  }
  return false;
}

function showButtons(container, entries, send) {
  const wanted = new Set(entries.map((entry) => entry.do));
  for (const el of [...container.children]) if (!wanted.has(el.dataset.do)) el.remove();
  const known = new Map([...container.children].map((el) => [el.dataset.do, el]));
  entries.forEach((entry, i) => {
    let el = known.get(entry.do);
    if (!el && entry.most !== undefined) {
      el = make('label', 'ampynb-number', { textContent: entry.text });
      const input = make('input', '', { type: 'number', min: 0, max: entry.most, value: 0 });
      input.addEventListener('change', () => send({ do: entry.do, n: Number(input.value) }));
      el.append(input);
    } else if (!el) {
      el = make('button', 'jupyter-widgets jupyter-button widget-button', { type: 'button', textContent: entry.text });
      el.addEventListener('click', () => send({ do: entry.do }));
    }
    el.dataset.do = entry.do;
    el.title = entry.title;
    el.disabled = Boolean(entry.disabled);
    if (entry.pressed !== undefined) el.setAttribute('aria-pressed', String(entry.pressed));
    // One that stays where it is keeps the focus.
    if (container.children[i] !== el) container.insertBefore(el, container.children[i] ?? null);
  });
}

// Keeps keys for what has the focus inside of an element: Notebook 7 takes arrows for its
// cells. Other shortcuts, as those to save and to run a cell, stay with the page.
const KEYS = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown', 'Enter', ' '];
function keepKeys(el, keys = KEYS) {
  const keep = ({ target, key, ctrlKey, metaKey, altKey, shiftKey }) => {
    if (ctrlKey || metaKey || altKey || shiftKey || !keys.includes(key) || !el.contains(target)) return;
    target.dataset.lmSuppressShortcuts = 'true'; // Lumino looks for it, from here on up
    setTimeout(() => { delete target.dataset.lmSuppressShortcuts; });
  };
  window.addEventListener('keydown', keep, { capture: true }); // before the page's own
  return () => window.removeEventListener('keydown', keep, { capture: true });
}

// Has what the kernel answers come at once. Jupyter's server leaves Nagle's algorithm on,
// so that what follows the kernel's first word is kept back until the page's system has
// acknowledged that: up to 40 ms, but where the page has something to send. So the page
// says once that it waits, by when that first word is here.
const FIRST_WORD_MS = 8;
const ANSWERS = 'change:frame change:alert';
function makeHurry(model) {
  let timer = 0;
  const answered = () => { clearTimeout(timer); timer = 0; };
  model.on(ANSWERS, answered);
  return {
    wait() { timer ||= setTimeout(() => model.send({ do: 'wait' }), FIRST_WORD_MS); },
    end() { answered(); model.off(ANSWERS, answered); },
  };
}

// The width at which a picture is drawn where there is so much room.
const clamped = (width, most) => Math.round(Math.min(Math.max(width, 280), most));

function showNumbers(container, numbers) {
  container.replaceChildren(...numbers.map(([name, text]) => {
    const line = make('div', '');
    line.append(make('span', '', { textContent: name }), make('b', '', { textContent: text }));
    return line;
  }));
}

// Tells of the room that there is for a figure, and of its ground, for which the kernel
// draws the background; returns what ends that.
function watchPage(figure, tell) {
  let told = '';
  const tellPage = () => {
    const width = figure.clientWidth;
    if (!width) return;
    const page = { ratio: window.devicePixelRatio, dark: isDark(figure) };
    const now = JSON.stringify([width, page]);
    if (now !== told) tell(width, page);
    told = now;
  };
  let timer = 0;
  const soon = () => { clearTimeout(timer); timer = setTimeout(tellPage, told ? 150 : 0); };
  const size = new ResizeObserver(soon);
  size.observe(figure);
  // A theme's colours come some time after its name.
  const theme = new MutationObserver(() => { soon(); setTimeout(soon, 1000); });
  theme.observe(document.body, { attributes: true });
  return () => {
    clearTimeout(timer);
    size.disconnect();
    theme.disconnect();
  };
}
