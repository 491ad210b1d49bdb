(function () {
  var pages = document.querySelectorAll('.piopiy-call:not([data-ready])');
  Array.prototype.forEach.call(pages, function (page) {
    var audio = page.querySelector('audio');
    page.setAttribute('data-ready', '');
    // Keys are the page's while the focus is in it, as in the panel (widgets/static/dom.js).
    ['keydown', 'keypress', 'keyup'].forEach(function (kind) {
      page.addEventListener(kind, function (event) {
        var other = event.ctrlKey || event.altKey || event.metaKey;
        if (event.key === 'Escape' || (other && event.key !== 'Enter')) { return; }
        event.stopPropagation();
      });
    });
    if (!audio) { return; }
    var picture = page.querySelector('.pp-picture');
    var head = page.querySelector('.pp-playhead');
    var targets = Array.prototype.slice.call(page.querySelectorAll('[data-s]'));
    var words = targets.filter(function (el) { return el.dataset.w; });
    var until = null, frame = 0;

    function play(from, to) {
      until = to;
      audio.currentTime = from;
      audio.play();
      follow();
    }
    function playTarget(el) {
      var turn = el.closest('li').querySelector('[data-e]');
      play(+el.dataset.s, turn ? +turn.dataset.e : null);
    }
    function follow() {
      cancelAnimationFrame(frame);
      var now = audio.currentTime;
      if (until !== null && now >= until && !audio.paused) { audio.pause(); until = null; }
      words.forEach(function (el) {
        el.classList.toggle('pp-now', now >= +el.dataset.s && now < +el.dataset.w);
      });
      if (picture && picture.dataset.x0) {
        var d = picture.dataset, part = (now - d.t0) / (d.t1 - d.t0);
        head.style.display = part >= 0 && part <= 1 ? 'block' : 'none';
        head.style.left = 100 * (+d.x0 + part * (d.x1 - d.x0)) + '%';
      }
      if (!audio.paused) { frame = requestAnimationFrame(follow); }
    }
    page.addEventListener('click', function (event) {
      var el = event.target.closest('[data-s]');
      if (el) { playTarget(el); return; }
      if (picture && picture.dataset.x0 && picture.contains(event.target)) {
        var box = picture.getBoundingClientRect(), d = picture.dataset;
        var part = ((event.clientX - box.left) / box.width - d.x0) / (d.x1 - d.x0);
        var down = (event.clientY - box.top) / box.height;
        if (part >= 0 && part <= 1 && down >= d.y0 && down <= d.y1) { play(+d.t0 + part * (d.t1 - d.t0), null); }
      }
    });
    page.addEventListener('keydown', function (event) {
      var at = targets.indexOf(event.target);
      if (at < 0) { return; }
      if (event.key === 'Enter' || event.key === ' ') {
        playTarget(event.target);
      } else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
        var next = targets[at + (event.key === 'ArrowRight' ? 1 : -1)];
        if (next) { next.focus(); }
      } else {
        return;
      }
      event.preventDefault();
    });
    ['play', 'seeked', 'timeupdate', 'pause'].forEach(function (name) {
      audio.addEventListener(name, follow);
    });
  });
})();
