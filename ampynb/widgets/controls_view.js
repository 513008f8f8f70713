// The controls of runs in the page; see controls_view.py.

const BUSY = 'The kernel has not heard this yet: a cell runs. To end a run for which that cell waits, with every draw '
  + 'kept, press ■ (interrupt the kernel) in the notebook\'s toolbar.';
const LAG_S = 1.5; // more is not the way from the kernel to the page

// Shows a state in words, and how long it has lasted, counted on in the page: a kernel that
// compiles may have no time to tell.
function makeHead(el) {
  const parts = {
    text: make('span', '', { role: 'status' }),
    clock: make('span', '', { ariaHidden: 'true' }),
    more: make('small', ''),
  };
  const state = make('b', '');
  state.append(parts.text, parts.clock);
  el.append(state, parts.more);
  let begun = null;
  const tick = () => {
    const seconds = begun === null ? 0 : Math.floor((performance.now() - begun) / 1000);
    parts.clock.textContent = seconds ? `, ${seconds} s` : '';
  };
  const timer = setInterval(tick, 200);
  return {
    show({ text = '', more = '', seconds = null }) {
      const since = seconds === null ? null : performance.now() - 1000 * seconds;
      const goesOn = begun !== null && since !== null && text === parts.text.textContent;
      if (!goesOn || Math.abs(since - begun) > 1000 * LAG_S) begun = since;
      if (parts.text.textContent !== text) parts.text.textContent = text;
      parts.more.textContent = more;
      el.hidden = !text;
      tick();
    },
    end() { clearInterval(timer); },
  };
}

function render({ model, el }) {
  const parts = {
    row: make('div', 'ampynb-run-controls'),
    buttons: make('div', 'ampynb-buttons', { role: 'group', ariaLabel: 'run' }),
    rules: make('div', 'ampynb-rule', { role: 'group', ariaLabel: 'rule that ends it' }),
    label: make('label', '', { textContent: 'Stop when ' }),
    rule: make('select', '', { title: 'the rule that is to end the run' }),
    number: make('input', '', {
      type: 'text', inputMode: 'decimal', placeholder: 'number', ariaLabel: 'number of the rule' }),
    set: make('button', 'jupyter-widgets jupyter-button widget-button', {
      type: 'button', textContent: 'Set', title: 'let this rule end the run' }),
    head: make('div', 'ampynb-run-head'),
    unheard: make('div', 'ampynb-run-alert', { role: 'alert', hidden: true }),
  };
  const rules = model.get('rules');
  parts.rule.append(make('option', '', { value: '', textContent: 'no rule' }));
  for (const name of Object.keys(rules)) parts.rule.append(make('option', '', { value: name, textContent: name }));
  parts.label.append(parts.rule);
  parts.rules.append(parts.label, parts.number, parts.set);
  parts.row.append(parts.buttons, ...(Object.keys(rules).length ? [parts.rules] : []));
  el.append(parts.row, parts.head, parts.unheard);

  const head = makeHead(parts.head);
  const update = () => {
    const ending = model.get('ending');
    showButtons(parts.buttons, model.get('buttons'), press);
    parts.rule.disabled = ending;
    parts.set.disabled = ending;
    parts.number.disabled = ending || !parts.rule.value;
    if (!('asked' in parts.head.dataset)) head.show(model.get('state'));
  };
  const asking = makeAsk(model, {
    unheard() { parts.unheard.textContent = BUSY; parts.unheard.hidden = false; },
    heard() {
      parts.unheard.hidden = true;
      delete parts.head.dataset.asked;
      update();
    },
  });
  const press = (request) => {
    const button = model.get('buttons').find((one) => one.do === request.do);
    if (button?.asked) {
      head.show({ ...model.get('state'), text: button.asked, seconds: null });
      parts.head.dataset.asked = request.do;
    }
    asking.ask(request);
  };
  parts.rule.addEventListener('change', () => {
    parts.number.value = rules[parts.rule.value] ?? '';
    update();
  });
  parts.set.addEventListener('click', () =>
    asking.ask({ do: 'set', rule: parts.rule.value, number: parts.number.value }));
  parts.number.addEventListener('keydown', ({ key, shiftKey, ctrlKey, altKey, metaKey }) => {
    if (key === 'Enter' && !(shiftKey || ctrlKey || altKey || metaKey)) parts.set.click();
  });
  update();
  model.on('change:buttons change:ending change:state', update);
  const forget = keepKeys(el);
  return () => {
    head.end();
    asking.end();
    model.off('change:buttons change:ending change:state', update);
    forget();
  };
}

export default { initialize, render };
