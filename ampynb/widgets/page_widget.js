// Lets a widget hear the kernel in a slow page; see page_widget.py.

// anywidget refuses all that the kernel says to a widget whose module was not there within two
// seconds, as happens while samplers keep the machine busy. It is there now: from here on the
// model takes messages itself, beginning with the state, as those that came before are lost.
function hearAgain(own) {
  const { _handle_comm_msg: hear } = Object.getPrototypeOf(own.constructor.prototype);
  own.comm.on_msg(hear.bind(own));
  own.comm.send({ method: 'request_state' });
}

function initialize({ model }) {
  const nothing = { content: { data: {} } };
  const find = model.widget_manager?.get_model(model.get('identity'));
  find?.then((own) => own.comm && own._handle_comm_msg(nothing).catch(() => hearAgain(own)));
}
