// Colours of the theme, patterns for those who do not see them, and canvases that are sharp.

const paint = { colour: {}, patterns: {} };
const WAY_COLOURS = ["live", "sleep", "hibernate", "cold", "upgrade", "pin", "pin"];
const HATCHES = ["", "slant", "dots", "bars", "", "", ""];

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["page", "panel", "line", "text", "weak", "bad", "grid", "chosen", "cursor", "focus", "upgrade", "pin",
    ...WAY_COLOURS.slice(0, 4), ...["live", "sleep", "hibernate", "cold", "upgrade"].map((name) => `on-${name}`),
    ...[1, 2, 3, 4, 5, 6].map((size) => `size-${size}`)];
  for (const name of names) paint.colour[name] = style.getPropertyValue(`--${name}`).trim();
  paint.colour["on-pin"] = paint.colour["on-upgrade"];
  paint.patterns = {};
}

// A tile of a colour with a hatch over it.
function hatched(context, colour, hatch, ink) {
  const key = `${colour} ${hatch} ${ink}`;
  if (!paint.patterns[key]) {
    const tile = el("canvas", { width: 8, height: 8 });
    const pen = tile.getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = pen.fillStyle = ink;
    pen.globalAlpha = 0.38;
    pen.lineWidth = 2;
    pen.beginPath();
    if (hatch === "slant") for (const at of [-8, 0, 8]) { pen.moveTo(at, 8); pen.lineTo(at + 8, 0); }
    if (hatch === "back") for (const at of [-8, 0, 8]) { pen.moveTo(at, 0); pen.lineTo(at + 8, 8); }
    if (hatch === "bars") { pen.moveTo(0, 4); pen.lineTo(8, 4); }
    if (hatch === "dots") pen.arc(4, 4, 1.6, 0, 7);
    if (hatch === "dots") pen.fill(); else pen.stroke();
    paint.patterns[key] = context.createPattern(tile, "repeat");
  }
  return paint.patterns[key];
}
function wayFill(context, op) {
  const name = WAY_COLOURS[op], colour = paint.colour[name];
  return HATCHES[op] ? hatched(context, colour, HATCHES[op], paint.colour[`on-${name}`]) : colour;
}
function wayInk(op) { return paint.colour[`on-${WAY_COLOURS[op]}`]; }

function sizeLevel(gib) { return gib <= 1 ? 1 : gib <= 4 ? 2 : gib <= 8 ? 3 : gib <= 16 ? 4 : gib <= 24 ? 5 : 6; }
function sizeInk(level) { return document.documentElement.dataset.theme === "dark" ? (level > 3 ? "#06121c" : "#e6eaf0") : (level > 3 ? "#ffffff" : "#10202c"); }

// A context in CSS pixels, on as many real ones as the screen has.
function sharp(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const wide = Math.round(width * ratio), high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = font(11);
  context.textBaseline = "middle";
  return context;
}
function font(size, weight) { return `${weight || 400} ${size}px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif`; }

// Text that is cut to a width, with dots where it was cut.
const widths = new Map();
function fitted(context, text, width) {
  if (width < 8) return "";
  const key = `${context.font} ${text}`;
  let full = widths.get(key);
  if (full === undefined) {
    if (widths.size > 20000) widths.clear();
    full = context.measureText(text).width;
    widths.set(key, full);
  }
  if (full <= width) return text;
  const kept = Math.floor(text.length * (width - 8) / full);
  return kept < 2 ? "" : `${text.slice(0, kept)}…`;
}

function swatch(draw) {
  const canvas = el("canvas", { "aria-hidden": "true" });
  draw(sharp(canvas, 26, 15), 26, 15);
  return canvas;
}
