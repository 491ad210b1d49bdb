(function () {
  // What makes the calls of the page play; it does nothing to those that it has seen.
  function playCalls() {
    /* page.js */
  }
  var NOWHERE = 'This page does not have the call itself.';
  var pages = document.querySelectorAll('.piopiy-calls:not([data-ready])');
  Array.prototype.forEach.call(pages, function (page) {
    page.setAttribute('data-ready', '');
    var table = page.querySelector('.pc-table');
    var groups = Array.prototype.slice.call(table.querySelectorAll('.pc-group'));
    var rows = Array.prototype.slice.call(table.querySelectorAll('.pc-row'));
    var heads = Array.prototype.slice.call(table.querySelectorAll('thead th'));
    var flat = table.querySelector('.pc-flat');
    rows.forEach(function (row) { row.pcGroup = row.parentNode; });

    function part(tag, text, name) {
      var made = document.createElement(tag);
      made.textContent = text;
      if (name) { made.className = name; }
      return made;
    }
    // --- a row's call ----------------------------------------------------------------------
    function fill(row, inside) {
      var data = row.dataset, facts = part('div', '', 'pc-quiet');
      facts.appendChild(part('code', data.get));
      facts.appendChild(document.createTextNode(' ' + data.facts));
      inside.appendChild(facts);
      var why = row.querySelector('.pc-why').title;
      var kept = page.querySelector('.pc-sounds [data-call-of="' + data.index + '"]');
      if (why && !(kept && kept.querySelector('.pp-failure'))) { inside.appendChild(part('pre', why, 'pc-bad')); }
      if (kept) { inside.appendChild(kept); return; }
      if (data.kept !== '1') { inside.appendChild(part('div', 'The call was not kept.')); return; }
      var place = part('div', page.dataset.nowhere || NOWHERE);
      inside.appendChild(place);
      var wanted = new CustomEvent('piopiy-call-wanted', { bubbles: true, cancelable: true, detail: {
        batch: page.dataset.batch, index: +data.index,
        take: function (html, refused) {
          place.textContent = refused || '';
          row.pcAgain = !html;
          if (!html) { return; }
          place.innerHTML = html;
          playCalls();
        }
      } });
      if (!page.dispatchEvent(wanted)) { place.textContent = 'The kernel is asked for it …'; }
    }
    function show(row) {
      var button = row.querySelector('button'), open = button.getAttribute('aria-expanded') === 'true';
      button.setAttribute('aria-expanded', String(!open));
      if (!row.pcCall) {
        row.pcCall = part('tr', '', 'pc-call');
        var cell = part('td', ''), inside = part('div', '', 'pc-inside');
        cell.colSpan = heads.length;
        cell.appendChild(inside);
        row.pcCall.appendChild(cell);
        fill(row, inside);
      }
      if (open) {
        var audio = row.pcCall.querySelector('audio');
        if (audio) { audio.pause(); }
        row.pcCall.remove();
        if (row.pcAgain) { row.pcCall = null; }
      } else {
        row.after(row.pcCall);
        playCalls();
      }
    }
    // Whether somebody marks a piece of a row's text, to copy it.
    function marking(row) {
      var marked = getSelection();
      return marked && !marked.isCollapsed && row.contains(marked.anchorNode);
    }
    // --- folds and order -------------------------------------------------------------------
    function value(row, at, number) {
      var text = row.cells[at].textContent;
      return number ? (text === '' ? null : parseFloat(text)) : text.toLowerCase();
    }
    function put(row, body) {
      body.appendChild(row);
      if (row.pcCall && row.pcCall.isConnected) { row.after(row.pcCall); }
    }
    function sort(at) {
      var head = heads[at], number = head.classList.contains('pc-n');
      var first = number ? 'descending' : 'ascending', second = number ? 'ascending' : 'descending';
      var now = head.getAttribute('aria-sort');
      var next = now === first ? second : now === second ? null : first;
      heads.forEach(function (one) { one.removeAttribute('aria-sort'); });
      if (next) { head.setAttribute('aria-sort', next); }
      groups.forEach(function (group) { group.hidden = !!next; });
      var order = rows.slice();
      if (next) {
        order.sort(function (a, b) {
          var x = value(a, at, number), y = value(b, at, number);
          if (x === null || y === null) { return (x === null) - (y === null); }
          var less = number ? x - y : x.localeCompare(y, undefined, { numeric: true });
          return next === 'ascending' ? less : -less;
        });
      }
      order.forEach(function (row) { put(row, next ? flat : row.pcGroup); });
      groups.forEach(function (group) {
        var more = group.querySelector('.pc-more');
        if (more) { group.appendChild(more); }
      });
    }
    page.addEventListener('click', function (event) {
      var head = event.target.closest('thead th'), fold = event.target.closest('.pc-head');
      var row = event.target.closest('.pc-row');
      if (head && table.contains(head)) {
        sort(heads.indexOf(head));
      } else if (fold) {
        var folded = fold.parentNode.classList.toggle('pc-folded');
        fold.querySelector('button').setAttribute('aria-expanded', String(!folded));
      } else if (row && !marking(row)) {
        show(row);
      }
    });
    page.addEventListener('keydown', function (event) {
      var step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      var all = Array.prototype.filter.call(
        table.querySelectorAll('.pc-head button, .pc-row button'),
        function (button) { return button.offsetParent !== null; });
      var at = all.indexOf(event.target);
      if (step && at >= 0) {
        if (all[at + step]) { all[at + step].focus(); }
        event.preventDefault();
      }
      if (event.key === 'Escape' || ((event.ctrlKey || event.altKey || event.metaKey) && event.key !== 'Enter')) { return; }
      event.stopPropagation();
    });
    ['keypress', 'keyup'].forEach(function (kind) {
      page.addEventListener(kind, function (event) { event.stopPropagation(); });
    });
  });
  playCalls();
})();
