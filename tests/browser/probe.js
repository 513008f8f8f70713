// The in-page part of jupyter_lab.py, run in every page before the page's own scripts.
(() => {
  const POLL_MS = 20;
  const requests = new Map(); // what the kernel was asked and has not finished: id -> type
  const failedRequests = new Set(); // cells that raised: their errors stand in the notebook
  const errors = [];
  const texts = new Map(); // what each request has printed to stderr
  let commands = 0;
  let lastActivity = 0;
  let decoding = 0; // pictures, which appear when that is done
  let latency = null;

  const panel = () => window.jupyterapp?.shell?.currentWidget;
  const kernel = () => panel()?.sessionContext?.session?.kernel;
  const cells = () => panel().content.widgets;
  const tagsOf = (cell) => cell.model.metadata.tags ?? [];

  // An exception in a thread comes as text only, in as many pieces as the kernel likes.
  function noteText(request, piece) {
    const known = texts.get(request) ?? { request, text: '' };
    texts.set(request, known);
    known.text += piece;
    if (known.text.includes('Traceback (most recent') && !errors.includes(known)) {
      errors.push(known);
    }
  }

  function noteMessage({ msg: message, direction }) {
    const { msg_id: id, msg_type: type } = message.header;
    const request = message.parent_header?.msg_id;
    const content = message.content;
    lastActivity = performance.now();
    if (direction === 'send') {
      if (message.channel === 'shell') requests.set(id, type);
    } else if (type === 'status') {
      if (content.execution_state === 'idle') requests.delete(request);
    } else if (type === 'error') {
      const traceback = content.traceback.join('\n');
      errors.push({ request, text: `${content.ename}: ${content.evalue}\n${traceback}` });
    } else if (type === 'stream' && content.name === 'stderr') {
      noteText(request, content.text);
    } else if (type === 'execute_reply' && content.status === 'error') {
      failedRequests.add(request);
    }
  }

  // Each says what is still awaited, or '' when there is nothing left to wait for.
  const blockers = {
    opening(path) {
      const context = panel()?.context;
      if (context?.path !== path || !context.isReady) return 'the notebook to open';
      if (kernel()?.connectionStatus !== 'connected' || kernel().status !== 'idle') {
        return `the kernel to start (${kernel()?.status ?? 'there is none'})`;
      }
      return '';
    },
    activity(quietMs) {
      if (commands || requests.size) {
        return `the kernel to finish: ${[...requests.values()].join(', ') || 'run command'}`;
      }
      for (const output of document.querySelectorAll('.jp-OutputArea-output')) {
        if (/^\s*Loading widget/.test(output.textContent)) return 'a widget to load';
        if ([...output.querySelectorAll('img')].some((image) => !image.complete)) {
          return 'an image to load';
        }
      }
      if (decoding) return 'a picture to be decoded';
      return performance.now() - lastActivity < quietMs ? 'messages to come to rest' : '';
    },
  };

  async function until(blocker, argument, timeoutMs) {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const awaited = blockers[blocker](argument);
      if (!awaited) return '';
      if (performance.now() > deadline) {
        const dialogs = [...document.querySelectorAll('.jp-Dialog')];
        return [awaited, ...dialogs.map((dialog) => `dialog: ${dialog.innerText}`)].join('; ');
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async function attach() {
    await window.jupyterapp.restored;
    await panel().revealed;
    window.jupyterapp.shell.collapseLeft();
    window.jupyterapp.shell.collapseRight();
    panel().sessionContext.session.anyMessage.connect((_, event) => noteMessage(event));
  }

  function run(command, index) {
    if (index !== null) {
      panel().content.deselectAll();
      panel().content.activeCellIndex = index;
    }
    commands += 1;
    lastActivity = performance.now();
    window.jupyterapp.commands.execute(command).finally(() => { commands -= 1; });
  }

  async function runAgain(index, times) {
    panel().content.deselectAll();
    panel().content.activeCellIndex = index;
    for (let i = 0; i < times; i += 1) {
      await window.jupyterapp.commands.execute('notebook:run-cell');
    }
  }

  async function evaluate(expression, timeoutMs) {
    const future = kernel().requestExecute({
      code: '', silent: true, store_history: false, user_expressions: { value: expression },
    });
    const reply = future.done.then((message) => message.content.user_expressions?.value);
    const giveUp = new Promise((resolve) => setTimeout(resolve, timeoutMs, null));
    return await Promise.race([reply, giveUp]);
  }

  const cellErrors = () => cells().flatMap((cell, index) => {
    const outputs = cell.model.outputs?.toJSON() ?? [];
    return outputs.filter((output) => output.output_type === 'error').map((error) =>
      `cell ${[index, ...tagsOf(cell)].join(' ')}: ${error.ename}: ${error.evalue}\n` +
      error.traceback.join('\n'));
  });

  const callbackErrors = () =>
    errors.filter((error) => !failedRequests.has(error.request)).map((error) => error.text);

  const decode = window.createImageBitmap.bind(window);
  window.createImageBitmap = (...picture) => {
    decoding += 1;
    return decode(...picture).finally(() => { decoding -= 1; });
  };

  // Messages that have come may still be read one after the other. A frame that is asked
  // for in a frame comes after all that the first one has drawn.
  async function painted() {
    await kernel()?._msgChain;
    await new Promise((resolve) => {
      requestAnimationFrame(() => requestAnimationFrame(resolve));
    });
  }

  // Idle, and nothing that was painted since has begun anything else.
  async function settled(quietMs, timeoutMs) {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const awaited = await until('activity', quietMs, deadline - performance.now());
      if (awaited) return awaited;
      await painted();
      if (!blockers.activity(0)) return '';
    }
  }

  const scratch = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

  function hashPixels(picture, width, height) {
    Object.assign(scratch.canvas, { width, height });
    scratch.drawImage(picture, 0, 0);
    const pixels = new Uint32Array(scratch.getImageData(0, 0, width, height).data.buffer);
    let hash = 2166136261; // FNV-1a
    for (const pixel of pixels) hash = Math.imul(hash ^ pixel, 16777619);
    return `${width}x${height} ${(hash >>> 0).toString(16)}`;
  }

  const hashes = new WeakMap(); // an image's pixels cannot change while its source stays

  // The element is looked up afresh each time, as an output may replace it: null while it is
  // absent or not decoded.
  function fingerprint(output, nth) {
    const shown = [...output.querySelectorAll('img, canvas')].filter((e) => e.clientWidth > 0);
    const picture = shown[nth];
    if (picture instanceof HTMLCanvasElement && picture.width && picture.height) {
      return hashPixels(picture, picture.width, picture.height);
    }
    if (!(picture instanceof HTMLImageElement)) return null;
    if (!picture.complete || !picture.naturalWidth) return null;
    if (hashes.get(picture)?.source !== picture.currentSrc) {
      const hash = hashPixels(picture, picture.naturalWidth, picture.naturalHeight);
      hashes.set(picture, { source: picture.currentSrc, hash });
    }
    return hashes.get(picture).hash;
  }

  // Times the next key press until the picture has changed; see takeLatency.
  function armLatency(output, nth, timeoutMs) {
    const before = fingerprint(output, nth);
    const deadline = performance.now() + timeoutMs;
    let pressed = null;
    const onKey = (event) => { pressed = event.timeStamp; };
    window.addEventListener('keydown', onKey, { capture: true, once: true });
    latency = new Promise((resolve) => {
      // a message posted in an animation frame arrives when that frame is drawn
      const afterFrame = new MessageChannel();
      const nextFrame = () => requestAnimationFrame(() => afterFrame.port2.postMessage(null));
      afterFrame.port1.onmessage = () => {
        const now = performance.now(); // before the hashing, which takes a while itself
        const after = pressed === null ? null : fingerprint(output, nth);
        if (after !== null && after !== before) resolve(now - pressed);
        else if (now > deadline) resolve(null);
        else nextFrame();
      };
      nextFrame();
    });
  }

  window.probe = {
    attach, armLatency, callbackErrors, cellErrors, evaluate, fingerprint, painted, run, runAgain, settled, until,
    findTag: (tag) => cells().findIndex((cell) => tagsOf(cell).includes(tag)),
    save: () => panel().context.save(),
    shutDown: () => panel().sessionContext.shutdown(),
    takeLatency: () => latency,
  };
})();
