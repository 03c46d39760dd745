// From a JPEG's bytes to the model's input tensor. What a pixel becomes is a table that handlens computed: the page
// knows neither scales nor quantization.

const ARRAYS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array };
const ORDER = { RGB: [0, 1, 2], BGR: [2, 1, 0] };

/** A function that decodes a JPEG (Blob) of a known size to RGBA bytes. */
export function decoder(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return async (jpeg) => {
    const bitmap = await createImageBitmap(jpeg);
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return context.getImageData(0, 0, width, height).data;
  };
}

/**
 * A function from RGBA bytes to the tensor's bytes; the result is used again by the next call.
 *
 * @param input the job's: {width, height, channels, layout, colour, dtype}
 * @param {Uint8Array} table bytes of the tensor's values for each level 0..255 of each channel of the tensor in turn
 */
export function preparer(input, table) {
  const kind = ARRAYS[input.dtype];
  const values = new kind(table.buffer, table.byteOffset, 256 * input.channels);
  const pixels = input.width * input.height;
  const tensor = new kind(pixels * input.channels);
  const [step, plane] = input.layout === "NHWC" ? [input.channels, 1] : [1, pixels];
  const bytes = new Uint8Array(tensor.buffer);
  return (rgba) => {
    if (input.channels === 1) {
      for (let i = 0; i < pixels; i += 1) {
        // BT.601 luma in integers, as handlens.image.to_grey
        const luma = (19595 * rgba[4 * i] + 38470 * rgba[4 * i + 1] + 7471 * rgba[4 * i + 2] + 32768) >> 16;
        tensor[i] = values[luma];
      }
      return bytes;
    }
    ORDER[input.colour].forEach((source, channel) => {
      const first = 256 * channel;
      for (let i = 0, to = channel * plane; i < pixels; i += 1, to += step) {
        tensor[to] = values[first + rgba[4 * i + source]];
      }
    });
    return bytes;
  };
}
