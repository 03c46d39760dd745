// Boxes and points over the picture, and the same in words for who does not see them.

const canvas = document.querySelector("#overlay");
const GOOD = "#4be08a";
const BAD = "#ffb340";

export function clear() {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

export function draw(found, mirrored) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  canvas.width = clientWidth * ratio;
  canvas.height = clientHeight * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const sx = clientWidth / found.width;
  const sy = clientHeight / found.height;
  const place = (x) => (mirrored ? clientWidth - x * sx : x * sx);
  const passed = found.gates.every((gate) => gate.passed);
  for (const face of found.faces) {
    const [x1, y1, x2, y2] = face.box;
    const left = Math.min(place(x1), place(x2));
    context.lineWidth = 3;
    context.strokeStyle = passed ? GOOD : BAD;
    context.strokeRect(left, y1 * sy, (x2 - x1) * sx, (y2 - y1) * sy);
    context.fillStyle = passed ? GOOD : BAD;
    for (const [x, y] of face.points ?? []) {
      context.beginPath();
      context.arc(place(x), y * sy, 3, 0, 2 * Math.PI);
      context.fill();
    }
    label(context, caption(face), left, y1 * sy, clientWidth);
  }
  canvas.setAttribute("aria-label", words(found));
}

export function words(found) {
  const count = found.faces.length;
  const faces = count === 0 ? "No face" : count === 1 ? "One face" : `${count} faces`;
  const failed = found.gates.filter((gate) => !gate.passed).map((gate) => gate.gate);
  if (!found.gates.length) return `${faces}.`;
  return failed.length ? `${faces}; not through: ${failed.join(", ")}.` : `${faces}; through every gate.`;
}

function caption(face) {
  const score = face.score.toFixed(2);
  return face.gender ? `${score} · ${face.gender.label} ${face.gender.confidence.toFixed(2)}` : score;
}

function label(context, text, left, top, limit) {
  context.font = "600 13px system-ui, sans-serif";
  const width = context.measureText(text).width + 10;
  const x = Math.max(0, Math.min(left - 1.5, limit - width));
  const y = top >= 20 ? top - 20 : top;
  context.fillRect(x, y, width, 20);
  context.fillStyle = "#10231a";
  context.textBaseline = "middle";
  context.fillText(text, x + 5, y + 10.5);
}
