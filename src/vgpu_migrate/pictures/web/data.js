"use strict";
// The data of the page, the indexes over them, and how they are said.

const plan = JSON.parse(document.getElementById("data").textContent);
const { hosts, gpus, types, vms, stays, steps } = plan;
const WAYS = ["live", "sleep", "hibernate", "cold", "upgrade", "pin", "lift pin"];
const UPGRADE = 4, PIN = 5, LIFT = 6;
const STATES = [[8, "live", "L"], [4, "sleep", "S"], [2, "hibernate", "H"], [1, "cold", "C"]];
const hostCount = hosts.name.length, stepCount = steps.id.length;

const firstGpu = new Int32Array(hostCount + 1);
hosts.gpus.forEach((count, host) => { firstGpu[host + 1] = firstGpu[host] + count; });
const hostOfGpu = new Int32Array(gpus.name.length);
for (let host = 0; host < hostCount; host++) hostOfGpu.fill(host, firstGpu[host], firstGpu[host + 1]);

const firstStay = new Int32Array(gpus.name.length + 1);
for (const gpu of stays.gpu) firstStay[gpu + 1]++;
for (let gpu = 0; gpu < gpus.name.length; gpu++) firstStay[gpu + 1] += firstStay[gpu];

const stepsOfHost = Array.from({ length: hostCount }, () => []);
const stepsOfVm = new Map();
const staysOfVm = new Map();
let lastEnd = 0;
for (let step = 0; step < stepCount; step++) {
  stepsOfHost[steps.source[step]].push(step);
  if (steps.target[step] !== steps.source[step]) stepsOfHost[steps.target[step]].push(step);
  if (steps.vm[step] >= 0) push(stepsOfVm, steps.vm[step], step);
  lastEnd = Math.max(lastEnd, steps.end[step]);
}
stays.vm.forEach((vm, stay) => push(staysOfVm, vm, stay));
for (const list of [...stepsOfHost, ...stepsOfVm.values()]) list.sort((a, b) => steps.start[a] - steps.start[b] || a - b);
const span = Math.max(lastEnd, 1);

const hostNumber = new Map(hosts.name.map((name, host) => [name, host]));
const vmNumber = new Map(vms.name.map((name, vm) => [name, vm]));
const stuckOfHost = new Map();
plan.stuck.forEach((row, number) => { if (hostNumber.has(row[1])) push(stuckOfHost, hostNumber.get(row[1]), number); });

function push(map, key, value) {
  const list = map.get(key);
  if (list) list.push(value); else map.set(key, [value]);
}

// A stay is there from `beginOf` on and gone at `endOf`.
function beginOf(stay) { return stays.begin[stay] < 0 ? -1 : steps.start[stays.begin[stay]]; }
function endOf(stay) {
  const step = stays.end[stay];
  if (step < 0) return Infinity;
  return steps.op[step] <= 1 ? steps.end[step] : steps.start[step];
}
function isThere(stay, time) { return beginOf(stay) <= time && time < endOf(stay); }
function isArriving(stay, time) { return stays.begin[stay] >= 0 && time < steps.end[stays.begin[stay]]; }
function isLeaving(stay, time) { return stays.end[stay] >= 0 && steps.start[stays.end[stay]] <= time; }

// "Before" is a moment of its own: steps that begin with the plan have not begun.
const BEFORE = -0.5;
const clock = { time: BEFORE };

function say(text) {
  return String(text).replace(/\p{C}/gu, (odd) => `\\u{${odd.codePointAt(0).toString(16)}}`);
}
const whole = new Intl.NumberFormat("en");
function number(value) { return whole.format(value); }
function counted(value, noun, plural) { return `${number(value)} ${value === 1 ? noun : plural || noun + "s"}`; }
function duration(seconds) {
  if (seconds < 60) return `${(Math.round(seconds * 10) / 10).toFixed(1)} s`;
  let left = Math.round(seconds);
  if (left < 3600) return left % 60 ? `${Math.floor(left / 60)} min ${left % 60} s` : `${left / 60} min`;
  left = Math.round(seconds / 60);
  if (left < 2880) return left % 60 ? `${Math.floor(left / 60)} h ${left % 60} min` : `${left / 60} h`;
  const hours = Math.round(seconds / 3600);
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}
function statesSaid(bits) {
  const there = STATES.filter(([bit]) => bits & bit).map(([, word]) => word);
  return there.length ? there.join(", ") : "no state";
}
function momentSaid(time) { return time < 0 ? "before the plan" : time >= span ? `after ${duration(lastEnd)}, at the end` : `after ${duration(time)}`; }
function stepSaid(step) {
  const op = steps.op[step], words = steps.words[step] || "";
  if (op === UPGRADE) return `upgrade ${hosts.name[steps.source[step]]} to ${words}`;
  if (op === PIN) return `pin ${hosts.name[steps.source[step]]} to ${words}`;
  if (op === LIFT) return `lift the pin of ${hosts.name[steps.source[step]]}`;
  return `${vms.name[steps.vm[step]]}: ${hosts.name[steps.source[step]]} → ${hosts.name[steps.target[step]]}, ${WAYS[op]}`;
}

// Elements are made here alone, and text is put in as text.
function el(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined) continue;
    made.append(child instanceof Node ? child : document.createTextNode(say(child)));
  }
  return made;
}
function byId(id) { return document.getElementById(id); }
function fill(id, ...children) { byId(id).replaceChildren(...children.flat()); }
