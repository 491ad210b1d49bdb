// The audio thread of the browser microphone: samples in, samples out, and no decision.
//
// Both processors run at the audio context's own rate, whatever that is, and resample: a device may
// give 44.1 kHz in two channels whatever it was asked for.

// A windowed-sinc resampler for a stream: 16 zero crossings on each side of the lower rate, from a
// table that is read with linear interpolation. What aliases lies more than 70 dB down.
class Resampler {
  constructor(from, to) {
    this.step = from / to;
    this.cutoff = Math.min(1, to / from) * 0.95;
    this.half = Math.ceil(16 / this.cutoff);
    this.table = new Float32Array(this.half * 64 + 2);
    for (let i = 0; i < this.table.length; i++) {
      const x = i / 64;
      const w = x / this.half;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * this.cutoff) / (Math.PI * x * this.cutoff);
      const window = w < 1 ? 0.42 + 0.5 * Math.cos(Math.PI * w) + 0.08 * Math.cos(2 * Math.PI * w) : 0;
      this.table[i] = sinc * window * this.cutoff;
    }
    this.reset();
  }

  reset() {
    this.held = new Float32Array(this.half); // silence before the first sample
    this.at = this.half; // where the next output sample lies in what is held, as a fraction
  }

  // How many samples lie between an input sample and the output made of it.
  get delay() { return this.half; }

  process(input) {
    const data = new Float32Array(this.held.length + input.length);
    data.set(this.held);
    data.set(input, this.held.length);
    const out = [];
    while (this.at + this.half < data.length) {
      const first = Math.ceil(this.at - this.half);
      const last = Math.floor(this.at + this.half);
      let sum = 0;
      for (let i = Math.max(0, first); i <= last; i++) {
        const x = Math.abs(i - this.at) * 64;
        const k = x | 0;
        sum += data[i] * (this.table[k] + (x - k) * (this.table[k + 1] - this.table[k]));
      }
      out.push(sum);
      this.at += this.step;
    }
    const drop = Math.max(0, Math.floor(this.at - this.half));
    this.held = data.slice(drop);
    this.at -= drop;
    return Float32Array.from(out);
  }
}

// The microphone: any channels at any rate -> mono int16 at `rate`, in frames of `samples`.
class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate, samples } }) {
    super();
    this.rate = rate;
    this.resampler = new Resampler(sampleRate, rate);
    this.frame = new Int16Array(samples);
    this.filled = 0;
    this.squares = 0;
  }

  process([channels]) {
    const length = channels.length ? channels[0].length : 128; // no channel: nothing connected
    const mono = new Float32Array(length);
    for (const channel of channels) {
      for (let i = 0; i < length; i++) mono[i] += channel[i] / channels.length;
    }
    for (const value of this.resampler.process(mono)) {
      const clipped = Math.max(-1, Math.min(1, value));
      this.squares += clipped * clipped;
      this.frame[this.filled++] = Math.round(clipped * 32767);
      if (this.filled === this.frame.length) this.hand_over();
    }
    return true;
  }

  hand_over() {
    const n = this.frame.length;
    const end = currentTime + 128 / sampleRate - this.resampler.delay / sampleRate;
    const pcm = this.frame.buffer;
    this.port.postMessage({ pcm, at: end - n / this.rate, level: Math.sqrt(this.squares / n) }, [pcm]);
    this.frame = new Int16Array(n);
    this.filled = 0;
    this.squares = 0;
  }
}

// The agent's voice: numbered pieces of int16 at `rate`, played in order.
//
// It begins when `lead` seconds wait, or when the first sample has waited that long; an empty buffer
// begins anew. It reports which sample went out when: at a beginning, every `report` seconds, and
// when it is cleared.
class Playout extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate, lead, report } }) {
    super();
    this.resampler = new Resampler(rate, sampleRate);
    this.ratio = rate / sampleRate;
    this.lead = lead * sampleRate;
    this.report = report * sampleRate;
    this.fade = new Float32Array(0); // the last samples before a clear, faded: no click
    this.clear();
    this.port.onmessage = ({ data }) => this.take(data);
  }

  clear() {
    this.pieces = []; // {samples at the context's rate, number of the first source sample}
    this.offset = 0; // into the first piece
    this.waiting = 0; // samples in all pieces
    this.playing = false;
    this.waited = 0;
    this.since = Infinity; // samples since the last report
    this.resampler.reset();
  }

  take({ pcm, first, clear }) {
    if (clear !== undefined) {
      this.fade = this.read(Math.min(this.waiting, Math.round(0.004 * sampleRate)), true);
      this.fade = this.fade.map((v, i) => v * (1 - i / this.fade.length));
      this.clear();
      this.port.postMessage({ cleared: clear, at: currentTime + this.fade.length / sampleRate });
      return;
    }
    const source = new Int16Array(pcm);
    const input = new Float32Array(source.length);
    for (let i = 0; i < source.length; i++) input[i] = source[i] / 32768;
    const samples = this.resampler.process(input);
    this.pieces.push({ samples, first });
    this.waiting += samples.length;
  }

  read(count, only_playing) {
    const out = new Float32Array(count);
    if (only_playing && !this.playing) return out.subarray(0, 0);
    let done = 0;
    while (done < count && this.pieces.length) {
      const { samples } = this.pieces[0];
      const n = Math.min(count - done, samples.length - this.offset);
      out.set(samples.subarray(this.offset, this.offset + n), done);
      done += n;
      this.offset += n;
      if (this.offset === samples.length) {
        this.pieces.shift();
        this.offset = 0;
      }
    }
    this.waiting -= done;
    return out;
  }

  process(_, [[left, ...others]]) {
    if (!this.playing && this.waiting) {
      this.waited += left.length;
      this.playing = this.waiting >= this.lead || this.waited >= this.lead;
    }
    if (this.playing) {
      while (this.pieces.length && this.pieces[0].samples.length === 0) this.pieces.shift();
      if (this.since >= this.report && this.pieces.length) {
        const number = Math.round(this.pieces[0].first + this.offset * this.ratio);
        this.port.postMessage({ number, at: currentTime });
        this.since = 0;
      }
      this.since += left.length;
      left.set(this.read(left.length, true));
      if (!this.waiting) {
        this.playing = false;
        this.waited = 0;
        this.since = Infinity;
      }
    } else if (this.fade.length) {
      left.set(this.fade.subarray(0, left.length));
      this.fade = this.fade.subarray(Math.min(left.length, this.fade.length));
    }
    for (const channel of others) channel.set(left);
    return true;
  }
}

registerProcessor("piopiy-capture", Capture);
registerProcessor("piopiy-playout", Playout);
