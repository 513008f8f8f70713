// Sends what a person asks for past a cell that runs; see control_channel.py.

const UNHEARD_MS = 1000;
let asked = 0;

// Returns what asks the kernel for something; `told.unheard` is called when it was not heard
// for a while, and `told.heard` once all was.
function makeAsk(model, told) {
  const unheard = new Map(); // timers by what was asked
  const prefix = Math.random().toString(36).slice(2);

  const sendOnControl = (content) => {
    const kernel = model.widget_manager?.kernel; // front ends of other makers have none
    const address = model.get('address');
    if (!address || !kernel?.sendControlMessage) return false;
    kernel.sendControlMessage({
      channel: 'control',
      header: {
        msg_id: content.id, msg_type: 'comm_msg', version: '5.3', date: new Date().toISOString(),
        username: kernel.username, session: kernel.clientId },
      parent_header: {},
      metadata: {},
      content: { comm_id: address, data: content },
      buffers: [],
    });
    return true;
  };
  const hear = ({ heard }) => {
    clearTimeout(unheard.get(heard));
    unheard.delete(heard);
    if (!unheard.size) told.heard();
  };
  model.on('msg:custom', hear);
  return {
    ask(request) {
      const content = { ...request, id: `${prefix}-${asked += 1}` };
      const direct = sendOnControl(content);
      if (!direct) model.send(content);
      unheard.set(content.id, setTimeout(() => {
        if (direct) model.send(content); // the kernel takes it once
        told.unheard();
      }, UNHEARD_MS));
    },
    end() {
      unheard.forEach(clearTimeout);
      model.off('msg:custom', hear);
    },
  };
}
