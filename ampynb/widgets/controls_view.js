// The controls of runs in the page; see controls_view.py.

// Jupyter makes a shell of the kernel for what the page sends, soon after the page's first
// widget; by its second greeting a page has it.
const GREETINGS_MS = [0, 1000];

function render({ model, el }) {
  const send = (content) => model.send(content);
  const parts = {
    buttons: make('div', 'ampynb-buttons', { role: 'group', ariaLabel: 'run' }),
    row: make('div', 'ampynb-rule', { role: 'group', ariaLabel: 'rule that ends it' }),
    label: make('label', '', { textContent: 'Stop when ' }),
    rule: make('select', '', { title: 'the rule that is to end the run' }),
    number: make('input', '', {
      type: 'text', inputMode: 'decimal', placeholder: 'number', ariaLabel: 'number of the rule' }),
    set: make('button', 'jupyter-widgets jupyter-button widget-button', {
      type: 'button', textContent: 'Set', title: 'let this rule end the run' }),
  };
  const rules = model.get('rules');
  parts.rule.append(make('option', '', { value: '', textContent: 'no rule' }));
  for (const name of Object.keys(rules)) parts.rule.append(make('option', '', { value: name, textContent: name }));
  parts.label.append(parts.rule);
  parts.row.append(parts.label, parts.number, parts.set);
  el.classList.add('ampynb-run-controls');
  el.append(parts.buttons, ...(Object.keys(rules).length ? [parts.row] : []));

  const update = () => {
    const ending = model.get('ending');
    showButtons(parts.buttons, model.get('buttons'), send);
    parts.rule.disabled = ending;
    parts.set.disabled = ending;
    parts.number.disabled = ending || !parts.rule.value;
  };
  parts.rule.addEventListener('change', () => {
    parts.number.value = rules[parts.rule.value] ?? '';
    update();
  });
  parts.set.addEventListener('click', () =>
    send({ do: 'set', rule: parts.rule.value, number: parts.number.value }));
  parts.number.addEventListener('keydown', ({ key, shiftKey, ctrlKey, altKey, metaKey }) => {
    if (key === 'Enter' && !(shiftKey || ctrlKey || altKey || metaKey)) parts.set.click();
  });
  update();
  model.on('change:buttons change:ending', update);
  const forget = keepKeys(el);
  const timers = GREETINGS_MS.map((after) => setTimeout(() => send({ do: 'greet' }), after));
  return () => {
    timers.forEach(clearTimeout);
    model.off('change:buttons change:ending', update);
    forget();
  };
}

export default { render };
