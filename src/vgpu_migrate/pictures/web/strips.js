// What is on each gpu at a time, as strips: slots, placement ids in GiB, GPU instances.

const STRIP = 15, CAPTION = 13, GAP = 5;
let stripView = "now";
function stripLines() { return stripView === "both" ? 2 : 1; }
function gpusInLine(width) { return width < 760 ? 4 : 8; }
function stripHeight(host) {
  const lines = Math.ceil(hosts.gpus[host] / gpusInLine(gpuLanes.box.clientWidth || 1000)) || 1;
  return 2 * PAD + Math.max(lines * (CAPTION + stripLines() * (STRIP + 1) + GAP), 28);
}

const gpuLanes = new Lanes(byId("gpus"), {
  draw: drawStrips,
  pick(host, x, y, width) {
    const found = blockAt(host, x, y, width);
    if (found === undefined) select({ host }); else select({ vm: stays.vm[found], host });
  },
  key(event, host) {
    if (event.key !== "Enter" || host === null) return false;
    select({ host });
    return true;
  },
  said: (host) => host === null ? "What is on the gpus of each host" : `${hosts.name[host]}: ${occupantsSaid(host)}. Enter tells them.`,
});

function staysAt(gpu, time) {
  const found = [];
  for (let stay = firstStay[gpu]; stay < firstStay[gpu + 1]; stay++) if (isThere(stay, time)) found.push(stay);
  return found;
}
function occupantsSaid(host) {
  let count = 0;
  for (let gpu = firstGpu[host]; gpu < firstGpu[host + 1]; gpu++) count += staysAt(gpu, clock.time).length;
  return `${counted(count, "vgpu")} on ${counted(hosts.gpus[host], "gpu")} ${momentSaid(clock.time)}`;
}

// Where each vgpu lies on a gpu's strip, as parts of its width; and the lines between.
function layOut(gpu, there) {
  const kind = gpus.kind[gpu], blocks = [], marks = [];
  if (kind === 1) {
    for (const stay of there) blocks.push([stay, stays.at[stay] / gpus.gib[gpu], types.gib[stays.type[stay]] / gpus.gib[gpu]]);
  } else if (kind === 2) {
    const slices = gpus.mig[gpu], sum = slices.reduce((a, b) => a + b, 0) || 1, starts = [0];
    for (const each of slices) starts.push(starts[starts.length - 1] + each);
    for (const start of starts.slice(1, -1)) marks.push(start / sum);
    for (const stay of there) {
      const at = Math.min(stays.at[stay], slices.length - 1);
      const same = Math.max(1, ...there.filter((other) => stays.at[other] === stays.at[stay]).map((other) => stays.part[other] + 1));
      const wide = slices[at] / sum / same;
      blocks.push([stay, starts[at] / sum + stays.part[stay] * wide, wide]);
    }
  } else {
    const most = Math.max(...there.map((stay) => Math.max(types.most[stays.type[stay]], stays.at[stay] + 1)), 1);
    for (const stay of there) blocks.push([stay, stays.at[stay] / most, 1 / most]);
    if (there.length) for (let slot = 1; slot < most; slot++) marks.push(slot / most);
  }
  return { blocks, marks };
}
function captionOf(gpu, there) {
  const kind = gpus.kind[gpu], name = gpus.board[gpu];
  if (kind === 3) return `${name}, no vGPU`;
  if (kind === 1) return `${name} mixed ${there.reduce((sum, stay) => sum + types.gib[stays.type[stay]], 0)}/${gpus.gib[gpu]} GiB`;
  if (kind === 2) return `${name} MIG ${gpus.mig[gpu].join("+")}`;
  const found = new Set(there.map((stay) => stays.type[stay]));
  if (!found.size) return `${name} empty`;
  if (found.size > 1) return `${name} ${found.size} types`;
  const type = [...found][0];
  return `${types.name[type]} ${there.length}/${types.most[type]}`;
}

function gpuPlace(host, number_, y, width) {
  const left = gutter(width), inLine = gpusInLine(width), wide = (width - left - 6) / inLine;
  const line = Math.floor(number_ / inLine);
  return [left + (number_ % inLine) * wide, y + PAD + line * (CAPTION + stripLines() * (STRIP + 1) + GAP), wide - 8];
}
function drawStrips(context, host, y, high, width) {
  drawName(context, host, y + PAD - 2, width, driverAt(host, clock.time));
  for (let gpu = firstGpu[host]; gpu < firstGpu[host + 1]; gpu++) {
    const [x, top, wide] = gpuPlace(host, gpu - firstGpu[host], y, width);
    const now = staysAt(gpu, clock.time);
    context.font = font(10.5);
    context.fillStyle = paint.colour.weak;
    context.fillText(fitted(context, say(captionOf(gpu, now)), wide), x, top + CAPTION / 2);
    if (stripView === "both") drawStrip(context, gpu, staysAt(gpu, BEFORE), BEFORE, x, top + CAPTION, wide);
    drawStrip(context, gpu, now, clock.time, x, top + CAPTION + (stripLines() - 1) * (STRIP + 1), wide);
  }
  context.fillStyle = paint.colour.line;
  context.fillRect(0, y + high - 1, width, 1);
}
function drawStrip(context, gpu, there, time, x, y, wide) {
  const { blocks, marks } = layOut(gpu, there);
  context.fillStyle = paint.colour.page;
  context.fillRect(x, y, wide, STRIP);
  for (const [stay, from, part] of blocks) drawBlock(context, stay, time, x + from * wide, y, part * wide);
  context.fillStyle = paint.colour.line;
  for (const mark of marks) context.fillRect(Math.round(x + mark * wide), y, gpus.kind[gpu] === 2 ? 3 : 1, STRIP);
  context.strokeStyle = paint.colour.line;
  context.lineWidth = 1;
  context.strokeRect(Math.round(x) + 0.5, Math.round(y) + 0.5, Math.round(wide) - 1, STRIP - 1);
}
function drawBlock(context, stay, time, x, y, wide) {
  const level = sizeLevel(types.gib[stays.type[stay]]), colour = paint.colour[`size-${level}`], ink = sizeInk(level);
  const hatch = isLeaving(stay, time) ? "back" : isArriving(stay, time) ? "slant" : "";
  context.fillStyle = hatch ? hatched(context, colour, hatch, paint.colour.text) : colour;
  context.fillRect(x, y, Math.max(wide - 1, 1), STRIP);
  if (wide > 17 && !hatch) {
    context.font = font(10);
    context.fillStyle = ink;
    const shown = fitted(context, types.name[stays.type[stay]].split("-").slice(-1)[0], wide - 3);
    if (!shown.endsWith("…")) context.fillText(shown, x + 3, y + STRIP / 2 + 0.5);
  }
  if (stays.vm[stay] === selection.vm) {
    context.strokeStyle = paint.colour.cursor;
    context.lineWidth = 2.5;
    context.strokeRect(x + 1, y + 1, Math.max(wide - 3, 1), STRIP - 2);
  }
}
function blockAt(host, x, y, width) {
  for (let gpu = firstGpu[host]; gpu < firstGpu[host + 1]; gpu++) {
    const [left, top, wide] = gpuPlace(host, gpu - firstGpu[host], 0, width);
    for (let line = 0; line < stripLines(); line++) {
      const time = stripView === "both" && line === 0 ? BEFORE : clock.time, from = top + CAPTION + line * (STRIP + 1);
      if (y < from || y > from + STRIP || x < left || x > left + wide) continue;
      const hit = layOut(gpu, staysAt(gpu, time)).blocks.find(([, at, part]) => at * wide <= x - left && x - left < (at + part) * wide);
      if (hit) return hit[0];
    }
  }
  return undefined;
}
function driverAt(host, time) {
  let driver = hosts.driver[host];
  for (const step of stepsOfHost[host]) {
    if (steps.op[step] === UPGRADE && steps.start[step] <= time) driver = steps.end[step] <= time ? steps.words[step] : `to ${steps.words[step]}`;
  }
  return driver;
}

function setStripRows() { gpuLanes.set(gpuLanes.rows, gpuLanes.rows.map(stripHeight)); }
function wireStrips() {
  byId("strip-view").addEventListener("change", (event) => { stripView = event.target.value; setStripRows(); });
  new ResizeObserver(setStripRows).observe(byId("gpus"));
}
