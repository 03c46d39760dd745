// One job in a worker of its own: a model on an engine with a number of threads. The page sends one order after the
// other and gets one answer each; a worker that is thrown away gives all its memory back.
//
// A classic worker, not a module: LiteRT.js loads its program with importScripts.
"use strict";

let engine;
let job;
let goldens;
let told = 0;

const ENGINES = { "litert.js": ["engine-litert.js", "litert/"], "onnxruntime-web": ["engine-onnx.js", "onnxruntime/"] };

const orders = {
  /** Loads the engine, then the model, and answers the golden inputs. */
  async open({ job: given, model, inputs, engines }) {
    job = given;
    goldens = inputs.map((input) => new Uint8Array(input));
    const { sha256 } = await import("./sha256.js");
    const bytes = new Uint8Array(model);
    const found = sha256(bytes);
    if (found !== job.sha256) {
      const [is, should] = [found, job.sha256].map((hash) => `${hash.slice(0, 16)}...`);
      throw Object.assign(new Error(`the model arrived changed: SHA-256 ${is}, expected ${should}`), { changed: true });
    }
    const [module, folder] = ENGINES[job.engine];
    const { load } = await import(`./${module}`);
    engine = await load(job, engines + folder);
    const start = performance.now();
    await engine.open(bytes);
    const ready = performance.now();
    const outputs = [await engine.run(goldens[0])];
    const end = performance.now();
    for (const input of goldens.slice(1)) outputs.push(await engine.run(input));
    return { cold: end - start, first: end - ready, outputs };
  },

  /** Times the model alone: a prepared tensor in, outputs out. */
  async model({ runs, warmup }) {
    return { times: await time(runs, warmup, () => engine.run(goldens[0])), memory: engine.memory(), step: step() };
  },

  /** Times the whole way from a JPEG to the outputs, and its parts. */
  async pipeline({ picture, table, runs, warmup }) {
    const { decoder, preparer } = await import("./picture.js");
    const jpeg = new Blob([picture], { type: "image/jpeg" });
    const decode = decoder(job.input.width, job.input.height);
    const prepare = preparer(job.input, new Uint8Array(table));
    const parts = { decode: [], prepare: [], run: [] };
    const times = await time(runs, warmup, async () => {
      const start = performance.now();
      const pixels = await decode(jpeg);
      const decoded = performance.now();
      const tensor = prepare(pixels);
      const prepared = performance.now();
      await engine.run(tensor);
      parts.decode.push(decoded - start);
      parts.prepare.push(prepared - decoded);
      parts.run.push(performance.now() - prepared);
    });
    const timed = Object.entries(parts).map(([name, values]) => [name, Float64Array.from(values.slice(warmup))]);
    return { times, parts: Object.fromEntries(timed) };
  },

  /** Runs for minutes; tells the times of each span of seconds as it ends. */
  async sustain({ minutes, span }) {
    const start = performance.now();
    const end = start + 60_000 * minutes;
    let now = start;
    while (now < end) {
      const until = Math.min(now + 1000 * span, end);
      const times = [];
      while (now < until) {
        await engine.run(goldens[0]);
        const after = performance.now();
        times.push(after - now);
        now = after;
        tell(`running for ${((now - start) / 1000).toFixed(0)} s`, (now - start) / (end - start));
      }
      const seconds = (now - start) / 1000;
      self.postMessage({ moment: { seconds, times: Float64Array.from(times), last: now >= end } });
    }
    return {};
  },
};

async function time(runs, warmup, call) {
  const times = new Float64Array(runs);
  for (let i = -warmup; i < runs; i += 1) {
    const start = performance.now();
    await call();
    const end = performance.now();
    if (i >= 0) times[i] = end - start;
    tell(i < 0 ? "warming up" : `run ${i + 1} of ${runs}`, Math.max(i, 0) / runs);
  }
  return times;
}

/** Says what happens, and how much of the order is done, four times a second at most. */
function tell(progress, part) {
  const now = performance.now();
  if (now - told > 250) {
    told = now;
    self.postMessage({ progress, part });
  }
}

/** The smallest step of the clock, in milliseconds: browsers make it coarse where pages are not isolated. */
function step() {
  let least = Infinity;
  for (let i = 0; i < 20; i += 1) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    least = Math.min(least, now - start);
  }
  return least;
}

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ answer: await orders[data.order](data) });
  } catch (error) {
    // Emscripten throws plain numbers and strings as well.
    self.postMessage({ error: String(error?.message ?? error).slice(0, 500), changed: error?.changed === true });
  }
};
