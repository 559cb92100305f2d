/**
 * Painted people for the demo: no camera, no photograph of anybody.
 * @module
 */

const SKINS = ["#f0c9a8", "#d9a27a", "#a86f4a", "#7a4b32", "#f3d5bd", "#c68b62"];
const HAIRS = ["#2a211d", "#5b3a26", "#8c5a32", "#1d1a1f", "#b08a5a", "#6f6a68"];
const CLOTHES = ["#2f4b57", "#57394a", "#3c5a44", "#6b4a2f", "#3a3f5c", "#7a3b34", "#51606b"];
const WALLS = ["#d9d4c7", "#c7d0cb", "#d6c9bd", "#bfc8d0", "#cfc4cc", "#d3d6c4", "#b9b2a6"];
const ACCENTS = ["#8fa89b", "#a8917a", "#7f8fa3", "#9c8496", "#94a07a"];

/** A picture that moves a little, as a camera's. */
export function paintPerson(seed: number): MediaStream {
  const canvas = document.createElement("canvas");
  canvas.width = 960;
  canvas.height = 540;
  const draw = (at: number): void => person(canvas, seed, Math.sin(at / 900 + seed) * 5);
  return animate(canvas, draw);
}

/** A screen with a document on it. */
export function paintScreen(): MediaStream {
  const canvas = document.createElement("canvas");
  canvas.width = 1600;
  canvas.height = 900;
  return animate(canvas, () => sheet(canvas));
}

function animate(canvas: HTMLCanvasElement, draw: (at: number) => void): MediaStream {
  draw(0);
  const stream = canvas.captureStream(4);
  setInterval(() => draw(performance.now()), 250);
  return stream;
}

function pick(from: readonly string[], seed: number, salt: number): string {
  return from[(seed * 7 + salt * 3 + ((seed * seed) % 5)) % from.length] ?? "#888";
}

function person(canvas: HTMLCanvasElement, seed: number, sway: number): void {
  const g = canvas.getContext("2d");
  if (g === null) return;
  const { width: w, height: h } = canvas;
  const wall = g.createLinearGradient(0, 0, w, h);
  wall.addColorStop(0, pick(WALLS, seed, 1));
  wall.addColorStop(1, pick(ACCENTS, seed, 2));
  g.fillStyle = wall;
  g.fillRect(0, 0, w, h);
  room(g, seed, w, h);

  const x = w / 2 + sway + ((seed % 3) - 1) * 22;
  const y = h * 0.47 + sway * 0.2;
  const skin = pick(SKINS, seed, 0);
  const hair = pick(HAIRS, seed, 4);
  const isLong = seed % 3 === 1;

  if (isLong) oval(g, hair, x, y + 48, 116, 158);
  const cloth = pick(CLOTHES, seed, 5);
  g.fillStyle = cloth;
  g.beginPath();
  g.moveTo(x - 250, h + 10);
  g.bezierCurveTo(x - 240, h - 110, x - 150, h - 132, x - 62, h - 152);
  g.lineTo(x + 62, h - 152);
  g.bezierCurveTo(x + 150, h - 132, x + 240, h - 110, x + 250, h + 10);
  g.fill();
  g.fillStyle = shade(skin, -18);
  g.beginPath();
  g.roundRect(x - 46, y + 60, 92, 118, 40);
  g.fill();
  g.fillStyle = shade(cloth, seed % 2 === 0 ? 150 : -25);
  g.beginPath();
  g.moveTo(x - 60, h - 154);
  g.lineTo(x, h - 86);
  g.lineTo(x + 60, h - 154);
  g.lineTo(x + 34, h - 168);
  g.lineTo(x, h - 128);
  g.lineTo(x - 34, h - 168);
  g.fill();

  oval(g, shade(skin, -10), x - 96, y + 8, 17, 27);
  oval(g, shade(skin, -10), x + 96, y + 8, 17, 27);
  oval(g, skin, x, y, 97, 122);
  g.fillStyle = hair;
  g.beginPath();
  g.moveTo(x - 104, y + (isLong ? 46 : -4));
  g.bezierCurveTo(x - 124, y - 158, x + 124, y - 158, x + 104, y + (isLong ? 46 : -4));
  g.bezierCurveTo(x + 92, y - 58, x + 40, y - 84, x + ((seed % 4) - 2) * 16, y - 74);
  g.bezierCurveTo(x - 44, y - 86, x - 92, y - 54, x - 104, y + (isLong ? 46 : -4));
  g.fill();
  face(g, seed, x, y, hair, skin);
}

function face(
  g: CanvasRenderingContext2D,
  seed: number,
  x: number,
  y: number,
  hair: string,
  skin: string,
): void {
  for (const side of [-1, 1]) {
    oval(g, "#fbf8f4", x + side * 38, y - 2, 14, 9);
    oval(g, "#2b2523", x + side * 38, y - 2, 7, 8);
    line(g, hair, 6, [x + side * 54, y - 26], [x + side * 24, y - 30]);
  }
  line(g, shade(skin, -34), 5, [x + 3, y + 4], [x + 9, y + 30], [x - 5, y + 34]);
  g.strokeStyle = "#8f4a45";
  g.lineWidth = 6;
  g.lineCap = "round";
  g.beginPath();
  g.moveTo(x - 30, y + 54);
  g.quadraticCurveTo(x, y + 82, x + 30, y + 54);
  g.stroke();
  if (seed % 4 === 2) {
    g.strokeStyle = "#3a3735";
    g.lineWidth = 5;
    for (const side of [-1, 1]) {
      g.beginPath();
      g.roundRect(x + side * 38 - 27, y - 22, 54, 42, 16);
      g.stroke();
    }
  }
}

function room(g: CanvasRenderingContext2D, seed: number, w: number, h: number): void {
  if (seed % 3 === 0) {
    g.fillStyle = "rgb(255 255 255 / 55%)";
    g.fillRect(70, 50, 190, 240);
    g.fillStyle = "rgb(190 214 222 / 80%)";
    g.fillRect(82, 62, 78, 216);
    g.fillRect(170, 62, 78, 216);
  } else if (seed % 3 === 1) {
    g.fillStyle = "rgb(60 45 35 / 45%)";
    for (const shelf of [120, 250]) {
      g.fillRect(w - 280, shelf, 220, 10);
      for (let book = 0; book < 8; book += 1) {
        g.fillStyle = pick(CLOTHES, seed + book, book);
        const tall = 52 + ((book * 13 + seed * 5) % 34);
        g.fillRect(w - 272 + book * 25, shelf - tall, 19, tall);
      }
      g.fillStyle = "rgb(60 45 35 / 45%)";
    }
  } else {
    g.fillStyle = "rgb(70 60 50 / 35%)";
    g.fillRect(90, h - 190, 60, 80);
    for (let leaf = 0; leaf < 6; leaf += 1) {
      oval(g, "#5f7d62", 120 + (leaf - 2.5) * 22, h - 250 + (leaf % 2) * 26, 14, 62);
    }
    g.fillStyle = "rgb(255 255 255 / 35%)";
    g.fillRect(w - 260, 70, 180, 130);
  }
}

function sheet(canvas: HTMLCanvasElement): void {
  const g = canvas.getContext("2d");
  if (g === null) return;
  g.fillStyle = "#f7f6f2";
  g.fillRect(0, 0, 1600, 900);
  g.fillStyle = "#0c5a4e";
  g.fillRect(0, 0, 1600, 72);
  g.fillStyle = "#fff";
  g.font = "600 30px 'Liberation Sans', sans-serif";
  g.fillText("Harbour renewal: programme and budget", 48, 47);
  g.fillStyle = "#17211d";
  g.font = "600 54px 'Liberation Sans', sans-serif";
  g.fillText("Three phases, one quay at a time", 90, 190);
  g.font = "30px 'Liberation Sans', sans-serif";
  const lines = [
    "Survey and design",
    "Quay wall, east",
    "Quay wall, west",
    "Cranes and power",
    "Handover",
  ];
  lines.forEach((text, at) => {
    const y = 300 + at * 104;
    g.fillStyle = "#38443f";
    g.fillText(text, 90, y + 38);
    g.fillStyle = "#e1e5de";
    g.beginPath();
    g.roundRect(480, y, 1030, 56, 10);
    g.fill();
    g.fillStyle = ["#0c5a4e", "#3f8577", "#7fb3a6", "#c9a24e", "#a92f1c"][at] ?? "#000";
    g.beginPath();
    g.roundRect(480 + at * 190, y, 260 + (at % 2) * 60, 56, 10);
    g.fill();
  });
}

function oval(
  g: CanvasRenderingContext2D,
  fill: string,
  x: number,
  y: number,
  rx: number,
  ry: number,
): void {
  g.fillStyle = fill;
  g.beginPath();
  g.ellipse(x, y, rx, ry, 0, 0, Math.PI * 2);
  g.fill();
}

function line(
  g: CanvasRenderingContext2D,
  stroke: string,
  width: number,
  ...points: readonly (readonly [number, number])[]
): void {
  g.strokeStyle = stroke;
  g.lineWidth = width;
  g.lineCap = "round";
  g.lineJoin = "round";
  g.beginPath();
  points.forEach(([x, y], at) => {
    if (at === 0) g.moveTo(x, y);
    else g.lineTo(x, y);
  });
  g.stroke();
}

function shade(hex: string, by: number): string {
  const value = Number.parseInt(hex.slice(1), 16);
  const part = (shift: number): number => Math.min(255, Math.max(0, ((value >> shift) & 255) + by));
  return `rgb(${part(16)} ${part(8)} ${part(0)})`;
}
