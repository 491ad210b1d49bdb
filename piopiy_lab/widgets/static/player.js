// Plays an ended call's recording in step with the plot and the transcript.

class Player {
  constructor(store) {
    this.store = store;
    this.audio = h("audio", { controls: true, preload: "auto" });
    this.until = null;
    this.pending = null;
    this.el = h("div", { class: "pl-player", hidden: true }, this.audio);
    for (const name of ["play", "pause", "seeked", "timeupdate", "ended"]) {
      this.audio.addEventListener(name, () => this.follow());
    }
  }
  // While the call runs there is no player: a turn is asked for, and played.
  get live() { return this.store.live && this.store.state === "listening" && this.store.outline.length > 0; }
  get available() { return this.store.state === "ended" && this.store.hasSound; }
  update() {
    if (this.available && this.el.hidden) {
      this.el.hidden = false;
      this.store.send({ kind: "sound" });
    }
    if (this.store.clip) {
      if (this.playing) this.playing.pause();
      this.playing = new Audio(this.store.clip);
      this.store.clip = null;
      this.playing.play().catch(() => {});  // as below
    }
    if (this.store.sound && !this.audio.src) {
      this.audio.src = this.store.sound;
      if (this.pending) { const [from, to] = this.pending; this.pending = null; this.play(from, to); }
    }
  }
  play(from, to = null) {
    if (this.live) this.store.send({ kind: "clip", from, to: to === null ? this.store.now : to });
    if (!this.available) return;
    if (!this.audio.src) { this.pending = [from, to]; return; }
    this.until = to;
    this.audio.currentTime = from;
    this.audio.play().catch(() => {});  // a page may forbid sound until it is clicked; it was not
    this.follow();
  }
  follow() {
    cancelAnimationFrame(this.frame);
    const now = this.audio.currentTime;
    if (this.until !== null && now >= this.until && !this.audio.paused) {
      this.until = null;
      this.audio.pause();
    }
    this.store.selected = now;
    this.store.tell({ kind: "playing" });
    if (!this.audio.paused) this.frame = requestAnimationFrame(() => this.follow());
  }
}
