// The page asks for one update after the other: while it is busy or hidden nothing piles up, and
// what comes next is the newest.

const byId = (id) => document.getElementById(id);
const WORDS = {
  unconfigured: "No model is loaded",
  inactive: "Does not move: not active",
  waiting: "Does not move: waiting",
  running: "Running",
  holding: "Does not move: held",
  stopped: "Stopped",
  fault: "Fault: a node failed",
  serving: "Serving",
};
// Without an update for so long the program counts as gone, ms.
const SILENCE = 5000;
const AGAIN = 1000;

let socket = null;
let lastReceived = 0;
let gone = performance.now();
let number = 0;
const urls = new Map();

function say(text) {
  byId("answer").textContent = text;
}

function setText(element, text) {
  // Only what changes: a screen reader announces each change of the banner.
  if (element.textContent !== text) element.textContent = text;
}

function send(command) {
  if (!socket || socket.readyState !== WebSocket.OPEN) {
    say("Not sent: there is no connection to the program.");
    return;
  }
  const token = byId("token").value;
  number += 1;
  socket.send(JSON.stringify({ ...command, id: number, ...(token ? { token } : {}) }));
}

function connect() {
  const mine = new WebSocket(`ws://${location.host}/socket`);
  socket = mine;
  mine.binaryType = "arraybuffer";
  mine.onopen = () => mine.send('{"next": true}');
  mine.onmessage = (event) => {
    lastReceived = performance.now();
    if (event.data instanceof ArrayBuffer) {
      showImage(event.data);
      return;
    }
    const message = JSON.parse(event.data);
    if (message.answer) say(message.answer.text);
    if (!message.state) return;
    show(message.state);
    // Once the browser has drawn; a hidden page draws nothing, and asks once a second.
    const next = () => mine.readyState === WebSocket.OPEN && mine.send('{"next": true}');
    if (document.hidden) setTimeout(next, 1000);
    else requestAnimationFrame(next);
  };
  mine.onclose = () => {
    if (socket !== mine) return;
    socket = null;
    lastReceived = 0;
    setTimeout(connect, AGAIN);
  };
}

function watch() {
  const silent = lastReceived === 0 || performance.now() - lastReceived > SILENCE;
  if (!silent) {
    gone = performance.now();
    return;
  }
  const seconds = Math.round((performance.now() - gone) / 1000);
  document.body.dataset.state = "gone";
  document.body.classList.add("gone");
  setText(byId("state"), "No connection to the program");
  setText(
    byId("reason"),
    "It has ended or cannot be reached. What is below is what came last. The page comes back by itself.",
  );
  setText(byId("about"), `without a connection for ${seconds} s`);
  // A connection that is open and silent is of no use.
  if (socket && socket.readyState === WebSocket.OPEN && seconds > 10) socket.close();
}

function showImage(data) {
  const bytes = new Uint8Array(data);
  const key = new TextDecoder().decode(bytes.subarray(1, 1 + bytes[0]));
  const [section, ...name] = key.split("/");
  const holder = document.querySelector(`#${CSS.escape(section)} .images`);
  if (!holder) return;
  let figure = [...holder.children].find((child) => child.dataset.key === key);
  if (!figure) {
    figure = document.createElement("figure");
    figure.dataset.key = key;
    figure.append(document.createElement("img"), document.createElement("figcaption"));
    // Several images side by side take a row of their own.
    const image = figure.firstElementChild;
    image.onload = () => figure.classList.toggle("wide", image.naturalWidth > 2 * image.naturalHeight);
    // By name, whichever came first.
    holder.insertBefore(figure, [...holder.children].find((child) => child.dataset.key > key) || null);
  }
  const [image, caption] = figure.children;
  const url = URL.createObjectURL(new Blob([bytes.subarray(1 + bytes[0])], { type: "image/jpeg" }));
  image.src = url;
  image.alt = name.join("/");
  setText(caption, name.join("/"));
  // A figure counts those it has shown: tests and people see that it is alive.
  figure.dataset.count = String(Number(figure.dataset.count || 0) + 1);
  if (urls.has(key)) URL.revokeObjectURL(urls.get(key));
  urls.set(key, url);
}

function dropImages(keys) {
  for (const figure of document.querySelectorAll(".images figure")) {
    if (!keys.includes(figure.dataset.key)) figure.remove();
  }
}

/** Rows of a table, reused: a focused or selected row stays. */
function rows(section, items, cells) {
  const body = document.querySelector(`#${section} tbody`);
  const headings = body.parentElement.tHead.rows[0].cells;
  while (body.rows.length > items.length) body.deleteRow(-1);
  items.forEach((item, index) => {
    const row = body.rows[index] || body.insertRow();
    cells(item).forEach((content, column) => {
      const cell = row.cells[column] || row.insertCell();
      if (typeof content === "string") {
        setText(cell, content);
        // A number, perhaps with its unit, and the column's heading stand at the right.
        cell.className = column > 0 && /^(-|[-+]?\d[\d.]*(e[-+]?\d+)?(\s\S{0,6})?)$/.test(content) ? "number" : "";
        headings[column].className = cell.className;
      } else {
        content(cell);
      }
    });
  });
}

const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "-");

/** A quantity with about four digits that count, and its unit. */
function quantity(value, unit) {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  const text = size >= 1e5 ? value.toExponential(1) : value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : 3);
  return `${text} ${unit.replace("^2", "\u00b2").replace("^3", "\u00b3")}`;
}

function jointBar(joint) {
  return (cell) => {
    let bar = cell.firstElementChild;
    if (!bar) {
      bar = document.createElement("div");
      bar.className = "bar";
      bar.setAttribute("role", "meter");
      for (const kind of ["measured", "asked", "sent"]) {
        bar.append(Object.assign(document.createElement("i"), { className: kind }));
      }
      cell.append(bar);
    }
    const share = (value) => (value - joint.lower) / (joint.upper - joint.lower);
    for (const mark of bar.children) {
      const value = joint[mark.className];
      mark.hidden = !Number.isFinite(value);
      if (!mark.hidden) mark.style.left = `${Math.min(Math.max(share(value), 0), 1) * 100}%`;
    }
    bar.setAttribute("aria-label", joint.name);
    bar.setAttribute("aria-valuemin", joint.lower);
    bar.setAttribute("aria-valuemax", joint.upper);
    bar.setAttribute("aria-valuenow", fixed(joint.measured, 3));
    bar.title = `${fixed(joint.lower, 2)} to ${fixed(joint.upper, 2)} ${joint.unit}`;
  };
}

function lengthBar(share) {
  return (cell) => {
    if (!cell.firstElementChild) {
      cell.innerHTML = '<div class="bar" aria-hidden="true"><i class="length"></i></div>';
    }
    cell.firstElementChild.firstElementChild.style.width = `${share * 100}%`;
  };
}

function word(text, kind) {
  return (cell) => {
    setText(cell, text);
    cell.className = kind;
  };
}

function show(state) {
  document.body.classList.remove("gone");
  document.body.dataset.state = state.state;
  setText(byId("state"), WORDS[state.state] || state.state);
  setText(byId("reason"), state.reason || (state.state === "running" ? state.instruction : ""));
  const control = state.controls !== false;
  byId("controls").hidden = byId("instruct").hidden = !control;
  byId("secret").hidden = !(control && state.needs_token);
  if (control && document.activeElement !== byId("instruction") && !byId("instruction").dataset.typed) {
    byId("instruction").value = state.instruction || "";
  }
  document.title = `${WORDS[state.state] || state.state} - ${state.robot || state.program}`;
  setText(byId("about"), [state.program, state.robot, state.model].filter(Boolean).join(", "));
  dropImages(state.images || []);
  byId("cameras").hidden = !(state.images || []).some((key) => key.startsWith("cameras/"));
  showForesight(state);
  showRobot(state);
  showTables(state);
}

function showForesight(state) {
  const errors = state.errors || [];
  byId("foresight").hidden = !(
    errors.length || (state.images || []).some((key) => key.startsWith("foresight/"))
  );
  byId("error").hidden = errors.length === 0;
  if (!errors.length) return;
  drawErrors(document.querySelector("#error svg"), errors);
  const last = errors[errors.length - 1];
  setText(
    byId("error-text"),
    `PSNR of what was foreseen against what came: ${fixed(last[1], 1)} dB; of "nothing changes" ` +
      `(dashed): ${fixed(last[2], 1)} dB`,
  );
}

function showRobot(state) {
  const joints = state.joints || [];
  byId("joints").hidden = joints.length === 0;
  const value = (joint, kind) => (Number.isFinite(joint[kind]) ? fixed(joint[kind], 3) : "-");
  rows("joints", joints, (joint) => [
    `${joint.name}`,
    jointBar(joint),
    Number.isFinite(joint.measured) ? `${fixed(joint.measured, 3)} ${joint.unit}` : "-",
    value(joint, "asked"),
    value(joint, "sent"),
  ]);
  const paths = (state.path || []).filter((path) => path.points.length > 0);
  byId("path").hidden = paths.length === 0;
  for (const path of paths) drawPath(document.querySelector("#path .views"), path.arm, path.points);
}

function showTables(state) {
  byId("events").hidden = !state.events;
  const events = state.events || [];
  byId("no-events").hidden = events.length > 0;
  document.querySelector("#events table").hidden = events.length === 0;
  rows("events", events, (event) => [
    event.time,
    event.rule,
    event.subject || "the robot",
    quantity(event.value, event.unit),
    quantity(event.limit, event.unit),
    event.action,
  ]);
  const stages = state.stages || [];
  byId("stages").hidden = stages.length === 0;
  const longest = Math.max(...stages.map((stage) => stage[1]), 1e-6);
  rows("stages", stages, ([name, seconds]) => [
    name,
    lengthBar(seconds / longest),
    fixed(seconds * 1000, 1),
  ]);
  setText(byId("rates"), state.rates || "");
  const publishers = state.publishers || [];
  byId("publishers").hidden = publishers.length === 0;
  rows("publishers", publishers, (publisher) => [
    publisher.topic,
    word(publisher.state, publisher.state === "received" ? "received" : "silent"),
    fixed(publisher.rate, 1),
    fixed(publisher.age, 2),
  ]);
  byId("connections").hidden = !state.connections;
  const connections = state.connections || [];
  byId("no-connections").hidden = connections.length > 0;
  document.querySelector("#connections table").hidden = connections.length === 0;
  rows("connections", connections, (one) => [
    one.client,
    one.protocol,
    one.prompt || "-",
    String(one.requests),
    fixed(one.infer * 1000, 1),
    fixed(one.waited * 1000, 1),
  ]);
}

byId("stop").onclick = () => send({ do: "stop" });
byId("reset").onclick = () => send({ do: "reset" });
byId("rest").onclick = () => {
  byId("instruction").value = "";
  send({ do: "instruction", text: "" });
};
byId("instruction").oninput = () => (byId("instruction").dataset.typed = "yes");
byId("instruct").onsubmit = (event) => {
  event.preventDefault();
  delete byId("instruction").dataset.typed;
  send({ do: "instruction", text: byId("instruction").value });
};
byId("secret").onsubmit = (event) => event.preventDefault();
addEventListener("keydown", (event) => {
  if (event.key === "Escape") send({ do: "stop" });
});
setInterval(watch, 500);
connect();
