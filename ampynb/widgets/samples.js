// Samples in the panels of a plot that matplotlib drew; see plots/sample_scene.py.

const DOT = 1.8;

// Where a value is in a panel of a plot, and back [px of the page].
const across = (panel, value) =>
  panel.box[0] + ((value - panel.xlim[0]) / (panel.xlim[1] - panel.xlim[0])) * panel.box[2];
const down = (panel, value) =>
  panel.box[1] + (1 - (value - panel.ylim[0]) / (panel.ylim[1] - panel.ylim[0])) * panel.box[3];
const valueAcross = (panel, x) =>
  panel.xlim[0] + ((x - panel.box[0]) / panel.box[2]) * (panel.xlim[1] - panel.xlim[0]);
const valueDown = (panel, y) =>
  panel.ylim[0] + (1 - (y - panel.box[1]) / panel.box[3]) * (panel.ylim[1] - panel.ylim[0]);
const within = ([left, top, width, height], x, y) =>
  x >= left && x <= left + width && y >= top && y <= top + height;

function dotsOf(pen, panel, samples, which, size) {
  const by = samples.colours.map(() => []);
  for (const i of which) by[samples.owners[i]].push(i);
  pen.save();
  pen.beginPath();
  pen.rect(...panel.box);
  pen.clip();
  by.forEach((rows, owner) => {
    pen.fillStyle = samples.colours[owner];
    for (const i of rows) {
      const [x, y] = [across(panel, samples.at(i, panel.x)), down(panel, samples.at(i, panel.y))];
      pen.fillRect(x - size / 2, y - size / 2, size, size);
    }
  });
  pen.restore();
}

// Draws the curves of another fit over the picture of a scene.
function drawCurves(canvas, scene, y, { alpha = 1, width = null, dash = [] } = {}) {
  const pen = canvas.getContext('2d');
  for (const part of scene.parts) {
    if (part.kind !== 'line') continue;
    pen.save();
    pen.beginPath();
    pen.rect(...part.box);
    pen.clip();
    pen.globalAlpha = alpha;
    pen.setLineDash(dash);
    drawLinePart(pen, { ...part, width: width ?? part.width }, y);
    pen.restore();
  }
}
