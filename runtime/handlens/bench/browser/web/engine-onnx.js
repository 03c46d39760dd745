// ONNX Runtime Web behind the three functions that worker.js calls: load, open, run.

const ARRAYS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array };
// The smallest model there is (one Identity, float32 [1]): the engine loads its program with its first model only, and
// that is no part of a model's cold start.
const IDENTITY = "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0=";

/**
 * Loads the engine, once a worker.
 *
 * @param {{threads: number, accelerator: string}} job
 * @param {string} folder where the engine lies, as an address that ends in a slash
 */
export async function load(job, folder) {
  const gpu = job.accelerator === "webgpu";
  const ort = await import(`${folder}${gpu ? "ort.webgpu.min.mjs" : "ort.wasm.min.mjs"}`);
  ort.env.logLevel = "error";
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = job.threads;
  const engine = new Engine(ort, job);
  const tiny = await engine.session(Uint8Array.from(atob(IDENTITY), (c) => c.charCodeAt(0)));
  await tiny.release();
  return engine;
}

class Engine {
  constructor(ort, job) {
    this.ort = ort;
    this.job = job;
  }

  session(model) {
    return this.ort.InferenceSession.create(model, {
      executionProviders: [this.job.accelerator === "webgpu" ? "webgpu" : "wasm"],
      logSeverityLevel: 3, // its warnings are about graph clean-ups, nothing a user can act on
    });
  }

  /** Loads a model (Uint8Array), whose tensors must be those of the job. */
  async open(model) {
    this.opened = await this.session(model);
    const names = (list) => [...list].sort().join(", ");
    const found = `${names(this.opened.inputNames)} -> ${names(this.opened.outputNames)}`;
    const wanted = `${this.job.input.name} -> ${names(this.job.outputs.map((output) => output.name))}`;
    if (found !== wanted) throw new Error(`the model is ${found}; its manifest says ${wanted}`);
  }

  /** Runs the model on a tensor's bytes (Uint8Array); gives the bytes of each output, by name. */
  async run(tensor) {
    const { name, dtype, shape } = this.job.input;
    const values = new ARRAYS[dtype](tensor.buffer, tensor.byteOffset, tensor.length / ARRAYS[dtype].BYTES_PER_ELEMENT);
    const answers = await this.opened.run({ [name]: new this.ort.Tensor(dtype, values, shape) });
    const outputs = {};
    for (const spec of this.job.outputs) {
      const { data, type, dims } = answers[spec.name];
      if (type !== spec.dtype || dims.join() !== spec.shape.join()) {
        throw new Error(`tensor ${spec.name} is ${type} ${dims}; its manifest says ${spec.dtype} ${spec.shape}`);
      }
      outputs[spec.name] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    }
    return outputs;
  }

  /** Nothing here tells how much memory it has taken. */
  memory() {
    return null;
  }
}
