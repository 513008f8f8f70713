// A picture in the page that says what it shows; see picture_view.py.

function render({ model, el }) {
  const image = document.createElement('img');
  image.className = 'ampynb-run-picture';
  let url = '';
  const show = () => {
    const png = model.get('value');
    const former = url;
    url = png.byteLength ? URL.createObjectURL(new Blob([png], { type: 'image/png' })) : '';
    image.hidden = !url;
    image.alt = model.get('alt');
    if (url) image.src = url; // the former stays in sight until this is read
    URL.revokeObjectURL(former);
  };
  show();
  el.append(image);
  model.on('change:value change:alt', show);
  return () => {
    model.off('change:value change:alt', show);
    URL.revokeObjectURL(url);
  };
}

export default { initialize, render };
