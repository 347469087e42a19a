// A long list of rows drawn on one canvas of the size of its window: only the rows in sight are drawn.

class Lanes {
  // draw(context, row, y, height, width); pick(row, x, y, width) on a click, with y inside the row.
  constructor(box, { draw, pick, key, said }) {
    Object.assign(this, { box, draw, pick, key, said });
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.space = el("div", {}, this.canvas);
    box.append(this.space);
    this.rows = [];
    this.tops = [0];
    this.chosen = null;
    this.waiting = false;
    box.addEventListener("scroll", () => this.later());
    new ResizeObserver(() => this.later()).observe(box);
    box.addEventListener("keydown", (event) => this.pressed(event));
    this.canvas.addEventListener("click", (event) => this.clicked(event));
  }

  // `rows` are hosts, `heights` their heights.
  set(rows, heights) {
    this.rows = rows;
    this.tops = [0];
    for (const height of heights) this.tops.push(this.tops[this.tops.length - 1] + height);
    this.at = new Map(rows.map((row, place) => [row, place]));
    this.later();
  }

  get total() { return this.tops[this.tops.length - 1]; }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.now(); });
  }

  placeAt(y) {
    let low = 0, high = this.rows.length;
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle] <= y) low = middle; else high = middle;
    }
    return low;
  }

  now() {
    this.space.style.height = `${Math.max(this.total, 44)}px`;
    const width = this.box.clientWidth, height = this.box.clientHeight;
    if (!width) return;
    this.canvas.style.height = `${height}px`;
    const context = sharp(this.canvas, width, height), top = this.box.scrollTop;
    context.fillStyle = paint.colour.page;
    context.fillRect(0, 0, width, height);
    if (!this.rows.length) {
      context.fillStyle = paint.colour.weak;
      context.font = font(13);
      context.fillText("No host is shown: choose other hosts above.", 14, 24);
    }
    for (let place = this.placeAt(top); place < this.rows.length && this.tops[place] < top + height; place++) {
      const y = this.tops[place] - top, high = this.tops[place + 1] - this.tops[place];
      context.fillStyle = this.rows[place] === this.chosen ? paint.colour.chosen : place % 2 ? paint.colour.page : paint.colour.panel;
      context.fillRect(0, y, width, high);
      this.draw(context, this.rows[place], y, high, width);
    }
    this.box.dataset.drawn = String(Number(this.box.dataset.drawn || 0) + 1);
    if (this.after) this.after(context, width, height);
  }

  choose(row) {
    this.chosen = row;
    this.box.setAttribute("aria-label", say(this.said(row)));
    if (row !== null && document.activeElement === this.box) byId("told").textContent = say(this.said(row));
    this.later();
  }

  show(row) {
    const place = this.at.get(row);
    if (place === undefined) return;
    this.space.style.height = `${Math.max(this.total, 44)}px`;
    const top = this.tops[place], bottom = this.tops[place + 1];
    if (top < this.box.scrollTop || bottom > this.box.scrollTop + this.box.clientHeight) {
      this.box.scrollTop = Math.max(0, top - this.box.clientHeight / 3);
    }
    this.later();
  }

  clicked(event) {
    const box = this.canvas.getBoundingClientRect();
    const y = event.clientY - box.top + this.box.scrollTop;
    if (!this.rows.length || y >= this.total) return;
    const place = this.placeAt(y);
    this.pick(this.rows[place], event.clientX - box.left, y - this.tops[place], box.width);
  }

  pressed(event) {
    const place = this.chosen === null ? -1 : this.at.get(this.chosen) ?? -1;
    const last = this.rows.length - 1;
    const goal = { ArrowDown: Math.min(place + 1, last), ArrowUp: Math.max(place - 1, 0), Home: 0, End: last,
      PageDown: Math.min(place + 10, last), PageUp: Math.max(place - 10, 0) }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (goal !== undefined && last >= 0) {
      this.choose(this.rows[goal]);
      this.show(this.rows[goal]);
    } else if (!this.key(event, this.chosen)) return;
    event.preventDefault();
  }
}

// How wide the names at the left may be.
function gutter(width) { return width < 760 ? 96 : 168; }
function drawName(context, host, y, width, second) {
  const room = gutter(width) - 44;
  context.fillStyle = paint.colour.text;
  context.font = font(12, 600);
  context.fillText(fitted(context, say(hosts.name[host]), room), 8, y + 12);
  context.font = font(10.5);
  context.fillStyle = stuckOfHost.has(host) ? paint.colour.bad : paint.colour.weak;
  const said = stuckOfHost.has(host) ? `▲ ${number(stuckOfHost.get(host).length)} stuck` : second;
  if (said) context.fillText(fitted(context, say(said), room), 8, y + 26);
}
