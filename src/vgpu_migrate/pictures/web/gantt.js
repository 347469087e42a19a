// Bars over time, a row per host: who leaves, who comes, what is done to the host.

const view = { from: 0, to: span };
const BAR = 14, PAD = 4, DENSE = 16, MANY_ROWS = 40;
let is_dense = false;
const packed = hosts.name.map((_, host) => packHost(host));

// The steps of a host in lanes: those that leave, those that come, work on it; no two of a lane overlap.
function packHost(host) {
  const kinds = [[], [], []];
  for (const step of stepsOfHost[host]) {
    const kind = steps.op[step] >= UPGRADE ? 2 : steps.source[step] === host ? 0 : 1;
    const lanes = kinds[kind];
    let lane = lanes.find((other) => steps.end[other[other.length - 1]] <= steps.start[step]);
    if (!lane) lanes.push(lane = []);
    lane.push(step);
  }
  return kinds.flatMap((lanes, kind) => lanes.map((lane) => [kind, lane]));
}
function ganttHeight(host) {
  if (is_dense) return DENSE;
  return Math.max(2 * PAD + packed[host].length * BAR, 2 * PAD + 28);
}

// The time axis ends a little before the edge, so that what is done last is seen.
function plotWidth(width) { return width - gutter(width) - 10; }
function xOf(time, width) { return gutter(width) + (time - view.from) / (view.to - view.from) * plotWidth(width); }
function timeAt(x, width) { return view.from + (x - gutter(width)) / plotWidth(width) * (view.to - view.from); }

const gantt = new Lanes(byId("lanes"), {
  draw: drawHost,
  pick(host, x, y, width) {
    const lanes = is_dense ? packed[host] : packed[host].slice(Math.max(0, Math.floor((y - PAD) / BAR))).slice(0, 1);
    const slack = 4 / plotWidth(width) * (view.to - view.from), time = timeAt(x, width);
    const step = x > gutter(width) ? lanes.map((lane) => nearestStep(lane[1], time, slack)).find((found) => found !== undefined) : undefined;
    if (step === undefined) select({ host }); else if (steps.vm[step] >= 0) select({ vm: steps.vm[step], host, step }); else select({ host, step });
  },
  key(event, host) {
    const wide = view.to - view.from;
    if (event.key === "ArrowLeft") moveView(-wide / 8);
    else if (event.key === "ArrowRight") moveView(wide / 8);
    else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "Enter" && host !== null) select({ host });
    else return false;
    return true;
  },
  said: (host) => host === null ? "Steps of each host over time" : `${hosts.name[host]}: ${counted(stepsOfHost[host].length, "step")}. Enter tells them.`,
});
gantt.after = drawCursor;

function nearestStep(lane, time, slack) {
  return lane.find((step) => steps.start[step] - slack <= time && time <= steps.end[step] + slack);
}

function drawHost(context, host, y, high, width) {
  if (is_dense) { drawDense(context, host, y, width); return; }
  const left = gutter(width);
  drawName(context, host, y + PAD - 2, width, hosts.domain[host]);
  packed[host].forEach(([kind, lane], number_) => {
    const top = y + PAD + number_ * BAR;
    if (!number_ || packed[host][number_ - 1][0] !== kind) {
      context.font = font(10);
      context.fillStyle = paint.colour.weak;
      context.textAlign = "right";
      context.fillText(["out", "in", "work"][kind], left - 6, top + BAR / 2);
      context.textAlign = "left";
    }
    context.save();
    context.beginPath();
    context.rect(left, y, width - left, high);
    context.clip();
    let drawn = -1;
    for (let at = firstFrom(lane, view.from); at < lane.length && steps.start[lane[at]] <= view.to; at++) {
      drawn = drawBar(context, lane[at], host, top, width, drawn);
    }
    context.restore();
  });
  context.fillStyle = paint.colour.line;
  context.fillRect(0, y + high - 1, width, 1);
}
// One line: work over its whole height, who leaves above, who comes below.
function drawDense(context, host, y, width) {
  const left = gutter(width);
  context.font = font(11);
  context.fillStyle = stuckOfHost.has(host) ? paint.colour.bad : paint.colour.text;
  context.fillText(fitted(context, `${stuckOfHost.has(host) ? "▲ " : ""}${say(hosts.name[host])}`, left - 14), 8, y + DENSE / 2);
  context.save();
  context.beginPath();
  context.rect(left, y, width - left, DENSE);
  context.clip();
  for (const [kind, lane] of packed[host].toReversed()) {
    let drawn = -1;
    for (let at = firstFrom(lane, view.from); at < lane.length && steps.start[lane[at]] <= view.to; at++) {
      const step = lane[at], op = steps.op[step], from = Math.floor(xOf(steps.start[step], width)), to = xOf(steps.end[step], width);
      if (op >= PIN) { drawPin(context, op, from, y + (DENSE - BAR) / 2); continue; }
      const is_chosen = selection.step === step || (selection.vm !== undefined && steps.vm[step] === selection.vm);
      if (to < drawn + 0.5 && !is_chosen) continue;
      const top = kind === 2 ? y + 3 : kind ? y + DENSE / 2 : y + 1, high = kind === 2 ? DENSE - 6 : DENSE / 2 - 1;
      context.fillStyle = is_chosen ? paint.colour.cursor : wayFill(context, op);
      context.fillRect(from, top, Math.max(Math.floor(to) - from, 1), high);
      drawn = to;
    }
  }
  context.restore();
}
function firstFrom(lane, time) {
  let low = 0, high = lane.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps.end[lane[middle]] < time) low = middle + 1; else high = middle;
  }
  return low;
}

function drawBar(context, step, host, top, width, drawn) {
  const op = steps.op[step], from = Math.floor(xOf(steps.start[step], width)), to = xOf(steps.end[step], width);
  const is_chosen = selection.step === step || (selection.vm !== undefined && steps.vm[step] === selection.vm);
  if (op >= PIN) {
    drawPin(context, op, from, top, steps.words[step]);
    return to;
  }
  // Many bars on one pixel are one bar.
  if (to < drawn + 0.5 && !is_chosen) return drawn;
  const wide = Math.max(Math.floor(to) - from - 1, 2);
  context.fillStyle = wayFill(context, op);
  context.fillRect(from, top + 1, wide, BAR - 2);
  if (is_chosen) {
    context.strokeStyle = paint.colour.text;
    context.lineWidth = 2;
    context.strokeRect(from, top + 1, wide, BAR - 2);
  }
  const at = Math.max(from, gutter(width)) + 4, room = Math.min(to, width) - at - 3;
  if (room < 14) return to;
  context.font = font(10.5);
  const words = barWords(step, host).map(say).find((each) => context.measureText(each).width <= room);
  if (words) {
    if (HATCHES[op]) {
      context.fillStyle = paint.colour[WAY_COLOURS[op]];
      context.fillRect(at - 2, top + 2, context.measureText(words).width + 4, BAR - 4);
    }
    context.fillStyle = wayInk(op);
    context.fillText(words, at, top + BAR / 2 + 0.5);
  }
  return to;
}
// What a bar may say, the longest first: names are never cut.
function barWords(step, host) {
  if (steps.op[step] === UPGRADE) return [`${steps.words[step]} · wave ${steps.wave[step]}`, steps.words[step]];
  const vm = vms.name[steps.vm[step]], is_out = steps.source[step] === host;
  return [is_out ? `${vm} → ${hosts.name[steps.target[step]]}` : `${vm} ← ${hosts.name[steps.source[step]]}`, vm];
}
function drawPin(context, op, x, top, words) {
  const middle = top + BAR / 2;
  context.beginPath();
  context.moveTo(x, middle - 6); context.lineTo(x + 6, middle); context.lineTo(x, middle + 6); context.lineTo(x - 6, middle); context.closePath();
  context.fillStyle = op === PIN ? paint.colour.pin : paint.colour.page;
  context.strokeStyle = paint.colour.pin;
  context.lineWidth = 2;
  context.fill(); context.stroke();
}

function drawCursor(context, width, height) {
  const x = xOf(Math.max(clock.time, 0), width);
  if (x < gutter(width) || x > width) return;
  context.fillStyle = paint.colour.cursor;
  context.fillRect(x - 0.75, 0, 1.5, height);
}

const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200];
function drawAxis() {
  // As wide as the lanes are beside their scroll bar.
  const canvas = byId("axis"), width = gantt.box.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  const context = sharp(canvas, canvas.clientWidth, height);
  context.clearRect(0, 0, canvas.clientWidth, height);
  const room = Math.max(2, plotWidth(width) / 90);
  const tick = TICKS.find((each) => (view.to - view.from) / each <= room) || (view.to - view.from) / room;
  context.font = font(11);
  for (let time = Math.ceil(view.from / tick) * tick; time <= view.to; time += tick) {
    const x = xOf(time, width);
    context.fillStyle = paint.colour.line;
    context.fillRect(x, 0, 1, height);
    context.fillStyle = paint.colour.weak;
    const text = time === 0 ? "0" : duration(time).replace(".0 s", " s");
    if (x + context.measureText(text).width + 4 < width) context.fillText(text, x + 4, height / 2);
  }
  context.fillStyle = paint.colour.text;
  context.fillText("host", 8, height / 2);
  drawCursor(context, width, height);
}

// How many migrations run and how many hosts are worked on, over the whole plan.
let activity = null;
function activityOver(bins) {
  const found = [new Float32Array(bins), new Float32Array(bins)];
  for (let step = 0; step < stepCount; step++) {
    const which = steps.op[step] === UPGRADE ? 1 : 0;
    if (steps.op[step] >= PIN) continue;
    const from = steps.start[step] / span * bins, to = Math.max(steps.end[step] / span * bins, from);
    for (let bin = Math.floor(from); bin <= Math.min(bins - 1, Math.floor(to)); bin++) {
      found[which][bin] += Math.max(0, Math.min(to, bin + 1) - Math.max(from, bin));
    }
  }
  return found.map((values, which) => ({ values, most: values.reduce((a, b) => Math.max(a, b), 0), peak: peakOf(which === 1) }));
}
function peakOf(of_upgrades) {
  const events = [];
  for (let step = 0; step < stepCount; step++) {
    if (steps.op[step] >= PIN || (steps.op[step] === UPGRADE) !== of_upgrades) continue;
    events.push([steps.start[step], 1], [steps.end[step], -1]);
  }
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let now = 0, peak = 0;
  for (const [, change] of events) peak = Math.max(peak, now += change);
  return peak;
}
function drawOverview() {
  const canvas = byId("overview"), width = gantt.box.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  const context = sharp(canvas, canvas.clientWidth, height), left = gutter(width), bins = Math.max(1, Math.floor(plotWidth(width)));
  if (!activity || activity[0].values.length !== bins) activity = activityOver(bins);
  context.clearRect(0, 0, canvas.clientWidth, height);
  const shown = activity.map((one, which) => [one, which]).filter(([one]) => one.most > 0);
  const high = height / Math.max(shown.length, 1);
  shown.forEach(([{ values, most, peak }, which], row) => {
    const bottom = (row + 1) * high - 1;
    context.fillStyle = which ? paint.colour.upgrade : paint.colour.live;
    values.forEach((value, bin) => { const tall = value / most * (high - 5); if (tall > 0) context.fillRect(left + bin, bottom - tall, 1, tall); });
    context.fillStyle = paint.colour.line;
    context.fillRect(left, bottom, plotWidth(width), 1);
    context.fillStyle = paint.colour.text;
    context.font = font(11, 600);
    context.fillText(fitted(context, which ? "upgrades" : "migrations", left - 12), 8, bottom - high / 2 - 7);
    context.font = font(10.5);
    context.fillStyle = paint.colour.weak;
    context.fillText(fitted(context, `at once, to ${number(peak)}`, left - 12), 8, bottom - high / 2 + 7);
  });
  const at = (time) => left + time / span * plotWidth(width);
  context.fillStyle = paint.colour.focus;
  context.globalAlpha = 0.13;
  if (view.from > 0 || view.to < span) context.fillRect(at(view.from), 0, Math.max(2, at(view.to) - at(view.from)), height);
  context.globalAlpha = 1;
  context.fillStyle = paint.colour.cursor;
  context.fillRect(at(Math.max(0, clock.time)) - 0.75, 0, 1.5, height);
}

function drawTimes() { gantt.later(); drawAxis(); drawOverview(); }
function setView(from, to) {
  const wide = Math.min(Math.max(to - from, Math.min(span, 1)), span);
  view.from = Math.min(Math.max(from, 0), span - wide);
  view.to = view.from + wide;
  drawTimes();
}
function moveView(by) { setView(view.from + by, view.to + by); }
function zoom(factor, around) {
  const middle = around ?? (view.from + view.to) / 2;
  setView(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
}
function showTime(from, to) {
  if (from >= view.from && to <= view.to) return;
  const wide = view.to - view.from;
  setView((from + to - wide) / 2, (from + to + wide) / 2);
}

function wireGantt() {
  const box = gantt.box;
  let drag = null;
  gantt.canvas.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, from: view.from, to: view.to }; });
  window.addEventListener("pointermove", (event) => {
    if (!drag || !(event.buttons & 1)) { drag = null; return; }
    const moved = (event.clientX - drag.x) / plotWidth(box.clientWidth) * (view.to - view.from);
    if (Math.abs(event.clientX - drag.x) > 3) setView(drag.from - moved, drag.to - moved);
  });
  box.addEventListener("wheel", (event) => {
    const width = box.clientWidth;
    if (event.ctrlKey || event.metaKey) zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event.clientX - box.getBoundingClientRect().left, width));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) moveView((event.deltaX || event.deltaY) / width * (view.to - view.from));
    else return;
    event.preventDefault();
  }, { passive: false });
  byId("axis").addEventListener("click", (event) => setTime(timeAt(event.offsetX, gantt.box.clientWidth)));
  byId("overview").addEventListener("click", (event) => {
    const width = gantt.box.clientWidth, left = gutter(width);
    const time = Math.max(0, (event.offsetX - left) / plotWidth(width) * span);
    setTime(time);
    showTime(time, time);
  });
  byId("rows").addEventListener("change", (event) => {
    is_dense = event.target.value === "dense";
    gantt.set(gantt.rows, gantt.rows.map(ganttHeight));
    if (gantt.chosen !== null) gantt.show(gantt.chosen);
  });
  byId("zoom-in").addEventListener("click", () => zoom(0.5));
  byId("zoom-out").addEventListener("click", () => zoom(2));
  byId("zoom-all").addEventListener("click", () => setView(0, span));
  new ResizeObserver(drawTimes).observe(box);
}
