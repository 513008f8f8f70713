// Draws one frame of a scene on a canvas, as matplotlib would; see plots/scene.py.

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function floatsOf(view) {
  const bytes = bytesOf(view).slice(); // aligned
  return new Float32Array(bytes.buffer);
}

// Unpacks the scene that the kernel sent, and makes a small canvas for each image.
function unpackScene(sent) {
  let points = 0;
  let pixels = 0;
  const parts = sent.parts.map((part) => {
    if (part.kind === 'image') {
      const [rows, columns] = part.shape;
      const canvas = Object.assign(document.createElement('canvas'), { width: columns, height: rows });
      const colours = new Uint32Array(bytesOf(part.colours).slice().buffer);
      const unpacked = { ...part, canvas, colours, start: pixels };
      pixels += rows * columns;
      return unpacked;
    }
    const x = floatsOf(part.x);
    const unpacked = { ...part, x, start: points };
    points += x.length;
    return unpacked;
  });
  return { ...sent, parts, points, pixels };
}

function drawImagePart(pen, part, pixels) {
  const [rows, columns] = part.shape;
  const inner = part.canvas.getContext('2d');
  const image = inner.createImageData(columns, rows);
  const target = new Uint32Array(image.data.buffer);
  for (let row = 0; row < rows; row += 1) {
    const from = part.start + (part.upward ? rows - 1 - row : row) * columns;
    for (let column = 0; column < columns; column += 1) {
      target[row * columns + column] = part.colours[pixels[from + column]];
    }
  }
  inner.putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(part.canvas, ...part.box);
}

function drawLinePart(pen, part, y) {
  pen.beginPath();
  let drawing = false; // a value that is not a number breaks the line
  for (let i = 0; i < part.x.length; i += 1) {
    const height = y[part.start + i];
    if (!Number.isFinite(height)) drawing = false;
    else if (drawing) pen.lineTo(part.x[i], height);
    else {
      pen.moveTo(part.x[i], height);
      drawing = true;
    }
  }
  Object.assign(pen, { strokeStyle: part.colour, lineWidth: part.width, lineJoin: 'round', lineCap: 'square' });
  pen.stroke();
}

function drawPointsPart(pen, part, y) {
  pen.beginPath();
  for (let i = 0; i < part.x.length; i += 1) {
    const height = y[part.start + i];
    if (Number.isFinite(height)) {
      pen.moveTo(part.x[i] + part.radius, height);
      pen.arc(part.x[i], height, part.radius, 0, 2 * Math.PI);
    }
  }
  pen.fillStyle = part.colour;
  pen.fill();
}

// The images lie below the background, in which their axes are transparent.
function drawFrame(canvas, scene, background, frame) {
  const width = Math.round(scene.width * scene.ratio);
  const height = Math.round(scene.height * scene.ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext('2d');
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.scale(scene.ratio, scene.ratio);
  for (const part of scene.parts) if (part.kind === 'image') drawImagePart(pen, part, frame.pixels);
  pen.drawImage(background, 0, 0, scene.width, scene.height);
  for (const part of scene.parts) {
    if (part.kind === 'image') continue;
    pen.save();
    pen.beginPath();
    pen.rect(...part.box);
    pen.clip();
    pen.globalAlpha = part.alpha;
    (part.kind === 'line' ? drawLinePart : drawPointsPart)(pen, part, frame.y);
    pen.restore();
  }
}

// Returns the frame of a sweep at a position on its slider, null beyond the ends. Between
// two frames it is in between, if they have the same background, else the nearer.
function frameOfSweep(sweep, scene, position) {
  const count = sweep.keys.length;
  const at = ((position - sweep.low) / (sweep.high - sweep.low)) * (count - 1);
  if (!(at > -1e-6 && at < count - 1 + 1e-6)) return null;
  const nearest = Math.round(at);
  const pick = (i) => ({
    key: sweep.keys[i],
    numbers: sweep.numbers[i],
    y: sweep.y.subarray(i * scene.points, (i + 1) * scene.points),
    pixels: sweep.pixels.subarray(i * scene.pixels, (i + 1) * scene.pixels),
  });
  if (Math.abs(at - nearest) < 1e-6) return pick(nearest);
  const [below, above] = [pick(Math.floor(at)), pick(Math.ceil(at))];
  if (below.key !== above.key) return pick(nearest);
  const share = at - Math.floor(at);
  const between = (one, other) => one.map((value, i) => value + share * (other[i] - value));
  const { numbers, key } = pick(nearest);
  return { key, numbers, y: between(below.y, above.y), pixels: between(below.pixels, above.pixels) };
}
