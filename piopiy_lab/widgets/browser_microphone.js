// The browser's side of BrowserMicrophone: an engine for each widget, and any number of views of it.
//
// Python says how the call stands in "state" messages, at least every few seconds; everything shown
// follows from the last one. Up go "hello", "start", "audio", "played" and a few more; every message
// has this page's nonce, because each open tab of the notebook gets all that Python sends. The tab
// whose nonce is the state's owner listens and plays, the others are quiet.
//
// WORKLET, the source of the audio thread, is put in front of this file by Python.

const UP_SECS = 0.04; // of sound in a message: shorter ones back up in JupyterLab
const LEAD_SECS = 0.1; // of the agent's voice that wait before it begins
const REPORT_SECS = 0.25; // between two reports of the played position
const SILENT_KERNEL_SECS = 15; // without any message the microphone is closed: nobody listens
const LEVEL_FLOOR_DB = -60;

class Engine {
  constructor(model) {
    this.model = model;
    this.key = `piopiy_lab.microphone.${model.get("_key")}`;
    this.nonce = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2) + Date.now();
    this.views = new Set();
    this.state = { phase: "starting", owner: null, muted: false };
    this.heard_at = null; // when the last message of Python's came
    this.failure = null; // the name of the browser's error that kept the microphone closed
    this.opening = false;
    this.met = false; // a state has come
    this.silent = false; // the kernel no longer answers
    this.level = 0;
    this.devices = [];
    this.on_message = (message, buffers) => this.receive(message, buffers);
    model.on("msg:custom", this.on_message);
    this.watch = setInterval(() => this.look(), 1000);
    this.on_devices = () => this.list_devices();
    navigator.mediaDevices?.addEventListener("devicechange", this.on_devices);
  }

  // --- what is known -----------------------------------------------------------------------------

  get mine() { return this.audio !== undefined && this.state.owner === this.nonce; }

  get look_of() {
    if (this.failure) return "failed";
    if (this.state.phase === "ended" || this.state.phase === "failed") return this.state.phase;
    if (this.silent) return "silent";
    if (this.state.phase === "starting") return "starting";
    if (this.opening) return "opening";
    if (this.audio) return this.audio.context.state === "running" ? "live" : "paused";
    return this.state.owner ? "elsewhere" : "ready";
  }

  changed() { for (const draw of this.views) draw(); }

  send(type, content = {}, buffers) {
    this.model.send({ type, nonce: this.nonce, ...content }, undefined, buffers);
  }

  look() {
    const silent = this.heard_at !== null && (performance.now() - this.heard_at) / 1000 > SILENT_KERNEL_SECS;
    if (silent && !this.silent && !["ended", "failed"].includes(this.state.phase)) {
      this.silent = true;
      this.close(); // nobody listens: let the browser's sign go out
      this.changed();
    }
  }

  // --- Python's messages -------------------------------------------------------------------------

  receive(message, buffers) {
    this.heard_at = performance.now();
    this.silent = false;
    if (message.type === "state") this.take_state(message);
    else if (message.type === "play" && this.mine) {
      const view = buffers[0];
      const pcm = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
      this.audio.playout.port.postMessage({ pcm, first: message.first }, [pcm]);
    } else if (message.type === "clear" && this.mine) {
      this.audio.playout.port.postMessage({ clear: message.id });
    }
  }

  take_state(state) {
    const first = !this.met; // a piece of the agent's voice may come before any state
    this.met = true;
    const had = this.state.owner === this.nonce;
    this.state = state;
    if (state.phase === "ended" || state.phase === "failed") {
      this.close();
      sessionStorage.removeItem(this.key);
    } else if (first) {
      const media = navigator.mediaDevices !== undefined;
      this.send("hello", { secure: window.isSecureContext && media });
      if (!(window.isSecureContext && media)) this.failure = "InsecurePage";
      else if (sessionStorage.getItem(this.key)) this.open(); // the page was loaded again
    } else if (had && state.owner !== null && state.owner !== this.nonce) {
      this.close(); // another tab took over
      sessionStorage.removeItem(this.key);
    }
    if (this.audio) this.audio.track.enabled = !state.muted;
    this.changed();
  }

  // --- what a person asks for --------------------------------------------------------------------

  async open() {
    if (this.audio || this.opening) return;
    this.opening = true;
    this.changed();
    try {
      await this.open_audio();
    } catch (error) {
      this.failure = error.name === "OverconstrainedError" ? "NotFoundError" : error.name;
      this.close();
      sessionStorage.removeItem(this.key);
      this.send("failed", { name: this.failure, message: String(error.message).slice(0, 200) });
    }
    this.opening = false;
    this.changed();
  }

  async open_audio() {
    const remembered = localStorage.getItem("piopiy_lab.microphone.device");
    const stream = await this.get_stream(remembered && { ideal: remembered });
    const context = new AudioContext({ latencyHint: "interactive" });
    const audio = this.audio = { context, seq: 0 };
    audio.silence = context.createGain(); // keeps the capture running and is not heard
    audio.silence.gain.value = 0;
    audio.silence.connect(context.destination);
    audio.stream = stream;
    audio.track = stream.getAudioTracks()[0];
    const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    try {
      await context.audioWorklet.addModule(url);
    } finally {
      URL.revokeObjectURL(url);
    }
    if (this.audio !== audio) return; // closed meanwhile
    audio.capture = new AudioWorkletNode(context, "piopiy-capture", {
      processorOptions: { rate: this.state.in_rate, samples: Math.round(UP_SECS * this.state.in_rate) },
      numberOfInputs: 1, numberOfOutputs: 1,
    });
    audio.playout = new AudioWorkletNode(context, "piopiy-playout", {
      processorOptions: {
        rate: this.state.out_rate, lead: LEAD_SECS, report: REPORT_SECS,
      },
      numberOfInputs: 0, numberOfOutputs: 1, outputChannelCount: [2],
    });
    audio.capture.connect(audio.silence);
    audio.playout.connect(context.destination);
    context.onstatechange = () => this.changed();
    context.resume(); // without a click, after a reload, it may stay suspended: "paused" then
    sessionStorage.setItem(this.key, "open");
    this.send("start", { device: audio.track.label, sample_rate: context.sampleRate,
                         latency: (context.baseLatency || 0) + (context.outputLatency || 0) });
    audio.capture.port.onmessage = ({ data }) => this.captured(audio, data);
    audio.playout.port.onmessage = ({ data }) => this.played(audio, data);
    this.attach(audio, stream);
    await this.list_devices();
  }

  get_stream(device) {
    const wanted = { ...this.state.constraints, channelCount: 1 };
    if (!device) return navigator.mediaDevices.getUserMedia({ audio: wanted });
    return navigator.mediaDevices.getUserMedia({ audio: { ...wanted, deviceId: device } });
  }

  attach(audio, stream) {
    audio.source?.disconnect();
    audio.stream = stream;
    audio.track = stream.getAudioTracks()[0];
    audio.track.enabled = !this.state.muted;
    audio.track.onended = () => this.device_lost(audio);
    audio.source = audio.context.createMediaStreamSource(stream);
    audio.source.connect(audio.capture);
  }

  async device_lost(audio) {
    if (this.audio !== audio) return;
    this.send("lost", { device: audio.track.label });
    localStorage.removeItem("piopiy_lab.microphone.device");
    await this.change_device(null);
  }

  async change_device(device) {
    const audio = this.audio;
    if (!audio) return;
    try {
      const stream = await this.get_stream(device && { exact: device });
      for (const track of audio.stream.getTracks()) { track.onended = null; track.stop(); }
      if (device) localStorage.setItem("piopiy_lab.microphone.device", device);
      if (this.audio !== audio) { for (const track of stream.getTracks()) track.stop(); return; }
      this.attach(audio, stream);
      this.send("device", { device: audio.track.label });
    } catch (error) {
      this.send("failed", { name: error.name, message: String(error.message).slice(0, 200) });
    }
    await this.list_devices();
  }

  async list_devices() {
    if (!this.audio) return;
    const all = await navigator.mediaDevices.enumerateDevices();
    this.devices = all.filter((d) => d.kind === "audioinput" && d.deviceId);
    this.changed();
  }

  mute(muted) { this.send("mute", { muted }); if (this.audio) this.audio.track.enabled = !muted; }

  hang_up() { this.send("hang_up"); }

  resume() { this.audio?.context.resume(); }

  // --- sound -------------------------------------------------------------------------------------

  captured(audio, { pcm, at, level }) {
    if (this.audio !== audio) return;
    this.level = this.state.muted ? 0 : level;
    for (const draw of this.views) draw("level");
    this.send("audio", { seq: audio.seq++, at }, [pcm]);
  }

  played(audio, { number, at, cleared }) {
    if (this.audio !== audio) return;
    const heard = at + (audio.context.outputLatency || audio.context.baseLatency || 0);
    if (cleared !== undefined) this.send("cleared", { id: cleared, at: heard });
    else this.send("played", { number, at: heard });
  }

  close() {
    const audio = this.audio;
    this.audio = undefined;
    this.level = 0;
    if (!audio) return;
    for (const track of audio.stream?.getTracks() ?? []) { track.onended = null; track.stop(); }
    if (audio.context.state !== "closed") audio.context.close();
  }

  dispose() {
    this.close();
    clearInterval(this.watch);
    this.model.off("msg:custom", this.on_message);
    navigator.mediaDevices?.removeEventListener("devicechange", this.on_devices);
  }
}

// --- what is shown -------------------------------------------------------------------------------

const ICONS = {
  microphone: "M8 1a2.2 2.2 0 0 0-2.2 2.2v4.3a2.2 2.2 0 0 0 4.4 0V3.200A2.2 2.2 0 0 0 8 1zM3.6 7.200v.5a4.4 4.4 0 0 0 3.8 4.350V14H5.500v1.200h5V14H8.600v-1.950a4.4 4.4 0 0 0 3.8-4.350v-.5h-1.200v.5a3.2 3.2 0 0 1-6.4 0v-.5z",
  crossed: "M2.3 1.500l12.2 12.2-.85.85L1.45 2.350z",
  hang_up: "M8 5.200c-2.7 0-5 .7-6.6 2-.5.4-.6 1-.4 1.600l.6 1.500c.2.6.8.9 1.4.7l2-.7c.5-.2.8-.6.8-1.100V8.100a8 8 0 0 1 4.4 0v1.100c0 .5.3.9.8 1.100l2 .7c.6.2 1.2-.1 1.4-.7l.6-1.500c.2-.6.1-1.2-.4-1.6-1.6-1.3-3.9-2-6.6-2z",
};

function icon(...names) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  for (const name of names) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
  }
  return svg;
}

function element(tag, name, attributes = {}) {
  const made = document.createElement(tag);
  made.className = `plm-${name}`;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const STATUS = {
  starting: "The agent is getting ready",
  ready: "Ready when you are",
  opening: "Waiting for the browser's permission",
  live: "Listening",
  paused: "The browser keeps the sound back until you click",
  elsewhere: "In use in another tab",
  silent: "The kernel no longer answers; the microphone is closed",
  ended: "The call has ended",
  failed: "The microphone can't be used",
};

function render(engine, el) {
  const root = element("div", "root", {
    role: "group", "aria-label": "Browser microphone",
  });
  // Keys are the buttons' while the focus is inside, not the notebook's; as in widgets/static/dom.js.
  const keep = (e) => {
    if (e.key !== "Escape" && (e.key === "Enter" || !(e.ctrlKey || e.altKey || e.metaKey))) e.stopPropagation();
  };
  for (const kind of ["keydown", "keypress", "keyup"]) root.addEventListener(kind, keep);
  const strip = element("div", "strip");
  const main = element("button", "main", { type: "button" });
  const mute = element("button", "icon", { type: "button" });
  const meter = element("div", "meter", {
    role: "meter", "aria-label": "Microphone level", "aria-valuemin": LEVEL_FLOOR_DB, "aria-valuemax": 0,
  });
  const bar = element("div", "bar");
  meter.append(bar);
  const dot = element("span", "dot", { "aria-hidden": "true" });
  const words = element("span", "words");
  const status = element("span", "status", { role: "status", "aria-live": "polite" });
  status.append(dot, words);
  const device = element("select", "device", { "aria-label": "Input device" });
  const hang_up = element("button", "icon plm-hang-up", {
    type: "button", "aria-label": "Hang up", title: "Hang up",
  });
  hang_up.append(icon("hang_up"));
  const note = element("div", "note", { role: "alert" });
  strip.append(main, mute, meter, status, device, hang_up);
  root.append(strip, note);
  el.append(root);

  main.onclick = () => (engine.look_of === "paused" ? engine.resume() : engine.open());
  mute.onclick = () => engine.mute(!engine.state.muted);
  hang_up.onclick = () => engine.hang_up();
  device.onchange = () => engine.change_device(device.value);

  let shown_devices = "";
  let started_by_key = false; // then the focus goes on to the mute button
  function draw(what) {
    const db = Math.max(LEVEL_FLOOR_DB, 20 * Math.log10(engine.level || 1e-9));
    bar.style.transform = `scaleX(${1 - db / LEVEL_FLOOR_DB})`;
    if (what === "level") return;
    meter.setAttribute("aria-valuenow", Math.round(db));
    const look = engine.look_of;
    const live = look === "live";
    const muted = Boolean(engine.state.muted);
    root.dataset.look = live && muted ? "muted" : look;
    started_by_key ||= look === "opening" && document.activeElement === main;
    main.hidden = !["starting", "ready", "opening", "paused", "elsewhere"].includes(look);
    main.disabled = look === "starting" || look === "opening";
    main.replaceChildren(icon("microphone"), { paused: "Resume", elsewhere: "Use it here" }[look] ?? "Start microphone");
    mute.hidden = meter.hidden = !live;
    device.hidden = !live || engine.devices.length < 2;
    hang_up.hidden = !(live || look === "paused" || look === "elsewhere");
    mute.setAttribute("aria-pressed", String(muted));
    mute.setAttribute("aria-label", muted ? "Unmute" : "Mute");
    mute.title = muted ? "Unmute" : "Mute";
    mute.replaceChildren(icon("microphone", ...(muted ? ["crossed"] : [])));
    if (live && started_by_key) {
      started_by_key = false;
      mute.focus();
    }
    const text = live && muted ? "Muted" : STATUS[look];
    if (words.textContent !== text) words.textContent = text; // read out once, not again and again
    const told = engine.state.note || "";
    if (note.textContent !== told) note.textContent = told;
    note.hidden = !told;
    const listed = JSON.stringify(engine.devices.map((d) => [d.deviceId, d.label]));
    if (listed !== shown_devices) {
      shown_devices = listed;
      device.replaceChildren(...engine.devices.map((d, i) => new Option(d.label || `Microphone ${i + 1}`, d.deviceId)));
    }
    const chosen = engine.audio?.track?.getSettings().deviceId;
    if (chosen && document.activeElement !== device) device.value = chosen;
  }
  engine.views.add(draw);
  draw();
  return () => engine.views.delete(draw);
}

export default () => {
  let engine;
  return {
    initialize({ model }) {
      engine = new Engine(model);
      return () => engine.dispose();
    },
    render({ el }) { return render(engine, el); },
  };
};
